"""Shares of all calls from calls that were drawn: each counts for those that were not.

Labels from the field are no random sample: whom a team never met has no finding, and a decision
made after advice tells what the model said. Two sets of calls are random by design, with a known
probability each:

- the calls of a review (`data.review`), drawn within strata;
- the calls of a decision log on which advice was held back, drawn by a keyed hash
  (`chance_unadvised` in `assessed`).

The estimate
------------
With `c` the probability with which a call was drawn and `w = 1 / c`, the share of hits `h` (0 or 1)
among the calls in question is `p = sum(w h) / sum(w)` over those drawn: Hajek's ratio of two
Horvitz-Thompson totals, each of which is unbiased (Horvitz and Thompson 1952, JASA 47; Hajek 1971,
in Godambe and Sprott, Foundations of Statistical Inference; Sarndal, Swensson and Wretman 1992,
Model Assisted Survey Sampling, chapter 5). The ratio's bias falls as 1 over the number drawn.

The interval is Clopper and Pearson's for `k = p m` of `m` calls, `m` being what the sample is
worth: the smaller of `sum(w)^2 / sum(w^2)` (Kish 1992, Journal of Official Statistics 8), which
also holds where all or none are hits, and `p (1 - p) / v` with
`v = sum(w^2 (h - p)^2) / sum(w)^2` (Korn and Graubard 1998, Survey Methodology 24). With equal
weights it is the exact binomial interval. Nothing is taken off for the calls being a large part of
all there are, and calls count as independent of each other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import beta

from data import review
from data.call import TARGETS
from data.dataset import Dataset
from data.errors import InputError
from model_service.model.plan import ThresholdSet
from model_service.model.release import Release
from training.evaluate import assess_frame
from training.metrics import Figure

LEVEL = 0.95
CRISIS = "mental_health_crisis"


def weighted_share(
    hits: NDArray[np.bool_], chances: NDArray[np.float64], *, level: float = LEVEL
) -> Figure:
    """Estimate a share among all calls from those drawn; the formula is at the head of the module.

    Parameters
    ----------
    hits : ndarray of shape (n_drawn,)
    chances : ndarray of shape (n_drawn,)
        With which each was drawn, above 0 and up to 1.
    level : float
        Of the interval, 0 to 1.

    Returns
    -------
    Figure
        NaN where nothing was drawn.

    Raises
    ------
    ValueError
        If a chance is no probability above 0: what could never be drawn stands for nothing.

    Examples
    --------
    >>> figure = weighted_share(np.array([True, False, False]), np.array([0.5, 0.1, 0.1]))
    >>> round(figure.value, 4)
    0.0909
    """
    if not ((chances > 0) & (chances <= 1)).all():
        raise ValueError("a chance of being drawn lies above 0 and up to 1")
    if not len(hits):
        return Figure(float("nan"), float("nan"), float("nan"))
    w, h = 1 / chances, hits.astype(np.float64)
    p = float((w * h).sum() / w.sum())
    worth = float(w.sum() ** 2 / (w**2).sum())
    if 0 < p < 1:
        variance = float((w**2 * (h - p) ** 2).sum() / w.sum() ** 2)
        worth = min(worth, p * (1 - p) / variance)
    k, tail = p * worth, (1 - level) / 2
    low = 0.0 if p == 0 else float(beta.ppf(tail, k, worth - k + 1))
    high = 1.0 if p == 1 else float(beta.ppf(1 - tail, k + 1, worth - k))
    return Figure(p, low, high)


def weigh(
    release: Release,
    dataset: Dataset,
    calls: pd.DataFrame,
    reviewed: Mapping[str, pd.DataFrame],
    progress: Callable[[Iterable[Any], str], Iterable[Any]] = lambda items, _: items,
) -> dict[str, Any]:
    """Estimate what the model misses, and of a decision log what people miss.

    Parameters
    ----------
    release : Release
    dataset : Dataset
    calls : pandas.DataFrame of shape (n_calls, n_columns)
        Those of the data set that are asked about, as `training.evaluate.assess_frame` takes them.
    reviewed : mapping of str to pandas.DataFrame
        As `reviewed_calls` gives it.
    progress : callable

    Returns
    -------
    dict
        `model` and `people`, as `missed_by_model` and `missed_by_people` give them.

    Raises
    ------
    InputError
        If none of the calls was reviewed.
    """
    assert dataset.assessed is not None
    last = calls.sort_values("revision", kind="stable").drop_duplicates("call_id", keep="last")
    last = last[last["call_id"].isin({i for told in reviewed.values() for i in told.index})]
    if last.empty:
        raise InputError("no call of the last review lies in the period that was asked for")
    probabilities = assess_frame(release, last, progress).set_axis(last["call_id"])
    assessed = dataset.assessed[dataset.assessed["call_id"].isin(last["call_id"])]
    meanings = dataset.manifest.get("decision_meanings", {})
    return {
        "model": missed_by_model(probabilities, reviewed, release.thresholds),
        "people": {}
        if dataset.assessed.empty
        else missed_by_people(assessed, reviewed[CRISIS], meanings),
    }


def missed_by_model(
    probabilities: pd.DataFrame, reviewed: Mapping[str, pd.DataFrame], thresholds: ThresholdSet
) -> dict[str, dict[str, Any]]:
    """Estimate which share of the positive calls a release misses: those below its low threshold.

    Parameters
    ----------
    probabilities : pandas.DataFrame of shape (n_calls, 2)
        By `call_id`, one column per target.
    reviewed : mapping of str to pandas.DataFrame
        Target → `truth` and `chance` by `call_id` (`data.review.chances`).
    thresholds : mapping of str to Thresholds

    Returns
    -------
    dict
        Target → `sensitivity` and `missed` (figures ready for JSON) and `positive`, the number of
        positive calls that they stand on. A target without a threshold is left out.
    """
    made = {}
    for target in TARGETS:
        low = thresholds[target].low
        if low is None:
            continue
        told = reviewed[target]
        told = told[told["truth"] & told.index.isin(probabilities.index)]
        found = (probabilities[target].reindex(told.index) >= low).to_numpy(dtype=bool)
        chances = told["chance"].to_numpy(dtype=np.float64)
        made[target] = {
            "positive": len(told),
            "sensitivity": weighted_share(found, chances).as_json(),
            "missed": weighted_share(~found, chances).as_json(),
        }
    return made


def missed_by_people(
    assessed: pd.DataFrame,
    truth: pd.DataFrame,
    meanings: Mapping[str, Mapping[str, bool]],
) -> dict[str, dict[str, Any]]:
    """Estimate which share of the crises people sent no crisis team to, without advice and with it.

    Of calls that could have been drawn either way, those decided without advice stand for all
    with 1 / `chance_unadvised`, those decided with it with 1 / (1 - `chance_unadvised`); both times
    the chance that the truth is known comes in. So both speak of the same calls.

    Parameters
    ----------
    assessed : pandas.DataFrame
        As `data.dataset.ASSESSED_DTYPES` declares.
    truth : pandas.DataFrame
        `truth` and `chance` by `call_id`, for the crisis head.
    meanings : mapping of str to mapping
        Response → target → what choosing it says (`data.sources.log`).

    Returns
    -------
    dict
        `without advice` and `with advice` → `missed` (a figure ready for JSON) and `crises`, the
        number of calls that it stands on.
    """
    calls = assessed.set_index("call_id").join(truth, how="inner")
    decided = calls["response"].notna() & calls["advised"].notna()
    fair = decided & calls["chance_unadvised"].between(0, 1, inclusive="neither")
    calls = calls[fair & calls["truth"]]
    teams = {response for response, told in meanings.items() if told.get(CRISIS)}
    made = {}
    for name, advised in (("without advice", False), ("with advice", True)):
        mine = calls[calls["advised"].astype(bool) == advised]
        unadvised = mine["chance_unadvised"].to_numpy(dtype=np.float64)
        chances = mine["chance"].to_numpy(dtype=np.float64)
        chances = chances * (1 - unadvised if advised else unadvised)
        missed = ~mine["response"].isin(teams).to_numpy(dtype=bool)
        made[name] = {"crises": len(mine), "missed": weighted_share(missed, chances).as_json()}
    return made


def reviewed_calls(dataset: Dataset) -> dict[str, pd.DataFrame]:
    """Give the truth of the calls of the last review, and the chance of each to be reviewed.

    Raises
    ------
    InputError
        If there was no review, or the calls were chosen by what was decided on them.
    """
    rounds = review.rounds(dataset)
    if not rounds:
        raise InputError(
            "the calls have had no random review, and other labels stand for nobody but "
            "themselves; begin one with `crisiscall data label DIR --by NAME`"
        )
    filters = str(dataset.manifest.get("filters", "")).split(" ")
    if any(part.startswith(("decision=", "reason=")) for part in filters):
        raise InputError(
            "the log was exported by what was decided, so its calls stand for nobody but "
            "themselves; export it without --decision and --reason"
        )
    return {target: review.chances(dataset, rounds[-1], target) for target in TARGETS}


def weighted_table(weighted: Mapping[str, Any]) -> str:
    """Write weighted figures as a table in Markdown."""
    lines = [
        "| weighted by how the calls were drawn | value | 95% interval | stands on |",
        "| --- | --: | --: | --: |",
    ]
    for target, head in weighted["model"].items():
        for name in ("sensitivity", "missed"):
            lines.append(_line(f"{target}: {name} by the model", head[name], head["positive"]))
    for name, told in weighted["people"].items():
        label = f"{CRISIS}: sent no crisis team, {name}"
        lines.append(_line(label, told["missed"], told["crises"]))
    return "\n".join(lines)


def _line(name: str, figure: Mapping[str, float | None], n: int) -> str:
    if figure["value"] is None:
        return f"| {name} | - | - | {n:,} |"
    return (
        f"| {name} | {figure['value']:.1%} | {figure['low']:.1%} to {figure['high']:.1%} | {n:,} |"
    )
