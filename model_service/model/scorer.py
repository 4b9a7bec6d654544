"""The compiled model: plain tables of weights, exact and fast, free of scikit-learn.

In log-odds a fitted head is linear: the bias, plus a weight for every term of the texts (TF-IDF
scaled to unit length), plus a weight for every concept, plus a weight for every category, plus a
weight for every count of the premise's history where one is used.
`compile.py` folds idf, scale, coefficient and calibration into these tables. One call costs a walk
over its words.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple, cast
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from data.call import ANSWER_PREFIX, QUESTIONS, TARGETS, Call
from data.premise import Counts, PremiseHistory
from data.premise import columns as history_columns
from data.text import Token, tokenize
from model_service.model.concepts import KINDS, ConceptMatcher, matcher, strength

HOUR, WEEKDAY = "hour", "weekday"
MISSING = "(missing)"
"""The category of a field that is not known; a value spelled like this counts as not known."""

TEXTS = ("narrative", "call_type")
"""Fields of a call that may be read as words."""

CRISIS_FIELDS = ("clinician_finding", "disposition", "final_call_type")
"""Fields of an outcome by whose values a crisis may be known, most trusted first."""

FIELDS = frozenset(
    [
        *("call_type", "call_source", "priority", "caller_role", "language"),
        *("neighborhood", "premise_id"),
        *(HOUR, WEEKDAY),
        *(ANSWER_PREFIX + question for question in QUESTIONS),
    ]
)
"""Fields of a call, and what is derived from its time, that may be read as categories."""

HISTORY = "history"
"""Name of the premise's history among the features: for its scale, and for whether there is one."""

Outcomes = dict[str, tuple[str, ...]]
"""Field of an outcome → values."""

Pair = tuple[float, float]
"""One figure per target, in the order of `TARGETS`."""


class Prediction(NamedTuple):
    """What the model says of a call: two calibrated probabilities, in the order of `TARGETS`."""

    mental_health_crisis: float
    safety_risk: float


def runs(words: Sequence[str], n: int) -> Iterable[str]:
    """Give every run of `n` words, in their order.

    Examples
    --------
    >>> [*runs(["no", "weapons", "seen"], 1), *runs(["no", "weapons", "seen"], 2)]
    ['no', 'weapons', 'seen', 'no weapons', 'weapons seen']
    """
    return words if n == 1 else map(" ".join, zip(*(words[at:] for at in range(n)), strict=False))


def expit(x: float) -> float:
    """Turn log-odds into a probability, without overflow."""
    if x >= 0:
        return 1 / (1 + math.exp(-x))
    z = math.exp(x)
    return z / (1 + z)


@dataclass(frozen=True)
class TextTable:
    """Weights of the terms of one text field.

    Parameters
    ----------
    column : str
        Field of the call.
    longest : int
        Words in the longest term.
    terms : sequence of str of length n_terms
    idf : ndarray of shape (n_terms,)
        Inverse document frequency; needed for the length that a text is scaled by.
    weights : ndarray of shape (n_terms, 2)
        Log-odds per unit of scaled TF-IDF.
    """

    column: str
    longest: int
    terms: Sequence[str]
    idf: NDArray[np.float64]
    weights: NDArray[np.float64]

    @cached_property
    def lookup(self) -> dict[str, tuple[float, float, float]]:
        """Term → idf squared, and idf times the weights; Python floats, faster to walk."""
        idf = self.idf[:, np.newaxis]
        rows = np.column_stack([idf * idf, idf * self.weights]).tolist()
        return {term: (row[0], row[1], row[2]) for term, row in zip(self.terms, rows, strict=True)}


