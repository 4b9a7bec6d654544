"""Thresholds between the bands, found on validation calls to keep the response plan's promises."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

from model_service.model.plan import BandPromises, Thresholds

NEVER = 1.5
"""A threshold that no probability reaches: the band is never used."""


@dataclass(frozen=True)
class Evidence:
    """How a promise was kept on validation calls.

    Parameters
    ----------
    promise : float
        What the plan asks for.
    reached : float or None
        The rate at the threshold; None where no threshold keeps the promise.
    interval : (float, float) or None
        Wilson's 95% interval of `reached` (Wilson 1927). It takes calls as independent, which
        calls of one incident or scenario family are not.
    calls : int
        Calls that the rate is of: true cases for sensitivity, selected calls for precision.
    """

    promise: float
    reached: float | None
    interval: tuple[float, float] | None
    calls: int


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
    y: NDArray[np.float64], p: NDArray[np.float64], promises: BandPromises
) -> tuple[Thresholds, dict[str, Evidence]]:
    """Choose the two thresholds of one head.

    Parameters
    ----------
    y : ndarray of shape (n_calls,)
        1 or 0; missing labels are left out by the caller.
    p : ndarray of shape (n_calls,)
        Probabilities of a model that has not seen these calls.
    promises : BandPromises

    Returns
    -------
    Thresholds, dict
        `low` is the highest threshold whose sensitivity keeps the promise; `high` the lowest whose
        precision does, among those that are not below `low`. Where no such threshold reaches the
        precision, `high` lies above 1: the band is never used. The dict holds the `Evidence` for
        "low" and "high".
    """
    positive = np.sort(p[y == 1])
    # The threshold may leave out floor((1 - s)·n) of the n true cases.
    spare = int(np.floor((1 - promises.low.sensitivity) * len(positive) + 1e-9))
    low = float(positive[spare])
    kept = int((positive >= low).sum())

    order = np.argsort(-p, kind="stable")
    hits = np.cumsum(y[order])
    selected = np.arange(1, len(p) + 1)
    # A threshold takes all calls of equal probability or none: look at the last of each run only.
    last = np.r_[np.diff(p[order]) != 0, True]
    keeps = last & (hits / selected >= promises.high.precision) & (p[order] >= low)
    good = np.flatnonzero(keeps)
    if len(good):
        high = float(p[order][good[-1]])
        chosen = p >= high
        n, k = int(chosen.sum()), int(y[chosen].sum())
        precise = Evidence(promises.high.precision, k / n, wilson(k, n), n)
    else:
        high = NEVER
        precise = Evidence(promises.high.precision, None, None, 0)
    sensitive = Evidence(
        promises.low.sensitivity,
        kept / len(positive),
        wilson(kept, len(positive)),
        len(positive),
    )
    return Thresholds(low=low, high=high), {"low": sensitive, "high": precise}
