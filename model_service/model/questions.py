"""The next question: which answer would most likely change the recommendation, how, and why.

Every question that is still open is answered with yes and with no on trial. The answer moves the
log-odds by the model's own weight for it, changes what is known, and the plan is applied anew. How
likely a yes is, is the share of yes among the answers that the training calls hold: the same for
every call, whatever it is about. So the figure ranks questions; it is no forecast for one call.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from data.call import QUESTION_TEXTS, QUESTIONS, TARGETS, Answer
from model_service.model.facts import settle
from model_service.model.plan import PROTOCOL, ThresholdSet
from model_service.model.recommend import Reason, Recommendation, bands_of, raised, unkept
from model_service.model.safeguards import AbstentionReason
from model_service.model.scorer import Pair, Scored, Scorer, expit
from model_service.model.teams import Teams

MOST = 2
"""Questions that are put forward at once; a call-taker can't ask more in one breath."""


class Consequence(NamedTuple):
    """What would follow from an answer.

    Parameters
    ----------
    response : str
        What would be recommended.
    name : str
    mental_health_crisis, safety_risk : float
        Change of the probabilities.
    """

    response: str
    name: str
    mental_health_crisis: float
    safety_risk: float


class NextQuestion(NamedTuple):
    """A question worth asking next.

    Parameters
    ----------
    question : str
    text : str
        In a call-taker's words.
    change_probability : float
        How likely the answer, if it is yes or no, changes the recommendation.
    yes_share : float
        Share of yes among the training calls' answers to it.
    if_yes, if_no : Consequence
    why : Reason
    """

    question: str
    text: str
    change_probability: float
    yes_share: float
    if_yes: Consequence
    if_no: Consequence
    why: Reason


def next_questions(
    scorer: Scorer,
    scored: Scored,
    made: Recommendation,
    *,
    teams: Teams,
    thresholds: ThresholdSet,
    abstained: AbstentionReason | None,
) -> tuple[NextQuestion, ...]:
    """Rank the open questions by how likely their answer changes the recommendation.

    Open is a question that has no answer and is not settled by the narrative, or whose answer the
    narrative contradicts. One that was asked and could not be answered is not put again. None is
    put where no answer helps: the words are too few or in another language, or the thresholds keep
    no promise. Nor is one of which no training call holds an answer.

    Parameters
    ----------
    scorer : Scorer
    scored : Scored
        What it made of the call.
    made : Recommendation
        What is recommended as it stands.
    teams : Teams
        As the recommendation was made with them.
    thresholds : dict of str to Thresholds
    abstained : str or None
        Why the model was not asked, if it was not.

    Returns
    -------
    tuple of NextQuestion
        At most two, the likeliest change first; ties in the order of `QUESTIONS`.
    """
    if abstained not in (None, "contradictory_facts") or unkept(thresholds):
        return ()
    trial = _Trial(scorer, scored, made, teams, thresholds)
    found = []
    for question in trial.open():
        yes = scorer.yes_shares[question]
        if_yes, if_no = trial.sends(question, "yes"), trial.sends(question, "no")
        change = yes * (if_yes != made.response) + (1 - yes) * (if_no != made.response)
        if change > 0:
            found.append((change, question, yes, if_yes, if_no))
    found.sort(key=lambda each: -each[0])
    return tuple(
        NextQuestion(
            question,
            QUESTION_TEXTS[question],  # type: ignore[index]
            change,
            yes,
            trial.consequence(question, "yes", if_yes),
            trial.consequence(question, "no", if_no),
            trial.why(question, if_yes, if_no),
        )
        for change, question, yes, if_yes, if_no in found[:MOST]
    )


class _Trial:
    """A call whose open questions are answered on trial, one at a time."""

    def __init__(
        self,
        scorer: Scorer,
        scored: Scored,
        made: Recommendation,
        teams: Teams,
        thresholds: ThresholdSet,
    ) -> None:
        self._shares, self._tables = scorer.yes_shares, scorer.answer_tables
        self._scored, self._now = scored, scored.prediction
        self._made = made
        self._teams, self._plan = teams, teams.plan
        self._band = thresholds[TARGETS[0]].band, thresholds[TARGETS[1]].band
        self._bands = bands_of(self._now, thresholds)
        self._facts = {fact.code: fact for fact in made.facts}
        self._known = tuple(self._facts[code].value for code in self._plan.needed)
        self._torn = [fact.code for fact in made.facts if fact.contradictory]
        # What stands whatever is answered next: a contradiction is what its answer would end.
        self._stands = {hit.effect for hit in made.disqualifiers if hit.code not in self._torn}

    def open(self) -> Iterator[str]:
        """Name the questions of which an answer may tell something new, in their order."""
        if "protocol" in self._stands or len(self._torn) > 1:
            return
        for question in self._torn or QUESTIONS:
            if question not in self._shares:
                continue
            fact = self._facts.get(question)
            if fact is None:
                answered = question in self._teams.call.answers
                if not answered and question in self._tables:
                    yield question
            elif fact.contradictory or (fact.value == "unknown" and fact.answer is None):
                yield question

    def sends(self, question: str, answer: Answer) -> str:
        """Name what would be recommended."""
        value = answer
        fact = self._facts.get(question)
        if fact is not None and fact.spans:
            value, torn = settle(answer, fact.spans)
            if torn:
                return PROTOCOL
        effect = self._plan.disqualifiers.get(question) if value == "yes" else None  # type: ignore[call-overload]
        if effect == "protocol":
            return PROTOCOL
        bands = self._bands
        if question in self._tables:
            crisis, risk = self._log_odds(question, answer)
            bands = self._band[0](expit(crisis)), self._band[1](expit(risk))
        if effect is not None or self._stands:
            bands = raised(bands, ["risk_high"])
        known = self._known
        if question in self._plan.needed:
            place = self._plan.needed.index(question)
            known = (*known[:place], value, *known[place + 1 :])
        return self._teams.choose(bands, known).sends

    def _log_odds(self, question: str, answer: Answer) -> Pair:
        """Put the model's weight for an answer in the place of that of the present one."""
        crisis, risk = self._scored.log_odds
        if question not in self._tables:
            return crisis, risk
        place, table = self._tables[question]
        before, after = self._scored.categories[place].weights, table.weigh(answer)
        return crisis - before[0] + after[0], risk - before[1] + after[1]

    def consequence(self, question: str, answer: Answer, response: str) -> Consequence:
        """Put into words what would follow."""
        crisis, risk = map(expit, self._log_odds(question, answer))
        return Consequence(
            response, self._name(response), crisis - self._now[0], risk - self._now[1]
        )

    def why(self, question: str, if_yes: str, if_no: str) -> Reason:
        """Say why an answer changes what is recommended."""
        name = ""
        if question in self._torn:
            code = "question:contradiction"
        elif if_no != self._made.response and any(
            awaited.fact == question for awaited in self._made.awaiting
        ):
            code, name = "question:needed", self._name(if_no)
        elif if_yes != self._made.response and question in self._plan.disqualifiers:
            code = "question:disqualifier"
        else:
            code = "question:weight"
        return Reason(code, self._plan.words[code].replace("{name}", name))

    def _name(self, response: str) -> str:
        named = (team.name for team in self._plan.responses if team.id == response)
        return next(named, self._plan.protocol.name)
