"""From labelled calls to a fitted, calibrated classifier and its thresholds.

Test calls take part in nothing here. In order:

1. split by time, purged by incident, scenario family and repeated narrative;
2. fit every candidate on the training calls; validation calls choose;
3. cross-fit the chosen settings over the validation calls: each fold of them is scored by a model
   that learned from all training calls and the other folds. Calibration and thresholds come from
   these scores, so they fit a model of the final one's kind on calls that it has not seen;
4. fit the chosen settings anew on training and validation calls together.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from typing import Any
from zlib import crc32

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_array, diags_array, vstack
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score
from sklearn.model_selection import GroupKFold

from data.call import TARGETS
from data.dataset import Dataset
from data.errors import InputError
from data.history import columns
from data.splits import temporal_split
from model_service.model.classifier import CallClassifier, TooFewLabels, as_labels, labelled
from model_service.model.features import Prior, build_features, concept_prior
from model_service.model.plan import ResponsePlan, ThresholdSet
from training.config import TrainingConfig
from training.history import with_history
from training.thresholds import Evidence, choose

FOLDS = 5

REPEATED = 40
"""A narrative of at least so many characters that occurs twice is taken as one incident."""


@dataclass(frozen=True)
class Fitted:
    """What `fit` found.

    Parameters
    ----------
    classifier : CallClassifier
    thresholds : dict of str to Thresholds
    evidence : dict
        Target → "low" and "high" → how the plan's promise was kept on validation calls.
    part : pandas.Series
        "train", "validation", "test" or "purged", per call of the dataset.
    search : list of dict
        Every candidate and its average precision on validation calls.
    """

    classifier: CallClassifier
    thresholds: ThresholdSet
    evidence: dict[str, dict[str, Evidence]]
    part: pd.Series
    search: list[dict[str, Any]]


def split(dataset: Dataset, config: TrainingConfig) -> pd.Series:
    """Split a dataset as a configuration says; see `data.splits.temporal_split`."""
    narrative = dataset.calls["narrative"]
    return temporal_split(
        dataset.calls,
        validation_from=config.split.validation_from,
        test_from=config.split.test_from,
        timezone=config.features.timezone,
        groups=[
            dataset.incidents(),
            dataset.families(),
            narrative.where(narrative.str.len() >= REPEATED),
        ],
    )


def fit(
    dataset: Dataset,
    config: TrainingConfig,
    plan: ResponsePlan,
    *,
    report: Callable[[str], None] = lambda _: None,
) -> Fitted:
    """Fit, choose, calibrate and set thresholds.

    Parameters
    ----------
    dataset : Dataset
    config : TrainingConfig
    plan : ResponsePlan
        Its promises set the thresholds.
    report : callable
        Told in a few words what is being done.

    Raises
    ------
    InputError
        If a part of the split is empty or lacks a class of a target.
    """
    part = split(dataset, config)
    y = as_labels(dataset.targets())
    calls = with_history(dataset.calls, config.features.history, dataset.labels)
    train, validation = (part == "train").to_numpy(), (part == "validation").to_numpy()
    try:
        for column, target in enumerate(TARGETS):
            for name, rows in (("training", train), ("validation", validation)):
                labelled(y[rows, column], f"{target}, {name} part")
        learned = forgetful(calls, config)
        found = _search(calls, learned, y, train, validation, config, report)
        clusters = dataset.families().fillna(dataset.incidents())
        report(f"cross-fitting over {FOLDS} folds of the validation calls")
        scores = _cross_fit(found, y[train], y[validation], clusters[validation])
        report("fitting the chosen settings on training and validation calls")
        final = found.classifier.fit(learned[train | validation], y[train | validation])
        final.calibrate(scores, y[validation])
        thresholds, evidence = _thresholds(
            final.calibrated(scores), y[validation], clusters[validation], plan
        )
    except TooFewLabels as error:
        raise InputError(str(error)) from None
    return Fitted(final, thresholds, evidence, part, found.tried)


def forgetful(calls: pd.DataFrame, config: TrainingConfig) -> pd.DataFrame:
    """Take call type, categories (all but the time) and history from a random share of the calls.

    A centre whose calls come without them must still be served: the narrative has to carry the
    prediction alone.

    Parameters
    ----------
    calls : pandas.DataFrame
        With the history of premises where the configuration asks for one.
    config : TrainingConfig
        Its `forget` is the share, its `seed` the draw.
    """
    if not config.forget:
        return calls
    # By the call's number, not its row: no other call has a say in it.
    keys = (f"{config.seed}/{call_id}".encode() for call_id in calls["call_id"])
    forgotten = np.array([crc32(key) / 2**32 < config.forget for key in keys], dtype=bool)
    names = [name for name in config.features.categories if name in calls.columns]
    names += [text.column for text in config.features.texts if text.column != "narrative"]
    if config.features.history is not None:
        names += columns(config.features.history.windows)
    calls = calls.copy()
    calls.loc[forgotten, names] = np.nan
    return calls


def _check_texts(calls: pd.DataFrame, config: TrainingConfig) -> None:
    """Refuse a text of which no term is kept, in words that say what to do."""
    for text in config.features.texts:
        terms = text.analyser
        seen = Counter(
            term for words in calls[text.column].fillna("") for term in set(terms(words))
        )
        if not seen or max(seen.values()) < text.min_calls:
            raise InputError(
                f"no term of {text.column} occurs in {text.min_calls} training calls: give more "
                f"calls, lower min_calls, or leave {text.column} out of the configuration"
            )


@dataclass(frozen=True)
class _Found:
    """The chosen settings, with the calls as the features learned from training calls see them."""

    classifier: CallClassifier
    heads: dict[str, LogisticRegression]
    train: csr_array
    validation: csr_array
    prior: Prior | None
    tried: list[dict[str, Any]]


def _search(
    calls: pd.DataFrame,
    learned: pd.DataFrame,
    y: NDArray[np.float64],
    train: NDArray[np.bool_],
    validation: NDArray[np.bool_],
    config: TrainingConfig,
    report: Callable[[str], None],
) -> _Found:
    """Choose scales for both heads and a penalty for each; the calls are vectorised once."""
    report("vectorising")
    features = build_features(config.features)
    try:
        seen = features.fit_transform(learned[train])
    except ValueError:
        _check_texts(learned[train], config)
        raise
    unseen = features.transform(calls[validation])
    blocks = features.named_steps["columns"].output_indices_
    unscaled = concept_prior(features, config.features, seen)
    tried: list[dict[str, Any]] = []
    best: tuple[float, _Found] | None = None
    names = list(config.search.weights)
    variants = list(product(*config.search.weights.values()))
    for number, scales in enumerate(variants, 1):
        report(f"fitting candidates, {number} of {len(variants)} feature scales")
        scaled = dict(zip(names, scales, strict=True))
        scale = np.ones(seen.shape[1])
        for name, value in scaled.items():
            scale[blocks[name]] = value / config.features.weights.get(name, 1.0)
        settings = config.features.model_copy(
            update={"weights": {**config.features.weights, **scaled}}
        )
        prior = None if unscaled is None else unscaled.scaled(scale)
        here, there = seen @ diags_array(scale), unseen @ diags_array(scale)
        reached: dict[str, tuple[float, float]] = {}
        heads: dict[str, LogisticRegression] | None = None
        solved: dict[tuple[str, float], LogisticRegression] = {}
        for C in config.search.C:
            # Solved to the end: with a coarser tolerance a warm start can pass for the solution
            # of the next candidate, and the candidates are all one.
            model = CallClassifier(settings, C=dict.fromkeys(TARGETS, C))
            model.fit_heads(here, y[train], prior=prior, start=heads)
            heads = model.heads_
            for target in TARGETS:
                solved[target, C] = heads[target]
            figures = {}
            for column, target in enumerate(TARGETS):
                known = labelled(y[validation, column], target)
                figures[target] = float(
                    average_precision_score(
                        y[validation, column][known],
                        model.heads_[target].decision_function(there[known]),
                    )
                )
                if target not in reached or figures[target] > reached[target][0]:
                    reached[target] = (figures[target], C)
            tried.append({"C": C, "weights": scaled, "average_precision": figures})
        mean = sum(figure for figure, _ in reached.values()) / len(reached)
        if best is None or mean > best[0]:
            strengths = {target: C for target, (_, C) in reached.items()}
            start = {target: solved[target, C] for target, C in strengths.items()}
            chosen = CallClassifier(settings, C=strengths)
            best = (mean, _Found(chosen, start, here, there, prior, tried))
    assert best is not None
    return best[1]


def _cross_fit(
    found: _Found,
    y_train: NDArray[np.float64],
    y_validation: NDArray[np.float64],
    clusters: pd.Series,
) -> NDArray[np.float64]:
    """Score every validation call by heads that have learned from none of its cluster."""
    groups = clusters.to_numpy(dtype=object).astype(str)
    folds = min(FOLDS, len(np.unique(groups)))
    if folds < 2:
        raise InputError("the validation part holds a single incident or family")
    scores = np.full(y_validation.shape, np.nan)
    for others, held_out in GroupKFold(folds).split(groups, groups=groups):
        matrix = vstack([found.train, found.validation[others]], format="csr")
        heads = CallClassifier(found.classifier.settings, C=found.classifier.C)
        labels = np.vstack([y_train, y_validation[others]])
        heads.fit_heads(matrix, labels, prior=found.prior, start=found.heads)
        scores[held_out] = heads.matrix_scores(found.validation[held_out])
    return scores


def _thresholds(
    p: NDArray[np.float64], y: NDArray[np.float64], clusters: pd.Series, plan: ResponsePlan
) -> tuple[ThresholdSet, dict[str, dict[str, Evidence]]]:
    thresholds: ThresholdSet = {}
    evidence = {}
    names = clusters.to_numpy(dtype=object)
    for column, target in enumerate(TARGETS):
        there = labelled(y[:, column], target)
        promises = plan.bands[target]  # type: ignore[index]
        thresholds[target], evidence[target] = choose(
            y[there, column], p[there, column], names[there], promises
        )
    return thresholds, evidence
