"""Exact contributions in log-odds, with the words in place.

A head is linear in log-odds, so nothing is estimated: baseline plus contributions is the log-odds
of the prediction, to rounding. Categories are measured against the average training call; words
against silence, that is, against a call of which nothing was said.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from model_service.model.scorer import ConceptEvidence, Pair, Scored, Scorer, TextEvidence

# Not frozen: a call has some seventy contributions, and a frozen one takes three times as long.


@dataclass(slots=True)
class WordContribution:
    """A word in place: characters `[start, end)` of the original text, log-odds per target."""

    column: str
    start: int
    end: int
    mental_health_crisis: float
    safety_risk: float


@dataclass(slots=True)
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


@dataclass(slots=True)
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
    words = [
        word
        for text in scored.texts
        for word in _words(text, [c for c in scored.concepts if c.column == text.column])
    ]
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


def _words(text: TextEvidence, concepts: Iterable[ConceptEvidence]) -> list[WordContribution]:
    """Share what terms and concepts of one text contributed among its words."""
    column, tokens = text.column, text.tokens
    of_crisis, of_risk = [0.0] * len(tokens), [0.0] * len(tokens)
    known = bytearray(len(tokens))
    shared = [(found.last - found.first, [found.first], *found.shares) for found in concepts]
    for runs, scale in ((text.terms, text.scale), (shared, 1.0)):
        for n, places, crisis, risk in runs:
            each_crisis, each_risk = scale / n * crisis, scale / n * risk
            for first in places:
                for place in range(first, first + n):
                    known[place] = 1
                    of_crisis[place] += each_crisis
                    of_risk[place] += each_risk
    words: list[WordContribution] = []
    end = 0
    for (_, start, after), crisis, risk, is_known in zip(
        tokens, of_crisis, of_risk, known, strict=True
    ):
        if not is_known:
            continue
        if start < end:
            before = words[-1]
            before.end = end = max(after, end)
            before.mental_health_crisis += crisis
            before.safety_risk += risk
        else:
            words.append(WordContribution(column, start, after, crisis, risk))
            end = after
    return words
