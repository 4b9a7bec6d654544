"""One call through scorer, safeguards and plan: what evaluation, batch and service all call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from data.call import Call
from data.premise import Counts
from model_service.model.explanation import Explanation, explain
from model_service.model.plan import Recommendation, recommend
from model_service.model.safeguards import abstention, disqualifiers
from model_service.model.scorer import Prediction

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
    release: Release, call: Call, history: Counts | None = None, *, explained: bool = True
) -> Assessment:
    """Assess one call by a release.

    Parameters
    ----------
    release : Release
    call : Call
    history : tuple of int, optional
        What was known of the call's premise, for a release that uses it.
    explained : bool
        Whether to make the explanation, which costs about as much as the score.

    Returns
    -------
    Assessment
    """
    plan = release.plan
    scored = release.scorer.score(call, history)
    recommendation = recommend(
        call,
        scored.prediction,
        plan=plan,
        thresholds=release.thresholds,
        disqualifiers=disqualifiers(call, plan.disqualifiers),  # type: ignore[arg-type]
        abstained=abstention(
            call,
            scored,
            min_known_words=plan.abstain.min_known_words,
            languages=plan.languages,
        ),
    )
    explanation = explain(release.scorer, scored) if explained else None
    return Assessment(scored.prediction, recommendation, explanation)
