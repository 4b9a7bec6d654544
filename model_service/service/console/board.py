"""The calls that the queue shows: a picture of the log, drawn anew where an entry changes it.

A row is drawn when somebody looks, and kept as it is until its call changes, so that fifty consoles
cost one drawing. The board is of one process; what it shows follows from the log alone.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from model_service.service.accounts import Identity
from model_service.service.assessor import Assessor
from model_service.service.console.calls import CallView, view
from model_service.service.console.page import template
from model_service.service.loading import Releases
from model_service.service.log import DecisionLog, Entry
from model_service.service.problems import Problem

SIZE = 400
"""Calls that the board holds; older ones are found in the log."""

DESK = Identity("service", "dispatcher")
"""For whom rows are drawn: everybody at a desk sees the same."""


class Row(NamedTuple):
    """A row of the queue as it is drawn."""

    order: int
    html: str


class Change(NamedTuple):
    """What an entry changes: these calls, or all that is shown."""

    calls: tuple[str, ...] = ()
    all: bool = False


class Board:
    """The latest calls, the newest first.

    Parameters
    ----------
    log : DecisionLog
    assessor : Assessor
    releases : Releases

    Raises
    ------
    LogUnavailable
        By every method, if the log can't be read.
    """

    def __init__(self, log: DecisionLog, assessor: Assessor, releases: Releases) -> None:
        self._log = log
        self._assessor = assessor
        self._releases = releases
        self._orders: dict[str, int] = {}
        self._drawn: dict[str, Row] = {}

    def begin(self) -> int:
        """Look at the log from its end; returns the sequence of the last entry looked at."""
        newest = self._log.read.newest()
        self._orders = {}
        self._drawn = {}
        for entry in reversed(self._log.read.recent("assessment", 2 * SIZE)):
            if entry.seq <= newest:
                self._orders.setdefault(str(entry.call_id), entry.seq)
        self._trim()
        return newest

    def take(self, entry: Entry) -> Change:
        """Take the next entry of the log."""
        if entry.kind == "assessment":
            self._orders.setdefault(str(entry.call_id), entry.seq)
            self._trim()
        if entry.kind in ("assessment", "decision", "decision_refused"):
            calls = [] if entry.call_id is None else [entry.call_id]
        elif entry.kind == "erasure":
            calls = self._log.read.erased_calls(entry.seq)
        elif entry.kind in ("mode", "release"):
            self._drawn.clear()
            return Change(all=True)
        else:
            return Change()
        for call_id in calls:
            self._drawn.pop(call_id, None)
        return Change(tuple(call for call in calls if call in self._orders))

    def row(self, call_id: str) -> Row | None:
        """Draw the row of a call, unless it is drawn; None if the board does not hold it."""
        order = self._orders.get(call_id)
        if order is None:
            return None
        drawn = self._drawn.get(call_id)
        if drawn is None:
            try:
                call: CallView | None = self.latest(call_id)
            except Problem:  # a record that can't be read; the rest of the queue can
                call = None
            html = template("row.html", call=call, order=order)
            drawn = self._drawn[call_id] = Row(order, _in_one_line(html))
        return drawn

    def rows(self, limit: int, before: int | None = None) -> list[Row]:
        """Draw rows, the newest first.

        Parameters
        ----------
        limit : int
        before : int, optional
            Only of calls that came in before the one of this order.
        """
        wanted = [
            call
            for call, order in reversed(self._orders.items())
            if before is None or order < before
        ]
        return [row for call in wanted[:limit] if (row := self.row(call)) is not None]

    def latest(self, call_id: str) -> CallView:
        """Show the assessment of a call's latest revision."""
        return self._view(self._assessor.record_of_call(call_id, DESK))

    def assessment(self, assessment_id: str, who: Identity) -> CallView:
        """Show an assessment.

        Raises
        ------
        Problem
            404 if there is no such assessment.
        """
        return self._view(self._assessor.record(assessment_id, who))

    def _view(self, record: dict[str, Any]) -> CallView:
        release = self._releases.current
        assessment = record["assessment"]
        earlier = None
        if not record["decisions"] and assessment["revision"] > 1:
            earlier = self._before(assessment["call_id"], assessment["revision"])
        return view(record, None if release is None else release.plan, earlier)

    def _before(self, call_id: str, revision: int) -> dict[str, Any] | None:
        """Find the last decision on an earlier revision of a call."""
        for entry in reversed(self._log.read.of_call(call_id)):
            if entry.kind == "decision" and (entry.revision or 0) < revision:
                about = {"at": entry.at, "actor": entry.actor, "revision": entry.revision}
                return {**entry.content(), **about, "note": None}
        return None

    def _trim(self) -> None:
        while len(self._orders) > SIZE:
            oldest = next(iter(self._orders))
            del self._orders[oldest]
            self._drawn.pop(oldest, None)


def _in_one_line(html: str) -> str:
    """Take out whatever ends a line, in a template or in what a caller said."""
    return " ".join(line for part in html.splitlines() if (line := part.strip()))