@dataclass(frozen=True)
class ConceptTable:
    """Weights of the concepts of a list in one text field.

    Parameters
    ----------
    column : str
        Field of the call; one of the scorer's texts.
    source : str
        The list, as YAML.
    weights : ndarray of shape (n_columns, 2)
        Log-odds per unit of `concepts.strength`, in the order of the matcher's columns.
    """

    column: str
    source: str
    weights: NDArray[np.float64]

    @cached_property
    def matcher(self) -> ConceptMatcher:
        """What finds the concepts."""
        return matcher(self.source)

    @cached_property
    def lookup(self) -> dict[tuple[str, str], Pair]:
        """(concept, kind) → the weights."""
        rows = self.weights.tolist()
        return {
            column: (row[0], row[1]) for column, row in zip(self.matcher.columns, rows, strict=True)
        }


@dataclass(frozen=True)
class CategoryTable:
    """Weights of the values of one field.

    Parameters
    ----------
    field : str
        Field of the call, `answer_…`, `hour` or `weekday`.
    values : dict
        Value → log-odds per target.
    other : pair of float
        Log-odds of any value that is not listed.
    mean : pair of float
        Average over the training calls: what an explanation measures a value against.
    """

    field: str
    values: dict[str, Pair]
    other: Pair
    mean: Pair

    def weigh(self, value: str) -> Pair:
        """Tell the log-odds of a value."""
        return self.values.get(value, self.other)

    def evidence(self, value: str) -> CategoryEvidence:
        """Tell what a value contributes."""
        return self._listed.get(value) or CategoryEvidence(self.field, value, self.other, self.mean)

    @cached_property
    def _listed(self) -> dict[str, CategoryEvidence]:
        return {
            value: CategoryEvidence(self.field, value, weights, self.mean)
            for value, weights in self.values.items()
        }


@dataclass(frozen=True)
class HistoryTable:
    """Weights of what was known of the premise as of the call.

    Parameters
    ----------
    windows : tuple of int
        Days, ascending.
    crises : mapping of str to tuple of str
        Field of an outcome → values by which whoever serves knows a crisis.
    weights : tuple of pair of float
        Log-odds per unit of log(1 + count), in the order of `data.premise.columns`.
    none : pair of float
        Log-odds of a call that has no premise.
    means : tuple of pair of float
        Average of each count's log-odds over the training calls.
    none_mean : pair of float
        The same of `none`.
    """

    windows: tuple[int, ...]
    crises: Outcomes
    weights: tuple[Pair, ...]
    none: Pair
    means: tuple[Pair, ...]
    none_mean: Pair

    @cached_property
    def columns(self) -> list[str]:
        """Names of the counts."""
        return history_columns(self.windows)

    def score(self, counts: Counts | None) -> list[CategoryEvidence]:
        """Weigh the counts of a call's premise; None where it has none.

        Each count is a field with its contribution; a last one says whether there is a history.

        Raises
        ------
        ValueError
            If there are not as many counts as the windows ask for.
        """
        given = [None] * len(self.columns) if counts is None else counts
        made = []
        for name, count, (crisis, risk), mean in zip(
            self.columns, given, self.weights, self.means, strict=True
        ):
            value = 0.0 if count is None else math.log1p(count)
            said = MISSING if count is None else str(count)
            made.append(CategoryEvidence(name, said, (value * crisis, value * risk), mean))
        said, pair = (MISSING, self.none) if counts is None else ("known", (0.0, 0.0))
        return [*made, CategoryEvidence(HISTORY, said, pair, self.none_mean)]


TermHits = tuple[int, list[int], float, float]
"""A known term of a text: how many words it has, the first word of each of its occurrences, and
what one of them adds to either log-odds before the text is scaled. No class of its own: a text has
some ninety."""


class TextEvidence(NamedTuple):
    """What the terms of one text field contributed.

    Parameters
    ----------
    column : str
    tokens : list of Token
    terms : list of TermHits
    scale : float
        What brings the text to unit length.
    log_odds : pair of float
        Of all terms, scaled.
    known_words : int
    """

    column: str
    tokens: list[Token]
    terms: list[TermHits]
    scale: float
    log_odds: Pair
    known_words: int


class ConceptEvidence(NamedTuple):
    """A concept found in a text: which, how it was spoken of, where, its share of the log-odds."""

    column: str
    concept: str
    polarity: str
    first: int
    last: int
    shares: Pair


