"""Measure a release on labelled calls: both heads, the bands, and what `recommend()` makes of them.

The recommendation is evaluated as it is served: `model_service.model.assess` for every call.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from data.call import TARGETS
from model_service.model.assess import assess
from model_service.model.classifier import as_labels
from model_service.model.plan import PROTOCOL, Thresholds, ThresholdSet
from model_service.model.release import Release
from training.history import calls_and_counts
from training.metrics import BINS, head_figures, rate
from training.price import price_curve

RISK = "safety_risk"


def assess_frame(
    release: Release,
    calls: pd.DataFrame,
    progress: Callable[[Iterable[Any], str], Iterable[Any]] = lambda items, _: items,
) -> pd.DataFrame:
    """Assess every call of a frame.

    Parameters
    ----------
    release : Release
    calls : pandas.DataFrame of shape (n_calls, n_columns)
        With the history of premises where the release uses one (`training.history`).
    progress : callable
        Wraps an iterable and draws its progress.

    Returns
    -------
    pandas.DataFrame of shape (n_calls, 6)
        The two probabilities, `response`, `police` (nullable), `abstained`, and the two bands as
        `<target>_band` (missing where the model abstained); on the index of `calls`.
    """
    rows = []
    asked = calls_and_counts(calls, release.scorer.history)
    for call, counts in progress(asked, "assessing calls"):
        assessment = assess(release, call, counts, explained=False)
        recommendation = assessment.recommendation
        bands = recommendation.bands or {}
        rows.append(
            {
                **assessment.prediction._asdict(),
                "response": recommendation.response,
                "police": recommendation.police,
                "abstained": recommendation.abstained,
                **{f"{target}_band": bands.get(target) for target in TARGETS},
            }
        )
    return pd.DataFrame(rows, index=calls.index).astype({"police": "boolean"})


def evaluate(
    release: Release,
    calls: pd.DataFrame,
    targets: pd.DataFrame,
    clusters: pd.Series,
    *,
    seed: int = 0,
    progress: Callable[[Iterable[Any], str], Iterable[Any]] = lambda items, _: items,
) -> dict[str, Any]:
    """Measure a release on labelled calls, with 95% intervals.

    Parameters
    ----------
    release : Release
    calls : pandas.DataFrame of shape (n_calls, n_columns)
        As `assess_frame` takes them.
    targets : pandas.DataFrame of shape (n_calls, 2)
        Nullable booleans.
    clusters : pandas.Series of shape (n_calls,)
        What the bootstrap draws whole: scenario families where there are any, else incidents.
    seed : int
        Of the bootstrap.
    progress : callable

    Returns
    -------
    dict
        Ready for JSON; figures are `{"value", "low", "high"}`, missing ones null.
    """
    assessed = assess_frame(release, calls, progress)
    y = as_labels(targets)
    names = clusters.to_numpy(dtype=object)
    rng = np.random.default_rng(seed)
    heads = {
        target: _head(
            y[:, column], assessed[target].to_numpy(), names, release.thresholds[target], rng
        )
        for column, target in enumerate(TARGETS)
    }
    _price(heads, y, assessed, names, release.thresholds, rng)
    return {
        "calls": len(calls),
        "clusters": int(clusters.nunique()),
        "received_at": [
            calls["received_at"].min().isoformat(),
            calls["received_at"].max().isoformat(),
        ],
        "heads": heads,
        "recommendation": _recommendation(assessed, y, names, rng),
    }


def _head(
    y: NDArray[np.float64],
    p: NDArray[np.float64],
    clusters: NDArray[np.object_],
    thresholds: Thresholds,
    rng: np.random.Generator,
) -> dict[str, Any]:
    there = ~np.isnan(y)
    y, p, clusters = y[there], p[there], clusters[there]
    counts = {"labelled": len(y), "positive": int(y.sum()), "missing": int((~there).sum())}
    if counts["positive"] in (0, len(y)):
        return {**counts, "note": "only one class is labelled: nothing can be measured"}
    bands = {}
    for name, threshold in (("low", thresholds.low), ("high", thresholds.high)):
        if threshold is None:
            continue
        above = p >= threshold
        bands[name] = {
            "threshold": threshold,
            "sensitivity": _rate(above, y == 1, clusters, rng),
            "precision": _rate(y == 1, above, clusters, rng),
            "specificity": _rate(~above, y == 0, clusters, rng),
        }
    figures = head_figures(y, p, clusters, rng)
    return {
        **counts,
        **{name: figure.as_json() for name, figure in figures.items()},
        "mean_probability": float(p.mean()),
        "bands": bands,
        "reliability": _reliability(y, p),
        "precision_recall": _precision_recall(y, p),
    }


def _price(
    heads: dict[str, dict[str, Any]],
    y: NDArray[np.float64],
    assessed: pd.DataFrame,
    clusters: NDArray[np.object_],
    thresholds: ThresholdSet,
    rng: np.random.Generator,
) -> None:
    """Add the price curve to the safety head, where it can be measured."""
    head, column = heads[RISK], TARGETS.index(RISK)
    if "bands" in head:
        there = ~np.isnan(y[:, column])
        head["price"] = price_curve(
            y[there, column],
            assessed[RISK].to_numpy()[there],
            clusters[there],
            thresholds[RISK].low,
            rng,
        )


def _recommendation(
    assessed: pd.DataFrame,
    y: NDArray[np.float64],
    clusters: NDArray[np.object_],
    rng: np.random.Generator,
) -> dict[str, Any]:
    crisis, risk = y[:, 0], y[:, 1]
    situations = {
        "crisis, no safety risk": (crisis == 1) & (risk == 0),
        "crisis, safety risk": (crisis == 1) & (risk == 1),
        "crisis, safety risk not known": (crisis == 1) & np.isnan(risk),
        "no crisis": crisis == 0,
        "not known": np.isnan(crisis),
    }
    response = assessed["response"].to_numpy()
    no_police = (assessed["police"] == False).fillna(False).to_numpy(dtype=bool)  # noqa: E712
    police = assessed["police"].fillna(False).to_numpy(dtype=bool)
    abstained = assessed["abstained"].to_numpy(dtype=bool)
    everything = np.ones(len(y), dtype=bool)
    table = {
        name: {str(r): int(((response == r) & rows).sum()) for r in sorted(set(response))}
        for name, rows in situations.items()
    }
    return {
        "table": table,
        "rates": {
            "crises without safety risk that are recommended a team without police": _rate(
                no_police, situations["crisis, no safety risk"], clusters, rng
            ),
            "crises with safety risk that are recommended a team without police": _rate(
                no_police, situations["crisis, safety risk"], clusters, rng
            ),
            "safety risks of any kind that are recommended a team without police": _rate(
                no_police, risk == 1, clusters, rng
            ),
            "crises without safety risk that are recommended police": _rate(
                police, situations["crisis, no safety risk"], clusters, rng
            ),
            "calls left to the centre's protocol": _rate(
                response == PROTOCOL, everything, clusters, rng
            ),
            "calls on which the model abstained": _rate(abstained, everything, clusters, rng),
        },
    }


def _rate(
    hits: NDArray[np.bool_],
    among: NDArray[np.bool_],
    clusters: NDArray[np.object_],
    rng: np.random.Generator,
) -> dict[str, Any]:
    figure, k, n = rate(hits, among, clusters, rng)
    return {**figure.as_json(), "k": k, "n": n}


def _reliability(y: NDArray[np.float64], p: NDArray[np.float64]) -> list[dict[str, float]]:
    order = np.argsort(p, kind="stable")
    return [
        {"calls": len(rows), "predicted": float(p[rows].mean()), "observed": float(y[rows].mean())}
        for rows in np.array_split(order, BINS)
        if len(rows)
    ]


def _precision_recall(
    y: NDArray[np.float64], p: NDArray[np.float64], points: int = 200
) -> list[dict[str, float]]:
    order = np.argsort(-p, kind="stable")
    hits = np.cumsum(y[order])
    last = np.flatnonzero(np.r_[np.diff(p[order]) != 0, True])
    some = last[np.unique(np.linspace(0, len(last) - 1, points).astype(int))]
    return [
        {
            "threshold": float(p[order][i]),
            "recall": float(hits[i] / hits[-1]),
            "precision": float(hits[i] / (i + 1)),
        }
        for i in some
    ]
