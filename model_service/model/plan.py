"""The response plan, and `recommend()`: from probabilities to a kind of team.

A plan is a document that a public body can read and defend; the code only applies it. Evaluation,
batch scoring and the service call the same `recommend()`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)

from data.call import TARGETS, Call, Question
from data.document import Day, DocumentError, first_mistake, read_document
from data.errors import InputError
from model_service.model.safeguards import (
    ABSTENTION_TEXTS,
    AbstentionReason,
    Disqualifier,
    Effect,
)
from model_service.model.scorer import Prediction

Band = Literal["low", "medium", "high"]
UnservedReason = Literal["not_started", "ended", "out_of_hours", "out_of_area", "place_unknown"]

PROTOCOL = "protocol"
"""The response that is always there: what the centre would do without this software."""

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

_UNSERVED_TEXTS: dict[UnservedReason, str] = {
    "not_started": "not started yet",
    "ended": "no longer offered",
    "out_of_hours": "off duty at this hour",
    "out_of_area": "does not serve this neighbourhood",
    "place_unknown": "serves only some neighbourhoods, and this call's is not known",
}


class PlanError(InputError):
    """A response plan that can't be used."""


class _Part(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)


def _clock(value: Any) -> time:
    """Read HH:MM; a number would pass for seconds since midnight."""
    try:
        if isinstance(value, time):
            return value
        return datetime.strptime(value, "%H:%M").time()
    except (TypeError, ValueError):
        raise ValueError("write an hour as HH:MM, such as 07:30; the end of a day is 00:00") from (
            None
        )


Clock = Annotated[time, BeforeValidator(_clock)]


def _spelled(place: str) -> str:
    """Reduce a place's name to what two spellings of it share: CAD systems write in capitals."""
    return " ".join(place.casefold().split())


class SensitivityPromise(_Part):
    """Share of true cases that must lie at or above the threshold."""

    sensitivity: float = Field(gt=0, lt=1)


class PrecisionPromise(_Part):
    """Share of the calls at or above the threshold that must be true cases."""

    precision: float = Field(gt=0, lt=1)


class BandPromises(_Part):
    """What separates low from medium, and medium from high, for one head."""

    low: SensitivityPromise
    high: PrecisionPromise


class AbstainRule(_Part):
    """When the model is not asked."""

    min_known_words: int = Field(ge=0)
    languages: Annotated[
        tuple[Annotated[str, StringConstraints(pattern=r"^[a-z]{2,8}$")], ...],
        Field(strict=False, min_length=1, description="Primary subtags, such as en."),
    ]


class Shift(_Part):
    """Hours of some days, in the plan's time zone.

    `to` before `from` spans midnight; `to` equal to `from` is a whole day from that hour on.
    """

    days: Annotated[
        tuple[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"], ...],
        Field(strict=False, min_length=1),
    ]
    start: Clock = Field(alias="from")
    end: Clock = Field(alias="to")

    def covers(self, local: datetime) -> bool:
        """Say whether a local time lies in the shift."""
        now, today = local.time(), DAYS[local.weekday()]
        if self.start < self.end:
            return today in self.days and self.start <= now < self.end
        yesterday = DAYS[(local.weekday() - 1) % 7]
        return (today in self.days and now >= self.start) or (
            yesterday in self.days and now < self.end
        )


class Response(_Part):
    """A kind of team, the bands it takes, and where and when it serves."""

    id: str = Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=64)
    name: str = Field(min_length=1, max_length=200)
    police: bool = Field(description="Whether police officers are part of the team.")
    mental_health_crisis: Annotated[tuple[Band, ...], Field(strict=False, min_length=1)]
    safety_risk: Annotated[tuple[Band, ...], Field(strict=False, min_length=1)]
    since: Day | None = Field(None, description="First day; none: planned only.")
    until: Day | None = Field(None, description="Last day.")
    hours: Annotated[tuple[Shift, ...] | None, Field(strict=False)] = None
    places: Annotated[tuple[str, ...] | None, Field(strict=False, min_length=1)] = None

    @model_validator(mode="after")
    def _check_days(self) -> Self:
        if self.until is not None and (self.since is None or self.until < self.since):
            raise ValueError("until must be a day after since")
        return self

    @cached_property
    def served_places(self) -> frozenset[str] | None:
        """The places as they are compared: whatever their case and spaces."""
        return None if self.places is None else frozenset(map(_spelled, self.places))

    def unserved(self, local: datetime, neighborhood: str | None) -> UnservedReason | None:
        """Say why the team can't be sent to this place at this local time, if it can't."""
        if self.since is None or local.date() < self.since:
            return "not_started"
        if self.until is not None and local.date() > self.until:
            return "ended"
        if self.hours is not None and not any(shift.covers(local) for shift in self.hours):
            return "out_of_hours"
        if self.served_places is None:
            return None
        if neighborhood is None:
            return "place_unknown"
        return None if _spelled(neighborhood) in self.served_places else "out_of_area"


