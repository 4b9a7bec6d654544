"""Whose crises do the labels miss? By group, from the random review.

An audit measures by labels, and labels come from the field: where crises are not recognised they
are not labelled either, and a group's missed crises look like none. Only a random review
(`data.review`) tells: of its calls each stands for those it was drawn from, in every group. The
estimate and its interval are those of `training.weighted`; a group of which no call was drawn is
blank.

A group is a part of the sample whose size was left to chance, and strata of which none of its calls
was drawn have no say in its figures: with few reviewed calls they speak of those few.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from data import review
from data.call import TARGETS
from data.dataset import Dataset
from training.audit.causes.estimates import difference
from training.audit.causes.section import Section, Table
from training.metrics import Figure
from training.weighted import reviewed_calls, weighted_share


@dataclass(frozen=True)
class LabelBias:
    """What the labels of a group miss, by the review.

    Parameters
    ----------
    target, group : str
    reviewed : int
        Calls of the group that got a yes or no.
    positive : int
        Those that got a yes.
    unlabelled : Figure
        Share of the positive calls that had no positive label.
    rest, gap : Figure
        The same of all others, and the difference.
    hidden : Figure
        Share of the calls without a positive label that are positive.
    wrong : Figure
        Share of the calls with a positive label that are not.
    missed : Figure
        Share of the positive calls that the model misses; NaN where no flags were given.
    """

    target: str
    group: str
    reviewed: int
    positive: int
    unlabelled: Figure
    rest: Figure
    gap: Figure
    hidden: Figure
    wrong: Figure
    missed: Figure


def label_bias(
    dataset: Dataset,
    by: str = "neighborhood",
    *,
    flags: Mapping[str, pd.Series] | None = None,
) -> tuple[LabelBias, ...]:
    """Estimate by group what the labels miss, from the last round of the review.

    Parameters
    ----------
    dataset : Dataset
    by : str
        Column of the calls; of a call with several revisions the last one counts.
    flags : mapping of str to pandas.Series, optional
        Target → whether the model flags a call, by `call_id`.

    Returns
    -------
    tuple of LabelBias
        By target and group in order of name, groups without a reviewed call among them.

    Raises
    ------
    InputError
        If there was no review, or it can't be generalised (`training.weighted.reviewed_calls`).
    """
    told = reviewed_calls(dataset)
    last = dataset.calls.sort_values("revision", kind="stable").drop_duplicates(
        "call_id", keep="last"
    )
    groups = last.set_index("call_id")[by]
    names = sorted(groups.dropna().unique())
    drawn = review.rounds(dataset)[-1].drawn
    made = []
    for target in TARGETS:
        labelled = {i for name in review.POSITIVE for i in drawn[target][name]}
        calls = told[target].assign(
            group=groups.reindex(told[target].index),
            labelled=[call_id in labelled for call_id in told[target].index],
        )
        if flags is not None:
            flag = flags[target]
            calls["flagged"] = flag.astype("Float64").reindex(calls.index)
        for name in names:
            mine = calls[calls["group"] == name]
            rest = calls[calls["group"].notna() & (calls["group"] != name)]
            one, other = _unlabelled(mine), _unlabelled(rest)
            made.append(
                LabelBias(
                    target=target,
                    group=str(name),
                    reviewed=len(mine),
                    positive=int(mine["truth"].sum()),
                    unlabelled=one,
                    rest=other,
                    gap=difference(one, other),
                    hidden=_share(mine[~mine["labelled"]], "truth"),
                    wrong=_share(mine[mine["labelled"]], "truth", turned=True),
                    missed=_missed(mine),
                )
            )
    return tuple(made)


def _unlabelled(calls: pd.DataFrame) -> Figure:
    return _share(calls[calls["truth"]], "labelled", turned=True)


def _missed(calls: pd.DataFrame) -> Figure:
    if "flagged" not in calls:
        return Figure(np.nan, np.nan, np.nan)
    known = calls[calls["truth"] & calls["flagged"].notna()]
    return _share(known.assign(flagged=known["flagged"].astype(bool)), "flagged", turned=True)


def _share(calls: pd.DataFrame, column: str, *, turned: bool = False) -> Figure:
    hits = calls[column].to_numpy(dtype=bool)
    return weighted_share(hits != turned, calls["chance"].to_numpy(dtype=np.float64))


def section(found: Sequence[LabelBias], by: str = "neighborhood") -> Section:
    """Put it into words and one table per target."""
    apart = [one for one in found if one.gap.low > 0 or one.gap.high < 0]
    told = (
        "Between no group and the rest is the difference for sure."
        if not apart
        else "For sure it differs from the rest in "
        + ", ".join(
            f"{one.group} ({one.target.replace('_', ' ')}: {one.unlabelled.value:.0%} against "
            f"{one.rest.value:.0%})"
            for one in apart
        )
        + "."
    )
    blank = sum(not one.positive for one in found)
    columns = (
        *(by, "reviewed", "positive", "positive, not labelled", "the rest", "gap"),
        *("not labelled, positive", "labelled, not positive", "missed by the model"),
    )
    tables = tuple(
        Table(
            target.replace("_", " "),
            columns,
            tuple(
                (
                    *(one.group, one.reviewed, one.positive, one.unlabelled, one.rest, one.gap),
                    *(one.hidden, one.wrong, one.missed),
                )
                for one in found
                if one.target == target
            ),
        )
        for target in TARGETS
    )
    summary = (
        "Labels miss what nobody recognised. The random review tells how much, group by group; "
        "every other figure of this audit is only as good as the labels are alike.",
        f"{told} In {blank} of {len(found)} groups and heads no positive call was reviewed, so "
        "that nothing can be said.",
    )
    return Section("What the labels miss", summary, tables)
