"""Two releases on the same later calls: paired figures, where they part, and what it says.

Both are assessed as they would be served. Every interval of a difference comes from one bootstrap
that draws whole clusters and measures both releases on the same draw, so that what makes the calls
hard for both cancels out (Efron & Tibshirani 1993, An Introduction to the Bootstrap, chapter 8).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from data.call import TARGETS
from data.dataset import Dataset
from data.errors import InputError
from model_service.model.classifier import as_labels
from model_service.model.plan import PROTOCOL, Thresholds
from model_service.model.release import Release
from training.compare_words import words
from training.config import load_config
from training.evaluate import assess_frame
from training.fit import split
from training.history import with_history
from training.metrics import RANKED, Floats, cluster_weights, rate, with_interval

CRISIS, RISK = TARGETS
SIDES = ("a", "b")
MAX_EXAMPLES = 20
"""Calls that are named for each way in which two recommendations part."""

Progress = Callable[[Iterable[Any], str], Iterable[Any]]


def later_calls(a: Release, b: Release, received_at: pd.Series) -> pd.Series:
    """Mark the calls that neither release has learned from or chosen by.

    Parameters
    ----------
    a, b : Release
    received_at : pandas.Series of datetime64, of shape (n_calls,)

    Returns
    -------
    pandas.Series of bool
        Calls from the day on which the later of the two test periods begins.

    Raises
    ------
    InputError
        If a release does not say when its test period begins.
    """
    return received_at >= max(_test_begins(a), _test_begins(b))


def judged_calls(
    a: Release, b: Release, dataset: Dataset, config: str | None, since: datetime | None
) -> pd.Series:
    """Mark the calls that two releases are to be judged on.

    Parameters
    ----------
    a, b : Release
    dataset : Dataset
    config : str or None
        The test part of this configuration's split.
    since : datetime or None
        Given without `config`: the person answers for the period; nothing is left out.

    Raises
    ------
    InputError
        If a release does not say when its test period begins, or the configuration can't be used.
    """
    received_at = dataset.calls["received_at"]
    if config is not None:
        return (split(dataset, load_config(config)) == "test") & later_calls(a, b, received_at)
    if since is not None:
        return received_at.notna()
    return later_calls(a, b, received_at)


def _test_begins(release: Release) -> pd.Timestamp:
    try:
        begins = pd.Timestamp(release.metrics["test"]["received_at"][0])
        again = release.metrics.get("recalibrated")  # on calls that came later
        return begins if again is None else max(begins, pd.Timestamp(again["until"]))
    except (KeyError, IndexError, TypeError, ValueError):
        raise InputError(
            f"release {release.name} does not say when its test calls begin; name a period with "
            "--since that neither release has learned from"
        ) from None


def compare(
    a: Release,
    b: Release,
    dataset: Dataset,
    chosen: pd.Series,
    *,
    by: str = "neighborhood",
    seed: int = 0,
    progress: Progress = lambda items, _: items,
) -> dict[str, Any]:
    """Measure two releases on the same labelled calls.

    Parameters
    ----------
    a, b : Release
        The one in force, and the one that might follow it.
    dataset : Dataset
    chosen : pandas.Series of bool, of shape (n_calls,)
        Which of its calls; neither release may have learned from them.
    by : str
        Column whose groups are set side by side.
    seed : int
        Of the bootstrap.
    progress : callable
        Wraps an iterable and draws its progress.

    Returns
    -------
    dict
        Ready for JSON. A figure is `{"value", "low", "high"}`, missing parts null; a pair is
        `{"a", "b", "difference"}`, the difference being b less a. No text of a call is in it.

    Raises
    ------
    InputError
        If no call was chosen.
    """
    if not chosen.any():
        raise InputError("no call lies in the period that was asked for")
    made = {}
    for side, release in zip(SIDES, (a, b), strict=True):
        calls = with_history(dataset.calls, release.scorer.history, dataset.labels)[chosen]
        made[side] = assess_frame(release, calls, progress)
    calls = dataset.calls[chosen]
    y = as_labels(dataset.targets()[chosen])
    clusters = dataset.families().fillna(dataset.incidents())[chosen].to_numpy(dtype=object)
    paired = _Paired(clusters, seed)
    thresholds = {"a": a.thresholds, "b": b.thresholds}
    compared: dict[str, Any] = {
        "a": a.digest,
        "b": b.digest,
        "data": {"source": dataset.manifest.get("source"), "digest": dataset.digest},
        "calls": len(calls),
        "clusters": len(set(clusters)),
        "received_at": [
            calls["received_at"].min().isoformat(),
            calls["received_at"].max().isoformat(),
        ],
        "heads": {
            target: _head(
                y[:, column],
                {side: made[side][target].to_numpy() for side in SIDES},
                {side: thresholds[side][target] for side in SIDES},
                paired,
            )
            for column, target in enumerate(TARGETS)
        },
        "recommendation": _recommendation(y, made, paired),
        "groups": {by: _groups(calls[by], y, made, paired)},
        "parted": _parted(calls, made),
    }
    return {**compared, "words": words(compared)}


class _Paired:
    """Measures both releases on the same draws of the clusters."""

    def __init__(self, clusters: NDArray[np.object_], seed: int) -> None:
        self._clusters = clusters
        several = len(set(clusters)) > 1  # a single cluster is drawn whole each time: no interval
        self._draws = cluster_weights(clusters, np.random.default_rng(seed)) if several else []

    def measure(
        self, there: NDArray[np.bool_], measures: Mapping[str, Callable[[Floats], float]]
    ) -> dict[str, Any]:
        """Give a pair; a measure takes how often each call that is there was drawn."""
        point = {side: measures[side](np.ones(int(there.sum()))) for side in SIDES}
        drawn: dict[str, list[float]] = {side: [] for side in SIDES}
        for w in self._draws:
            for side in SIDES:
                drawn[side].append(measures[side](w[there]))
        change = [y - x for x, y in zip(drawn["a"], drawn["b"], strict=True)]
        figures = {side: with_interval(point[side], drawn[side]) for side in SIDES}
        figures["difference"] = with_interval(point["b"] - point["a"], change)
        return {name: figure.as_json() for name, figure in figures.items()}

    def rate(
        self, among: NDArray[np.bool_], hits: Mapping[str, NDArray[np.bool_]]
    ) -> dict[str, Any]:
        """Give the pair of two shares of the same calls, with how many of how many.

        Where none or all are hits a bootstrap knows no interval: there a share's own is exact, and
        a difference between two such has none.
        """
        n = int(among.sum())
        inside = {side: hits[side][among].astype(np.float64) for side in SIDES}
        k = {side: int(inside[side].sum()) for side in SIDES}

        def share(side: str) -> Callable[[Floats], float]:
            def of(w: Floats) -> float:
                total = w.sum()
                return float((w * inside[side]).sum() / total) if total else float("nan")

            return of

        if not n:
            return {**_NOTHING, "n": n, "k": k}
        pair = self.measure(among, {side: share(side) for side in SIDES})
        for side in SIDES:
            if k[side] in (0, n):
                own, _, _ = rate(hits[side], among, self._clusters, np.random.default_rng(0))
                pair[side] = own.as_json()
        if k["a"] in (0, n) and k["b"] in (0, n):
            pair["difference"] = {**_NONE, "value": pair["difference"]["value"]}
        return {**pair, "n": n, "k": k}


_NONE: dict[str, float | None] = {"value": None, "low": None, "high": None}
_NOTHING: dict[str, Any] = {"a": _NONE, "b": _NONE, "difference": _NONE}


def _head(
    y: Floats, p: dict[str, Floats], thresholds: dict[str, Thresholds], paired: _Paired
) -> dict[str, Any]:
    there = ~np.isnan(y)
    known = y[there]
    counts = {"labelled": len(known), "positive": int(known.sum())}
    if counts["positive"] in (0, len(known)):
        return {**counts, "note": "only one class is labelled: nothing can be measured"}
    order = {side: np.argsort(-p[side][there], kind="stable") for side in SIDES}

    def ranked(name: str, side: str) -> Callable[[Floats], float]:
        rows = order[side]
        truth, probability = known[rows], p[side][there][rows]
        return lambda w: RANKED[name](truth, probability, w[rows])

    figures = {
        name: paired.measure(there, {side: ranked(name, side) for side in SIDES}) for name in RANKED
    }
    bands = {}
    for name in ("low", "high"):
        at = {side: getattr(thresholds[side], name) for side in SIDES}
        if None in at.values():
            continue
        above = {side: p[side] >= at[side] for side in SIDES}
        bands[name] = {
            "thresholds": at,
            "sensitivity": paired.rate(y == 1, above),
            "specificity": paired.rate(y == 0, {side: ~above[side] for side in SIDES}),
        }
    return {**counts, **figures, "bands": bands}


def _without_police(made: pd.DataFrame) -> NDArray[np.bool_]:
    return (~made["police"].fillna(True)).to_numpy(dtype=bool)


def _with_police(made: pd.DataFrame) -> NDArray[np.bool_]:
    return made["police"].fillna(False).to_numpy(dtype=bool)


def _recommendation(
    y: NDArray[np.float64], made: dict[str, pd.DataFrame], paired: _Paired
) -> dict[str, Any]:
    crisis, risk = y[:, 0], y[:, 1]
    everything = np.ones(len(y), dtype=bool)
    response = {side: made[side]["response"].to_numpy() for side in SIDES}
    names = sorted({*response["a"], *response["b"]})
    without = {side: _without_police(made[side]) for side in SIDES}
    police = {side: _with_police(made[side]) for side in SIDES}
    return {
        "table": {
            str(x): {
                str(z): int(((response["a"] == x) & (response["b"] == z)).sum()) for z in names
            }
            for x in names
        },
        "same": int((response["a"] == response["b"]).sum()),
        "rates": {
            "missed risks": paired.rate(risk == 1, without),
            "needless police": paired.rate((crisis == 1) & (risk == 0), police),
            "crises helped without police": paired.rate((crisis == 1) & (risk == 0), without),
            "left to protocol": paired.rate(
                everything, {side: response[side] == PROTOCOL for side in SIDES}
            ),
            "abstained": paired.rate(
                everything,
                {side: made[side]["abstained"].to_numpy(dtype=bool) for side in SIDES},
            ),
        },
    }


def _groups(
    column: pd.Series, y: NDArray[np.float64], made: dict[str, pd.DataFrame], paired: _Paired
) -> dict[str, Any]:
    """Set the share of risks that lie in the band low side by side, group by group."""
    names = column.astype("string").fillna("not known").to_numpy(dtype=object)
    low = {side: _low(made[side]) for side in SIDES}
    found = {}
    for name in sorted(set(names)):  # a group without a risk has no share of them: it is blank
        found[str(name)] = paired.rate((names == name) & (y[:, 1] == 1), low)
    return found


def _low(made: pd.DataFrame) -> NDArray[np.bool_]:
    """Mark calls whose safety risk was called low; where the model abstained, it said nothing."""
    return (made[f"{RISK}_band"] == "low").fillna(False).to_numpy(dtype=bool)


def _parted(calls: pd.DataFrame, made: dict[str, pd.DataFrame]) -> list[dict[str, Any]]:
    """Name calls on which the two recommend different responses, the largest kinds first."""
    frame = pd.DataFrame(
        {
            "call_id": calls["call_id"].to_numpy(),
            "revision": calls["revision"].to_numpy(),
            **{side: made[side]["response"].to_numpy() for side in SIDES},
            "change": np.abs(made["b"][RISK].to_numpy() - made["a"][RISK].to_numpy()),
        }
    )
    frame = frame[frame["a"] != frame["b"]]
    kinds = [
        {
            "a": str(x),
            "b": str(z),
            "calls": len(rows),
            "examples": [
                {"call_id": str(call), "revision": int(revision)}
                for call, revision in rows.sort_values("change", ascending=False, kind="stable")[
                    ["call_id", "revision"]
                ]
                .head(MAX_EXAMPLES)
                .itertuples(index=False)
            ],
        }
        for (x, z), rows in frame.groupby(["a", "b"], sort=True)
    ]
    return sorted(kinds, key=lambda kind: -int(str(kind["calls"])))
