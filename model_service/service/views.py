"""What answers look like.

The models document the answers in OpenAPI; the answers themselves are made from the record by the
functions below, so that the first answer to a call and every later reading of it agree to the
letter.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field

from data.call import Answer, Call, Outcome
from data.logged import ErasureReason, Withheld
from data.premise import Counts
from model_service.model.assess import Assessment
from model_service.model.concepts import Polarity
from model_service.model.decision import OverrideReason
from model_service.model.explanation import Explanation
from model_service.model.facts import Span
from model_service.model.matching import Polarity as FactPolarity
from model_service.model.plan import PROTOCOL, Band, Mode, ResponsePlan
from model_service.model.questions import NextQuestion
from model_service.model.recommend import Recommendation
from model_service.model.release import Release
from model_service.model.safeguards import Effect
from model_service.model.scorer import HistoryTable
from model_service.model.teams import UnservedReason
from model_service.service.accounts import Role
from model_service.service.keeping import KeptDecision
from model_service.service.log import Entry, Kind
from model_service.service.log.entry import stamp

CALL, EXPLANATION, NOTE, OUTCOME = "call", "explanation", "note", "outcome"
HISTORY, EIDO, GROUNDS = "history", "eido", "grounds"
"""Names of what is kept apart from the chain."""


class View(BaseModel):
    """A part of an answer."""

    model_config = ConfigDict(extra="forbid")


class PredictionView(View):
    """What the model says: two calibrated probabilities."""

    mental_health_crisis: float = Field(ge=0, le=1)
    safety_risk: float = Field(ge=0, le=1)


class BandsView(View):
    """The bands in which the probabilities lie, after disqualifiers."""

    mental_health_crisis: Band
    safety_risk: Band


class ReasonView(View):
    """A code for machines and a sentence for people."""

    code: str
    text: str


class SpanView(View):
    """Where a text speaks of a fact, and how; the words themselves are in the call."""

    column: str = Field(description="The field of the call.")
    start: int = Field(description="The first character.")
    end: int = Field(description="The character after the last.")
    polarity: FactPolarity = Field(description="`said` counts as a yes, `denied` as a no.")


class FactView(View):
    """What is known of a protocol question, by its answer or by the narrative."""

    code: str
    value: Answer
    answer: Answer | None = Field(description="What was answered; null if nobody asked.")
    spans: list[SpanView] = Field(description="Where the narrative speaks of it.")
    contradictory: bool = Field(description="Answer and narrative say the opposite.")


class DisqualifierView(View):
    """A fact, answered or said in the narrative, that rules a response out."""

    code: str
    effect: Effect
    evidence: str = Field(description="The field of the call that states it.")
    spans: list[SpanView] = Field(
        default=[], description="Where the narrative says it; absent in records of old releases."
    )


class UnservedView(View):
    """A response that fits the call but can't be sent."""

    response: str
    reason: UnservedReason


class AwaitingView(View):
    """A response that fits and can be sent, were it known that a fact is a no."""

    response: str
    fact: str


class RecommendationView(View):
    """What the response plan recommends; a person decides."""

    response: str = Field(description="A response of the plan, or `protocol`.")
    name: str
    police: bool | None = Field(description="Police officers in the team; null for `protocol`.")
    abstained: bool = Field(description="The model was not asked; the prediction is not used.")
    bands: BandsView | None
    reasons: list[ReasonView] | None = Field(description="null once they were erased.")
    disqualifiers: list[DisqualifierView] | None = Field(description="null once they were erased.")
    unserved: list[UnservedView]
    awaiting: list[AwaitingView] | None = Field(
        default=None, description="null once they were erased, and in records of old."
    )
    facts: list[FactView] | None = Field(
        default=None, description="null once they were erased, and in records of old."
    )


class ConsequenceView(View):
    """What would follow from an answer."""

    response: str = Field(description="What would be recommended.")
    name: str
    mental_health_crisis: float = Field(description="Change of the probability.")
    safety_risk: float = Field(description="Change of the probability.")


class QuestionView(View):
    """A protocol question that is worth asking next."""

    question: str
    text: str
    change_probability: float = Field(
        description="How likely the answer, if it is yes or no, changes the recommendation."
    )
    yes_share: float = Field(description="Share of yes among the training calls' answers to it.")
    if_yes: ConsequenceView
    if_no: ConsequenceView
    why: ReasonView


