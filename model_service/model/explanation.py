"""Exact contributions in log-odds, with the words in place.

A head is linear in log-odds, so nothing is estimated: baseline plus contributions is the log-odds
of the prediction, to rounding. Categories are measured against the average training call; words
against silence, that is, against a call of which nothing was said.
"""

from __future__ import annotations

from dataclasses import dataclass

from model_service.model.scorer import Pair, Scored, Scorer


@dataclass(frozen=True, slots=True)
class WordContribution:
    """A word in place: characters `[start, end)` of the original text, log-odds per target."""

    column: str
    start: int
    end: int
    mental_health_crisis: float
    safety_risk: float


@dataclass(frozen=True, slots=True)
class ConceptContribution:
    """A concept in place: characters `[start, end)` of the original text, log-odds per target.

    `words` hold the same log-odds already, shared among the concept's words.
    """

    column: str
    start: int
    end: int
    concept: str
    polarity: str
    mental_health_crisis: float
    safety_risk: float


@dataclass(frozen=True, slots=True)
class FieldContribution:
    """A field's value, or a count of the history, against the average training call; log-odds."""

    field: str
    value: str
    mental_health_crisis: float
    safety_risk: float


@dataclass(frozen=True, slots=True)
class Explanation:
    """What a prediction was made of.

    Per target: `baseline` + all `words` + all `fields` = `log_odds`, to rounding. `concepts` say
    which meaning was found in which words; what they count is in `words` already.
    """

    baseline: Pair
    log_odds: Pair
    words: tuple[WordContribution, ...]
    fields: tuple[FieldContribution, ...]
    concepts: tuple[ConceptContribution, ...] = ()


def baseline(scorer: Scorer) -> Pair:
    """Log-odds of the average training call of which no word was said."""
    crisis, risk = scorer.mean
    return scorer.bias[0] + crisis, scorer.bias[1] + risk


def explain(scorer: Scorer, scored: Scored) -> Explanation:
    """Put what a score was made of into words and fields.

    A term or concept of several words gives each of them an equal share. Words that the model
    does not know are not listed: they contribute nothing. The words of a text come in order and
    do not overlap; where one character stands for several words, such as a fraction, they are
    listed as one.

    Parameters
    ----------
    scorer : Scorer
    scored : Scored
        What `scorer` said of a call.

    Returns
    -------
    Explanation
    """
    words: list[WordContribution] = []
    for text in scored.texts:
        shares: dict[int, list[float]] = {}
        for first, last, (crisis, risk) in text.hits:
            run = last - first
            for position in range(first, last):
                share = shares.setdefault(position, [0.0, 0.0])
                share[0] += crisis / run
                share[1] += risk / run
        for position in sorted(shares):
            token = text.tokens[position]
            crisis, risk = shares[position]
            before = words[-1] if words else None
            if before is not None and before.column == text.column and token.start < before.end:
                words[-1] = WordContribution(
                    text.column,
                    before.start,
                    max(token.end, before.end),
                    before.mental_health_crisis + crisis,
                    before.safety_risk + risk,
                )
                continue
            words.append(WordContribution(text.column, token.start, token.end, crisis, risk))
    fields = tuple(
        FieldContribution(
            category.field,
            category.value,
            category.weights[0] - category.mean[0],
            category.weights[1] - category.mean[1],
        )
        for category in scored.categories
    )
    tokens = {text.column: text.tokens for text in scored.texts}
    concepts = tuple(
        ConceptContribution(
            found.column,
            tokens[found.column][found.first].start,
            tokens[found.column][found.last - 1].end,
            found.concept,
            found.polarity,
            *found.shares,
        )
        for found in scored.concepts
    )
    return Explanation(baseline(scorer), scored.log_odds, tuple(words), fields, concepts)