class CategoryEvidence(NamedTuple):
    """What one categorical field, or one count of the history, contributed."""

    field: str
    value: str
    weights: Pair
    mean: Pair


class Scored(NamedTuple):
    """Log-odds with everything they were made of; `explanation.py` puts it into words."""

    log_odds: Pair
    texts: list[TextEvidence]
    categories: list[CategoryEvidence]
    concepts: list[ConceptEvidence]

    @property
    def prediction(self) -> Prediction:
        """The two probabilities."""
        return Prediction(expit(self.log_odds[0]), expit(self.log_odds[1]))

    @property
    def known_words(self) -> int:
        """Words of the texts that the model knows."""
        return sum(text.known_words for text in self.texts)


@dataclass(frozen=True)
class Scorer:
    """Two heads as tables of weights.

    Parameters
    ----------
    timezone : str
        IANA name; hour and weekday are read off the agency's clocks.
    bias : pair of float
        Log-odds of a call of which nothing is said in any table.
    texts : tuple of TextTable
    categories : tuple of CategoryTable
    concepts : ConceptTable, optional
    history : HistoryTable, optional
    yes_shares : dict of str to float
        Question → share of yes among the training calls' answers to it. No part of the score: it
        says how likely an answer is that was not given yet.
    """

    timezone: str
    bias: Pair
    texts: tuple[TextTable, ...]
    categories: tuple[CategoryTable, ...]
    concepts: ConceptTable | None = None
    history: HistoryTable | None = None
    yes_shares: dict[str, float] = field(default_factory=dict)

    @cached_property
    def answer_tables(self) -> dict[str, tuple[int, CategoryTable]]:
        """Question → the table of its answers, and its place among the categories."""
        return {
            table.field[len(ANSWER_PREFIX) :]: (place, table)
            for place, table in enumerate(self.categories)
            if table.field.startswith(ANSWER_PREFIX)
        }

    @cached_property
    def _zone(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)

    def prepare(self) -> None:
        """Build what the first call would else wait for, and refuse tables that fit no call.

        Raises
        ------
        ValueError
            If the time zone is unknown, or a table is for what is no field of a call.
        """
        try:
            _ = self._zone
        except (KeyError, ValueError, OSError):
            raise ValueError("unknown time zone") from None
        for table in self.texts:
            if table.column not in TEXTS or table.longest < 1:
                raise ValueError("a text table is for no text of a call")
            _ = table.lookup
        if self.concepts is not None:
            if self.concepts.column not in {table.column for table in self.texts}:
                raise ValueError("a concept table is for no text of the model")
            _ = self.concepts.lookup
        if not {category.field for category in self.categories} <= FIELDS:
            raise ValueError("a category table is for no field of a call")
        if self.history is not None:
            PremiseHistory(self.history.windows)
            self.history.score(None)
            if not set(self.history.crises) <= set(CRISIS_FIELDS):
                raise ValueError("a crisis is known by no field of an outcome")
        _ = self.answer_tables
        if not set(self.yes_shares) <= set(QUESTIONS):
            raise ValueError("a share of yes is of no question")
        if not all(0 <= share <= 1 for share in self.yes_shares.values()):
            raise ValueError("a share of yes is no share")

    @cached_property
    def mean(self) -> Pair:
        """Log-odds that fields and history had on average over the training calls."""
        means = [table.mean for table in self.categories]
        if self.history is not None:
            means += [*self.history.means, self.history.none_mean]
        return sum(mean[0] for mean in means), sum(mean[1] for mean in means)

    def score(self, call: Call, history: Counts | None = None) -> Scored:
        """Score one call.

        Parameters
        ----------
        call : Call
        history : tuple of int, optional
            What was known of its premise (`data.premise.PremiseHistory.counts`); None where it
            has none. A model without a history does not look at it.

        Returns
        -------
        Scored
            The log-odds and what they were made of; they differ from the fitted pipeline's by
            rounding alone (at most 1e-9, checked when a release is written).
        """
        crisis, risk = self.bias
        texts = []
        concepts: list[ConceptEvidence] = []
        for table in self.texts:
            text = getattr(call, table.column) or ""
            evidence = _score_text(table, text)
            texts.append(evidence)
            crisis += evidence.log_odds[0]
            risk += evidence.log_odds[1]
            if self.concepts is not None and self.concepts.column == table.column:
                concepts = _score_concepts(self.concepts, text, evidence.tokens)
        for found in concepts:
            crisis += found.shares[0]
            risk += found.shares[1]
        categories = []
        for category, value in zip(self.categories, self._values(call), strict=True):
            contributed = category.evidence(value)
            categories.append(contributed)
            crisis += contributed.weights[0]
            risk += contributed.weights[1]
        if self.history is not None:
            known = self.history.score(history)
            categories += known
            crisis += sum(count.weights[0] for count in known)
            risk += sum(count.weights[1] for count in known)
        return Scored((crisis, risk), texts, categories, concepts)

    @cached_property
    def _sources(self) -> list[tuple[str, str]]:
        """Tell of each category what kind of field it is, and its name there."""
        return [
            (ANSWER_PREFIX, table.field[len(ANSWER_PREFIX) :])
            if table.field.startswith(ANSWER_PREFIX)
            else (table.field if table.field in (HOUR, WEEKDAY) else "", table.field)
            for table in self.categories
        ]

    def _values(self, call: Call) -> Iterator[str]:
        """Give the values of the categories."""
        answers = cast(Mapping[str, str], call.answers)
        for kind, name in self._sources:
            if kind == ANSWER_PREFIX:
                yield answers.get(name, MISSING)
            elif kind == HOUR:
                yield str(call.received_at.astimezone(self._zone).hour)
            elif kind == WEEKDAY:
                yield str(call.received_at.astimezone(self._zone).weekday())
            else:
                value = getattr(call, name)
                yield MISSING if value is None else value


