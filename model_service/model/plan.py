"""The response plan: a document that a public body can read and defend.

The code only applies it (`recommend.py`). It is YAML; `plan.schema.json` is its JSON Schema, for
editors. Everything that decides whom a call is sent stands in the one file, places and holidays
too: its digest is the plan's, and no library that is updated later changes what it says.
"""

from __future__ import annotations

from datetime import date, datetime
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
from data.document import Day, DocumentError, first_mistake, mistakes, read_document
from data.errors import InputError
from model_service.model.facts import FACTS
from model_service.model.places import Outline, spelled
from model_service.model.rota import Shift
from model_service.model.safeguards import Effect
from model_service.model.texts import ENGLISH, check_text, texts_in

Band = Literal["low", "medium", "high"]

Mode = Literal["off", "shadow", "advisory"]
"""`off`: the model is not asked. `shadow`: scored and recorded, shown to nobody at a desk.
`advisory`: shown. In this order, each allows more than the one before."""

MODES: tuple[Mode, ...] = ("off", "shadow", "advisory")

PROTOCOL = "protocol"
"""The response that is always there: what the centre would do without this software."""

Tag = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,8}$")]
PlaceName = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class PlanError(InputError):
    """A response plan that can't be used."""


class _Part(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)


class SensitivityPromise(_Part):
    """Share of true cases that must lie at or above the threshold."""

    sensitivity: float = Field(0.95, gt=0, lt=1)
    of: Literal["lower_bound", "estimate"] = Field(
        "lower_bound",
        description="What must reach it on held-out calls: the lower 95% confidence bound of the "
        "sensitivity, or the sensitivity itself.",
    )


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
    min_known_share: float = Field(
        0.0,
        ge=0,
        le=1,
        description="Share of a narrative's words that the model must know; a narrative in another "
        "language falls below it, whatever language is stated.",
    )
    languages: Annotated[
        tuple[Tag, ...],
        Field(strict=False, min_length=1, description="Primary subtags, such as en."),
    ]


class Response(_Part):
    """A kind of team, the bands it takes, and where and when it serves."""

    id: str = Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=64)
    name: str = Field(min_length=1, max_length=200)
    police: bool = Field(description="Whether police officers are part of the team.")
    mental_health_crisis: Annotated[tuple[Band, ...], Field(strict=False, min_length=1)]
    safety_risk: Annotated[tuple[Band, ...], Field(strict=False, min_length=1)]
    since: Day | None = Field(None, description="First day; none: planned only.")
    until: Day | None = Field(None, description="Last day.")
    hours: Annotated[
        tuple[Shift, ...] | None, Field(strict=False, description="None: day and night.")
    ] = None
    places: Annotated[
        tuple[PlaceName, ...] | None,
        Field(strict=False, min_length=1, description="None: everywhere."),
    ] = None
    units: int | None = Field(
        None,
        ge=1,
        description="How many units there are. With it, the team is recommended only while it is "
        "reported that one of them is free; without it, nobody asks.",
    )
    needs: Annotated[tuple[Question, ...], Field(strict=False)] = Field(
        (),
        description="Disqualifiers that must be known to be no; while one is not known, the team "
        "is not recommended.",
    )

    @model_validator(mode="after")
    def _check_days(self) -> Self:
        if self.until is not None and (self.since is None or self.until < self.since):
            raise ValueError("until must be a day after since")
        return self

    def takes(self, bands: dict[str, Band]) -> bool:
        """Say whether the team is for calls of these bands."""
        return (
            bands["mental_health_crisis"] in self.mental_health_crisis
            and bands["safety_risk"] in self.safety_risk
        )


class Protocol(_Part):
    """The words for the centre's own protocol."""

    name: str = Field(min_length=1, max_length=200)


class Eido(_Part):
    """How recommendations go out to others as EIDOs."""

    agency: str | None = Field(
        None,
        min_length=1,
        max_length=200,
        description="The centre's identifier as an agency, such as psap.example.gov; none: that of "
        "the agency which sent the document.",
    )
    caution: bool = Field(
        False,
        description="Whether a caution goes out with the note where someone may be at risk by "
        "what was said or answered.",
    )


class Promotions(_Part):
    """What a release must show before `crisiscall promote` puts it in force."""

    quality_margin: float = Field(
        0.01,
        ge=0,
        lt=1,
        description="AUROC and average precision of a head may be this much worse than those of "
        "the release in force, by the lower 95% bound of the paired difference.",
    )
    calibration_error: float = Field(
        0.03, gt=0, lt=1, description="Largest expected calibration error of a head."
    )
    speed_ratio: float = Field(
        1.5, gt=0, description="How many times as long the assessment of a call may take."
    )
    shadow_days: float = Field(
        14, ge=0, description="Days that a release runs in shadow beside the one in force …"
    )
    shadow_calls: int = Field(1000, ge=0, description="… and calls that it scores meanwhile.")


