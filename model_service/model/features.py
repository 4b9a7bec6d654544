"""From a frame of calls to the matrix that the heads see: the one definition of the features.

Every fitted step lives in the pipeline that `build_features` returns. `compile.py` turns the same
steps into plain weights, and a release is refused where the two differ.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from importlib import resources
from typing import Annotated, Any, Literal, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from scipy.sparse import csr_matrix, diags_array
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder

from data.call import KNOWN_AT, Known
from data.document import read_document
from data.frame import ANSWER_COLUMNS
from data.premise import WINDOWS
from data.premise import columns as history_columns
from data.text import tokenize
from model_service.model.concepts import KINDS, concepts_text, matcher, strength
from model_service.model.scorer import (
    CRISIS_FIELDS,
    HISTORY,
    HOUR,
    MISSING,
    WEEKDAY,
    Outcomes,
    runs,
)

CONCEPTS = "concepts"
"""Name of the concepts among the features, for their scale."""

GIVEN_DENIED = (0.08, 0.05)
"""How likely a crisis and a risk are held to be in a call of which only a denial is known, before a
call was counted: rather less than in an average one. "No weapons" must not speak for a weapon."""

PLACES = ("neighborhood", "premise_id")
"""Fields that say where a call comes from: features only where a configuration turns them on."""

CATEGORIES = (
    "call_source",
    "priority",
    "caller_role",
    "language",
    HOUR,
    WEEKDAY,
    *PLACES,
    *ANSWER_COLUMNS,
)


@cache
def other_languages() -> dict[str, frozenset[str]]:
    """Read the common words of languages other than English, by tag (other_languages.yaml)."""
    text = (resources.files(__package__) / "other_languages.yaml").read_text(encoding="utf-8")
    return {tag: frozenset(words) for tag, words in read_document(text, quick=True).items()}


class TextFeature(BaseModel):
    """Word n-grams of one text field, weighted by TF-IDF and scaled to unit length."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)

    column: Literal["narrative", "call_type"]
    ngrams: int = Field(2, ge=1, le=3, description="Longest run of words that is one term.")
    min_calls: int = Field(5, ge=1, description="Calls a term must occur in to be kept.")
    other_languages: tuple[str, ...] = Field(
        default=(),
        strict=False,
        description="Languages whose common words (other_languages.yaml) are in no term: what is "
        "said in them must not weigh, nor pass for words that the model knows.",
    )

    @field_validator("other_languages")
    @classmethod
    def _known(cls, tags: tuple[str, ...]) -> tuple[str, ...]:
        unknown = sorted(set(tags) - set(other_languages()))
        if unknown:
            known = ", ".join(other_languages())
            raise ValueError(f"no words of the language {unknown[0]!r} are listed; known: {known}")
        return tags

    @property
    def analyser(self) -> Terms:
        """What makes the terms of a text."""
        listed = other_languages()
        without = frozenset(word for tag in self.other_languages for word in listed[tag])
        return Terms(self.ngrams, without)


