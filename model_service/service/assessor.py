"""A call through the model into the log; a decision and an outcome likewise.

The answer is made from the entry, and the entry is on disk before anyone sees the answer.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Awaitable, Callable, Coroutine
from datetime import datetime
from typing import Any, ParamSpec, TypeVar

import orjson

from data.call import MAX_REVISION, Call, Outcome
from data.logged import Withheld
from data.sources.eido import Document, parse, serialise, to_eido
from model_service.model.assess import assess
from model_service.model.decision import Decision
from model_service.model.plan import PROTOCOL, Mode, ResponsePlan
from model_service.service import views
from model_service.service.accounts import Identity
from model_service.service.eido import advice_of, same
from model_service.service.holdback import HoldBack
from model_service.service.ids import is_id, new_id
from model_service.service.keeping import Keeping, KeptDecision
from model_service.service.loading import Releases
from model_service.service.log import DecisionLog, Draft, Entry, LogUnavailable, Overtaken
from model_service.service.log.entry import now, stamp
from model_service.service.log.private import Broken
from model_service.service.modes import Modes
from model_service.service.premises import Premises
from model_service.service.problems import (
    FieldError,
    Problem,
    conflict,
    follow_protocol,
    gone,
    invalid,
    not_found,
)
from model_service.service.retries import Asked, Retries, reused
from model_service.service.units import Units

Answer = dict[str, Any]

REVIEWERS = frozenset(["auditor"])
"""Roles that sit at no desk and read what was withheld from those that do."""


P = ParamSpec("P")
T = TypeVar("T")


def _anew(method: Callable[P, Awaitable[T]]) -> Callable[P, Coroutine[Any, Any, T]]:
    """Answer anew for as long as another process was first: what it wrote is found then."""

    @functools.wraps(method)
    async def answer(*args: P.args, **given: P.kwargs) -> T:
        while True:
            with contextlib.suppress(Overtaken):
                return await method(*args, **given)

    return answer


class Assessor:
    """Assessments, decisions and outcomes, each with its record.

    Parameters
    ----------
    log : DecisionLog
    releases : Releases
    premises : Premises
    modes : Modes
    units : Units
    hold_back : HoldBack
    keeping : Keeping

    Raises
    ------
    LogUnavailable
        By every method, if the record can't be kept or read.
    """

    def __init__(
        self,
        log: DecisionLog,
        releases: Releases,
        premises: Premises,
        *,
        modes: Modes,
        units: Units,
        hold_back: HoldBack,
        keeping: Keeping,
    ) -> None:
        self._log = log
        self._retries = Retries(log)
        self._releases = releases
        self._premises = premises
        self._modes = modes
        self._units = units
        self._hold_back = hold_back
        self._keeping = keeping

    @_anew
    async def assess(
        self, call: Call, who: Identity, *, key: str | None = None
    ) -> tuple[Answer, bool]:
        """Assess one revision of a call, once.

        Parameters
        ----------
        call : Call
        who : Identity
        key : str, optional
            The request's idempotency key.

        Returns
        -------
        dict, bool
            The answer, and whether it is new, or that of the same request: the same revision with
            the same content is answered from the record.

        Raises
        ------
        Problem
            409 if the revision was assessed with another content, or this can't be told any more,
            422 if the key came with another request, 503 if no release is in force.
        """
        async with self._retries.once(who, key) as asked:
            if asked.first is not None:
                return self._assessed_with(asked.first, call, who), True
            return await self._assess(call, who, asked)

    async def _assess(
        self, call: Call, who: Identity, asked: Asked, *, eido: bytes | None = None
    ) -> tuple[Answer, bool]:
        """Assess a call; `eido` is the document as which it came in, to be kept with it."""
        while call.revision in (queued := self._log.queued_revisions(call.call_id)):
            await self._log.settled()
        latest = self._log.read.latest(call.call_id)
        highest = 0 if latest is None else latest.revision or 0
        if call.revision <= highest:
            first = self._log.read.revision(call.call_id, call.revision)
            if first is not None:
                if eido is not None:  # the number is not the caller's: another one is found
                    raise Overtaken
                return self._again(first, call, who), False
        release = self._releases.current
        if release is None:
            raise follow_protocol("no model is in force now, so no recommendation is given")
        at = now()
        plan, history = release.plan, release.scorer.history
        mode = self._modes.now(plan)
        free = self._units.free(plan, at)
        private = {views.CALL: call.model_dump_json(exclude_none=True).encode()}
        if eido is not None:
            private[views.EIDO] = eido
        assessment = None
        if mode != "off":
            counts = self._premises.counts(history, call)
            assessment = assess(release, call, counts, free=free)
            assert assessment.explanation is not None
            private[views.GROUNDS] = views.grounds_bytes(assessment)
            private[views.EXPLANATION] = views.explanation_bytes(assessment.explanation)
            if history is not None:
                private[views.HISTORY] = views.history_bytes(history, counts)
        withheld = self._withheld_from_desk(plan, call, mode)
        body = views.assessment_body(
            release,
            assessment,
            leads=call.revision > max([highest, *queued]),
            mode=mode,
            withheld=withheld,
            hold_back=self._draw(plan) if mode == "advisory" else None,
            free=free,
        )
        entry = await self._log.append(
            Draft(
                "assessment",
                who.name,
                {**body, **asked.part},
                call_id=call.call_id,
                revision=call.revision,
                assessment_id=new_id(at),
                private=private,
                at=at,
            )
        )
        return views.assessment_view(entry, private, withheld), True

    @_anew
    async def assess_eido(
        self, call: Call, document: Document, body: bytes, who: Identity, *, key: str | None = None
    ) -> tuple[Answer, bool]:
        """Assess a call that came in as an EIDO, as the next revision of the incident.

        Parameters
        ----------
        call : Call
            As it was read from the document; its revision is not looked at.
        document : Document
        body : bytes
            The document as it came.
        who : Identity
        key : str, optional
            The request's idempotency key.

        Returns
        -------
        dict, bool
            As with `assess`; a document that was assessed before is answered from the record.

        Raises
        ------
        Problem
            409 if a later update of the incident was assessed already, 422 and 503 as with
            `assess`.
        """
        names = {
            "incident": document.root.id,
            "calls": [one.id for one in document.all("callComponent")],
        }
        async with self._retries.once(who, key) as asked:
            if asked.first is not None:
                answer, new = self._assessed_with(asked.first, document, who), True
            else:
                answer, new = await self._assess_eido(call, document, body, who, asked)
        return {**answer, "eido": names}, new

    async def _assess_eido(
        self, call: Call, document: Document, body: bytes, who: Identity, asked: Asked
    ) -> tuple[Answer, bool]:
        while self._log.queued_revisions(call.call_id):
            await self._log.settled()
        entries = self._log.read.assessments(call.call_id)
        first = self._assessed(entries, document)
        if first is not None:
            return self._assessment(first, self._private(first), who), False
        revision = 1 + max((entry.revision or 0 for entry in entries), default=0)
        if revision > MAX_REVISION:
            raise conflict("the call has the highest revision that there can be")
        call = call.model_copy(update={"revision": revision})
        return await self._assess(call, who, asked, eido=body)

    def eido(self, assessment_id: str) -> bytes:
        """Write an assessment's call as an EIDO, with the recommendation unless it is withheld.

        Withheld is what is withheld at a desk, whoever asks: the document goes on to others.

        Returns
        -------
        bytes
            JSON. What came in as an EIDO is in it whole.

        Raises
        ------
        Problem
            404 if there is no such assessment, 410 if what was said in the call was erased.
        """
        entry = self._find(assessment_id)
        private = self._private(entry)
        stored, body = private.get(views.CALL), private.get(views.EIDO)
        if stored is None:
            raise gone("what was said in this call")
        advice = advice_of(entry, private) if self._withheld_now(entry) is None else None
        if advice is None and body is not None:
            return body
        written = to_eido(
            Call.model_validate_json(stored),
            advice,
            document=None if body is None else parse(body),
            agency=entry.content().get("eido", {}).get("agency"),
        )
        return serialise(written)

    @_anew
    async def decide(
        self, assessment_id: str, decision: Decision, who: Identity, *, key: str | None = None
    ) -> tuple[Answer, bool]:
        """Record a person's decision; no release need be in force.

        While the log can't be written the decision is kept, and recorded as soon as it can be.

        Returns
        -------
        dict, bool
            The answer, and whether the decision is on record; if not, it is kept.

        Raises
        ------
        Problem
            404 if there is no such assessment, 422 if the plan it was made with has no such
            response, the action is not one for advice that was shown, or was not, or the key came
            with another request. What is kept is looked at when it is recorded.
        LogUnavailable
            If it can be neither recorded nor kept.
        """
        at = now()
        if not is_id(assessment_id):
            raise not_found("assessment")
        try:
            if self._keeping.waiting:  # in order: nothing goes before what waits
                raise LogUnavailable("decisions wait to be recorded")
            async with self._retries.once(who, key) as asked:
                if asked.first is not None:
                    return self._decided_with(asked.first, assessment_id, decision, who), True
                decided, private = await self._decide(assessment_id, decision, who, asked.part, at)
        except LogUnavailable:
            kept = self._keeping.keep(assessment_id, decision, who, at, key)
            return views.kept_view(kept), False
        withheld = self.withheld(self._find(assessment_id), who)
        return views.decision_view(decided, private, withheld), True

    @_anew
    async def record_kept(self, kept: KeptDecision) -> None:
        """Record a decision that was kept, unless that was done before.

        One that does not fit its assessment is recorded as refused, so that it is not lost.

        Raises
        ------
        LogUnavailable
        """
        async with self._retries.once(kept.who, f"kept {kept.id}") as own:
            if own.first is not None:
                return
            part = {**own.part, "recorded_at": stamp(now())}
            try:
                async with self._retries.once(kept.who, kept.key) as asked:
                    if asked.first is not None:
                        self._decided_with(asked.first, kept.assessment_id, kept.decision, kept.who)
                        return
                    part |= asked.part
                    await self._decide(kept.assessment_id, kept.decision, kept.who, part, kept.at)
            except Problem as problem:
                await self._refuse(kept, {**own.part, "recorded_at": part["recorded_at"]}, problem)

    async def _refuse(self, kept: KeptDecision, part: Answer, problem: Problem) -> None:
        decision = kept.decision
        body = {
            "action": decision.action,
            "response": decision.response,
            "reason": decision.reason,
            "why": problem.code,
        }
        await self._log.append(
            Draft(
                "decision_refused",
                kept.actor,
                {**body, **part},
                assessment_id=kept.assessment_id,
                private=_note(decision),
                at=kept.at,
            )
        )

    async def _decide(
        self, assessment_id: str, decision: Decision, who: Identity, part: Answer, at: datetime
    ) -> tuple[Entry, dict[str, bytes]]:
        entry = self._find(assessment_id)
        assessed = entry.content()
        recommended = (assessed["recommendation"] or {}).get("response")
        shown = self._was_shown(entry)
        if decision.action == "commit" and assessed.get("withheld") is None:
            message = "advice was shown: accept or override it"
            raise invalid([FieldError("action", message)], what="decision")
        if decision.action != "commit" and not shown:
            message = "no advice was shown: commit to a response"
            raise invalid([FieldError("action", message)], what="decision")
        if decision.response is not None and decision.response not in assessed["plan"]["responses"]:
            message = f"not a response of the plan; those are {_list(assessed)} or {PROTOCOL}"
            raise invalid([FieldError("response", message)], what="decision")
        later = self._later(entry)
        if later is not None and later.at > stamp(at):
            later = None  # it came in after the decision, which was kept meanwhile
        since = at - datetime.fromisoformat(entry.at)
        body = {
            "action": decision.action,
            "response": decision.response or recommended,
            "recommended": recommended,
            "advice_shown": shown,
            "reason": decision.reason,
            "time_to_decide_ms": max(0, round(since.total_seconds() * 1000)),
            "superseded_by": later and views.revision_view(later),
        }
        private = _note(decision)
        decided = await self._log.append(
            Draft(
                "decision",
                who.name,
                {**body, **part},
                call_id=entry.call_id,
                revision=entry.revision,
                assessment_id=assessment_id,
                private=private,
                at=at,
            )
        )
        return decided, private

    @_anew
    async def learn(self, outcome: Outcome, who: Identity, *, key: str | None = None) -> Answer:
        """Record what the world turned out to be.

        Raises
        ------
        Problem
            404 if no such call was ever assessed, 422 if the key came with another request.
        """
        async with self._retries.once(who, key) as asked:
            if asked.first is not None:
                return self._learned_with(asked.first, outcome)
            return await self._learn(outcome, who, asked)

    async def _learn(self, outcome: Outcome, who: Identity, asked: Asked) -> Answer:
        if self._log.read.latest(outcome.call_id) is None:
            raise not_found("call")
        private = {views.OUTCOME: outcome.model_dump_json(exclude_none=True).encode()}
        entry = await self._log.append(
            Draft("outcome", who.name, asked.part, call_id=outcome.call_id, private=private)
        )
        return views.outcome_view(entry, private)

    def record(self, assessment_id: str, who: Identity) -> Answer:
        """Read everything that is known of an assessment.

        Raises
        ------
        Problem
            404 if there is no such assessment.
        """
        return self._record(self._find(assessment_id), who)

    def record_of_call(self, call_id: str, who: Identity) -> Answer:
        """Read everything that is known of the assessment of a call's latest revision.

        Raises
        ------
        Problem
            404 if no such call was ever assessed.
        """
        entry = self._log.read.latest(call_id)
        if entry is None:
            raise not_found("call")
        return self._record(entry, who)

    def _record(self, entry: Entry, who: Identity) -> Answer:
        withheld = self.withheld(entry, who)
        read = self._log.read
        private = self._private(entry)
        outcome = read.outcome(str(entry.call_id))
        call, history = private.get(views.CALL), private.get(views.HISTORY)
        later = self._later(entry)
        return {
            "assessment": views.assessment_view(
                entry, private, withheld, read.erased(entry, private)
            ),
            "call": None if call is None else orjson.Fragment(call),
            "history": history and orjson.Fragment(history),
            "decisions": [
                self._decision(decision, withheld)
                for decision in read.decisions(str(entry.assessment_id))
            ],
            "outcome": outcome and self._outcome(outcome),
            "superseded_by": later and views.revision_view(later),
        }

    def _draw(self, plan: ResponsePlan) -> Answer | None:
        if plan.hold_back == 0:
            return None
        return {"share": plan.hold_back, "key": self._hold_back.key_name()}

    def _withheld_from_desk(self, plan: ResponsePlan, call: Call, mode: Mode) -> Withheld | None:
        """Say why the advice on a call that comes in now is not shown, if it is not."""
        if mode != "advisory":
            return mode
        drawn = self._hold_back.holds(call.call_id, plan.hold_back)
        return "held_back" if drawn and not self._log.read.decided(call.call_id) else None

    def withheld(self, entry: Entry, who: Identity) -> Withheld | None:
        """Say why the advice of a record is not shown to somebody now, if it is not."""
        withheld = self._withheld_now(entry)
        if who.role in REVIEWERS and entry.content().get("withheld") != "off":
            return None
        return withheld

    def _withheld_now(self, entry: Entry) -> Withheld | None:
        """Say why the advice of a record is not shown at a desk now, if it is not."""
        recorded: Withheld | None = entry.content().get("withheld")
        if recorded == "off":
            return "off"
        release = self._releases.current
        mode = self._modes.now(None if release is None else release.plan)
        if mode != "advisory":
            return mode
        return None if self._was_shown(entry) else recorded

    def _was_shown(self, entry: Entry) -> bool:
        """Say whether the advice of a record has been there to be seen at a desk."""
        recorded = entry.content().get("withheld")
        return recorded is None or (
            recorded == "held_back" and self._log.read.decided(str(entry.call_id))
        )

    def _assessment(self, entry: Entry, private: dict[str, bytes], who: Identity) -> Answer:
        erasure = self._log.read.erased(entry, private)
        return views.assessment_view(entry, private, self.withheld(entry, who), erasure)

    def _decision(self, entry: Entry, withheld: Withheld | None) -> Answer:
        private = self._private(entry)
        erasure = self._log.read.erased(entry, private)
        return views.decision_view(entry, private, withheld, erasure)

    def _outcome(self, entry: Entry) -> Answer:
        private = self._private(entry)
        return views.outcome_view(entry, private, self._log.read.erased(entry, private))

    def _again(self, first: Entry, call: Call, who: Identity) -> Answer:
        private = self._private(first)
        stored = private.get(views.CALL)
        if stored is None:
            raise conflict("what this revision said was erased; send a higher one")
        if Call.model_validate_json(stored) != call:
            raise conflict("this revision was assessed with another content; send a higher one")
        return self._assessment(first, private, who)

    # What a key was used for before. Content that was erased meanwhile can't be compared any more,
    # and is then taken for the same.

    def _assessed_with(self, first: Entry, asked: Call | Document, who: Identity) -> Answer:
        private = self._private(first)
        if isinstance(asked, Call):
            stored = private.get(views.CALL)
            alike = (first.call_id, first.revision) == (asked.call_id, asked.revision) and (
                stored is None or Call.model_validate_json(stored) == asked
            )
        else:
            stored = private.get(views.EIDO)
            alike = (stored is None and views.CALL not in private) or (
                stored is not None and same(Document(parse(stored)), asked)
            )
        if first.kind != "assessment" or not alike:
            raise reused()
        return self._assessment(first, private, who)

    def _decided_with(
        self, first: Entry, assessment_id: str, decision: Decision, who: Identity
    ) -> Answer:
        body = first.content()
        if (first.kind, first.assessment_id) != ("decision", assessment_id):
            raise reused()
        note = self._private(first).get(views.NOTE)
        erased = note is None and "private" in body
        response = decision.response or body["recommended"]
        if (decision.action, response, decision.reason) != (
            body["action"],
            body["response"],
            body["reason"],
        ) or not (erased or decision.note == (None if note is None else note.decode())):
            raise reused()
        return self._decision(first, self.withheld(self._find(assessment_id), who))

    def _learned_with(self, first: Entry, outcome: Outcome) -> Answer:
        stored = self._private(first).get(views.OUTCOME) if first.kind == "outcome" else None
        if (first.kind, first.call_id) != ("outcome", outcome.call_id) or (
            stored is not None and Outcome.model_validate_json(stored) != outcome
        ):
            raise reused()
        return self._outcome(first)

    def _assessed(self, entries: list[Entry], document: Document) -> Entry | None:
        """Find the assessment of a document; refuse one that is older than the latest."""
        latest: Document | None = None
        for entry in entries:
            body = self._private(entry).get(views.EIDO)
            if body is None:
                continue
            there = Document(parse(body))
            if same(there, document):
                return entry
            latest = latest or there
        if latest is not None and document.root.updated_at < latest.root.updated_at:
            raise conflict("a later update of the incident was assessed; send the latest")
        return None

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


def _note(decision: Decision) -> dict[str, bytes]:
    return {} if decision.note is None else {views.NOTE: decision.note.encode()}


def _list(assessed: dict[str, Any]) -> str:
    return ", ".join(name for name in assessed["plan"]["responses"] if name != PROTOCOL)