class GapLimit(_Part):
    """How much worse a group may fare than all other calls."""

    subject: Literal["mental_health_crisis", "safety_risk", "recommendation", "decision"]
    measure: Literal[
        "false_negative_rate",
        "false_positive_rate",
        "selection_rate",
        "police_without_need",
        "crisis_without_team",
        "abstention_rate",
        "unserved_rate",
        "override_rate",
    ]
    gap: float = Field(
        ge=0, lt=1, description="Of shares: 0.05 is five of a hundred calls more than the rest."
    )

    @model_validator(mode="after")
    def _fits(self) -> Self:
        own = {
            "recommendation": {"abstention_rate", "unserved_rate"},
            "decision": {"override_rate"},
        }
        shared = {"false_negative_rate", "false_positive_rate", "selection_rate"}
        sent = {"police_without_need", "crisis_without_team"} if self.subject in own else set()
        if self.measure not in shared | sent | own.get(self.subject, set()):
            raise ValueError(f"{self.subject} has no {self.measure}")
        return self


class AuditRule(_Part):
    """What the audit of fairness holds the system to."""

    smallest_gap: float = Field(
        0.1,
        gt=0,
        lt=1,
        description="The smallest gap between shares that matters. A group is said not to differ "
        "only where a larger one is ruled out.",
    )
    by: Annotated[
        tuple[Annotated[str, StringConstraints(min_length=1, max_length=100)], ...],
        Field(strict=False, min_length=1, description="Columns whose groups the limits are for."),
    ] = ("neighborhood",)
    limits: Annotated[tuple[GapLimit, ...], Field(strict=False)] = (
        GapLimit(subject="safety_risk", measure="false_negative_rate", gap=0.05),
    )
    needs_evidence: bool = Field(
        False,
        description="Whether the gate also fails where a group has too few calls to tell.",
    )


def _mode(value: Any) -> Any:
    return "off" if value is False else value  # YAML 1.1 takes the word for a truth value


class ResponsePlan(_Part):
    """A centre's written plan, as the YAML file states it."""

    plan: str = Field(pattern=r"^[a-z][a-z0-9_-]*$", max_length=64)
    version: str = Field(min_length=1, max_length=32)
    title: str = Field(min_length=1, max_length=200)
    timezone: str = Field(description="Of dates and hours, such as America/New_York.")
    mode: Annotated[Mode, BeforeValidator(_mode)] = Field(
        "advisory", description="The most that a service may do; it can be switched lower at once."
    )
    hold_back: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="Share of the calls on which advice is shown only after the dispatcher has "
        "committed.",
    )
    bands: dict[Literal["mental_health_crisis", "safety_risk"], BandPromises]
    abstain: AbstainRule
    disqualifiers: dict[Question, Effect]
    holidays: dict[Day, Annotated[str, StringConstraints(min_length=1, max_length=200)]] = Field(
        default_factory=dict,
        description="Day → name. On these days only shifts that name `holiday` begin.",
    )
    areas: dict[PlaceName, Outline] = Field(
        default_factory=dict,
        description="Place → its outline as GeoJSON. In a place that is drawn here a call's point "
        "is placed; where the call has none, or the place is not drawn, its name decides.",
    )
    responses: Annotated[tuple[Response, ...], Field(strict=False, min_length=1)] = Field(
        description="In order of preference."
    )
    when_none_free: str = Field(
        PROTOCOL,
        description="What is recommended when teams fit and none of them can be sent: `protocol`, "
        "or a response with police.",
    )
    protocol: Protocol
    eido: Eido = Eido()
    promotion: Promotions = Promotions()
    audit: AuditRule = AuditRule()
    language: Tag = Field("en", description="Of the texts that a recommendation carries.")
    texts: dict[Tag, dict[str, str]] = Field(
        default_factory=dict,
        description="Language → code of a reason → its text, where the default is not wanted.",
    )

    @field_validator("timezone")
    @classmethod
    def _check_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (KeyError, ValueError, OSError):
            raise ValueError("unknown time zone") from None
        return value

    @field_validator("texts")
    @classmethod
    def _check_texts(cls, value: dict[str, dict[str, str]]) -> dict[str, dict[str, str]]:
        for texts in value.values():
            for code, text in texts.items():
                check_text(code, text)
        return value

    @field_validator("areas")
    @classmethod
    def _check_areas(cls, value: dict[str, Outline]) -> dict[str, Outline]:
        if len({spelled(name) for name in value}) < len(value):
            raise ValueError("the names of two areas differ in case or spaces alone")
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
            for question in response.needs:
                if question not in self.disqualifiers:
                    raise ValueError(
                        f"{response.id}: needs {question}, which is no disqualifier; a yes must "
                        "have an effect as well"
                    )
        if self.when_none_free != PROTOCOL and self.stand_in is None:
            raise ValueError(
                f"when_none_free: must be {PROTOCOL!r} or the id of a response with police"
            )
        if self.language != "en":
            untold = sorted(ENGLISH.keys() - self.texts.get(self.language, {}).keys())
            if untold:
                raise ValueError(f"texts.{self.language}: lacks {untold[0]}")
        return self

    @cached_property
    def zone(self) -> ZoneInfo:
        """The time zone of hours and dates."""
        return ZoneInfo(self.timezone)

    @cached_property
    def languages(self) -> frozenset[str]:
        """Languages in which the model is asked."""
        return frozenset(self.abstain.languages)

    @cached_property
    def facts(self) -> tuple[str, ...]:
        """The questions of which it matters what is known."""
        return tuple(dict.fromkeys([*FACTS, *self.disqualifiers]))

    @cached_property
    def needed(self) -> tuple[str, ...]:
        """The questions that some response needs to be known to be no."""
        named = (question for response in self.responses for question in response.needs)
        return tuple(dict.fromkeys(named))

    @cached_property
    def words(self) -> dict[str, str]:
        """Code → text, in the plan's language."""
        return texts_in(self.language, self.texts)

    @cached_property
    def stand_in(self) -> Response | None:
        """The response for when none that fits is free; None: the protocol."""
        named = (r for r in self.responses if r.id == self.when_none_free and r.police)
        return next(named, None)

    @cached_property
    def _served(self) -> dict[str, tuple[frozenset[str], dict[str, Outline]]]:
        """Response → the places that it serves by name alone, and those that are drawn."""
        drawn = {spelled(name): outline for name, outline in self.areas.items()}
        served = {}
        for response in self.responses:
            names = {spelled(place) for place in response.places or ()}
            outlines = {name: drawn[name] for name in sorted(names) if name in drawn}
            served[response.id] = (frozenset(names - outlines.keys()), outlines)
        return served

    def serves(self, response: Response, call: Call) -> bool | None:
        """Say whether a call lies where a response serves; None where that is not known.

        Parameters
        ----------
        response : Response
            One of the plan's.
        call : Call
        """
        if response.places is None:
            return True
        names, drawn = self._served[response.id]
        place = None if call.neighborhood is None else spelled(call.neighborhood)
        if call.longitude is not None and call.latitude is not None:
            if any(area.contains(call.longitude, call.latitude) for area in drawn.values()):
                return True
            by_name = names
        else:
            by_name = names | drawn.keys()
        if place is None and by_name:
            return None
        return place in by_name

    def on_duty(self, response: Response, local: datetime) -> bool:
        """Say whether a response has a shift at a time in the plan's time zone."""
        if response.hours is None:
            return True
        return any(shift.covers(local, self.holidays) for shift in response.hours)

    def prepare(self) -> None:
        """Compile what is used at every call, so that no call has to wait for it."""
        _ = self.zone, self.languages, self.words, self.stand_in, self._served
        _ = self.facts, self.needed
        for outline in self.areas.values():
            outline.prepare()

    def last_holiday(self) -> date | None:
        """Tell the last day that is listed as a holiday."""
        return max(self.holidays, default=None)