class WordView(View):
    """A word in place, with its log-odds per target."""

    column: str = Field(description="The field of the call in which it stands.")
    start: int = Field(description="Its first character.")
    end: int = Field(description="The character after its last.")
    mental_health_crisis: float
    safety_risk: float


class FieldView(View):
    """A field's value against the average training call, log-odds per target."""

    field: str
    value: str
    mental_health_crisis: float
    safety_risk: float


class ConceptView(View):
    """A meaning found in place, with its log-odds per target; `words` hold the same already."""

    column: str = Field(description="The field of the call in which it stands.")
    start: int = Field(description="Its first character.")
    end: int = Field(description="The character after its last.")
    concept: str = Field(description="A concept of the release's list, such as `wants_to_die`.")
    polarity: Polarity = Field(description="How it was spoken of.")
    mental_health_crisis: float
    safety_risk: float


class PairView(View):
    """Log-odds per target."""

    mental_health_crisis: float
    safety_risk: float


class ExplanationView(View):
    """What the prediction is made of: baseline + words + fields = log_odds, per target."""

    baseline: PairView
    log_odds: PairView
    words: list[WordView]
    fields: list[FieldView]
    concepts: list[ConceptView] = Field(
        default=[], description="Meanings found in the words; absent in records of old releases."
    )


class ModelName(View):
    """The release that was asked."""

    release: str
    digest: str


class PlanName(View):
    """The response plan that was applied."""

    plan: str
    version: str
    digest: str
    responses: list[str] = Field(description="What a decision may name.")


class Place(View):
    """The place of a record in the log; keep it, and you can check that the log still holds it."""

    sequence: int
    digest: str


class ErasedView(View):
    """What was said was erased: it can be read and recomputed by nobody any more."""

    at: str
    reason: ErasureReason
    actor: str
    log: Place


class AssessmentView(View):
    """One prediction + recommendation + explanation of one revision of one call."""

    assessment_id: str
    call_id: str
    revision: int
    leads: bool = Field(description="No later revision of the call had been assessed by then.")
    at: str
    mode: Mode = Field(description="What the service was allowed to do then.")
    withheld: Withheld | None = Field(
        description="Why the advice (prediction, recommendation, questions, explanation) is not in "
        "this answer; null if it is. `off`: the model was not asked, or the service is switched "
        "off now. `shadow`: recorded, and shown to nobody at a desk. `held_back`: shown once a "
        "decision on the call is in."
    )
    prediction: PredictionView | None = Field(description="null while it is withheld.")
    recommendation: RecommendationView | None = Field(description="null while it is withheld.")
    questions: list[QuestionView] | None = Field(
        description="What to ask next, at most two; null while it is withheld, and once it was "
        "erased."
    )
    explanation: ExplanationView | None = Field(
        description="null while it is withheld, and once it was erased."
    )
    model: ModelName
    plan: PlanName
    erased: ErasedView | None = Field(
        description="null unless the call, its explanation and the grounds of the recommendation "
        "were erased."
    )
    log: Place


class EidoNames(View):
    """What the document calls the incident and its calls."""

    incident: str
    calls: list[str]


class EidoAssessmentView(AssessmentView):
    """The assessment of a call that came in as an EIDO."""

    eido: EidoNames


class Revision(View):
    """The assessment of another revision of the same call."""

    assessment_id: str
    revision: int


class DecisionView(View):
    """What a person decided; the last decision on an assessment leads."""

    assessment_id: str
    call_id: str
    revision: int
    action: Literal["accept", "override", "commit"]
    response: str = Field(description="What is sent: as recommended, or what was named instead.")
    recommended: str | None = Field(
        description="What had been recommended; null if nothing was, or while it is withheld."
    )
    advice_shown: bool = Field(description="Whether the advice had been there to be seen.")
    reason: OverrideReason | None
    note: str | None
    actor: str
    at: str
    time_to_decide_ms: int = Field(ge=0, description="Since the assessment.")
    superseded_by: Revision | None = Field(
        description="The later revision that had been assessed when this was decided."
    )
    erased: ErasedView | None = Field(description="null unless the note was erased.")
    log: Place


class KeptDecisionView(View):
    """A decision that can't be recorded now: it is kept on disk, and will be."""

    assessment_id: str
    action: Literal["accept", "override", "commit"]
    response: str | None = Field(description="null: as recommended.")
    reason: OverrideReason | None
    note: str | None
    actor: str
    at: str
    on_record: Literal[False]
    detail: str = Field(description="What that means, in words.")