class Protocol(_Part):
    """The words for the centre's own protocol."""

    name: str = Field(min_length=1, max_length=200)


class ResponsePlan(_Part):
    """A centre's written plan, as the YAML file states it."""

    plan: str = Field(pattern=r"^[a-z][a-z0-9_-]*$", max_length=64)
    version: str = Field(min_length=1, max_length=32)
    title: str = Field(min_length=1, max_length=200)
    timezone: str
    bands: dict[Literal["mental_health_crisis", "safety_risk"], BandPromises]
    abstain: AbstainRule
    disqualifiers: dict[Question, Effect]
    responses: Annotated[tuple[Response, ...], Field(strict=False, min_length=1)]
    protocol: Protocol

    @field_validator("timezone")
    @classmethod
    def _check_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (KeyError, ValueError, OSError):
            raise ValueError("unknown time zone") from None
        return value

    @model_validator(mode="after")
    def _check_whole(self) -> Self:
        missing = [target for target in TARGETS if target not in self.bands]
        if missing:
            raise ValueError(f"bands are missing for {', '.join(missing)}")
        ids = [response.id for response in self.responses]
        if len(set(ids)) < len(ids) or PROTOCOL in ids:
            raise ValueError(f"response ids must differ from each other and from {PROTOCOL!r}")
        for response in self.responses:
            if not response.police and "high" in response.safety_risk:
                raise ValueError(
                    f"{response.id}: a team without police can't take the safety band 'high'"
                )
        return self

    @cached_property
    def zone(self) -> ZoneInfo:
        """The time zone of hours and dates."""
        return ZoneInfo(self.timezone)

    @cached_property
    def languages(self) -> frozenset[str]:
        """Languages in which the model is asked."""
        return frozenset(self.abstain.languages)


class Thresholds(_Part):
    """Probabilities that separate the bands of one head; `high` above 1 means never."""

    low: float = Field(ge=0, le=1)
    high: float = Field(ge=0)

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        if self.high < self.low:
            raise ValueError("the threshold of high lies below that of low")
        return self

    def band(self, probability: float) -> Band:
        """Name the band of a probability."""
        if probability >= self.high:
            return "high"
        return "medium" if probability >= self.low else "low"


ThresholdSet = dict[str, Thresholds]
"""Target → thresholds."""


@dataclass(frozen=True, slots=True)
class Reason:
    """A code for machines and a sentence for people."""

    code: str
    text: str


@dataclass(frozen=True, slots=True)
class Unserved:
    """A response that fits the call but can't be sent, and why."""

    response: str
    reason: UnservedReason


@dataclass(frozen=True, slots=True)
class Recommendation:
    """What the plan recommends; a person decides.

    Parameters
    ----------
    response : str
        Id of a response of the plan, or `protocol`.
    name : str
    police : bool or None
        Whether police officers are part of the team; None for `protocol`.
    abstained : bool
        The model was not asked; `response` is then `protocol`.
    bands : dict of str to band, or None
        After disqualifiers; None where the model abstained.
    reasons : tuple of Reason
    disqualifiers : tuple of Disqualifier
    unserved : tuple of Unserved
        Responses that fit better, or as well, and can't be sent.
    """

    response: str
    name: str
    police: bool | None
    abstained: bool
    bands: dict[str, Band] | None
    reasons: tuple[Reason, ...]
    disqualifiers: tuple[Disqualifier, ...]
    unserved: tuple[Unserved, ...]


