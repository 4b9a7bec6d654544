"""A call through the model into the log; a decision and an outcome likewise.

The answer is made from the entry, and the entry is on disk before anyone sees the answer.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import orjson

from data.call import Call, Outcome
from model_service.model.assess import assess
from model_service.model.decision import Decision
from model_service.model.plan import PROTOCOL
from model_service.service import views
from model_service.service.accounts import Identity
from model_service.service.ids import is_id, new_id
from model_service.service.loading import Releases
from model_service.service.log import DecisionLog, Draft, Entry
from model_service.service.log.entry import now
from model_service.service.log.private import Broken
from model_service.service.premises import Premises
from model_service.service.problems import (
    FieldError,
    conflict,
    follow_protocol,
    invalid,
    not_found,
)

Answer = dict[str, Any]


class Assessor:
    """Assessments, decisions and outcomes, each with its record.

    Parameters
    ----------
    log : DecisionLog
    releases : Releases
    premises : Premises

    Raises
    ------
    LogUnavailable
        By every method, if the record can't be kept or read.
    """

    def __init__(self, log: DecisionLog, releases: Releases, premises: Premises) -> None:
        self._log = log
        self._releases = releases
        self._premises = premises

    async def assess(self, call: Call, who: Identity) -> tuple[Answer, bool]:
        """Assess one revision of a call, once.

        Parameters
        ----------
        call : Call
        who : Identity

        Returns
        -------
        dict, bool
            The answer, and whether it is new: the same revision with the same content is
            answered from the record.

        Raises
        ------
        Problem
            409 if the revision was assessed with another content, 503 if no release is in force.
        """
        while call.revision in (queued := self._log.queued_revisions(call.call_id)):
            await self._log.settled()
        latest = self._log.read.latest(call.call_id)
        highest = 0 if latest is None else latest.revision or 0
        if call.revision <= highest:
            first = self._log.read.revision(call.call_id, call.revision)
            if first is not None:
                return self._again(first, call), False
        release = self._releases.current
        if release is None:
            raise follow_protocol("no model is in force now, so no recommendation is given")
        at = now()
        history = release.scorer.history
        counts = self._premises.counts(history, call)
        assessment = assess(release, call, counts)
        assert assessment.explanation is not None
        body = views.assessment_body(
            release, assessment, leads=call.revision > max([highest, *queued])
        )
        private = {
            views.CALL: call.model_dump_json(exclude_none=True).encode(),
            views.EXPLANATION: views.explanation_bytes(assessment.explanation),
        }
        if history is not None:
            private[views.HISTORY] = views.history_bytes(history, counts)
        entry = await self._log.append(
            Draft(
                "assessment",
                who.name,
                body,
                call_id=call.call_id,
                revision=call.revision,
                assessment_id=new_id(at),
                private=private,
                at=at,
            )
        )
        self._premises.add_call(call)
        return views.assessment_view(entry, private), True

    async def decide(self, assessment_id: str, decision: Decision, who: Identity) -> Answer:
        """Record a person's decision; no release need be in force.

        Raises
        ------
        Problem
            404 if there is no such assessment, 422 if the plan it was made with has no such
            response.
        """
        entry = self._find(assessment_id)
        assessed = entry.content()
        recommended = assessed["recommendation"]["response"]
        if decision.response is not None and decision.response not in assessed["plan"]["responses"]:
            message = f"not a response of the plan; those are {_list(assessed)} or {PROTOCOL}"
            raise invalid([FieldError("response", message)], what="decision")
        at = now()
        later = self._later(entry)
        since = at - datetime.fromisoformat(entry.at)
        body = {
            "action": decision.action,
            "response": decision.response or recommended,
            "recommended": recommended,
            "reason": decision.reason,
            "time_to_decide_ms": max(0, round(since.total_seconds() * 1000)),
            "superseded_by": later and views.revision_view(later),
        }
        private = {} if decision.note is None else {views.NOTE: decision.note.encode()}
        decided = await self._log.append(
            Draft(
                "decision",
                who.name,
                body,
                call_id=entry.call_id,
                revision=entry.revision,
                assessment_id=assessment_id,
                private=private,
                at=at,
            )
        )
        return views.decision_view(decided, private)

    async def learn(self, outcome: Outcome, who: Identity) -> Answer:
        """Record what the world turned out to be.

        Raises
        ------
        Problem
            404 if no such call was ever assessed.
        """
        if self._log.read.latest(outcome.call_id) is None:
            raise not_found("call")
        private = {views.OUTCOME: outcome.model_dump_json(exclude_none=True).encode()}
        entry = await self._log.append(
            Draft("outcome", who.name, {}, call_id=outcome.call_id, private=private)
        )
        self._premises.add_outcome(outcome)
        return views.outcome_view(entry, private)

    def record(self, assessment_id: str) -> Answer:
        """Read everything that is known of an assessment.

        Raises
        ------
        Problem
            404 if there is no such assessment.
        """
        return self._record(self._find(assessment_id))

    def record_of_call(self, call_id: str) -> Answer:
        """Read everything that is known of the assessment of a call's latest revision.

        Raises
        ------
        Problem
            404 if no such call was ever assessed.
        """
        entry = self._log.read.latest(call_id)
        if entry is None:
            raise not_found("call")
        return self._record(entry)

    def _record(self, entry: Entry) -> Answer:
        read = self._log.read
        private = self._private(entry)
        outcome = read.outcome(str(entry.call_id))
        call, history = private.get(views.CALL), private.get(views.HISTORY)
        later = self._later(entry)
        return {
            "assessment": views.assessment_view(entry, private),
            "call": None if call is None else orjson.Fragment(call),
            "history": history and orjson.Fragment(history),
            "decisions": [
                views.decision_view(decision, self._private(decision))
                for decision in read.decisions(str(entry.assessment_id))
            ],
            "outcome": outcome and views.outcome_view(outcome, self._private(outcome)),
            "superseded_by": later and views.revision_view(later),
        }

    def _again(self, first: Entry, call: Call) -> Answer:
        private = self._private(first)
        stored = private.get(views.CALL)
        if stored is None or Call.model_validate_json(stored) != call:
            raise conflict("this revision was assessed with another content; send a higher one")
        return views.assessment_view(first, private)

    def _private(self, entry: Entry) -> dict[str, bytes]:
        try:
            return self._log.read.private(entry)
        except Broken:
            raise follow_protocol("the record does not fit its digest in the log") from None

    def _find(self, assessment_id: str) -> Entry:
        entry = self._log.read.assessment(assessment_id) if is_id(assessment_id) else None
        if entry is None:
            raise not_found("assessment")
        return entry

    def _later(self, entry: Entry) -> Entry | None:
        latest = self._log.read.latest(str(entry.call_id))
        return None if latest is None or latest.seq == entry.seq else latest


def _list(assessed: dict[str, Any]) -> str:
    return ", ".join(name for name in assessed["plan"]["responses"] if name != PROTOCOL)
