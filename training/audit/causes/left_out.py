"""Leave one neighbourhood out: how a model does in a place that it has never seen.

For each neighbourhood a model learns from all others and is measured on the test calls of this
one, beside the model that learned from it too. Neither has seen the test calls. Settings, penalty,
calibration and thresholds are those chosen for the model that saw all: six numbers, in which the
place has a small part.

A model that falls off in a place that it has not seen had learned that place by heart; one that
does not will carry over to it as well as it does.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from data.call import TARGETS
from data.dataset import Dataset
from model_service.model.classifier import CallClassifier, as_labels
from model_service.model.plan import ResponsePlan
from training.audit.causes.estimates import UNKNOWN, paired_change, weighted_share
from training.audit.causes.refit import (
    QUALITY_COLUMNS,
    Quality,
    Report,
    by_estimate,
    qualities,
    rows_of,
)
from training.audit.causes.section import Section, Table
from training.config import TrainingConfig
from training.fit import fit, forgetful
from training.history import with_history
from training.metrics import Figure

SEEN, UNSEEN = "seen", "left out"


@dataclass(frozen=True)
class LeftOut:
    """A place by the model that saw it and by the one that did not.

    Parameters
    ----------
    group : str
    calls : int
        Test calls.
    learned : int
        Calls that the model without the place did not learn from.
    quality : tuple of Quality
        Models `seen` and `left out`.
    missed : dict of str to tuple of Figure
        Target → share of the positive calls that are missed by the one, by the other, and the
        change; NaN without a positive call or a threshold.
    """

    group: str
    calls: int
    learned: int
    quality: tuple[Quality, ...]
    missed: dict[str, tuple[Figure, Figure, Figure]]


def without(
    groups: pd.Series, clusters: pd.Series, learned: NDArray[np.bool_]
) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """Give, for each group, the calls that are left to learn from without it.

    An incident of which a call lies in the group is left out whole.

    Parameters
    ----------
    groups, clusters : pandas.Series of shape (n_calls,)
    learned : ndarray of shape (n_calls,)
        The calls that would be learned from.

    Yields
    ------
    str, ndarray of shape (n_calls,)
    """
    for group in sorted(groups.dropna().unique()):
        touched = clusters.isin(set(clusters[groups == group])).to_numpy()
        yield str(group), learned & ~touched


def left_out(
    dataset: Dataset,
    config: TrainingConfig,
    plan: ResponsePlan,
    *,
    by: str = "neighborhood",
    most: int | None = None,
    seed: int = 0,
    report: Report = lambda _: None,
) -> tuple[LeftOut, ...]:
    """Learn without each group and measure on it.

    Parameters
    ----------
    dataset : Dataset
    config : TrainingConfig
    plan : ResponsePlan
        Its promises set the thresholds, by the estimate alone.
    by : str
        Column of the groups.
    most : int, optional
        Only so many groups, those with the most test calls: each costs a fit.
    seed : int
        Of the bootstrap.
    report : callable

    Returns
    -------
    tuple of LeftOut
        Of the groups with test calls, in order of name.

    Raises
    ------
    InputError
        If the calls can't be split or lack a class.
    """
    report("learning with all")
    fitted = fit(dataset, config, by_estimate(plan))
    part = fitted.part
    y = as_labels(dataset.targets())
    calls = with_history(dataset.calls, config.features.history, dataset.labels)
    taken = forgetful(calls, config)
    incidents, groups = dataset.incidents(), dataset.calls[by]
    test = (part == "test").to_numpy()
    learned = part.isin(["train", "validation"]).to_numpy()
    sizes = groups[test].value_counts()
    chosen = set(sizes.index if most is None else sizes.index[:most])
    member = pd.factorize(incidents)[0].astype(np.int64)
    families = dataset.families().fillna(incidents).to_numpy(dtype=object)
    made = []
    for group, rest in without(groups, incidents, learned):
        if group not in chosen:
            continue
        report(f"learning without {group}")
        mine = test & (groups == group).to_numpy()
        blind = CallClassifier(fitted.classifier.settings, C=fitted.classifier.C)
        blind.fit(taken[rest], y[rest])
        blind.calibration_ = fitted.classifier.calibration_
        scores = {
            SEEN: fitted.classifier.predict_proba(calls[mine]),
            UNSEEN: blind.predict_proba(calls[mine]),
        }
        missed = {}
        for column, target in enumerate(TARGETS):
            true = y[mine, column] == 1
            low = fitted.thresholds[target].low
            missed[target] = (
                (UNKNOWN, UNKNOWN, UNKNOWN)
                if low is None
                else _missed(scores, column, low, true, member[mine])
            )
        made.append(
            LeftOut(
                group=group,
                calls=int(mine.sum()),
                learned=int(learned.sum() - rest.sum()),
                quality=qualities(scores, y[mine], families[mine], seed=seed),
                missed=missed,
            )
        )
    return tuple(made)


def _missed(
    scores: dict[str, NDArray[np.float64]],
    column: int,
    low: float,
    true: NDArray[np.bool_],
    member: NDArray[np.int64],
) -> tuple[Figure, Figure, Figure]:
    w = np.ones(int(true.sum()))
    seen, unseen = (scores[model][true, column] < low for model in (SEEN, UNSEEN))
    return (
        weighted_share(seen.astype(np.float64), w, member[true]),
        weighted_share(unseen.astype(np.float64), w, member[true]),
        paired_change(seen, unseen, w, member[true]),
    )


def section(found: Sequence[LeftOut], by: str = "neighborhood") -> Section:
    """Put it into words and tables."""
    changes = [
        (one, q)
        for one in found
        for q in one.quality
        if q.model == UNSEEN and q.measure == "AUROC" and not np.isnan(q.change.value)
    ]
    fallen = [(one, q) for one, q in changes if q.change.high < 0]
    told = (
        "In no place does a head rank worse for sure (AUROC) without having learned from it."
        if not fallen
        else "Without having learned from it the model ranks worse for sure (AUROC) in "
        + ", ".join(
            f"{one.group} ({q.target.replace('_', ' ')} {q.change.value:+.3f})" for one, q in fallen
        )
        + "."
    )
    if changes:
        average = sum(q.change.value for _, q in changes) / len(changes)
        told += f" On average over places and heads the AUROC changes by {average:+.4f}."
    tables = [
        Table(
            "Share of positive calls missed, by the model that saw the place and by the one that "
            "did not",
            (by, "test calls", "not learned from", "head", "seen", "left out", "change"),
            tuple(
                (one.group, one.calls, one.learned, target.replace("_", " "), *one.missed[target])
                for one in found
                for target in TARGETS
            ),
        ),
        Table(
            "How well both rank the place's calls",
            (by, *QUALITY_COLUMNS),
            tuple((one.group, *row) for one in found for row in rows_of(one.quality)),
            unit="figure",
        ),
    ]
    summary = (
        "For each place a model was made that has learned from all others and never from it.",
        told,
    )
    return Section("Each place left out", summary, tuple(tables))