def recommend(
    call: Call,
    prediction: Prediction,
    *,
    plan: ResponsePlan,
    thresholds: ThresholdSet,
    disqualifiers: tuple[Disqualifier, ...],
    abstained: AbstentionReason | None,
) -> Recommendation:
    """Apply a response plan to a prediction.

    The first response in the plan's order that takes the bands and serves the place and time is
    recommended. Where none does, or the model abstains, or a disqualifier says so, it is the
    centre's own protocol.

    Parameters
    ----------
    call : Call
        Its place and time are the plan's business, not the model's.
    prediction : Prediction
    plan : ResponsePlan
    thresholds : dict of str to Thresholds
    disqualifiers : tuple of Disqualifier
    abstained : str or None
        Why the model was not asked, if it was not.

    Returns
    -------
    Recommendation
    """
    facts = tuple(
        Reason(f"disqualifier:{hit.code}", f"{hit.code.replace('_', ' ')}: answered yes")
        for hit in disqualifiers
    )

    def protocol(*reasons: Reason, **more: Any) -> Recommendation:
        known = {"abstained": False, "bands": None, "unserved": (), **more}
        return Recommendation(
            PROTOCOL,
            plan.protocol.name,
            None,
            reasons=(*facts, *reasons),
            disqualifiers=disqualifiers,
            **known,
        )

    if abstained is not None:
        text = f"no prediction: {ABSTENTION_TEXTS[abstained]}"
        return protocol(Reason(f"abstained:{abstained}", text), abstained=True)
    bands: dict[str, Band] = {
        target: thresholds[target].band(probability)
        for target, probability in zip(TARGETS, prediction, strict=True)
    }
    if any(hit.effect == "risk_high" for hit in disqualifiers):
        bands["safety_risk"] = "high"
    banded = tuple(
        Reason(f"band:{target}:{band}", f"{target.replace('_', ' ')}: {band}")
        for target, band in bands.items()
    )
    if any(hit.effect == "protocol" for hit in disqualifiers):
        return protocol(*banded, bands=bands)

    local = call.received_at.astimezone(plan.zone)
    unserved: list[Unserved] = []
    missed: list[Reason] = []
    for response in plan.responses:
        if (
            bands["mental_health_crisis"] not in response.mental_health_crisis
            or bands["safety_risk"] not in response.safety_risk
        ):
            continue
        why = response.unserved(local, call.neighborhood)
        if why is None:
            return Recommendation(
                response.id,
                response.name,
                response.police,
                False,
                bands,
                (*facts, *banded, *missed),
                disqualifiers,
                tuple(unserved),
            )
        unserved.append(Unserved(response.id, why))
        missed.append(
            Reason(f"unserved:{response.id}:{why}", f"{response.name}: {_UNSERVED_TEXTS[why]}")
        )
    return protocol(*banded, *missed, bands=bands, unserved=tuple(unserved))


def parse_plan(text: str, *, name: str) -> ResponsePlan:
    """Read a plan from YAML.

    Parameters
    ----------
    text : str
    name : str
        How messages call it, such as the file's name.

    Raises
    ------
    PlanError
        If it is no YAML, or not a plan; the message names the field.
    """
    try:
        document = read_document(text)
    except DocumentError as error:
        raise PlanError(f"{name}: {error}") from None
    try:
        return ResponsePlan.model_validate(document)
    except ValidationError as error:
        raise PlanError(f"{name}: {first_mistake(error, 'the plan')}") from None


def load_plan(path: Path | str) -> tuple[ResponsePlan, str]:
    """Read a plan and its text: a file, or the name of one that the project ships.

    Returns
    -------
    ResponsePlan, str
        The plan, and the text as it stands in the file: a release ships that very text.

    Raises
    ------
    PlanError
        If there is no such file or shipped plan, or it can't be used.
    """
    shipped = resources.files("model_service.model") / "plans" / f"{path}.yaml"
    try:
        if shipped.is_file():
            text = shipped.read_text(encoding="utf-8")
        else:
            text = Path(path).read_text(encoding="utf-8")
    except (OSError, ValueError):
        raise PlanError(
            f"no response plan {str(path)!r}: neither a file nor a shipped plan"
        ) from None
    return parse_plan(text, name=Path(path).name), text
