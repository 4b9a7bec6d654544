"""What was known of a premise before a call, as of the call.

For windows of 7, 30 and 365 days: how many earlier calls came from the premise, and how many of
those were by then *known* to have been crises. A call of yesterday whose outcome is recorded
tomorrow counts as a call and not yet as a crisis.

Training and serving use the same `PremiseHistory`: serving feeds it as calls come in and outcomes
are learned, `history_frame` feeds it a data set in order of time. Off by default: the past of an
address follows whoever lives there now, so the fairness audit has to see it first.

Rules, the same for both:

- An earlier call was received before this one, to the microsecond; calls of the same moment don't
  count each other. A window of `d` days reaches from `d` days before the call up to it, its
  beginning included. Revisions are one call, and the place is that of the first one known.
- A label counts from its as-of time on, and as what it was then: a correction changes the counts
  of later calls, never of earlier ones (`data.labels.learned`).
- A call without a premise has no history: its columns are missing, which is not zero.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from data.known import LeakError
from data.labels import DEFAULT_SOURCES, learned
from data.premise import DAY, WINDOWS, PremiseHistory, columns

__all__ = ["DAY", "WINDOWS", "PremiseHistory", "check_history", "columns", "history_frame"]

_FOREVER = 2**62


def history_frame(
    calls: pd.DataFrame,
    labels: pd.DataFrame,
    *,
    windows: Sequence[int] = WINDOWS,
    target: str = "mental_health_crisis",
    sources: Collection[str] = DEFAULT_SOURCES,
) -> pd.DataFrame:
    """Give every call the history of its premise, in one pass over time.

    Parameters
    ----------
    calls : pandas.DataFrame of shape (n_calls, n_columns)
        As `data.frame.DTYPES` declares, in any order.
    labels : pandas.DataFrame
        As `data.labels.DTYPES` declares.
    windows : sequence of int
        Days.
    target : str
        Whose positive labels count as crises.
    sources : collection of str
        Labels of other sources are not looked at.

    Returns
    -------
    pandas.DataFrame of shape (n_calls, 2 * len(windows))
        Counts, dtype float64, on the index of `calls`; NaN where a call has no premise.
    """
    history = PremiseHistory(windows)
    times = _microseconds(calls["received_at"])
    order = np.lexsort([calls["revision"].to_numpy(), times]).tolist()
    ids, moments = calls["call_id"].tolist(), times.tolist()
    places = calls["premise_id"].astype(object).where(calls["premise_id"].notna(), None).tolist()
    news = learned(labels, target, sources=sources)
    coming = next(news, None)
    when = _FOREVER if coming is None else coming.as_of
    empty = (np.nan,) * (2 * len(history.windows))
    rows: list[tuple[float, ...]] = [empty] * len(ids)
    for row in order:
        now = moments[row]
        while when <= now and coming is not None:
            history.add_label(coming.call_id, coming.value, when)
            coming = next(news, None)
            when = _FOREVER if coming is None else coming.as_of
        place = places[row]
        if place is not None:
            history.add_call(ids[row], place, now)
            rows[row] = history.counts(place, now) or empty
    made = np.array(rows, dtype="float64").reshape(len(ids), len(empty))
    return pd.DataFrame(made, index=calls.index, columns=columns(windows))


def check_history(
    history: pd.DataFrame,
    calls: pd.DataFrame,
    labels: pd.DataFrame,
    *,
    windows: Sequence[int] = WINDOWS,
    target: str = "mental_health_crisis",
) -> None:
    """Refuse a history that holds what was not known at the time of its calls.

    Parameters
    ----------
    history : pandas.DataFrame
        On the index of `calls`, with any of `columns(windows)`.
    calls, labels : pandas.DataFrame
        What it should have been computed of.
    windows : sequence of int
    target : str

    Raises
    ------
    LeakError
        It names the columns that differ, and in how many calls they know too much.
    """
    right = history_frame(calls, labels, windows=windows, target=target)
    strangers = sorted(set(history.columns) - set(right.columns))
    if strangers:
        raise LeakError(f"{', '.join(strangers)}: no column of the history as of the call")
    wrong = []
    for name in history.columns:
        same = (history[name] == right[name]) | (history[name].isna() & right[name].isna())
        if not same.all():
            more = int((history[name] > right[name]).sum())
            wrong.append(f"{name} (of {int((~same).sum()):,} calls, {more:,} times too much)")
    if wrong:
        raise LeakError(
            f"the history of premises is not as of the call: {', '.join(wrong)}; "
            "compute it with data.history"
        )


def _microseconds(times: pd.Series) -> NDArray[np.int64]:
    plain = times.dt.tz_convert("UTC").dt.tz_localize(None)
    made: NDArray[np.int64] = plain.to_numpy("datetime64[us]").astype("int64")
    return made