class OutcomeView(View):
    """What the world turned out to be."""

    outcome: Outcome | None = Field(description="null once it was erased.")
    actor: str
    at: str
    erased: ErasedView | None
    log: Place


class AssessmentRecord(View):
    """Everything that is known of one assessment."""

    assessment: AssessmentView
    call: Call | None = Field(description="The call as it was assessed; null once it was erased.")
    history: dict[str, int] | None = Field(
        description="Earlier calls and known crises of the premise, as they were counted for the "
        "prediction; null if the call has no premise, the model does not ask, or it was erased."
    )
    decisions: list[DecisionView] = Field(description="The first one first; the last one leads.")
    outcome: OutcomeView | None
    superseded_by: Revision | None = Field(description="The revision that leads, if not this one.")


class EntryView(View):
    """An entry of the log. `body` holds nothing personal, only salted digests of it."""

    sequence: int
    at: str
    kind: Kind
    call_id: str | None
    revision: int | None
    assessment_id: str | None
    actor: str
    body: dict[str, Any]
    previous: str
    digest: str


class LogPage(View):
    """A page of the log."""

    entries: list[EntryView]
    next: int | None = Field(
        description="`after` of the next page; null at the end of the log. A filtered page may be "
        "short, or empty, and not the last."
    )


class CheckpointView(View):
    """A signed statement of what the log was; `crisiscall log verify` says how to use it."""

    format: Literal["crisiscall-checkpoint-1"]
    head: str = Field(description="Digest of the last entry.")
    key: str = Field(description="Public key (Ed25519) in hex.")
    marks: str = Field(description="First 8 digits of the digest of each of the last entries.")
    root: str = Field(description="Merkle root (RFC 9162) over the digests of all entries.")
    signature: str = Field(description="Over the canonical JSON of all the other fields.")
    size: int = Field(description="Number of entries.")
    time: str


class InclusionView(View):
    """Proof that an entry is in the log of a checkpoint."""

    format: Literal["crisiscall-inclusion-1"]
    entry: str = Field(description="Canonical JSON of the entry; its digest is the SHA-256 of it.")
    seq: int
    size: int
    path: list[str] = Field(description="Hashes of RFC 9162, 2.1.3, in hex.")


class ConsistencyView(View):
    """Proof that the log of one checkpoint grew out of that of an earlier one."""

    model_config = ConfigDict(populate_by_name=True)

    format: Literal["crisiscall-consistency-1"]
    from_: int = Field(alias="from", description="Size of the earlier checkpoint.")
    to: int = Field(description="Size of the later one.")
    path: list[str] = Field(description="Hashes of RFC 9162, 2.1.4, in hex.")


class ThresholdsView(View):
    """Probabilities that separate the bands; `high` above 1 means never."""

    low: float | None = Field(
        description="null: no threshold keeps the plan's promise, and the head is not used."
    )
    high: float


class ModelView(View):
    """The release in force."""

    release: str
    digest: str
    plan: dict[str, Any] = Field(description="The response plan, and the digest of its text.")
    thresholds: dict[str, ThresholdsView]
    metrics: dict[str, Any]
    card: str = Field(description="The model card, in Markdown.")


class SwitchView(View):
    """The last switch of the mode."""

    mode: Mode
    actor: str
    at: str
    note: str | None
    erased: ErasedView | None = Field(description="null unless the note was erased.")
    log: Place


class ModeView(View):
    """What the service may do now."""

    mode: Mode = Field(description="In force: what the plan allows, or less if switched lower.")
    plan: Mode | None = Field(description="The most that the plan allows; null without a release.")
    switched: SwitchView | None = Field(description="null if nobody ever switched it.")


class UnitsView(View):
    """What is known of the units of a response."""

    units: int = Field(description="How many there are.")
    free: int | None = Field(description="null: not known, or no longer.")
    stale_at: str | None


class TokenView(View):
    """A token; send it as `Authorization: Bearer …`."""

    access_token: str
    token_type: Literal["bearer"]
    expires_in: int = Field(description="Seconds.")
    role: Role


class HealthView(View):
    """The process is up."""

    status: Literal["ok"]


class ReadyView(View):
    """Assessments can be made and recorded."""

    status: Literal["ready"]
    release: str
    warning: str | None = Field(description="Why a newer release is not in force.")


# --- from the model to the record ------------------------------------------------------------


