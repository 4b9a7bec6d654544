"""One call through scorer, safeguards and plan: what evaluation, batch and service all call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from data.call import Call
from data.premise import Counts
from model_service.model.explanation import Explanation, explain
from model_service.model.plan import ResponsePlan, ThresholdSet
from model_service.model.recommend import Free, Recommendation, recommend
from model_service.model.safeguards import abstention, disqualifiers
from model_service.model.scorer import Prediction, Scored

if TYPE_CHECKING:
    from model_service.model.release import Release


@dataclass(frozen=True, slots=True)
class Assessment:
    """One prediction + recommendation + explanation of one revision of one call.

    The prediction is there even where the model abstains, for the record; the recommendation
    then makes no use of it.
    """

    prediction: Prediction
    recommendation: Recommendation
    explanation: Explanation | None


def assess(
    release: Release,
    call: Call,
    history: Counts | None = None,
    *,
    free: Free | None = None,
    explained: bool = True,
) -> Assessment:
    """Assess one call by a release.

    Parameters
    ----------
    release : Release
    call : Call
    history : tuple of int, optional
        What was known of the call's premise, for a release that uses it.
    free : mapping of str to int, optional
        Free units per response, as `recommend` takes them.
    explained : bool
        Whether to make the explanation, which costs about as much as the score.

    Returns
    -------
    Assessment
    """
    scored = release.scorer.score(call, history)
    recommendation = apply(release.plan, release.thresholds, call, scored, free)
    explanation = explain(release.scorer, scored) if explained else None
    return Assessment(scored.prediction, recommendation, explanation)


def apply(
    plan: ResponsePlan,
    thresholds: ThresholdSet,
    call: Call,
    scored: Scored,
    free: Free | None = None,
) -> Recommendation:
    """Apply safeguards and a plan to what the model made of a call.

    Parameters
    ----------
    plan : ResponsePlan
        The release's own, or another to compare it with.
    thresholds : dict of str to Thresholds
    call : Call
    scored : Scored
    free : mapping of str to int, optional

    Returns
    -------
    Recommendation
    """
    return recommend(
        call,
        scored.prediction,
        plan=plan,
        thresholds=thresholds,
        disqualifiers=disqualifiers(call, plan.disqualifiers),  # type: ignore[arg-type]
        abstained=abstention(
            call,
            scored,
            min_known_words=plan.abstain.min_known_words,
            languages=plan.languages,
        ),
        free=free,
    )
