"""How far each feature drives a group's score: exact, since the model is linear in log-odds.

A call's log-odds are the bias plus what each feature contributes (`model_service.model.scorer`).
So the difference of a group's mean log-odds from everybody else's is the sum, over the features,
of the differences of their mean contributions. Nothing is estimated but the interval, which says
how far other calls of the same kind might differ. A mean of log-odds is not the log-odds of a mean
probability: the figures tell what pushes, not by how many points.

Words of the narrative come as one sum, never one by one: a rare word may be a name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from data.call import ANSWER_PREFIX, TARGETS
from data.premise import HISTORY_PREFIX
from model_service.model.features import PLACES
from model_service.model.release import Release
from model_service.model.scorer import HISTORY, HOUR, TEXTS, WEEKDAY, Scored
from training.audit.causes.estimates import cluster_sums, clusters_of, mean, variances
from training.audit.causes.section import Cell, Section, Table
from training.history import calls_and_counts
from training.metrics import Figure

Key = tuple[str, str]
"""Part of the features, and the feature in it."""

WORDS, CONCEPTS = "words", "concepts"
MOST = 20_000
"""Calls that are looked into unless asked otherwise; more would cost time and tell the same."""

FEW = 5
"""Calls on either side in which a feature must have a say for its figure to have an interval: where
it has next to none, the spread among the group's calls says nothing of other calls."""

Progress = Callable[[Iterable[Any], str], Iterable[Any]]


@dataclass(frozen=True)
class Driver:
    """How far a feature drives a group's mean log-odds from the rest's.

    Parameters
    ----------
    group, target : str
    part, feature : str
        `feature` is empty for a whole part; both are empty for the sum of all.
    figure : Figure
        Log-odds, group minus rest; without an interval where fewer than `FEW` calls of a side
        have a say in it.
    """

    group: str
    target: str
    part: str
    feature: str
    figure: Figure


def part_of(field: str) -> str:
    """Name the part of the features that a field belongs to.

    Examples
    --------
    >>> part_of("answer_weapon"), part_of("hour"), part_of("premise_id"), part_of("priority")
    ('answers', 'time', 'place', 'priority')
    """
    if field.startswith(ANSWER_PREFIX):
        return "answers"
    if field in (HOUR, WEEKDAY):
        return "time"
    if field in PLACES:
        return "place"
    if field == HISTORY or field.startswith(HISTORY_PREFIX):
        return "premise history"
    return field.replace("_", " ")


def pieces(scored: Scored) -> dict[Key, tuple[float, float]]:
    """Take a score apart; the sum over all pieces and the bias is the score, to rounding.

    Parameters
    ----------
    scored : Scored

    Returns
    -------
    dict
        (part, feature) → log-odds per target.
    """
    made: dict[Key, list[float]] = {}

    def add(key: Key, shares: tuple[float, float]) -> None:
        held = made.setdefault(key, [0.0, 0.0])
        held[0] += shares[0]
        held[1] += shares[1]

    for text in scored.texts:
        key = (WORDS if text.column == TEXTS[0] else text.column.replace("_", " "), "words")
        add(key, text.log_odds)
    for found in scored.concepts:
        add((CONCEPTS, f"{found.concept} {found.polarity}"), found.shares)
    for category in scored.categories:
        add((part_of(category.field), category.field.removeprefix(ANSWER_PREFIX)), category.weights)
    return {key: (crisis, risk) for key, (crisis, risk) in made.items()}


def contributions(
    release: Release,
    calls: pd.DataFrame,
    progress: Progress = lambda items, _: items,
) -> pd.DataFrame:
    """Take the scores of calls apart.

    Parameters
    ----------
    release : Release
    calls : pandas.DataFrame of shape (n_calls, n_columns)
        With the history of premises where the release uses one.
    progress : callable

    Returns
    -------
    pandas.DataFrame of shape (n_calls, n_pieces)
        Columns (target, part, feature), log-odds; a row's sum over a target and the scorer's bias
        is the call's log-odds.
    """
    found = []
    for call, counts in progress(
        calls_and_counts(calls, release.scorer.history), "taking scores apart"
    ):
        found.append(pieces(release.scorer.score(call, counts)))
    keys = sorted({key for one in found for key in one})
    place = {key: number for number, key in enumerate(keys)}
    values = np.zeros((len(TARGETS), len(found), len(keys)))
    for row, one in enumerate(found):
        for key, pair in one.items():
            values[:, row, place[key]] = pair
    columns = pd.MultiIndex.from_tuples(
        [(target, *key) for target in TARGETS for key in keys], names=["target", "part", "feature"]
    )
    return pd.DataFrame(np.hstack(list(values)), index=calls.index, columns=columns)


