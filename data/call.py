"""`Call` and `Outcome`: the two records that everything else is made of.

A `Call` holds only what is known before a unit is sent. Whatever is learned later is an
`Outcome`, and can never be a feature. `KNOWN_AT` says, for every field of both, when it is known.
"""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Literal, Self, get_args

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, model_validator

TARGETS = ("mental_health_crisis", "safety_risk")
"""The two questions that the model answers, in the order in which arrays hold them."""

Target = Literal["mental_health_crisis", "safety_risk"]

Answer = Literal["yes", "no", "unknown"]
"""An answer to a protocol question. A question that was never asked has no answer at all."""

Question = Literal[
    "weapon",
    "violence",
    "threat_to_others",
    "crime_in_progress",
    "suicidal",
    "self_harm",
    "overdose",
    "injury",
    "fire",
    "hallucinations",
    "intoxicated",
    "alone",
    "minor",
    "barricaded",
    "accepts_help",
]
"""The protocol questions that a call-taker may have answered."""

QUESTIONS: tuple[str, ...] = get_args(Question)

QUESTION_TEXTS: dict[Question, str] = {
    "weapon": "Weapon within reach?",
    "violence": "Violence now?",
    "threat_to_others": "Threat to others?",
    "crime_in_progress": "Crime in progress?",
    "suicidal": "Thoughts of suicide?",
    "self_harm": "Self-harm?",
    "overdose": "Overdose?",
    "injury": "Injured?",
    "fire": "Fire or smoke?",
    "hallucinations": "Hears or sees what is not there?",
    "intoxicated": "Alcohol or drugs?",
    "alone": "Alone?",
    "minor": "Under 18?",
    "barricaded": "Barricaded?",
    "accepts_help": "Accepts help?",
}
"""The questions in a call-taker's words, in the order in which they are asked."""

ANSWER_PREFIX = "answer_"
"""Where a call is a row, the answer to a question is the column of this name and the question's."""

CallSource = Literal["911", "non_emergency", "988_transfer", "alarm", "field", "text", "other"]
CallerRole = Literal["self", "family", "bystander", "staff", "unknown"]

EARLIEST = datetime(1968, 2, 16, tzinfo=UTC)
"""The day of the first 911 call (Haleyville, Alabama); a date before it is a mistake."""

LATEST = datetime(2100, 1, 1, tzinfo=UTC)

MAX_NARRATIVE = 20_000
"""Characters. A longer narrative is refused, not cut: a cut could lose the knife."""


MAX_REVISION = 1_000_000


class Known(StrEnum):
    """The time at which a field's value is known, in order."""

    RECEIVED = "received"  # with the call itself, from the telephone system or CAD
    INTERVIEW = "interview"  # while the call-taker speaks with the caller
    AFTER_DISPATCH = "after_dispatch"  # from the scene or later: never a feature


Id = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[!-~]+$")]
Words = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Code = Annotated[str, StringConstraints(min_length=1, max_length=32)]
Language = Annotated[
    str, StringConstraints(max_length=35, pattern=r"^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$")
]


class Record(BaseModel):
    """Strict and immutable: nothing is coerced, nothing unknown comes in."""

    model_config = ConfigDict(
        strict=True, extra="forbid", frozen=True, allow_inf_nan=False, hide_input_in_errors=True
    )