class Thresholds(_Part):
    """Probabilities that separate the bands of one head.

    `low` is None where no threshold keeps the plan's promise: the head is then not used. `high`
    above 1 means never.
    """

    low: float | None = Field(ge=0, le=1)
    high: float = Field(ge=0)

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        if self.low is not None and self.high < self.low:
            raise ValueError("the threshold of high lies below that of low")
        return self

    def band(self, probability: float) -> Band:
        """Name the band of a probability.

        Raises
        ------
        ValueError
            If no threshold keeps the promise.
        """
        if self.low is None:
            raise ValueError("no threshold keeps the plan's promise, so there are no bands")
        if probability >= self.high:
            return "high"
        return "medium" if probability >= self.low else "low"


ThresholdSet = dict[str, Thresholds]
"""Target → thresholds."""


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
        plan = ResponsePlan.model_validate(document)
    except ValidationError as error:
        raise PlanError(f"{name}: {first_mistake(error, 'the plan')}") from None
    plan.prepare()
    return plan


def plan_schema() -> dict[str, Any]:
    """Make the JSON Schema of a plan (draft 2020-12), as `plan.schema.json` holds it."""
    schema = ResponsePlan.model_json_schema(by_alias=True)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def mistakes_in(text: str) -> list[str]:
    """List what is wrong with a plan, one line each; nothing if it can be used."""
    try:
        ResponsePlan.model_validate(read_document(text))
    except DocumentError as error:
        return [str(error)]
    except ValidationError as error:
        return mistakes(error, "the plan")
    return []


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
    text, name = read_plan(path)
    return parse_plan(text, name=name), text


def read_plan(path: Path | str) -> tuple[str, str]:
    """Read the text of a plan: of a file, or of one that the project ships.

    Returns
    -------
    str, str
        The text, and how messages call it.

    Raises
    ------
    PlanError
        If there is no such file or shipped plan.
    """
    shipped = resources.files("model_service.model") / "plans" / f"{path}.yaml"
    try:
        source = shipped if shipped.is_file() else Path(path)
        return source.read_text(encoding="utf-8"), Path(path).name
    except (OSError, ValueError):
        raise PlanError(
            f"no response plan {str(path)!r}: neither a file nor a shipped plan"
        ) from None
