"""Which calls are compared with which: neighbourhoods first, any other column, and two crossed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from data.errors import InputError

NOT_KNOWN = "(not known)"
"""Calls of which the column says nothing are a group of their own: it may be the one missed."""

LEAST = 10
"""Groups of fewer calls are put together, so that no figure tells of a single caller."""

MOST = 1000
"""Groups that a column may have. One with more is no group but a name."""

FIRST = "neighborhood"
DEFAULT = (FIRST, "language", "caller_role", "call_source", "hours")
TITLES = {
    FIRST: "Neighbourhood",
    "language": "Language",
    "caller_role": "Caller's role",
    "call_source": "The way the call came in",
    "hours": "Hour of the day",
}
BANDS = ("00 to 05", "06 to 11", "12 to 17", "18 to 23")


@dataclass(frozen=True)
class Grouping:
    """Calls by group.

    Parameters
    ----------
    by : str
        A column, or two joined by `×`.
    names : list of str
        Of the groups, in order.
    codes : ndarray of shape (n_calls,)
        Place of each call's group in `names`.
    """

    by: str
    names: list[str]
    codes: NDArray[np.intp]

    @property
    def title(self) -> str:
        """Name the grouping in words."""
        return " × ".join(TITLES.get(part, part) for part in self.by.split("×"))


def grouping(calls: pd.DataFrame, by: str) -> Grouping:
    """Group calls by a column, by bands of hours (`hours`), or by two of these (`a×b`).

    Parameters
    ----------
    calls : pandas.DataFrame of shape (n_calls, n_columns)
        As `training.audit.period.DTYPES` declares.
    by : str

    Returns
    -------
    Grouping
        In the order of the groups' names. Groups of fewer than `LEAST` calls are one.

    Raises
    ------
    InputError
        If there is no such column, or it has more than `MOST` groups.

    Examples
    --------
    >>> calls = pd.DataFrame({"hour": [3] * 12 + [15] * 10 + [20]})
    >>> made = grouping(calls, "hours")
    >>> made.names, made.codes[[0, 12, 22]].tolist()
    (['(fewer than 10 calls each)', '00 to 05', '12 to 17'], [1, 2, 0])
    """
    parts = [_column(calls, part) for part in by.split("×")]
    if len(parts) > 2:
        raise InputError(f"{by}: groups are made of one column or two")
    codes, names = parts[0]
    if len(parts) == 2:
        second, others = parts[1]
        codes = codes * len(others) + second
        names = [f"{a} × {b}" for a in names for b in others]
    there, codes = np.unique(codes, return_inverse=True)
    if len(there) > MOST:
        raise InputError(f"{by} has {len(there):,} groups; an audit takes up to {MOST:,}")
    return _merged(by, [names[code] for code in there], codes)


def _column(calls: pd.DataFrame, name: str) -> tuple[NDArray[np.intp], list[str]]:
    if name == "hours":
        hour = calls["hour"]
        known = hour.notna().to_numpy()
        codes: NDArray[np.intp] = np.full(len(hour), len(BANDS), dtype=np.intp)
        codes[known] = hour[known].to_numpy(dtype=np.intp) // 6
        return codes, [*BANDS, NOT_KNOWN]
    if name not in calls:
        raise InputError(f"the calls have no column {name!r} to group by")
    found, values = pd.factorize(calls[name], sort=True)
    codes = np.where(found < 0, len(values), found).astype(np.intp)
    return codes, [*(str(value) for value in values), NOT_KNOWN]


def _merged(by: str, names: Sequence[str], codes: NDArray[np.intp]) -> Grouping:
    """Put the smallest groups together."""
    small = np.bincount(codes, minlength=len(names)) < LEAST
    if not small.any() or len(names) < 2:
        return Grouping(by, list(names), codes)
    place = np.cumsum(~small).astype(np.intp)
    place[small] = 0
    kept = [name for name, few in zip(names, small, strict=True) if not few]
    return Grouping(by, [f"(fewer than {LEAST} calls each)", *kept], place[codes])
