"""Thresholds between the bands, found on validation calls to keep the response plan's promises."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

from model_service.model.plan import BandPromises, SensitivityPromise, Thresholds
from training.confidence import lower_bounds

CHUNK = 64
"""Thresholds whose bounds are found at a time: all at once are a table of gigabytes."""

NEVER = 1.5
"""A threshold that no probability reaches: the band is never used."""


@dataclass(frozen=True)
class Evidence:
    """How a promise was kept on validation calls.

    Parameters
    ----------
    promise : float
        What the plan asks for.
    of : {"lower_bound", "estimate"}
        What must reach it.
    reached : float or None
        The rate at the threshold; None where no threshold keeps the promise.
    bound : float or None
        The one-sided lower 95% confidence bound of `reached` that respects clusters
        (`training.confidence`); where no threshold keeps the promise, the best bound of any.
    interval : (float, float) or None
        Wilson's 95% interval of `reached` (Wilson 1927). It takes calls as independent, which
        calls of one incident or scenario family are not.
    calls : int
        Calls that the rate is of: true cases for sensitivity, selected calls for precision.
    clusters : int
        Incidents or scenario families that these calls are of.
    """

    promise: float
    of: Literal["lower_bound", "estimate"]
    reached: float | None
    bound: float | None
    interval: tuple[float, float] | None
    calls: int
    clusters: int


def wilson(k: int, n: int) -> tuple[float, float]:
    """Wilson's 95% interval of k of n (Wilson 1927).

    Examples
    --------
    >>> [round(bound, 3) for bound in wilson(19, 20)]
    [0.764, 0.991]
    """
    interval = binomtest(k, n).proportion_ci(0.95, method="wilson")
    return float(interval.low), float(interval.high)


def choose(
    y: NDArray[np.float64],
    p: NDArray[np.float64],
    clusters: NDArray[np.object_],
    promises: BandPromises,
) -> tuple[Thresholds, dict[str, Evidence]]:
    """Choose the two thresholds of one head.

    Parameters
    ----------
    y : ndarray of shape (n_calls,)
        1 or 0; missing labels are left out by the caller.
    p : ndarray of shape (n_calls,)
        Probabilities of a model that has not seen these calls.
    clusters : ndarray of shape (n_calls,)
        Name of each call's incident or scenario family.
    promises : BandPromises

    Returns
    -------
    Thresholds, dict
        `low` is the highest threshold whose sensitivity, or the lower bound of it, keeps the
        promise; None where none does. `high` is the lowest whose precision keeps the promise,
        among those that are not below `low`. Where no such threshold reaches the precision, `high`
        lies above 1: the band is never used. The dict holds the `Evidence` for "low" and "high".
    """
    low, sensitive = _low(p[y == 1], clusters[y == 1], promises.low)

    order = np.argsort(-p, kind="stable")
    hits = np.cumsum(y[order])
    selected = np.arange(1, len(p) + 1)
    # A threshold takes all calls of equal probability or none: look at the last of each run only.
    last = np.r_[np.diff(p[order]) != 0, True]
    precision = promises.high.precision
    keeps = last & (hits / selected >= precision) & (p[order] >= (0.0 if low is None else low))
    good = np.flatnonzero(keeps)
    if len(good):
        high = float(p[order][good[-1]])
        chosen = p >= high
        n, k, groups = int(chosen.sum()), int(y[chosen].sum()), clusters[chosen]
        bound = float(lower_bounds(y[chosen, None] == 1, groups)[0])
        precise = Evidence(
            precision, "estimate", k / n, bound, wilson(k, n), n, len(set(groups.astype(str)))
        )
    else:
        high = NEVER
        precise = Evidence(precision, "estimate", None, None, None, 0, 0)
    return Thresholds(low=low, high=high), {"low": sensitive, "high": precise}


def _low(
    p: NDArray[np.float64], clusters: NDArray[np.object_], promise: SensitivityPromise
) -> tuple[float | None, Evidence]:
    """Find the highest threshold that keeps a promise of sensitivity, on true cases alone.

    A lower threshold misses no more than a higher one. So the search begins where the sensitivity
    itself reaches the promise, and ends where the bound does: what keeps it at one threshold keeps
    it at every lower one.
    """
    n, groups = len(p), len(set(clusters.astype(str)))
    values = np.unique(p)[::-1]
    kept = np.searchsorted(np.sort(-p), -values, side="right")
    first = int(np.flatnonzero(kept / n >= promise.sensitivity - 1e-12)[0])
    best = 0.0
    for start in range(first, len(values), CHUNK):
        bounds = lower_bounds(p[:, None] >= values[start : start + CHUNK], clusters)
        best = max(best, float(bounds.max()))
        good = np.flatnonzero(
            (bounds >= promise.sensitivity) if promise.of == "lower_bound" else bounds >= 0
        )
        if len(good):
            at = start + int(good[0])
            k, bound = int(kept[at]), float(bounds[good[0]])
            return float(values[at]), Evidence(
                promise.sensitivity, promise.of, k / n, bound, wilson(k, n), n, groups
            )
    return None, Evidence(promise.sensitivity, promise.of, None, best, None, n, groups)