def assessment_body(
    release: Release,
    assessment: Assessment | None,
    *,
    leads: bool,
    mode: Mode,
    withheld: Withheld | None,
    hold_back: Mapping[str, Any] | None,
    free: Mapping[str, int],
) -> dict[str, Any]:
    """Put an assessment into the form in which the chain holds it: nothing personal.

    The explanation is not in it: from contributions and the weights of the release one could
    work out the words. Nor are the grounds of the recommendation, which repeat what was answered,
    in what language and where.

    Parameters
    ----------
    release : Release
    assessment : Assessment or None
        None where the model was not asked.
    leads : bool
    mode, withheld
        As in `AssessmentView`, for somebody at a desk.
    hold_back : mapping or None
        The share of the calls, and the name of the key that draws them; None if there is no share.
    free : mapping of str to int
        Units that were known to be free.
    """
    prediction = None if assessment is None else assessment.prediction._asdict()
    return {
        "leads": leads,
        "mode": mode,
        "withheld": withheld,
        "hold_back": hold_back,
        "free": free,
        "prediction": prediction,
        "recommendation": assessment and _recommendation(assessment.recommendation),
        "thresholds": {
            target: {"low": limits.low, "high": limits.high}
            for target, limits in release.thresholds.items()
        },
        "model": {"release": release.name, "digest": release.digest},
        "plan": {
            "plan": release.plan.plan,
            "version": release.plan.version,
            "digest": release.plan_digest,
            "responses": [*(response.id for response in release.plan.responses), PROTOCOL],
        },
        "eido": release.plan.eido.model_dump(),
    }


def _recommendation(given: Recommendation) -> dict[str, Any]:
    return {
        "response": given.response,
        "name": given.name,
        "police": given.police,
        "abstained": given.abstained,
        "bands": given.bands,
        "unserved": [missed._asdict() for missed in given.unserved],
    }


def _spans(spans: Iterable[Span]) -> list[dict[str, Any]]:
    return [span._asdict() for span in spans]


def _question(given: NextQuestion) -> dict[str, Any]:
    return {
        **given._asdict(),
        "if_yes": given.if_yes._asdict(),
        "if_no": given.if_no._asdict(),
        "why": {"code": given.why.code, "text": given.why.text},
    }


def grounds_bytes(assessment: Assessment) -> bytes:
    """Write as JSON what a recommendation rests on, and what should be asked next."""
    given = assessment.recommendation
    return orjson.dumps(
        {
            "reasons": [{"code": reason.code, "text": reason.text} for reason in given.reasons],
            "disqualifiers": [
                {**hit._asdict(), "spans": _spans(hit.spans)} for hit in given.disqualifiers
            ],
            "awaiting": [awaited._asdict() for awaited in given.awaiting],
            "facts": [{**fact._asdict(), "spans": _spans(fact.spans)} for fact in given.facts],
            "questions": [_question(question) for question in assessment.questions],
        }
    )


def explanation_bytes(explanation: Explanation) -> bytes:
    """Write an explanation as JSON."""
    (crisis, risk), (log_crisis, log_risk) = explanation.baseline, explanation.log_odds
    return orjson.dumps(
        {
            "baseline": {"mental_health_crisis": crisis, "safety_risk": risk},
            "log_odds": {"mental_health_crisis": log_crisis, "safety_risk": log_risk},
            "words": explanation.words,
            "fields": explanation.fields,
            "concepts": explanation.concepts,
        }
    )


def history_bytes(history: HistoryTable, counts: Counts | None) -> bytes:
    """Write what was known of a premise as JSON; null where a call has none.

    The counts are no text of anybody's, but they hint at an address.
    """
    return orjson.dumps(counts and dict(zip(history.columns, counts, strict=True)))


# --- from the record to the answer -----------------------------------------------------------


def place(entry: Entry) -> dict[str, Any]:
    """Tell where in the log an entry is."""
    return {"sequence": entry.seq, "digest": entry.digest}


def erased_view(erasure: Entry | None) -> dict[str, Any] | None:
    """Tell of an erasure, if there was one."""
    return erasure and {
        "at": erasure.at,
        "reason": erasure.content()["reason"],
        "actor": erasure.actor,
        "log": place(erasure),
    }


def _grounds(private: Mapping[str, bytes]) -> dict[str, Any]:
    """Read what a recommendation rests on; nothing once it was erased."""
    grounds = private.get(GROUNDS)
    found: dict[str, Any] = {} if grounds is None else orjson.loads(grounds)
    return found


