"""The calls and known crises of every premise, as of any time: what training and serving share.

The rules stand in `data.history`, which feeds a data set through this. Here is no pandas, so that
the service can feed it call by call.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from data.errors import InputError

HISTORY_PREFIX = "history_"
"""Columns of a history: known with the call, as they count only what was known by then."""

WINDOWS = (7, 30, 365)
"""Days."""

DAY = 86_400_000_000
"""Microseconds."""

_FOREVER = 2**62
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Counts = tuple[int, ...]
"""Earlier calls in each window, then known crises in each."""


def microseconds(time: datetime) -> int:
    """Tell a time as microseconds since 1970, exactly.

    Parameters
    ----------
    time : datetime
        With its time zone.

    Examples
    --------
    >>> microseconds(datetime(1970, 1, 2, tzinfo=UTC)) == DAY
    True
    """
    return (time - _EPOCH) // timedelta(microseconds=1)


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

    def counts(self, premise: str | None, at: int) -> Counts | None:
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
            self.drop(call_id)
        self._early = {
            call_id: told for call_id, told in self._early.items() if told[-1][1] >= oldest
        }
        return len(old)

    def drop(self, call_id: str) -> None:
        """Drop a call and all that was told of it, as if it had never been; unknown ones too."""
        self._early.pop(call_id, None)
        if call_id not in self._place:
            return
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


def columns(windows: Sequence[int] = WINDOWS) -> list[str]:
    """Name the columns of a history, calls first.

    Examples
    --------
    >>> columns((7, 30))
    ['history_calls_7d', 'history_calls_30d', 'history_crises_7d', 'history_crises_30d']
    """
    return [f"{HISTORY_PREFIX}{what}_{d}d" for what in ("calls", "crises") for d in windows]
