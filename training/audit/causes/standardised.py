"""The same gaps between calls of the same kind: what is left once the mix of calls is alike.

A neighbourhood may be missed more because it has more of the calls that are missed everywhere. So
a group's rate is set beside what the rest would have *if its calls were of the group's mix*: the
rest's rate within each stratum of call mix, weighted by how many of the group's calls lie there,

    sum over s of  N_group,s / N_group  *  rate_rest,s

which is direct standardisation with the group as the standard (Rothman, Greenland and Lash 2008,
Modern Epidemiology, 3rd ed., chapters 3 and 15; Miettinen 1972, American Journal of Epidemiology
96). A rate standardised to its own mix stays what it was. Rates of two groups are each measured by
their own mix and are not to be compared with each other; with `standard="all"` both sides take the
mix of all calls, at the cost of wider intervals where a group is small.

Only strata in which both sides have a call say anything; the share of the group's calls that lie
in such is stated, and the adjusted rates speak of these alone. Strata are as fine as the calls
allow: of the columns of the mix the last is dropped until nine in ten of the group's calls have
their like elsewhere. No label and no score has a say in that.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from training.audit.causes.estimates import (
    UNKNOWN,
    Floats,
    cluster_sums,
    clusters_of,
    correlation,
    covariance,
    difference,
    mean,
    share,
    weighted_share,
)
from training.audit.causes.section import Cell, Section, Table
from training.metrics import Figure

MIX = ("call_type", "caller_role", "call_source", "hour_band")
"""Columns of the call mix, the most telling first."""

BAND = 6
"""Hours in a band of the day: night, morning, afternoon, evening."""

ENOUGH = 0.9
"""Share of a group's calls that must have their like elsewhere, else the strata are coarsened."""

Standard = Literal["group", "all"]
Column = Callable[[pd.DataFrame], pd.Series]


@dataclass(frozen=True)
class Measure:
    """A rate or mean of the audit's table.

    Parameters
    ----------
    name : str
        In plain words.
    value : callable
        Table → the value of each call: 0 or 1 where `binary`; missing takes the call out.
    among : callable
        Table → whether each call is in question.
    binary : bool
    """

    name: str
    value: Column
    among: Column
    binary: bool = True


def _is(column: str, value: float) -> Column:
    return lambda table: table[column] == value


def _flag(column: str, *, missed: bool = False) -> Column:
    def flag(table: pd.DataFrame) -> pd.Series:
        values = table[column].astype("Float64")
        return 1 - values if missed else values

    return flag


def _every(table: pd.DataFrame) -> pd.Series:
    return pd.Series(True, index=table.index)


MEASURES = (
    Measure("crises missed", _flag("crisis_flag", missed=True), _is("crisis", 1)),
    Measure("safety risks missed", _flag("risk_flag", missed=True), _is("risk", 1)),
    Measure("calls without a crisis flagged as one", _flag("crisis_flag"), _is("crisis", 0)),
    Measure("calls without a risk flagged as one", _flag("risk_flag"), _is("risk", 0)),
    Measure(
        "calls without a risk for which police are recommended",
        _flag("recommended_police"),
        _is("risk", 0),
    ),
    Measure(
        "calls without a risk to which police were sent", _flag("decided_police"), _is("risk", 0)
    ),
    Measure("mean crisis score", lambda table: table["crisis_score"], _every, binary=False),
    Measure("mean safety score", lambda table: table["risk_score"], _every, binary=False),
)
"""What is adjusted unless asked otherwise; a measure without its column is left out."""


@dataclass(frozen=True)
class Gap:
    """A group against all others, as counted and with the same mix of calls.

    Parameters
    ----------
    group, measure : str
    calls : int
        Of the group, that are in question.
    value, rest, gap : Figure
        The group's rate, that of all others, and the difference.
    like_value, like_rest, like_gap : Figure
        The same within the strata that both have, with the same mix; NaN where they have none.
    common : float
        Share of the group's calls, by weight, that lie in such strata.
    mix : tuple of str
        Columns that make the strata.
    """

    group: str
    measure: str
    calls: int
    value: Figure
    rest: Figure
    gap: Figure
    like_value: Figure
    like_rest: Figure
    like_gap: Figure
    common: float
    mix: tuple[str, ...]