class ConceptFeature(BaseModel):
    """The concepts of the shipped list in one text field (`model_service.model.concepts`)."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)

    column: Literal["narrative"] = "narrative"
    prior_calls: float = Field(
        100, ge=0, description="Calls that the list's own judgement of a concept counts for."
    )


class HistoryFeature(BaseModel):
    """What was known of the premise as of the call (`data.premise`).

    Of each count, log(1 + count): the second call in a month says more than the twentieth. A call
    without a premise has no history, and that has a weight of its own.
    """

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)

    windows: tuple[Annotated[int, Field(ge=1)], ...] = Field(
        WINDOWS, strict=False, min_length=1, description="Days, ascending."
    )
    crises: dict[str, Annotated[tuple[str, ...], Field(strict=False, min_length=1)]] = Field(
        default={"clinician_finding": ("crisis",)},
        min_length=1,
        description="Field of an outcome → values by which the service knows a crisis; they must "
        "mean what the labels mean that were learned from.",
    )

    @field_validator("windows")
    @classmethod
    def _ascending(cls, windows: tuple[int, ...]) -> tuple[int, ...]:
        if list(windows) != sorted(set(windows)):
            raise ValueError("windows are ascending numbers of days")
        return windows

    @field_validator("crises")
    @classmethod
    def _outcomes(cls, crises: Outcomes) -> Outcomes:
        if not set(crises) <= set(CRISIS_FIELDS):
            raise ValueError(f"a crisis is known by {', '.join(CRISIS_FIELDS)}")
        return crises


class FeatureSettings(BaseModel):
    """Which fields of a call the model may see.

    `neighborhood` and `premise_id` are in `categories` only if somebody puts them there; the card
    and the audit then say so.
    """

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)

    timezone: str = Field(description="The agency's IANA time zone, for hour and weekday.")
    texts: tuple[TextFeature, ...] = Field(strict=False, min_length=1)
    concepts: ConceptFeature | None = None
    history: HistoryFeature | None = None
    categories: tuple[str, ...] = Field(strict=False)
    min_calls: int = Field(
        20, ge=1, description="Calls a category must occur in to have a weight of its own."
    )
    weights: dict[str, Annotated[float, Field(gt=0)]] = Field(
        default_factory=dict,
        description="Scale of a text or category against the others; 1 where not named.",
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        from zoneinfo import ZoneInfo

        try:
            ZoneInfo(self.timezone)
        except (KeyError, ValueError, OSError):
            raise ValueError(f"unknown time zone {self.timezone!r}") from None
        for name in self.categories:
            if KNOWN_AT.get(name) is Known.AFTER_DISPATCH:
                raise ValueError(
                    f"{name} is known only after dispatch: it is an outcome and can't be a feature"
                )
            if name not in CATEGORIES:
                raise ValueError(f"unknown category {name!r}; known are {', '.join(CATEGORIES)}")
        named = [text.column for text in self.texts] + list(self.categories)
        twice = sorted({name for name in named if named.count(name) > 1})
        if twice:
            raise ValueError(f"named twice: {', '.join(twice)}")
        if self.concepts is not None:
            if self.concepts.column not in named:
                raise ValueError(f"concepts read {self.concepts.column}, which is not in texts")
            named.append(CONCEPTS)
        if self.history is not None:
            named.append(HISTORY)
        unknown = sorted(set(self.weights) - set(named))
        if unknown:
            raise ValueError(f"a weight for what is no feature: {', '.join(unknown)}")
        return self


class Terms:
    """Analyser of `TfidfVectorizer`: the word n-grams of a text (`data.text.tokenize`).

    Parameters
    ----------
    longest : int
        Words in the longest term.
    without : frozenset of str
        Words that are in no term.
    """

    def __init__(self, longest: int, without: frozenset[str] = frozenset()) -> None:
        self.longest = longest
        self.without = without

    def __call__(self, text: str) -> Sequence[str]:
        """Return the terms of a text, repeated as often as they occur."""
        # Call types are few and come again and again; narratives hardly ever do.
        make = _remembered if len(text) <= 200 else _terms
        return make(text, self.longest, self.without)


def _terms(text: str, longest: int, without: frozenset[str]) -> tuple[str, ...]:
    words = [token.text for token in tokenize(text)]
    if without.isdisjoint(words):
        return tuple(term for n in range(1, longest + 1) for term in runs(words, n))
    return tuple(
        term
        for n in range(1, longest + 1)
        for first, term in enumerate(runs(words, n))
        if without.isdisjoint(words[first : first + n])
    )


_remembered = lru_cache(maxsize=4096)(_terms)


class Concepts(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Count the concepts of a list in texts; nothing is learned.

    Parameters
    ----------
    source : str
        The list, as YAML.
    """

    def __init__(self, source: str) -> None:
        self.source = source

    def fit(self, X: pd.Series, y: Any = None) -> Concepts:
        """Do nothing; there is nothing to learn."""
        self.fitted_ = True
        return self

    def transform(self, X: pd.Series) -> csr_matrix:
        """Return a matrix of shape (n_calls, n_columns): `strength` of each column's count."""
        found = matcher(self.source)
        place = {column: number for number, column in enumerate(found.columns)}
        rows: list[int] = []
        columns: list[int] = []
        values: list[float] = []
        for row, text in enumerate(X):
            tokens = tokenize(text)
            counts = Counter((hit.concept, KINDS[hit.polarity]) for hit in found.find(text, tokens))
            for column, count in counts.items():
                rows.append(row)
                columns.append(place[column])
                everyday = column[0] in found.everyday
                values.append(strength(count, len(tokens), everyday=everyday))
        return csr_matrix((values, (rows, columns)), shape=(len(X), len(place)), dtype=np.float64)


@dataclass(frozen=True)
class Prior:
    """What is held of the concepts before a call is counted, as calls that nobody made.

    Parameters
    ----------
    matrix : sparse matrix of shape (2 * n_concepts, n_features)
        A row per concept said, then per concept denied: calls of which nothing else is known.
    share : ndarray of shape (2 * n_concepts, 2)
        Share of such calls that are positive, per target.
    calls : float
        Calls that each row stands for.
    """

    matrix: csr_matrix
    share: NDArray[np.float64]
    calls: float

    def scaled(self, scale: NDArray[np.float64]) -> Prior:
        """Return the same on features of another scale, of shape (n_features,)."""
        return replace(self, matrix=csr_matrix(self.matrix @ diags_array(scale)))


