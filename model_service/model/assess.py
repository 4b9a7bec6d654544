"""One call through scorer, safeguards and plan: what evaluation, batch and service all call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from data.call import Call
from data.premise import Counts
from model_service.model.explanation import Explanation, explain
from model_service.model.facts import facts_of
from model_service.model.plan import ResponsePlan
from model_service.model.questions import NextQuestion, next_questions
from model_service.model.recommend import Recommendation, recommend
from model_service.model.safeguards import abstention
from model_service.model.scorer import Prediction, Scored
from model_service.model.teams import Free, Teams

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
    questions: tuple[NextQuestion, ...]
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
        Whether to make the explanation, which costs about as much as the score, and to look for
        the next question.

    Returns
    -------
    Assessment
    """
    scored = release.scorer.score(call, history)
    recommendation, questions = advise(
        release, release.plan, call, scored, free=free, asking=explained
    )
    explanation = explain(release.scorer, scored) if explained else None
    return Assessment(scored.prediction, recommendation, questions, explanation)


def advise(
    release: Release,
    plan: ResponsePlan,
    call: Call,
    scored: Scored,
    *,
    free: Free | None = None,
    asking: bool = True,
) -> tuple[Recommendation, tuple[NextQuestion, ...]]:
    """Apply safeguards and a plan to what the model made of a call.

    Parameters
    ----------
    release : Release
        Its thresholds and rules, whichever plan is applied.
    plan : ResponsePlan
        The release's own, or another to compare it with.
    call : Call
    scored : Scored
    free : mapping of str to int, optional
    asking : bool
        Whether to look for the next question.

    Returns
    -------
    Recommendation, tuple of NextQuestion
    """
    teams = Teams(plan, call, free)
    facts = facts_of(call, scored, plan.facts, release.rules)
    abstained = abstention(
        call,
        scored,
        facts,
        min_known_words=plan.abstain.min_known_words,
        min_known_share=plan.abstain.min_known_share,
        languages=plan.languages,
    )
    made = recommend(
        scored.prediction,
        teams=teams,
        thresholds=release.thresholds,
        facts=facts,
        abstained=abstained,
    )
    if not asking:
        return made, ()
    return made, next_questions(
        release.scorer,
        scored,
        made,
        teams=teams,
        thresholds=release.thresholds,
        abstained=abstained,
    )