class Call(Record):
    """One revision of one call, as it is known before a unit is sent.

    Only `call_id` and `received_at` are required. A missing value means that it is not known,
    which is not the same as "no".
    """

    call_id: Annotated[
        Id, Known.RECEIVED, Field(description="The agency's number of the call; printable ASCII.")
    ]
    received_at: Annotated[
        AwareDatetime,
        Known.RECEIVED,
        Field(description="When the call was answered, with its UTC offset."),
    ]
    revision: Annotated[
        int,
        Known.RECEIVED,
        Field(ge=1, le=MAX_REVISION, description="1, 2, … as the notes of the call grow."),
    ] = 1
    narrative: Annotated[
        str,
        Known.INTERVIEW,
        Field(max_length=MAX_NARRATIVE, description="What was said or typed so far; may be empty."),
    ] = ""
    call_type: Annotated[
        Words | None,
        Known.INTERVIEW,
        Field(description="The initial type that the call-taker chose, in the agency's words."),
    ] = None
    call_source: Annotated[
        CallSource | None, Known.RECEIVED, Field(description="The way the call came in.")
    ] = None
    priority: Annotated[
        Code | None, Known.INTERVIEW, Field(description="The agency's initial priority.")
    ] = None
    caller_role: Annotated[
        CallerRole | None,
        Known.INTERVIEW,
        Field(description="Who calls, in relation to the person the call is about."),
    ] = None
    language: Annotated[
        Language | None,
        Known.RECEIVED,
        Field(description="BCP 47 tag of the language spoken, such as en or es."),
    ] = None
    neighborhood: Annotated[
        Words | None,
        Known.RECEIVED,
        Field(description="For the response plan and the audit; not a feature by default."),
    ] = None
    latitude: Annotated[
        float | None, Known.RECEIVED, Field(ge=-90, le=90, description="Degrees, WGS 84.")
    ] = None
    longitude: Annotated[
        float | None, Known.RECEIVED, Field(ge=-180, le=180, description="Degrees, WGS 84.")
    ] = None
    premise_id: Annotated[
        Id | None,
        Known.RECEIVED,
        Field(description="The agency's pseudonym for an address; never the address itself."),
    ] = None
    answers: Annotated[
        dict[Question, Answer],
        Known.INTERVIEW,
        Field(description="Protocol questions that were asked, and what was answered."),
    ] = {}

    @model_validator(mode="after")
    def _check_place_and_time(self) -> Self:
        if (self.latitude is None) != (self.longitude is None):
            raise ValueError("latitude and longitude come together or not at all")
        if not EARLIEST <= self.received_at < LATEST:
            raise ValueError("received_at lies outside 1968-2099")
        return self


class Outcome(Record):
    """What the world turned out to be: learned after dispatch, never a feature."""

    call_id: Annotated[Id, Known.RECEIVED, Field(description="The call that it belongs to.")]
    recorded_at: Annotated[
        AwareDatetime,
        Known.AFTER_DISPATCH,
        Field(description="When it became known; a label drawn from it is not older than this."),
    ]
    final_call_type: Annotated[
        Words | None,
        Known.AFTER_DISPATCH,
        Field(description="The type at clearance, in the agency's words."),
    ] = None
    disposition: Annotated[
        Words | None,
        Known.AFTER_DISPATCH,
        Field(description="How the call was closed, in the agency's words."),
    ] = None
    clinician_finding: Annotated[
        Literal["crisis", "no_crisis"] | None,
        Known.AFTER_DISPATCH,
        Field(description="A clinician's finding on scene."),
    ] = None
    weapon_found: Annotated[
        bool | None, Known.AFTER_DISPATCH, Field(description="A weapon was found or used.")
    ] = None
    violence_occurred: Annotated[
        bool | None, Known.AFTER_DISPATCH, Field(description="Someone was attacked or threatened.")
    ] = None
    force_used: Annotated[
        bool | None, Known.AFTER_DISPATCH, Field(description="Responders used force.")
    ] = None

    @model_validator(mode="after")
    def _check_time(self) -> Self:
        if not EARLIEST <= self.recorded_at < LATEST:
            raise ValueError("recorded_at lies outside 1968-2099")
        return self


def _known(record: type[Record]) -> dict[str, Known]:
    return {
        name: next(m for m in field.metadata if isinstance(m, Known))
        for name, field in record.model_fields.items()
    }


KNOWN_AT: dict[str, Known] = _known(Outcome) | _known(Call)
"""Field name → when its value is known.

Examples
--------
>>> KNOWN_AT["narrative"].value, KNOWN_AT["disposition"].value
('interview', 'after_dispatch')
"""