def drive(
    release: Release,
    calls: pd.DataFrame,
    groups: pd.Series,
    clusters: pd.Series,
    *,
    most: int = MOST,
    seed: int = 0,
    progress: Progress = lambda items, _: items,
) -> tuple[Driver, ...]:
    """Tell how far each feature drives each group's mean log-odds from everybody else's.

    Parameters
    ----------
    release : Release
    calls : pandas.DataFrame of shape (n_calls, n_columns)
        With the history of premises where the release uses one.
    groups, clusters : pandas.Series of shape (n_calls,)
        On the index of `calls`; a call without a group is left out.
    most : int
        Of more calls than this a random sample is looked into.
    seed : int
        Of that sample.
    progress : callable

    Returns
    -------
    tuple of Driver
        By group and target: the sum of all, each part, and each feature of a part of several.
    """
    calls = calls[groups.notna()]
    if len(calls) > most:
        calls = calls.sample(most, random_state=seed)
    made = contributions(release, calls, progress)
    return drivers(made, groups.loc[calls.index], clusters.loc[calls.index])


def drivers(made: pd.DataFrame, groups: pd.Series, clusters: pd.Series) -> tuple[Driver, ...]:
    """Compare mean contributions; see `drive`.

    Parameters
    ----------
    made : pandas.DataFrame
        As `contributions` gives it.
    groups, clusters : pandas.Series of shape (n_calls,)
        Aligned with it.
    """
    member = pd.factorize(clusters)[0].astype(np.int64)
    names = groups.astype("str").to_numpy(dtype=object)
    found: list[Driver] = []
    for target in TARGETS:
        own = made[target]
        keys: list[Key] = [("", "")]
        columns = [own.to_numpy().sum(axis=1)]
        for part in dict.fromkeys(own.columns.get_level_values("part")):
            features = own[part]
            keys.append((part, ""))
            columns.append(features.to_numpy().sum(axis=1))
            if features.shape[1] > 1:
                keys += [(part, feature) for feature in features.columns]
                columns += list(features.to_numpy().T)
        values = np.column_stack(columns)
        for group in sorted(set(names)):
            mine = names == group
            if mine.all():
                continue
            averages = [values[side].mean(axis=0) for side in (mine, ~mine)]
            pull = np.where(mine, 1 / mine.sum(), -1 / (~mine).sum())[:, None]
            influence = pull * (values - np.where(mine[:, None], *averages))
            sums = cluster_sums(influence, member)
            alike = clusters_of(member[mine])
            said = values != 0
            enough = np.minimum(said[mine].sum(axis=0), said[~mine].sum(axis=0)) >= FEW
            spread = np.where(enough, variances(sums), np.nan)
            found += [
                Driver(group, target, key[0], key[1], mean(float(a - b), float(v), clusters=alike))
                for key, a, b, v in zip(keys, *averages, spread, strict=True)
            ]
    return tuple(found)


def section(found: Iterable[Driver], by: str = "neighborhood", *, top: int = 5) -> Section:
    """Put the drivers into words: a table of parts per target, and the strongest features."""
    found = tuple(found)
    tables = []
    for target in TARGETS:
        own = [driver for driver in found if driver.target == target]
        parts = list(dict.fromkeys(d.part for d in own if d.part and not d.feature))
        rows: list[tuple[Cell, ...]] = []
        strongest: list[tuple[Cell, ...]] = []
        for group in dict.fromkeys(driver.group for driver in own):
            mine = [driver for driver in own if driver.group == group]
            whole = {d.part: d.figure for d in mine if not d.feature}
            rows.append((group, whole[""], *(whole[part] for part in parts)))
            sure = [
                d
                for d in mine
                if d.part and (d.figure.low > 0 or d.figure.high < 0) and _finest(d, mine)
            ]
            for d in sorted(sure, key=lambda d: -abs(d.figure.value))[:top]:
                named = f"{d.part}: {d.feature}" if d.feature else d.part
                strongest.append((group, named, d.figure))
        heading = target.replace("_", " ")
        tables.append(Table(f"{heading}: parts", (by, "all", *parts), tuple(rows), unit="log-odds"))
        tables.append(
            Table(
                f"{heading}: the strongest features whose interval excludes zero",
                (by, "feature", "log-odds"),
                tuple(strongest),
                unit="log-odds",
            )
        )
    summary = (
        "What moves a group's average score away from everybody else's, in log-odds; the parts add "
        "up to the whole exactly.",
        "This says what pushes the score, not whether it is right to: a place where more is said "
        "of suicide has a higher score for a reason.",
    )
    return Section("What drives the scores", summary, tuple(tables))


def _finest(driver: Driver, among: Iterable[Driver]) -> bool:
    """Say whether no finer driver of the same part is there."""
    return bool(driver.feature) or not any(d.part == driver.part and d.feature for d in among)
