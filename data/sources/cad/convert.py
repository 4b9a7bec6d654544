"""Columns of an export to the fields of a call, an outcome or a label, a whole table at a time.

What can't be converted is noted in `Problems` under a short, stable reason that holds no value of
the row, so that reasons can be counted.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Callable
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from data.errors import InputError
from data.sources.cad.rules import ColumnRule, RecordedRule, TextRule, TimeRule

MIN_KEY_BYTES = 16
PUBLIC_KEY = b"crisiscall: pseudonyms of public data"
"""Stands in where no key is given: anyone can repeat it, so it hides nothing that is not public."""

_OFFSET = r"[T ]\S*(?:[Zz]|[+-]\d\d(?::?\d\d)?)$"
_EPOCH = {"epoch_s": "s", "epoch_ms": "ms"}

Pseudonymise = Callable[[str], str]


def pseudonymiser(key: bytes | None) -> Pseudonymise:
    """Make the function that turns an address into its pseudonym.

    Parameters
    ----------
    key : bytes or None
        A secret of the agency, at least 16 bytes. None takes a constant of the project, which is
        fit for public data only.

    Returns
    -------
    callable
        Text to 32 hexadecimal digits (keyed BLAKE2b, 128 bits). Case, width and runs of spaces
        make no difference.

    Raises
    ------
    InputError
        If the key is too short.

    Examples
    --------
    >>> name = pseudonymiser(b"a secret of the agency")
    >>> name("12 Elm  St") == name("12 ELM ST"), len(name("12 Elm St"))
    (True, 32)
    """
    if key is not None and len(key) < MIN_KEY_BYTES:
        raise InputError(f"the key of the pseudonyms is shorter than {MIN_KEY_BYTES} bytes")
    secret = hashlib.blake2b(PUBLIC_KEY if key is None else key).digest()  # of any length: 64 bytes

    def pseudonym(text: str) -> str:
        plain = " ".join(unicodedata.normalize("NFKC", text).casefold().split())
        return hashlib.blake2b(plain.encode(), key=secret, digest_size=16).hexdigest()

    return pseudonym


class Problems:
    """Row of a table → the first field that failed there, and why."""

    def __init__(self) -> None:
        self.found: dict[int, tuple[str, str]] = {}

    def note(self, rows: Any, field: str, what: str) -> None:
        """Note a problem of rows, given as a boolean mask."""
        for row in np.flatnonzero(np.asarray(rows, dtype=bool)):
            self.found.setdefault(int(row), (field, f"{field}: {what}"))


def _strip(column: pd.Series, missing: list[str]) -> pd.Series:
    text = column.str.strip()
    return text.mask(text.isin(["", *missing]))


def _join(rule: ColumnRule, table: pd.DataFrame, separator: str) -> pd.Series:
    parts = [_strip(table[column], rule.missing) for column in rule.read()]
    if len(parts) == 1:
        return parts[0]
    joined = [
        separator.join(part for part in row if isinstance(part, str)) or None
        for row in zip(*(part.tolist() for part in parts), strict=True)
    ]
    return pd.Series(joined, index=table.index, dtype="str")


def text(
    rule: TextRule,
    field: str,
    table: pd.DataFrame,
    numbers: list[int],
    pseudonymise: Pseudonymise,
    problems: Problems,
) -> pd.Series:
    """Evaluate a rule for a text, code, number or flag.

    Parameters
    ----------
    rule : TextRule
    field : str
        The field that the value is for.
    table : pandas.DataFrame of shape (n_rows, n_columns)
        Texts as they came.
    numbers : list of int, of length n_rows
    pseudonymise : callable
    problems : Problems
        Is added to.

    Returns
    -------
    pandas.Series of shape (n_rows,)
        With dtype "str"; missing where the export says nothing.
    """
    if rule.row_number:
        values = pd.Series([str(n) for n in numbers], index=table.index, dtype="str")
    elif rule.constant is not None:
        values = pd.Series(rule.constant, index=table.index, dtype="str")
    else:
        values = _join(rule, table, rule.separator)
    for old, new in rule.replace.items():
        values = values.str.replace(old, new, regex=False)
    if rule.codes is not None:
        values = _decode(rule, field, values, problems)
    if rule.pseudonym:
        values = values.map({v: pseudonymise(v) for v in values.dropna().unique()}).astype("str")
    if rule.prefix:
        values = rule.prefix + values
    return values if rule.cut is None else values.str.slice(0, rule.cut)


def _decode(rule: TextRule, field: str, values: pd.Series, problems: Problems) -> pd.Series:
    assert rule.codes is not None
    decoded = values.map(rule.codes).astype("str")
    unlisted = values.notna() & ~values.isin(list(rule.codes))
    if rule.default is not None:
        # A default speaks for a code that is not listed, not for a missing one.
        return decoded.mask(unlisted, rule.default)
    if rule.unlisted == "keep":
        return decoded.mask(unlisted, values)
    if rule.unlisted == "reject":
        problems.note(unlisted, field, "a code that the mapping does not list")
    return decoded


def number(values: pd.Series, field: str, problems: Problems, *, whole: bool = False) -> pd.Series:
    """Turn texts into numbers; `whole` asks for integers.

    Returns
    -------
    pandas.Series of shape (n_rows,)
        float64, NaN where missing or noted in `problems`.
    """
    numbers = pd.to_numeric(values.astype(object), errors="coerce").astype("float64")
    wrong = values.notna() & (~np.isfinite(numbers) | (whole & (numbers % 1 != 0)))
    problems.note(wrong, field, "not a whole number" if whole else "not a number")
    return numbers.mask(wrong)


def time(
    rule: TimeRule, field: str, zone: str, table: pd.DataFrame, problems: Problems
) -> pd.Series:
    """Evaluate a rule for a time.

    Local times are of the agency's zone. An hour that occurs twice is taken as the rule says
    (`ambiguous`), one that the clocks skip too (`nonexistent`).

    Returns
    -------
    pandas.Series of shape (n_rows,)
        datetime64[us, UTC]; NaT where missing or noted in `problems`.
    """
    if not rule.read():
        return pd.Series(pd.NaT, index=table.index, dtype="datetime64[us, UTC]")
    values = _join(rule, table, " ")
    times = pd.Series(pd.NaT, index=table.index, dtype="datetime64[us, UTC]")
    rest = values.notna()
    for form in rule.formats:
        if not rest.any():
            break
        read = _parse(values[rest], form, rule, field, zone, problems)
        times[read.index] = read
        rest[read.index] = False
    problems.note(rest, field, "not a date in any declared format")
    return times


def _parse(
    values: pd.Series, form: str, rule: TimeRule, field: str, zone: str, problems: Problems
) -> pd.Series:
    """Read those values that have the form, as UTC; the others are left out."""
    if form in _EPOCH:
        ticks = pd.to_numeric(values.astype(object), errors="coerce").astype("float64").dropna()
        # Microseconds since 1970 that an int64 and a datetime64[us] both hold with room to spare.
        ticks = ticks * {"s": 1e6, "ms": 1e3}[_EPOCH[form]]
        whole = ticks[ticks.abs() < 1e17].round().astype("int64")
        return pd.Series(whole.astype("datetime64[us]").dt.tz_localize("UTC"))
    if form == "iso":
        # An offset in the text holds; a text without one is local.
        with_offset = values.str.contains(_OFFSET, regex=True)
        local = pd.to_datetime(values[~with_offset], format="ISO8601", errors="coerce")
        fixed = pd.to_datetime(values[with_offset], format="ISO8601", errors="coerce", utc=True)
        parts = [
            _localise(local.dropna().astype("datetime64[us]"), rule, field, zone, problems),
            fixed.dropna().astype("datetime64[us, UTC]"),
        ]
        return pd.Series(pd.concat(parts))
    if "%z" in form:
        read = pd.to_datetime(values, format=form, errors="coerce", utc=True)
        return pd.Series(read.dropna().astype("datetime64[us, UTC]"))
    read = pd.to_datetime(values, format=form, errors="coerce").dropna()
    return _localise(read.astype("datetime64[us]"), rule, field, zone, problems)


def _localise(
    local: pd.Series, rule: TimeRule, field: str, zone: str, problems: Problems
) -> pd.Series:
    """Give local times their zone: the same instants in UTC, NaT where the rule rejects one."""
    if local.empty:
        return pd.Series(local.dt.tz_localize("UTC"))
    tz = ZoneInfo(zone)
    shift: Any = "shift_forward"
    earlier = np.full(len(local), rule.ambiguous != "later")
    times = local.dt.tz_localize(tz, ambiguous=earlier, nonexistent=shift)
    if rule.nonexistent == "reject":
        skipped = times.dt.tz_localize(None) != local
        problems.note(_mask(skipped), field, "a local time that the clocks skipped")
        times = times.mask(skipped)
    if rule.ambiguous == "reject":
        twice = local.dt.tz_localize(tz, ambiguous="NaT", nonexistent=shift).isna()
        problems.note(_mask(twice), field, "a local time that occurred twice")
        times = times.mask(twice)
    return pd.Series(times.dt.tz_convert("UTC"))


def _mask(part: pd.Series) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Spread a mask over a part of a table (by its RangeIndex) to one over its first rows."""
    whole = np.zeros(int(part.index.max()) + 1 if len(part) else 0, dtype=bool)
    whole[part.index[part.to_numpy(dtype=bool)].to_numpy(dtype=int)] = True
    return whole


def recorded(
    rule: RecordedRule,
    zone: str,
    table: pd.DataFrame,
    received: pd.Series,
    problems: Problems,
) -> pd.Series:
    """Evaluate when outcomes became known: their column, and where it is missing the delay.

    Returns
    -------
    pandas.Series of shape (n_rows,)
        datetime64[us, UTC]; NaT where the export does not say and no delay is stated.
    """
    times = time(rule, "recorded_at", zone, table, problems)
    if rule.after_received is not None:
        times = times.fillna(received + rule.after_received)
    problems.note(times < received, "recorded_at", "earlier than received_at")
    return times