def _score_text(table: TextTable, text: str) -> TextEvidence:
    tokens = tokenize(text)
    lookup = table.lookup
    words = [token.text for token in tokens]
    known = 0
    square = crisis = risk = 0.0
    terms: list[TermHits] = []
    for n in range(1, table.longest + 1):
        places: dict[str, list[int]] = {}
        for first, term in enumerate(runs(words, n)):
            if term in lookup:
                if term in places:
                    places[term].append(first)
                else:
                    places[term] = [first]
        if n == 1:
            known = sum(map(len, places.values()))
        for term, firsts in places.items():
            idf_square, of_crisis, of_risk = lookup[term]
            times = len(firsts)
            if times == 1:
                square += idf_square
                crisis += of_crisis
                risk += of_risk
                terms.append((n, firsts, of_crisis, of_risk))
            else:
                often = 1 + math.log(times)
                square += often * often * idf_square
                crisis += often * of_crisis
                risk += often * of_risk
                terms.append((n, firsts, often / times * of_crisis, often / times * of_risk))
    scale = 1 / math.sqrt(square) if square else 0.0
    log_odds = scale * crisis, scale * risk
    return TextEvidence(table.column, tokens, terms, scale, log_odds, known)


def _score_concepts(
    table: ConceptTable, text: str, tokens: Sequence[Token]
) -> list[ConceptEvidence]:
    """Find the concepts; every occurrence has an equal share of what its column counts."""
    hits = table.matcher.find(text, tokens)
    if not hits:
        return []
    counts: dict[tuple[str, str], int] = {}
    for hit in hits:
        column = hit.concept, KINDS[hit.polarity]
        counts[column] = counts.get(column, 0) + 1
    found = []
    for concept, polarity, first, last in hits:
        column = concept, KINDS[polarity]
        crisis, risk = table.lookup[column]
        everyday = concept in table.matcher.everyday
        value = strength(counts[column], len(tokens), everyday=everyday) / counts[column]
        shares = (value * crisis, value * risk)
        found.append(ConceptEvidence(table.column, concept, polarity, first, last, shares))
    return found


assert Prediction._fields == TARGETS
