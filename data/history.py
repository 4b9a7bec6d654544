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

from bisect import bisect_left, insort
from collections.abc import Collection, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from data.errors import InputError
from data.known import HISTORY_PREFIX, LeakError
from data.labels import DEFAULT_SOURCES, learned

WINDOWS = (7, 30, 365)
"""Days."""

DAY = 86_400_000_000
"""Microseconds."""

_FOREVER = 2**62


class PremiseHistory:
    """The calls and known crises of every premise, fed in any order and asked as of any time.

    Parameters
    ----------
    windows : sequence of int
        Days, ascending.

    Examples
    --------
    >>> history = PremiseHistory((7,))
    >>> history.add_call("a", "P1", 0)
    >>> history.add_label("a", True, 3 * DAY)
    >>> history.counts("P1", 2 * DAY), history.counts("P1", 3 * DAY), history.counts("P1", 9 * DAY)
    ((1, 0), (1, 1), (0, 0))
    """

    def __init__(self, windows: Sequence[int] = WINDOWS) -> None:
        if not windows or list(windows) != sorted(set(windows)) or windows[0] < 1:
            raise InputError("the windows of the history are ascending numbers of days, from 1 on")
        self.windows = tuple(windows)
        self._zeros = (0,) * len(self.windows)
        self._none = (0,) * (2 * len(self.windows))
        self._spans = tuple(days * DAY for days in windows)
        self._place: dict[str, tuple[str, int]] = {}
        self._calls: dict[str, list[int]] = {}
        # When the calls were received that are known as crises by all that was told so far, and
        # since when that is so; before that moment the spells are asked.
        self._crises: dict[str, list[int]] = {}
        self._since: dict[str, int] = {}
        # Premise → call → when it began to count as a crisis, and when it ceased to.
        self._spells: dict[str, dict[str, list[list[int]]]] = {}
        self._early: dict[str, list[tuple[bool | None, int]]] = {}

    def add_call(self, call_id: str, premise: str | None, received: int) -> None:
        """Take note of a call; a further revision of it changes nothing.

        Parameters
        ----------
        call_id : str
        premise : str or None
        received : int
            Microseconds since 1970, UTC.
        """
        if premise is None or call_id in self._place:
            return
        self._place[call_id] = (premise, received)
        insort(self._calls.setdefault(premise, []), received)
        for value, at in self._early.pop(call_id, ()):
            self.add_label(call_id, value, at)

    def add_label(self, call_id: str, value: bool | None, at: int) -> None:
        """Take note of what the label of a call became.

        Parameters
        ----------
        call_id : str
        value : bool or None
            Whether it was a crisis; None if that is open again.
        at : int
            When it became known, not before what was told of this call before; microseconds.
        """
        place = self._place.get(call_id)
        if place is None:
            self._early.setdefault(call_id, []).append((value, at))
            return
        premise, received = place
        here = self._spells.get(premise)
        spells = None if here is None else here.get(call_id)
        if bool(value) == (spells is not None and spells[-1][1] == _FOREVER):
            return
        if spells is None:
            spells = self._spells.setdefault(premise, {}).setdefault(call_id, [])
        crises = self._crises.setdefault(premise, [])
        if value:
            spells.append([at, _FOREVER])
            insort(crises, received)
        else:
            spells[-1][1] = at
            del crises[bisect_left(crises, received)]
        self._since[premise] = max(self._since.get(premise, at), at)

    def counts(self, premise: str | None, at: int) -> tuple[int, ...] | None:
        """Count what was known of a premise at a time.

        Parameters
        ----------
        premise : str or None
        at : int
            When the call was received; microseconds since 1970, UTC.

        Returns
        -------
        tuple of int, or None
            Earlier calls in each window, then known crises in each; None without a premise.
        """
        if premise is None:
            return None
        calls = self._calls.get(premise)
        if not calls:
            return self._none
        end = bisect_left(calls, at)
        if not end:
            return self._none
        found = [end - bisect_left(calls, at - span, 0, end) for span in self._spans]
        crises = self._crises.get(premise)
        if crises is not None and self._since[premise] > at:
            crises = self._known_at(premise, at)
        if not crises:
            return (*found, *self._zeros)
        end = bisect_left(crises, at)
        return (*found, *[end - bisect_left(crises, at - span, 0, end) for span in self._spans])

    def _known_at(self, premise: str, at: int) -> list[int]:
        """Name the calls that counted as crises at a time that has passed."""
        return sorted(
            self._place[call_id][1]
            for call_id, spells in self._spells[premise].items()
            if any(begin <= at < end for begin, end in spells)
        )

    def forget(self, before: int) -> int:
        """Drop calls that no window reaches any more, so that a service does not grow.

        Parameters
        ----------
        before : int
            The earliest time that will be asked about from now on; microseconds.

        Returns
        -------
        int
            The number of calls dropped.
        """
        oldest = before - self._spans[-1]
        old = [call_id for call_id, (_, received) in self._place.items() if received < oldest]
        for call_id in old:
            premise, received = self._place.pop(call_id)
            calls = self._calls[premise]
            del calls[bisect_left(calls, received)]
            spells = self._spells.get(premise, {}).pop(call_id, [])
            if spells and spells[-1][1] == _FOREVER:
                crises = self._crises[premise]
                del crises[bisect_left(crises, received)]
            if not calls:
                for table in (self._calls, self._crises, self._since, self._spells):
                    table.pop(premise, None)
        return len(old)


def columns(windows: Sequence[int] = WINDOWS) -> list[str]:
    """Name the columns of a history, calls first.

    Examples
    --------
    >>> columns((7, 30))
    ['history_calls_7d', 'history_calls_30d', 'history_crises_7d', 'history_crises_30d']
    """
    return [f"{HISTORY_PREFIX}{what}_{d}d" for what in ("calls", "crises") for d in windows]


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
