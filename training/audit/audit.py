"""An audit: every measure of every group, how sure it is, and what follows.

`audit()` gives a table of findings, one row per grouping, group, subject and measure; the report,
the gate and the CSV are made of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from data.call import TARGETS
from model_service.model.plan import AuditRule
from training.audit import measures, uncertainty, verdicts
from training.audit.groups import DEFAULT, LEAST, Grouping, grouping
from training.audit.measures import DECISION, MEASURES, Measure
from training.audit.period import Period
from training.audit.pooling import pool
from training.audit.uncertainty import Clusters
from training.audit.verdicts import Gaps

Progress = Callable[[Iterable[Any], str], Iterable[Any]]
Floats = NDArray[np.float64]
Part = dict[str, NDArray[Any]]
"""Column of the findings → its values, for one measure of one grouping."""

COLUMNS = (
    "by",
    "group",
    "subject",
    "measure",
    "calls",
    "among",
    "hits",
    "value",
    "low",
    "high",
    "pooled",
    "pooled_low",
    "pooled_high",
    "rest",
    "gap",
    "gap_low",
    "gap_high",
    "p",
    "p_adjusted",
    "named",
    "verdict",
    "matters",
    "among_needed",
    "calls_needed",
)
"""Of the findings. `calls` are those of the group, `among` those that the figure is of and `hits`
of these those that count; `gap` is `value` less `rest`; `named` are those that the plan's limits
name. `among_needed` and `calls_needed` tell how many would suffice. What can't be told is missing,
and never zero."""


@dataclass
class Audit:
    """What an audit found.

    Parameters
    ----------
    findings : pandas.DataFrame
        With the columns of `COLUMNS`.
    overall : pandas.DataFrame
        The same figures of all calls together, without gaps.
    words : dict
        What was audited (`Period.words`), and by which rules.
    rule : AuditRule
    """

    findings: pd.DataFrame
    overall: pd.DataFrame
    words: dict[str, Any]
    rule: AuditRule = field(default_factory=AuditRule)

    def of(
        self, by: str | None = None, subject: str | None = None, measure: str | None = None
    ) -> pd.DataFrame:
        """Give the findings of a grouping, a subject and a measure; each may be left open."""
        chosen = self.findings
        for column, wanted in (("by", by), ("subject", subject), ("measure", measure)):
            if wanted is not None:
                chosen = chosen[chosen[column] == wanted]
        return chosen


def audit(
    period: Period,
    *,
    by: Sequence[str] = DEFAULT,
    rule: AuditRule | None = None,
    seed: int = 0,
    resamples: int = uncertainty.RESAMPLES,
    progress: Progress = lambda items, _: items,
) -> Audit:
    """Audit a period.

    Parameters
    ----------
    period : Period
    by : sequence of str
        Columns, `hours`, or two of these joined by `×` (`training.audit.groups`).
    rule : AuditRule, optional
        Of the plan; that of the period's release, or the default, if not given.
    seed : int
        Of the bootstrap.
    resamples : int
    progress : callable
        Wraps the steps and draws their progress.

    Returns
    -------
    Audit

    Raises
    ------
    InputError
        If a column is missing, or has too many groups.
    """
    if rule is None:
        rule = AuditRule() if period.release is None else period.release.plan.audit
    calls = period.calls
    incidents = pd.factorize(calls["incident"])[0]
    weight = calls["weight"].to_numpy()
    groupings = [grouping(calls, column) for column in dict.fromkeys(by)]
    everybody = Grouping("", ["all calls"], np.zeros(len(calls), dtype=np.intp))
    told = measures.subjects(calls)
    steps = [(made, subject) for subject in told for made in (everybody, *groupings)]
    clusters: dict[str, Clusters] = {}
    found: list[Part] = []
    prepared: dict[str, _Prepared] = {}
    for made, subject in progress(steps, "auditing"):
        if made.by not in clusters:
            clusters[made.by] = Clusters(made.codes, len(made.names), incidents, weight)
        if subject not in prepared:
            prepared = {subject: _Prepared(calls, subject)}  # one at a time: they are large
        rng = np.random.default_rng([seed, *subject.encode(), *made.by.encode()])
        found += _figures(made, clusters[made.by], prepared[subject], rule, rng, resamples)
    table = _joined(found)
    overall = table[table["by"] == ""].reset_index(drop=True)
    findings = _judged(table[table["by"] != ""].reset_index(drop=True), rule)
    words = {
        **period.words,
        "by": [made.by for made in groupings],
        "subjects": list(told),
        "seed": seed,
        "resamples": resamples,
        "tests": int(findings["p"].notna().sum()),
        "named": int((findings["p"].notna() & findings["named"]).sum()),
        "smallest_gap": rule.smallest_gap,
    }
    return Audit(findings, overall, words, rule)


class _Prepared:
    """What is made of the calls once per subject."""

    def __init__(self, calls: pd.DataFrame, subject: str) -> None:
        self.subject = subject
        self.rates = measures.rates(calls, subject)
        self.weight = calls["weight"].to_numpy()
        self.score: uncertainty.ScoreTypes | None = None
        self.time: tuple[NDArray[np.intp], Floats] | None = None
        if subject in TARGETS:
            self.score = uncertainty.score_types(*measures.scored(calls, subject))
        elif subject == DECISION and calls["seconds_to_decide"].notna().any():
            self.time = uncertainty.time_types(calls["seconds_to_decide"].to_numpy())


def _figures(
    made: Grouping,
    clusters: Clusters,
    of: _Prepared,
    rule: AuditRule,
    rng: np.random.Generator,
    resamples: int,
) -> list[Part]:
    n_groups = len(made.names)
    size = np.bincount(made.codes, minlength=n_groups)
    tables = []
    for name, rate in of.rates.items():
        shares = clusters.shares(rate.hits, rate.among)
        low, high = shares.interval()
        columns = {
            "among": shares.calls,
            "hits": shares.hits,
            "value": shares.value,
            "low": low,
            "high": high,
        }
        gaps = None
        if n_groups > 1:
            pooled = pool(shares.value, shares.worth)
            columns |= {
                "pooled": pooled.value,
                "pooled_low": pooled.low,
                "pooled_high": pooled.high,
            }
            weights = np.bincount(made.codes[rate.among], of.weight[rate.among], n_groups).astype(
                np.float64
            )
            gaps = verdicts.share_gaps(shares, weights, rule.smallest_gap)
        measure = MEASURES[of.subject][name]
        tables.append(_table(made, size, of.subject, name, measure, rule, columns, gaps))
    for names, types, n_types, figures in _drawn(of):
        counts, drawn = clusters.resampled(types, n_types, rng, resamples)
        among = np.bincount(made.codes[types >= 0], minlength=n_groups).astype(float)
        values = figures(counts)
        draws = _by_group(figures, drawn)
        if n_groups > 1:
            rests = figures(counts.sum(axis=0) - counts)
            whole = drawn.sum(axis=0)
            rest_draws = _by_group(figures, (whole - one for one in drawn))
        for name in names:
            value, draw = values[name], draws[name]
            low, high = uncertainty.percentiles(draw)
            columns = {"among": among, "value": value, "low": low, "high": high}
            gaps = None
            if n_groups > 1:
                gaps = verdicts.drawn_gaps(value, rests[name], draw, rest_draws[name], among)
            measure = MEASURES[of.subject][name]
            tables.append(_table(made, size, of.subject, name, measure, rule, columns, gaps))
    return tables


Figures = Callable[[Floats], dict[str, Floats]]


def _drawn(of: _Prepared) -> Iterable[tuple[tuple[str, ...], NDArray[np.intp], int, Figures]]:
    """Give what the bootstrap is for: names, types of calls, and the figures of their counts."""
    if of.score is not None:
        score = of.score
        names = ("mean_score", "calibration_slope", "calibration_intercept", "ece")
        n_types = 2 * uncertainty.BINS
        yield names, score.types, n_types, lambda n: uncertainty.score_figures(n, score)
    if of.time is not None:
        types, middle = of.time
        yield (
            ("seconds_to_decide",),
            types,
            uncertainty.TIME_BINS,
            lambda n: {"seconds_to_decide": uncertainty.median_of(n, middle)},
        )


def _by_group(figures: Figures, drawn: Iterable[NDArray[np.float32]]) -> dict[str, Floats]:
    each = [figures(one.astype(np.float64)) for one in drawn]
    return {name: np.array([made[name] for made in each]) for name in each[0]}


def _table(
    made: Grouping,
    size: NDArray[np.intp],
    subject: str,
    name: str,
    measure: Measure,
    rule: AuditRule,
    columns: dict[str, Floats],
    gaps: Gaps | None,
) -> Part:
    n = len(size)
    blank = np.full(n, np.nan)
    # No figure of a few callers; how many they are may be told.
    few = size < LEAST
    part: Part = dict.fromkeys((*COLUMNS, "_own", "_others"), blank)
    for column, values in columns.items():
        part[column] = values if column == "among" else np.where(few, np.nan, values)
    if gaps is not None and measure.tested:
        part |= {
            "rest": gaps.rest,
            "gap": gaps.gap,
            "gap_low": gaps.low,
            "gap_high": gaps.high,
            "p": gaps.p,
            "matters": np.full(n, measure.matters or rule.smallest_gap),
            "_own": gaps.own,
            "_others": gaps.others,
        }
    told = {"by": made.by, "subject": subject, "measure": name, "verdict": None}
    part |= {column: np.full(n, value, dtype=object) for column, value in told.items()}
    return {**part, "group": np.array(made.names, dtype=object), "calls": size}


def _joined(parts: Sequence[Part]) -> pd.DataFrame:
    """Put parts into one table."""
    columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    texts = dict.fromkeys(("by", "group", "subject", "measure", "verdict"), "str")
    return pd.DataFrame(columns).astype(texts)


def _judged(findings: pd.DataFrame, rule: AuditRule) -> pd.DataFrame:
    """Adjust the p-values of a whole report, and give the verdicts."""
    p = findings["p"].to_numpy(dtype=np.float64)
    limits = {(limit.subject, limit.measure) for limit in rule.limits}
    keys = zip(findings["subject"], findings["measure"], strict=True)
    named = np.array([key in limits for key in keys]) & findings["by"].isin(rule.by).to_numpy()
    findings["named"] = named
    findings["p_adjusted"] = verdicts.adjusted(p, named)
    tested = findings["matters"].notna().to_numpy()
    some = findings[tested]
    matters = some["matters"].to_numpy()
    low, high = (some[name].to_numpy() for name in ("gap_low", "gap_high"))
    findings.loc[tested, "verdict"] = verdicts.judge(
        some["p_adjusted"].to_numpy(), low, high, matters
    )
    level = verdicts.strictest(p, named)[tested]
    needed = verdicts.sufficient(
        some["_own"].to_numpy(), some["_others"].to_numpy(), matters, level
    )
    open_ = (findings.loc[tested, "verdict"] == verdicts.INSUFFICIENT).to_numpy()
    findings.loc[tested, "among_needed"] = np.where(open_, needed, np.nan)
    share = findings["among"] / findings["calls"]
    findings["calls_needed"] = np.ceil(findings["among_needed"] / share.where(share > 0))
    return findings.drop(columns=["_own", "_others"])
