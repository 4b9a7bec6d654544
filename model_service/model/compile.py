"""Turn a fitted classifier into the scorer's plain tables."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.preprocessing import OneHotEncoder

from data.call import ANSWER_PREFIX, QUESTIONS, TARGETS
from model_service.model.classifier import CallClassifier
from model_service.model.features import Concepts, HistoryCounts, HistoryFeature
from model_service.model.scorer import (
    CategoryTable,
    ConceptTable,
    HistoryTable,
    Pair,
    Scorer,
    TextTable,
)


def compile_scorer(classifier: CallClassifier, X: pd.DataFrame) -> Scorer:
    """Fold features, heads and calibration into one table of log-odds weights.

    Parameters
    ----------
    classifier : CallClassifier
        Fitted.
    X : pandas.DataFrame
        The training calls; their average is what an explanation measures a category against.

    Returns
    -------
    Scorer
        Its probabilities equal `classifier.predict_proba` but for rounding.
    """
    slopes, intercepts = np.array([classifier.calibration_[t] for t in TARGETS]).T
    coefficients = np.vstack([classifier.heads_[t].coef_[0] for t in TARGETS]) * slopes[:, None]
    heads = np.array([classifier.heads_[t].intercept_[0] for t in TARGETS])
    columns = classifier.features_.named_steps["columns"]
    prepared = classifier.features_.named_steps["prepare"].transform(X)
    texts: list[TextTable] = []
    categories: list[CategoryTable] = []
    concepts: ConceptTable | None = None
    history: HistoryTable | None = None
    for name, transformer, column in columns.transformers_:
        if name == "remainder":
            continue
        scale = (columns.transformer_weights or {}).get(name, 1.0)
        block = coefficients[:, columns.output_indices_[name]].T * scale
        if isinstance(transformer, TfidfVectorizer):
            order = transformer.get_feature_names_out().tolist()
            longest = transformer.analyzer.longest
            texts.append(TextTable(name, longest, order, transformer.idf_.copy(), block))
        elif isinstance(transformer, Concepts):
            concepts = ConceptTable(column, transformer.source, block)
        elif isinstance(transformer, HistoryCounts):
            assert classifier.settings.history is not None
            values = transformer.transform(prepared[column])
            history = _history(classifier.settings.history, block, values.mean(axis=0))
        else:
            categories.append(_category(name, transformer, block, prepared[name]))
    return Scorer(
        timezone=classifier.settings.timezone,
        bias=_pair(heads * slopes + intercepts),
        texts=tuple(texts),
        categories=tuple(categories),
        concepts=concepts,
        history=history,
        yes_shares=yes_shares(X),
    )


def yes_shares(X: pd.DataFrame) -> dict[str, float]:
    """Share of yes among the answers yes and no to each question.

    Smoothed by a call of each (Laplace's rule of succession), so that no answer is impossible. A
    question to which there is no such answer has no share.

    Parameters
    ----------
    X : pandas.DataFrame of shape (n_calls, n_columns)
        A later revision of a call counts as much as the first.
    """
    shares = {}
    for question in QUESTIONS:
        answers = X[ANSWER_PREFIX + question]
        yes, no = int((answers == "yes").sum()), int((answers == "no").sum())
        if yes + no:
            shares[question] = (yes + 1) / (yes + no + 2)
    return shares


def _history(
    settings: HistoryFeature, block: NDArray[np.float64], mean: NDArray[np.float64]
) -> HistoryTable:
    *weights, none = map(_pair, block)
    *means, none_mean = map(_pair, block * mean[:, None])
    return HistoryTable(
        settings.windows, settings.crises, tuple(weights), none, tuple(means), none_mean
    )


def _category(
    name: str, encoder: OneHotEncoder, block: NDArray[np.float64], seen: pd.Series
) -> CategoryTable:
    values = encoder.categories_[0].tolist()
    pooled = encoder.infrequent_categories_[0]
    rare = set() if pooled is None else set(pooled.tolist())
    frequent = [value for value in values if value not in rare]
    table = {value: _pair(block[i]) for i, value in enumerate(frequent)}
    # scikit-learn puts the column of the pooled rare values last; a value never seen goes there
    # too, and to no column where no value was rare.
    other = _pair(block[-1]) if rare else (0.0, 0.0)
    shares = seen.value_counts(normalize=True)
    weights = np.array([table.get(value, other) for value in shares.index])
    return CategoryTable(name, table, other, mean=_pair(shares.to_numpy() @ weights))


def _pair(row: NDArray[np.float64]) -> Pair:
    return float(row[0]), float(row[1])