def concept_prior(
    features: Pipeline, settings: FeatureSettings, matrix: csr_matrix
) -> Prior | None:
    """Make the prior of fitted features; None where there are no concepts or it counts nothing.

    A call of which only a concept, or its denial, is known has no other word, and in every category
    it is the average call: without that its intercept would be another than that of real calls, and
    every concept's weight would be off by the difference.

    Parameters
    ----------
    features : Pipeline
        Fitted, as `build_features` makes it.
    settings : FeatureSettings
    matrix : sparse matrix of shape (n_calls, n_features)
        What `features` made of the training calls.
    """
    if settings.concepts is None or not settings.concepts.prior_calls:
        return None
    columns = features.named_steps["columns"]
    block = columns.output_indices_[CONCEPTS]
    found = matcher(columns.named_transformers_[CONCEPTS].source)
    held = [
        block.start + found.columns.index((name, kind))
        for kind in ("said", "denied")
        for name in found.names
    ]
    usual = np.asarray(matrix.mean(axis=0)).ravel()
    for name in (CONCEPTS, *(text.column for text in settings.texts)):
        usual[columns.output_indices_[name]] = 0.0
    rows = np.tile(usual, (len(held), 1))
    rows[np.arange(len(held)), held] = settings.weights.get(CONCEPTS, 1.0)
    given = np.array(found.given)
    share = np.vstack([given, np.minimum(given, GIVEN_DENIED)])
    return Prior(csr_matrix(rows), share, settings.concepts.prior_calls)


class HistoryCounts(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Turn the counts of a premise's history into features; nothing is learned."""

    def fit(self, X: pd.DataFrame, y: Any = None) -> HistoryCounts:
        """Do nothing; there is nothing to learn."""
        self.fitted_ = True
        return self

    def transform(self, X: pd.DataFrame) -> NDArray[np.float64]:
        """Return an array of shape (n_calls, n_counts + 1): the counts' values, then "none".

        Where there is no history, the values are 0 and the last column is 1.
        """
        counts = X.to_numpy(dtype=np.float64)
        none = np.isnan(counts).any(axis=1)
        values = np.zeros((len(X), counts.shape[1] + 1))
        values[~none, :-1] = np.log1p(counts[~none])
        values[none, -1] = 1.0
        return values


class Prepare(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Fill what is missing and derive hour and weekday; nothing is learned.

    Parameters
    ----------
    timezone : str
        IANA name; the hour and weekday are those of the agency's clocks.
    history : tuple of str
        Columns of the history that are handed on as they are.
    """

    def __init__(self, timezone: str, history: tuple[str, ...] = ()) -> None:
        self.timezone = timezone
        self.history = history

    def fit(self, X: pd.DataFrame, y: Any = None) -> Prepare:
        """Do nothing; there is nothing to learn."""
        self.fitted_ = True
        return self

    def transform(self, X: pd.DataFrame) -> pd.DataFrame:
        """Return texts and categories as strings without a missing value, and the history."""
        local = X["received_at"].dt.tz_convert(self.timezone).dt
        texts = {name: X[name].fillna("") for name in ("narrative", "call_type")}
        derived = {HOUR: local.hour.astype("str"), WEEKDAY: local.day_of_week.astype("str")}
        plain = [name for name in CATEGORIES if name not in derived]
        return pd.DataFrame(
            {
                **texts,
                **derived,
                **{name: X[name].fillna(MISSING) for name in plain},
                **{name: X[name] for name in self.history},
            }
        )


def build_features(settings: FeatureSettings) -> Pipeline:
    """Make the unfitted pipeline from a frame of calls to a sparse matrix.

    Parameters
    ----------
    settings : FeatureSettings

    Returns
    -------
    sklearn.pipeline.Pipeline
        `transform` takes a frame as `data.frame.to_frame` makes it, with the columns of
        `data.history` where the settings ask for a history, and returns a CSR matrix of shape
        (n_calls, n_features).
    """
    blocks: list[tuple[str, Any, Any]] = [
        (
            text.column,
            TfidfVectorizer(
                analyzer=text.analyser,
                min_df=text.min_calls,
                sublinear_tf=True,
                dtype=np.float64,
            ),
            text.column,
        )
        for text in settings.texts
    ]
    if settings.concepts is not None:
        blocks.append((CONCEPTS, Concepts(concepts_text()), settings.concepts.column))
    blocks += [
        (
            name,
            OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=settings.min_calls),
            [name],
        )
        for name in settings.categories
    ]
    history = () if settings.history is None else tuple(history_columns(settings.history.windows))
    if history:
        blocks.append((HISTORY, HistoryCounts(), list(history)))
    columns = ColumnTransformer(
        blocks, transformer_weights=dict(settings.weights) or None, sparse_threshold=1.0
    )
    return Pipeline([("prepare", Prepare(settings.timezone, history)), ("columns", columns)])
