"""What the log knows of premises, as long as the release in force asks for it.

The history is that of the log and nothing else: calls that were assessed and outcomes that were
recorded, in the order of their entries. So a restart, which reads the log from its beginning, comes
to the same counts, as does every process that serves the same log; and what was erased from the log
does not count, from the next question on.
"""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from typing import Any

import structlog
from pydantic import ValidationError

from data.call import Call, Outcome
from data.premise import DAY, Counts, PremiseHistory, microseconds
from model_service.model.scorer import CRISIS_FIELDS, HistoryTable, Outcomes
from model_service.service.log import DecisionLog
from model_service.service.log.reading import MAX_PAGE
from model_service.service.views import CALL, OUTCOME


class Premises:
    """The history of premises under one release after another.

    Parameters
    ----------
    log : DecisionLog
    """

    def __init__(self, log: DecisionLog) -> None:
        self._log = log
        self._asked: tuple[tuple[int, ...], Outcomes] | None = None
        self._history: PremiseHistory | None = None
        self._told: dict[str, int] = {}
        self._newest = self._swept = 0
        self._erasure = self._after = 0

    def follow(self, table: HistoryTable | None) -> None:
        """Read the log anew if a release asks for another history, and let go if it asks for none.

        Parameters
        ----------
        table : HistoryTable, optional
            Of the release's scorer.

        Raises
        ------
        LogUnavailable
            If the log can't be read.
        """
        asked = None if table is None else (table.windows, table.crises)
        if asked == self._asked:
            return
        self._asked, self._history, self._told = None, None, {}
        self._newest = self._swept = 0
        if table is None:
            return
        last = self._log.read.last("erasure")
        self._erasure = 0 if last is None else last.seq
        history = PremiseHistory(table.windows)
        self._after = 0
        self._read(history, table)
        self._asked, self._history = asked, history

    def _read(self, history: PremiseHistory, table: HistoryTable) -> None:
        """Take note of what the log has got since it was last read, whoever wrote it."""
        damaged = 0
        for seq, name, text in self._log.read.personal([CALL, OUTCOME], after=self._after):
            self._after = seq
            try:
                if text is None:
                    damaged += 1
                else:
                    self._note(history, name, text, table.crises)
            except ValidationError:  # written by a version that took other records
                damaged += 1
        if damaged:
            say: Any = structlog.get_logger()
            say.warning("records that can't be read are left out of the history", n=damaged)

    def counts(self, table: HistoryTable | None, call: Call) -> Counts | None:
        """Count what the log knows of a call's premise, as of the call.

        Parameters
        ----------
        table : HistoryTable, optional
            Of the scorer that asks; None: it does not.
        call : Call

        Returns
        -------
        tuple of int, or None
            None where the call has no premise, or nobody asks.

        Raises
        ------
        LogUnavailable
            If the log can't be read.
        """
        if table is None:
            return None
        self.follow(table)
        assert self._history is not None
        self._read(self._history, table)
        self._forget_erased()
        return self._history.counts(call.premise_id, microseconds(call.received_at))

    def _forget_erased(self) -> None:
        """Let go of calls whose text was erased since, by whatever process; keep what is left."""
        assert self._history is not None and self._asked is not None
        for erasure in self._log.read.page(after=self._erasure, kind="erasure", limit=MAX_PAGE):
            for call_id in self._log.read.erased_calls(erasure.seq):
                self._history.drop(call_id)
                self._told.pop(call_id, None)
                self._restore(call_id)
            self._erasure = erasure.seq

    def _restore(self, call_id: str) -> None:
        """Take note of what is still there of a call of which some was erased."""
        assert self._history is not None and self._asked is not None
        for _, name, text in self._log.read.personal([CALL, OUTCOME], call_id=call_id):
            if text is None:
                continue
            with contextlib.suppress(ValidationError):  # left out, and told, when it was first read
                self._note(self._history, name, text, self._asked[1])

    def _note(self, history: PremiseHistory, name: str, text: bytes, crises: Outcomes) -> None:
        if name == CALL:
            self._call(history, Call.model_validate_json(text))
        else:
            self._outcome(history, Outcome.model_validate_json(text), crises)

    def _call(self, history: PremiseHistory, call: Call) -> None:
        received = microseconds(call.received_at)
        history.add_call(call.call_id, call.premise_id, received)
        # A call that is dated years ahead by mistake must not push all others out.
        self._newest = max(self._newest, min(received, microseconds(datetime.now(UTC))))
        if self._newest - self._swept >= DAY:
            history.forget(self._newest - DAY)
            oldest = self._newest - (history.windows[-1] + 1) * DAY
            self._told = {call: at for call, at in self._told.items() if at >= oldest}
            self._swept = self._newest

    def _outcome(self, history: PremiseHistory, outcome: Outcome, crises: Outcomes) -> None:
        at = microseconds(outcome.recorded_at)
        if at < self._told.get(outcome.call_id, at):
            return  # an older one that came late changes nothing
        self._told[outcome.call_id] = at
        history.add_label(outcome.call_id, is_crisis(outcome, crises), at)


def is_crisis(outcome: Outcome, crises: Outcomes) -> bool | None:
    """Tell whether an outcome says that the call was a crisis; None if it does not say.

    A clinician's finding goes before the codes, as it does among labels (`data.labels.SOURCES`).

    Parameters
    ----------
    outcome : Outcome
    crises : mapping of str to tuple of str
        Field → values that say so.

    Examples
    --------
    >>> outcome = Outcome(call_id="a", recorded_at=datetime(2026, 1, 1, tzinfo=UTC),
    ...                   disposition="TRANSPORTED", clinician_finding="no_crisis")
    >>> is_crisis(outcome, {"clinician_finding": ("crisis",), "disposition": ("TRANSPORTED",)})
    False
    """
    for field in CRISIS_FIELDS:
        value = getattr(outcome, field)
        if field in crises and value is not None:
            return value in crises[field]
    return None
