"""`recommend()`: from probabilities to a kind of team, as the response plan says.

Evaluation, batch scoring, simulation and the service call the same function.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from data.call import TARGETS, Call
from model_service.model.plan import PROTOCOL, Band, Response, ResponsePlan, ThresholdSet
from model_service.model.safeguards import AbstentionReason, Disqualifier
from model_service.model.scorer import Prediction

UnservedReason = Literal[
    "not_started",
    "ended",
    "out_of_hours",
    "out_of_area",
    "place_unknown",
    "busy",
    "units_unknown",
]
"""Why a team that fits can't be sent."""

Free = Mapping[str, int]
"""Response → how many of its units are free, of the responses of which that is known."""


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
        The prediction is not used; `response` is then `protocol`.
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
    free: Free | None = None,
) -> Recommendation:
    """Apply a response plan to a prediction.

    The first response in the plan's order that takes the bands and can be sent is recommended.
    Where some take them and none can be sent, it is what the plan names for that. Where none takes
    them, the model abstains, its thresholds keep no promise, or a disqualifier says so, it is the
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
    free : mapping of str to int, optional
        Free units; a response that is not in it is not known to have any. None: units are not
        asked for, as with calls of the past.

    Returns
    -------
    Recommendation
    """
    facts = tuple(_reason(plan, f"disqualifier:{hit.code}") for hit in disqualifiers)

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
        return protocol(_reason(plan, f"abstained:{abstained}"), abstained=True)
    unsupported = [target for target in TARGETS if thresholds[target].low is None]
    if unsupported:
        return protocol(
            *(_reason(plan, f"unsupported:{target}") for target in unsupported), abstained=True
        )
    bands: dict[str, Band] = {
        target: thresholds[target].band(probability)
        for target, probability in zip(TARGETS, prediction, strict=True)
    }
    banded = [_reason(plan, f"band:{target}:{band}") for target, band in bands.items()]
    if any(hit.effect == "risk_high" for hit in disqualifiers):
        bands["safety_risk"] = "high"
        banded[1] = Reason("band:safety_risk:high", plan.words["raised:safety_risk"])
    if any(hit.effect == "protocol" for hit in disqualifiers):
        return protocol(*banded, bands=bands)

    local = call.received_at.astimezone(plan.zone)
    unserved: list[Unserved] = []
    missed: list[Reason] = []

    def team(response: Response, *reasons: Reason) -> Recommendation:
        return Recommendation(
            response.id,
            response.name,
            response.police,
            False,
            bands,
            (*facts, *banded, *missed, *reasons),
            disqualifiers,
            tuple(unserved),
        )

    for response, why in fitting(plan, bands, call, local, free):
        if why is None:
            return team(response)
        unserved.append(Unserved(response.id, why))
        text = plan.words[f"unserved:{why}"].replace("{name}", response.name)
        missed.append(Reason(f"unserved:{response.id}:{why}", text))
    if not unserved:
        return protocol(*banded, bands=bands)
    stand_in = plan.stand_in
    if stand_in is not None and obstacle(plan, stand_in, call, local, free) is None:
        text = plan.words["when_none:response"].replace("{name}", stand_in.name)
        return team(stand_in, Reason(f"when_none:{stand_in.id}", text))
    none = _reason(plan, "when_none:protocol")
    return protocol(*banded, *missed, none, bands=bands, unserved=tuple(unserved))


def fitting(
    plan: ResponsePlan,
    bands: dict[str, Band],
    call: Call,
    local: datetime,
    free: Free | None,
) -> Iterator[tuple[Response, UnservedReason | None]]:
    """Yield the responses that take the bands, in order of preference, and why not, if not."""
    for response in plan.responses:
        if response.takes(bands):
            yield response, obstacle(plan, response, call, local, free)


def obstacle(
    plan: ResponsePlan, response: Response, call: Call, local: datetime, free: Free | None
) -> UnservedReason | None:
    """Say why a team can't be sent to a call, if it can't.

    Parameters
    ----------
    plan : ResponsePlan
    response : Response
        One of the plan's.
    call : Call
    local : datetime
        The call's time in the plan's time zone.
    free : mapping of str to int, optional
    """
    if response.since is None or local.date() < response.since:
        return "not_started"
    if response.until is not None and local.date() > response.until:
        return "ended"
    if not plan.on_duty(response, local):
        return "out_of_hours"
    served = plan.serves(response, call)
    if not served:
        return "place_unknown" if served is None else "out_of_area"
    if response.units is None or free is None:
        return None
    units = free.get(response.id)
    if units is None:
        return "units_unknown"
    return None if units > 0 else "busy"


def _reason(plan: ResponsePlan, code: str) -> Reason:
    return Reason(code, plan.words[code])