@dataclass(frozen=True)
class Comparison:
    """Both sides within the strata that they have in common; see `compare`."""

    one: Figure
    other: Figure
    gap: Figure
    common: float


def with_band(table: pd.DataFrame) -> pd.DataFrame:
    """Add `hour_band` to a table that has `hour`, 0 to 23."""
    if "hour" not in table or "hour_band" in table:
        return table
    band = (table["hour"] // BAND).astype("Int64").astype("str")
    return table.assign(hour_band=band)


def standardised(
    table: pd.DataFrame,
    by: str = "neighborhood",
    *,
    measures: Sequence[Measure] = MEASURES,
    mix: Sequence[str] = MIX,
    standard: Standard = "group",
) -> tuple[Gap, ...]:
    """Compare every group with all others, as counted and with the same mix of calls.

    Parameters
    ----------
    table : pandas.DataFrame
        One row per call, with `incident` (the cluster), what the measures read, and perhaps
        `weight`; a call without a group is in no comparison.
    by : str
        Column of the group.
    measures : sequence of Measure
        Those that read a column that is not there are left out.
    mix : sequence of str
        Columns of the call mix; those that are not there, and `by` itself, are left out.
    standard : {"group", "all"}
        Whose mix both sides take.

    Returns
    -------
    tuple of Gap
        By measure, then by group in order of name.
    """
    table = with_band(table[table[by].notna()])
    columns = tuple(name for name in mix if name in table and name != by)
    ladder = [columns[:n] for n in range(len(columns), 0, -1)] or [()]
    keys = [_codes(table, names) for names in ladder]
    group = table[by].astype("str").to_numpy(dtype=object)
    names = sorted(set(group))
    member = pd.factorize(table["incident"])[0].astype(np.int64)
    weight: Floats = table["weight"].to_numpy(float) if "weight" in table else np.ones(len(table))
    made = []
    for measure in measures:
        try:
            among = measure.among(table).fillna(False).to_numpy(dtype=bool)
            read = measure.value(table).astype("Float64")
        except KeyError:
            continue
        value: Floats = np.asarray(read.to_numpy(na_value=np.nan), dtype=np.float64)
        rows = among & ~np.isnan(value) & (weight > 0)
        y, w, c, own = value[rows], weight[rows], member[rows], group[rows]
        strata = [key[rows] for key in keys]
        for name in names:
            mine = own == name
            made.append(
                _gap(name, measure, y, w, c, mine, list(zip(ladder, strata, strict=True)), standard)
            )
    return tuple(made)


def _codes(table: pd.DataFrame, names: Sequence[str]) -> NDArray[np.int64]:
    """Give every call the number of its stratum; not known is a value of its own."""
    if not names:
        return np.zeros(len(table), dtype=np.int64)
    filled = table[list(names)].astype("str").fillna("")
    numbers: NDArray[np.int64] = (
        filled.groupby(list(names), sort=False).ngroup().to_numpy().astype(np.int64)
    )
    return numbers


def _gap(
    name: str,
    measure: Measure,
    y: Floats,
    w: Floats,
    member: NDArray[np.int64],
    mine: NDArray[np.bool_],
    ladder: list[tuple[tuple[str, ...], NDArray[np.int64]]],
    standard: Standard,
) -> Gap:
    binary = measure.binary
    value = weighted_share(y[mine], w[mine], member[mine], binary=binary)
    rest = weighted_share(y[~mine], w[~mine], member[~mine], binary=binary)
    columns: tuple[str, ...] = ()
    for columns, strata in ladder:  # noqa: B007 - the last one tried is told
        like = compare(y, w, member, mine, strata, standard=standard, binary=binary)
        if like.common >= ENOUGH:
            break
    return Gap(
        group=name,
        measure=measure.name,
        calls=int(mine.sum()),
        value=value,
        rest=rest,
        gap=difference(value, rest),
        like_value=like.one,
        like_rest=like.other,
        like_gap=like.gap,
        common=like.common,
        mix=columns,
    )


def compare(
    y: Floats,
    w: Floats,
    member: NDArray[np.int64],
    mine: NDArray[np.bool_],
    strata: NDArray[np.int64],
    *,
    standard: Standard = "group",
    binary: bool = True,
) -> Comparison:
    """Compare one side with the other within common strata, with the same mix; see the module.

    Parameters
    ----------
    y, w : ndarray of shape (n_calls,)
        Values and weights.
    member : ndarray of shape (n_calls,)
        Number of each call's cluster.
    mine : ndarray of shape (n_calls,)
        Whether a call is of the one side.
    strata : ndarray of shape (n_calls,)
        Number of each call's stratum, from 0.
    standard : {"group", "all"}
    binary : bool

    Returns
    -------
    Comparison
        NaN where no stratum is in common.
    """
    count = int(strata.max()) + 1 if len(strata) else 1

    def totals(side: NDArray[np.bool_], of: Floats) -> Floats:
        made: Floats = np.bincount(strata[side], of[side], minlength=count).astype(np.float64)
        return made

    sizes = [totals(side, w) for side in (mine, ~mine)]
    both = (sizes[0] > 0) & (sizes[1] > 0)
    common = float(sizes[0][both].sum() / sizes[0].sum()) if mine.any() else 0.0
    if not both.any():
        return Comparison(UNKNOWN, UNKNOWN, UNKNOWN, common)
    taken = both[strata]
    sets = mine[taken] if standard == "group" else np.ones(taken.sum(), dtype=bool)
    mixed = sizes[0] if standard == "group" else sizes[0] + sizes[1]
    mixed = np.where(both, mixed, 0.0)
    part = mixed / mixed.sum()
    s, wt, yt = strata[taken], w[taken], y[taken]
    figures, influences = [], []
    for side, size in zip((mine, ~mine), sizes, strict=True):
        with np.errstate(divide="ignore", invalid="ignore"):
            rate = np.where(both, totals(side, w * y) / size, 0.0)
            factor = np.where(both, part / size, 0.0)
        value = float((part * rate).sum())
        here = side[taken]
        pull = np.where(here, wt * factor[s], 0.0)
        influence = pull * (yt - rate[s]) + np.where(sets, wt * (rate[s] - value), 0) / mixed.sum()
        influences.append(influence)
        own = pull[here]
        figures.append((value, float(1 / (own**2).sum()), here))
    sums = cluster_sums(np.column_stack(influences), member[taken])
    spread = covariance(sums)
    made = []
    for place, (value, worth, here) in enumerate(figures):
        clusters = clusters_of(member[taken][here])
        variance = float(spread[place, place])
        made.append(
            share(value, variance, worth=worth, clusters=clusters)
            if binary
            else mean(value, variance, clusters=clusters)
        )
    gap = difference(made[0], made[1], correlation(spread))
    return Comparison(made[0], made[1], gap, common)


def section(gaps: Sequence[Gap], by: str = "neighborhood") -> Section:
    """Put the gaps into words and one table per measure, raw and adjusted side by side."""
    tables = []
    kept = gone = 0
    for name in dict.fromkeys(gap.measure for gap in gaps):
        rows: list[tuple[Cell, ...]] = []
        for gap in (gap for gap in gaps if gap.measure == name):
            apart = _apart(gap.gap)
            kept += apart and _apart(gap.like_gap)
            gone += apart and not _apart(gap.like_gap)
            used = ", ".join(gap.mix).replace("_", " ")
            rows.append(
                (
                    gap.group,
                    gap.calls,
                    gap.value,
                    gap.gap,
                    gap.like_rest,
                    gap.like_gap,
                    gap.common,
                    used,
                )
            )
        columns = (by, "calls", "rate", "gap to the rest", "rest with the same mix", "gap then")
        tables.append(Table(f"{name}", (*columns, "had their like", "mix"), tuple(rows)))
    summary = (
        "A gap can come from the kind of calls that a place has. Here each group is set beside "
        "what the rest would have if its calls were of the same kind.",
        f"Of {kept + gone} gaps whose interval excludes zero, {gone} no longer do with the same "
        f"mix of calls and {kept} still do. No correction is made here for the number of gaps.",
    )
    return Section("With the same mix of calls", summary, tuple(tables))


def _apart(gap: Figure) -> bool:
    return gap.low > 0 or gap.high < 0