def recommendation_view(
    body: Mapping[str, Any], private: Mapping[str, bytes]
) -> dict[str, Any] | None:
    """Put a recommendation together with its grounds, as far as they are there."""
    given: dict[str, Any] | None = body["recommendation"]
    if given is None:
        return None
    found = _grounds(private)
    grounds = {name: found.get(name) for name in ("reasons", "disqualifiers", "awaiting", "facts")}
    return {**grounds, **given}  # entries of version 1 have them in the chain


def assessment_view(
    entry: Entry,
    private: Mapping[str, bytes],
    withheld: Withheld | None,
    erasure: Entry | None = None,
) -> dict[str, Any]:
    """Make the answer of an assessment from its record, without the advice where it is withheld."""
    body = entry.content()
    shown = withheld is None
    return {
        "assessment_id": entry.assessment_id,
        "call_id": entry.call_id,
        "revision": entry.revision,
        "leads": body["leads"],
        "at": entry.at,
        "mode": body.get("mode", "advisory"),  # entries of before there were modes
        "withheld": withheld,
        "prediction": body["prediction"] if shown else None,
        "recommendation": recommendation_view(body, private) if shown else None,
        "questions": _grounds(private).get("questions") if shown else None,
        "explanation": _fragment(private.get(EXPLANATION)) if shown else None,
        "model": body["model"],
        "plan": body["plan"],
        "erased": erased_view(erasure),
        "log": place(entry),
    }


def decision_view(
    entry: Entry,
    private: Mapping[str, bytes],
    withheld: Withheld | None,
    erasure: Entry | None = None,
) -> dict[str, Any]:
    """Make the answer of a decision from its record."""
    body = entry.content()
    note = private.get(NOTE)
    return {
        "assessment_id": entry.assessment_id,
        "call_id": entry.call_id,
        "revision": entry.revision,
        "action": body["action"],
        "response": body["response"],
        "recommended": body["recommended"] if withheld is None else None,
        "advice_shown": body.get("advice_shown", True),
        "reason": body["reason"],
        "note": None if note is None else note.decode(),
        "actor": entry.actor,
        "at": entry.at,
        "time_to_decide_ms": body["time_to_decide_ms"],
        "superseded_by": body["superseded_by"],
        "erased": erased_view(erasure),
        "log": place(entry),
    }


def kept_view(kept: KeptDecision) -> dict[str, Any]:
    """Make the answer of a decision that is kept until it can be recorded."""
    return {
        "assessment_id": kept.assessment_id,
        "action": kept.decision.action,
        "response": kept.decision.response,
        "reason": kept.decision.reason,
        "note": kept.decision.note,
        "actor": kept.actor,
        "at": stamp(kept.at),
        "on_record": False,
        "detail": "kept on disk: it goes on record as soon as the decision log can be written, "
        "and need not be sent again",
    }


def outcome_view(
    entry: Entry, private: Mapping[str, bytes], erasure: Entry | None = None
) -> dict[str, Any]:
    """Make the answer of an outcome from its record."""
    return {
        "outcome": _fragment(private.get(OUTCOME)),
        "actor": entry.actor,
        "at": entry.at,
        "erased": erased_view(erasure),
        "log": place(entry),
    }


def mode_view(
    mode: Mode,
    plan: ResponsePlan | None,
    switched: Entry | None,
    private: Mapping[str, bytes],
    erasure: Entry | None = None,
) -> dict[str, Any]:
    """Tell what the service may do now, and who switched it last."""
    note = private.get(NOTE)
    last = switched and {
        "mode": switched.content()["mode"],
        "actor": switched.actor,
        "at": switched.at,
        "note": None if note is None else note.decode(),
        "erased": erased_view(erasure),
        "log": place(switched),
    }
    return {"mode": mode, "plan": None if plan is None else plan.mode, "switched": last}


def entry_view(entry: Entry) -> dict[str, Any]:
    """Show an entry as it stands in the chain."""
    fields = entry._asdict()
    fields["sequence"] = fields.pop("seq")
    fields["body"] = orjson.Fragment(entry.body)
    return fields


def revision_view(entry: Entry) -> dict[str, Any]:
    """Name the assessment of another revision."""
    return {"assessment_id": entry.assessment_id, "revision": entry.revision}


def _fragment(json: bytes | None) -> orjson.Fragment | None:
    return None if json is None else orjson.Fragment(json)
