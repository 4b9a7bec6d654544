"""A row of an exported decision log, as the service writes it and `data.sources.log` reads it.

One row is one assessment: the call as it was assessed, what was predicted and recommended, whether
that was shown, what people decided on it, and what was learned later. JSONL holds rows as they are;
CSV and Parquet hold them flat (`flat`), for spreadsheets and statistics.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

import orjson
from pydantic import AwareDatetime, Field

from data.call import ANSWER_PREFIX, QUESTIONS, TARGETS, Call, Outcome, Record

Withheld = Literal["off", "shadow", "held_back"]
"""Why advice was not shown: the model was not asked, it was asked for the record alone, or the
dispatcher decided first."""

ErasureReason = Literal["request", "court_order", "retention", "entered_by_mistake", "other"]
"""Why text was erased: the person asked for it, a court ordered it, its time was over, it should
never have been entered. A code and no words, since it stays on record."""

ERASURE_REASONS: tuple[str, ...] = get_args(ErasureReason)

Share = Annotated[float, Field(ge=0, le=1)]


class LoggedPrediction(Record):
    """What the model said: two calibrated probabilities."""

    mental_health_crisis: Share
    safety_risk: Share


class LoggedDecision(Record):
    """What a person decided on an assessment."""

    sequence: Annotated[int, Field(ge=1, description="Its place in the log.")]
    at: AwareDatetime
    actor: str
    action: Literal["accept", "override", "commit"]
    response: Annotated[str | None, Field(description="What was sent.")]
    reason: Annotated[str | None, Field(description="With `override`: why.")]
    note: str | None
    advice_shown: Annotated[bool, Field(description="The advice of this assessment was shown.")]
    advised: Annotated[
        bool,
        Field(description="Advice on any revision of the call had been shown by then."),
    ]
    time_to_decide_ms: int


class LoggedAssessment(Record):
    """One assessment, with what came before and after it."""

    sequence: Annotated[int, Field(ge=1, description="Its place in the log.")]
    digest: Annotated[str, Field(description="Its digest in the log.")]
    at: AwareDatetime
    actor: str
    assessment_id: str
    call_id: str
    revision: int
    leads: bool
    mode: Literal["off", "shadow", "advisory"]
    withheld: Withheld | None
    hold_back: Annotated[
        Share | None,
        Field(description="Share of the calls drawn to have advice held back; null: none are."),
    ]
    drawn: Annotated[
        bool | None,
        Field(description="Whether the call was drawn; null: no share, or the log can't tell."),
    ]
    release: str
    release_digest: str
    plan: str
    plan_version: str
    prediction: LoggedPrediction | None
    recommendation: str | None
    abstained: bool | None
    unserved: Annotated[
        tuple[str, ...] | None,
        Field(
            description="Responses that fitted as well or better and could not be sent, each as "
            "`response:reason`; null: not asked, or an export of before this was told."
        ),
    ] = None
    narratives: Annotated[bool, Field(description="Whether narrative and notes came along.")]
    call: Annotated[Call | None, Field(description="As it was assessed; null once erased.")]
    decisions: Annotated[
        tuple[LoggedDecision, ...],
        Field(description="On this assessment, the first one first; the last one leads."),
    ]
    first_decision: Annotated[
        int | None,
        Field(description="Place in the log of the first decision on any revision of the call."),
    ]
    outcome: Outcome | None
    filters: Annotated[str, Field(description="What the export was narrowed to; may be empty.")]


Kind = Literal["text", "whole", "number", "flag", "time"]

_CALL: dict[str, Kind] = {
    name: "time" if name == "received_at" else "number" if name.endswith("itude") else "text"
    for name in Call.model_fields
    if name not in ("call_id", "revision", "answers")
}
_DECISION: dict[str, Kind] = {
    "action": "text",
    "response": "text",
    "reason": "text",
    "note": "text",
    "actor": "text",
    "at": "time",
    "sequence": "whole",
    "advice_shown": "flag",
    "advised": "flag",
    "time_to_decide_ms": "whole",
}
_OUTCOME: dict[str, Kind] = {
    name: "time"
    if name == "recorded_at"
    else "flag"
    if name in ("weapon_found", "violence_occurred", "force_used")
    else "text"
    for name in Outcome.model_fields
    if name != "call_id"
}

FLAT: dict[str, Kind] = {
    "sequence": "whole",
    "at": "time",
    "actor": "text",
    "assessment_id": "text",
    "call_id": "text",
    "revision": "whole",
    "leads": "flag",
    **_CALL,
    **{ANSWER_PREFIX + question: "text" for question in QUESTIONS},
    "mode": "text",
    "withheld": "text",
    "hold_back": "number",
    "drawn": "flag",
    "release": "text",
    "release_digest": "text",
    "plan": "text",
    "plan_version": "text",
    **{f"probability_{target}": "number" for target in TARGETS},
    "recommendation": "text",
    "abstained": "flag",
    "unserved": "text",
    **{f"decision_{name}": kind for name, kind in _DECISION.items()},
    "decisions": "text",
    "first_decision": "whole",
    **{f"outcome_{name}": kind for name, kind in _OUTCOME.items()},
    "narratives": "flag",
    "filters": "text",
    "digest": "text",
}
"""Column of a flat row → its kind. `decision_…` is the decision that leads; `decisions` holds all
of them as JSON."""


def flat(row: dict[str, Any]) -> dict[str, Any]:
    """Spread a row, as JSON has it, over the columns of `FLAT`; times stay ISO 8601 texts.

    Parameters
    ----------
    row : dict
        With the fields of `LoggedAssessment`.

    Returns
    -------
    dict
        One value per column; None where there is none.
    """
    call, outcome = row["call"] or {}, row["outcome"] or {}
    prediction, decisions = row["prediction"] or {}, row["decisions"]
    last = decisions[-1] if decisions else {}
    answers = call.get("answers", {})
    spread = {
        **{name: call.get(name) for name in _CALL},
        **{ANSWER_PREFIX + question: answers.get(question) for question in QUESTIONS},
        **{f"probability_{target}": prediction.get(target) for target in TARGETS},
        "unserved": None if row.get("unserved") is None else " ".join(row["unserved"]),
        **{f"decision_{name}": last.get(name) for name in _DECISION},
        "decisions": orjson.dumps(decisions).decode(),
        **{f"outcome_{name}": outcome.get(name) for name in _OUTCOME},
    }
    return {name: spread[name] if name in spread else row[name] for name in FLAT}
