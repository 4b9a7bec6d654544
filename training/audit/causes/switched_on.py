"""What happens when neighbourhood and premise history are switched on as features.

The same calls, split alike, are learned from four times: without either, with the neighbourhood,
with the history of the premise, and with both. What is gained in rank is set beside what it does to
each group: whose risks are missed more, whose scores rise.

Both could help: a rooming house with crises every month will have another one. Both carry the past
into the present too: who is called about more often is scored higher, and a place that was policed
more looks riskier. The figures can't tell the one from the other; they say how much there is of it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from data.call import TARGETS
from data.dataset import Dataset
from model_service.model.classifier import as_labels
from model_service.model.features import PLACES, HistoryFeature
from model_service.model.plan import ResponsePlan
from model_service.model.scorer import HISTORY
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
from training.fit import fit
from training.history import with_history
from training.metrics import Figure

OFF, PLACE, PAST, BOTH = "neither", "neighbourhood", "premise history", "both"


@dataclass(frozen=True)
class Moved:
    """What a model with more features does to a group, against the one without.

    Parameters
    ----------
    model, target, group : str
    calls, positive : int
        Test calls of the group, and those of them that are positive.
    missed, missed_without : Figure
        Share of the positive calls below each model's own low threshold.
    missed_change, score_change : Figure
        Changes over the same calls: of that share, and of the mean probability of all calls.
    """

    model: str
    target: str
    group: str
    calls: int
    positive: int
    missed: Figure
    missed_without: Figure
    missed_change: Figure
    score_change: Figure


@dataclass(frozen=True)
class SwitchedOn:
    """All that was found; see `switched_on`."""

    quality: tuple[Quality, ...]
    moved: tuple[Moved, ...]


def variants(config: TrainingConfig) -> dict[str, TrainingConfig]:
    """Make the configurations that are compared: the same but for place and premise history.

    Whatever the configuration itself says of these is taken out first.
    """
    plain = tuple(name for name in config.features.categories if name not in PLACES)
    weights = {
        name: scale
        for name, scale in config.features.weights.items()
        if name not in (*PLACES, HISTORY)
    }
    search = config.search.model_copy(
        update={
            "weights": {
                name: scales
                for name, scales in config.search.weights.items()
                if name not in (*PLACES, HISTORY)
            }
        }
    )
    history = config.features.history or HistoryFeature()
    made = {}
    for name, place, past in (
        (OFF, False, False),
        (PLACE, True, False),
        (PAST, False, True),
        (BOTH, True, True),
    ):
        features = config.features.model_copy(
            update={
                "categories": (*plain, "neighborhood") if place else plain,
                "history": history if past else None,
                "weights": weights,
            }
        )
        made[name] = config.model_copy(update={"features": features, "search": search})
    return made


def switched_on(
    dataset: Dataset,
    config: TrainingConfig,
    plan: ResponsePlan,
    *,
    by: str = "neighborhood",
    seed: int = 0,
    report: Report = lambda _: None,
) -> SwitchedOn:
    """Learn with and without place and premise history, and compare on test calls.

    Parameters
    ----------
    dataset : Dataset
        Four models are learned from it: some thousand calls are enough.
    config : TrainingConfig
    plan : ResponsePlan
        Its promises set each model's thresholds, by the estimate alone.
    by : str
        Column of the groups.
    seed : int
        Of the bootstrap.
    report : callable
        Told in a few words what is being done.

    Raises
    ------
    InputError
        If the calls can't be split or lack a class.
    """
    scores: dict[str, NDArray[np.float64]] = {}
    lows: dict[str, list[float | None]] = {}
    for name, variant in variants(config).items():
        report(f"learning with {name}")
        fitted = fit(dataset, variant, by_estimate(plan))
        test = (fitted.part == "test").to_numpy()
        calls = with_history(dataset.calls, variant.features.history, dataset.labels)
        scores[name] = fitted.classifier.predict_proba(calls[test])
        lows[name] = [fitted.thresholds[target].low for target in TARGETS]
    y = as_labels(dataset.targets())[test]
    incidents = dataset.incidents()[test]
    families = dataset.families()[test].fillna(incidents)
    groups = dataset.calls.loc[test, by]
    quality = qualities(scores, y, families.to_numpy(dtype=object), seed=seed)
    return SwitchedOn(quality, tuple(_moved(scores, lows, y, groups, incidents)))


def _moved(
    scores: dict[str, NDArray[np.float64]],
    lows: dict[str, list[float | None]],
    y: NDArray[np.float64],
    groups: pd.Series,
    incidents: pd.Series,
) -> list[Moved]:
    member = pd.factorize(incidents)[0].astype(np.int64)
    names = groups.astype("str").to_numpy(dtype=object)
    found = []
    for column, target in enumerate(TARGETS):
        for name in (name for name in scores if name != OFF):
            moved = scores[name][:, column] - scores[OFF][:, column]
            for group in sorted(set(groups.dropna())):
                mine = names == group
                true = mine & (y[:, column] == 1)
                one = np.ones(int(mine.sum()))
                found.append(
                    Moved(
                        name,
                        target,
                        group,
                        int(mine.sum()),
                        int(true.sum()),
                        *_missed(scores, lows, column, name, true, member),
                        score_change=weighted_share(moved[mine], one, member[mine], binary=False),
                    )
                )
    return found


def _missed(
    scores: dict[str, NDArray[np.float64]],
    lows: dict[str, list[float | None]],
    column: int,
    name: str,
    true: NDArray[np.bool_],
    member: NDArray[np.int64],
) -> tuple[Figure, Figure, Figure]:
    """Give the share missed with more features, without them, and the change."""
    with_, without = lows[name][column], lows[OFF][column]
    if with_ is None or without is None:
        return UNKNOWN, UNKNOWN, UNKNOWN
    now, before = scores[name][true, column] < with_, scores[OFF][true, column] < without
    w = np.ones(int(true.sum()))
    return (
        weighted_share(now.astype(np.float64), w, member[true]),
        weighted_share(before.astype(np.float64), w, member[true]),
        paired_change(before, now, w, member[true]),
    )


def section(found: SwitchedOn, by: str = "neighborhood") -> Section:
    """Put it into words and tables: what is gained, and what it does to each group."""
    words = []
    for name in (PLACE, PAST, BOTH):
        gains = [
            f"{q.target.replace('_', ' ')} {q.change.value:+.3f} "
            f"({q.change.low:+.3f} to {q.change.high:+.3f})"
            for q in found.quality
            if q.model == name and q.measure == "average precision"
        ]
        sure = [
            m
            for m in found.moved
            if m.model == name and (m.score_change.low > 0 or m.score_change.high < 0)
        ]
        largest = max(sure, key=lambda m: abs(m.score_change.value), default=None)
        told = (
            "no group's mean score moves for sure"
            if largest is None
            else f"the mean score moves for sure in {len(sure)} groups and heads, the furthest by "
            f"{largest.score_change.value:+.3f} in {largest.group} "
            f"({largest.target.replace('_', ' ')})"
        )
        words.append(f"With {name}: average precision {', '.join(gains)}; {told}.")
    tables = [
        Table(
            "How well each model ranks test calls",
            QUALITY_COLUMNS,
            rows_of(found.quality),
            unit="figure",
        )
    ]
    columns = (by, "calls", "positive", "missed without", "missed with", "change", "mean score")
    for target in TARGETS:
        for name in (PLACE, PAST, BOTH):
            rows = tuple(
                (
                    m.group,
                    m.calls,
                    m.positive,
                    m.missed_without,
                    m.missed,
                    m.missed_change,
                    m.score_change,
                )
                for m in found.moved
                if m.target == target and m.model == name
            )
            tables.append(Table(f"{target.replace('_', ' ')}, with {name}", columns, rows))
    summary = (
        "Neighbourhood and premise history are off unless a data scientist turns them on. This is "
        "what that would gain and do, on calls that no model has seen.",
        *words,
    )
    return Section("Place and past switched on", summary, tuple(tables))
