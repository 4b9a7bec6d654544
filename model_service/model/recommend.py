"""`recommend()`: from probabilities and facts to a kind of team, as the response plan says.

Evaluation, batch scoring, simulation and the service call the same function.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from data.call import TARGETS
from model_service.model.facts import Fact, Facts
from model_service.model.plan import Band, ResponsePlan, ThresholdSet
from model_service.model.safeguards import (
    AbstentionReason,
    Disqualifier,
    Effect,
    disqualifiers,
)
from model_service.model.scorer import Prediction
from model_service.model.teams import Awaiting, Bands, Choice, Teams, Unserved


@dataclass(frozen=True, slots=True)
class Reason:
    """A code for machines and a sentence for people."""

    code: str
    text: str


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
    awaiting : tuple of Awaiting
        Responses that fit better, or as well, but for facts that are not known to be a no.
    facts : tuple of Fact
        What was known.
    """

    response: str
    name: str
    police: bool | None
    abstained: bool
    bands: dict[str, Band] | None
    reasons: tuple[Reason, ...]
    disqualifiers: tuple[Disqualifier, ...]
    unserved: tuple[Unserved, ...]
    awaiting: tuple[Awaiting, ...]
    facts: tuple[Fact, ...]


NOTHING_CHOSEN = Choice(None, False, (), ())
"""The protocol, without a look at any team."""


def recommend(
    prediction: Prediction,
    *,
    teams: Teams,
    thresholds: ThresholdSet,
    facts: Facts,
    abstained: AbstentionReason | None,
) -> Recommendation:
    """Apply a response plan to a prediction.

    The first response in the plan's order that takes the bands, can be sent and lacks no fact is
    recommended. Where some take them and none can be sent, it is what the plan names for that.
    Where none takes them, a fact is lacking, the model abstains, its thresholds keep no promise, or
    a disqualifier says so, it is the centre's own protocol.

    Parameters
    ----------
    prediction : Prediction
    teams : Teams
        The plan's, as they stand to the call.
    thresholds : dict of str to Thresholds
    facts : dict of str to Fact
        Of all questions in the plan's `facts`.
    abstained : str or None
        Why the model was not asked, if it was not.

    Returns
    -------
    Recommendation
    """
    plan = teams.plan
    hits = disqualifiers(facts, plan.disqualifiers)  # type: ignore[arg-type]
    reasons = [_stated(plan, hit) for hit in hits]
    bands: Bands | None = None
    choice = NOTHING_CHOSEN
    unsupported = unkept(thresholds)
    if abstained is not None:
        reasons.append(_reason(plan, f"abstained:{abstained}"))
    elif unsupported:
        reasons += [_reason(plan, f"unsupported:{target}") for target in unsupported]
    else:
        found = bands_of(prediction, thresholds)
        effects = {hit.effect for hit in hits}
        bands = raised(found, effects)
        reasons.append(_reason(plan, f"band:{TARGETS[0]}:{found[0]}"))
        risk = f"band:{TARGETS[1]}:{bands[1]}"
        by_fact = "risk_high" in effects
        reasons.append(Reason(risk, plan.words["raised:safety_risk" if by_fact else risk]))
        if "protocol" not in effects:
            choice = teams.choose(bands, tuple(facts[code].value for code in plan.needed))
            reasons += _chosen(plan, choice)
    response = choice.response
    return Recommendation(
        response=choice.sends,
        name=plan.protocol.name if response is None else response.name,
        police=None if response is None else response.police,
        abstained=bands is None,
        bands=None if bands is None else dict(zip(TARGETS, bands, strict=True)),
        reasons=tuple(reasons),
        disqualifiers=hits,
        unserved=choice.unserved,
        awaiting=choice.awaiting,
        facts=tuple(facts.values()),
    )


def unkept(thresholds: ThresholdSet) -> list[str]:
    """Name the heads whose thresholds keep no promise."""
    return [target for target in TARGETS if thresholds[target].low is None]


def bands_of(prediction: Prediction, thresholds: ThresholdSet) -> Bands:
    """Name the bands of a prediction, before any disqualifier."""
    crisis, risk = prediction
    return thresholds[TARGETS[0]].band(crisis), thresholds[TARGETS[1]].band(risk)


def raised(bands: Bands, effects: Collection[Effect]) -> Bands:
    """Raise the safety band as disqualifiers say."""
    return (bands[0], "high") if "risk_high" in effects else bands


def _stated(plan: ResponsePlan, hit: Disqualifier) -> Reason:
    """Say what a disqualifier was found in; where it was answered too, that it was answered."""
    code = f"disqualifier:{hit.code}"
    answered = hit.evidence.startswith("answers.")
    return Reason(code, plan.words[code if answered else f"mentioned:{hit.code}"])


def _chosen(plan: ResponsePlan, choice: Choice) -> Iterator[Reason]:
    """Say what came in the way of a choice."""
    names = {response.id: response.name for response in plan.responses}
    for missed, why in choice.unserved:
        yield _reason(plan, f"unserved:{missed}:{why}", f"unserved:{why}", names[missed])
    for fact in dict.fromkeys(awaited.fact for awaited in choice.awaiting):
        yield _reason(plan, f"unknown:{fact}")
    if choice.response is not None and choice.stands_in:
        instead = choice.response
        yield _reason(plan, f"when_none:{instead.id}", "when_none:response", instead.name)
    elif choice.response is None and choice.unserved:
        yield _reason(plan, "when_none:protocol")


def _reason(plan: ResponsePlan, code: str, text: str = "", name: str = "") -> Reason:
    return Reason(code, plan.words[text or code].replace("{name}", name))
