"""Figures with 95% intervals, from a bootstrap that draws whole clusters.

Calls of one incident, or of one scenario family, are not independent: a bootstrap of single calls
would give intervals that are too narrow. Clusters are drawn with replacement (Davison & Hinkley
1997, section 3.8), and the percentiles of the figure over the draws are the interval.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

Floats = NDArray[np.float64]

RESAMPLES = 1000
BINS = 10


class Figure(NamedTuple):
    """A figure with its 95% interval; NaN where it can't be computed."""

    value: float
    low: float
    high: float

    def as_json(self) -> dict[str, float | None]:
        """Give the figure as JSON has it: null where it can't be computed."""
        return {name: None if np.isnan(part) else part for name, part in self._asdict().items()}


def auroc(y: Floats, p: Floats, w: Floats) -> float:
    """Compute the area under the ROC curve, ties counted half; weighted by w.

    Parameters
    ----------
    y, p, w : ndarray of shape (n_calls,), sorted by falling `p`
    """
    starts = np.flatnonzero(np.r_[True, np.diff(p) != 0])
    positive = np.add.reduceat(w * y, starts)
    negative = np.add.reduceat(w * (1 - y), starts)
    if positive.sum() == 0 or negative.sum() == 0:
        return float("nan")
    above = np.cumsum(positive) - positive
    area = (negative * (above + positive / 2)).sum()
    return float(area / (positive.sum() * negative.sum()))


def average_precision(y: Floats, p: Floats, w: Floats) -> float:
    """Compute average precision as scikit-learn defines it; weighted by w.

    Parameters
    ----------
    y, p, w : ndarray of shape (n_calls,), sorted by falling `p`
    """
    starts = np.flatnonzero(np.r_[True, np.diff(p) != 0])
    positive = np.add.reduceat(w * y, starts)
    selected = np.cumsum(np.add.reduceat(w, starts))
    if positive.sum() == 0:
        return float("nan")
    with np.errstate(invalid="ignore"):
        precision = np.nan_to_num(np.cumsum(positive) / selected)
    return float((precision * positive).sum() / positive.sum())


def brier(y: Floats, p: Floats, w: Floats) -> float:
    """Compute the mean squared distance between probability and truth; weighted by w."""
    return float((w * (p - y) ** 2).sum() / w.sum())


def calibration_error(y: Floats, p: Floats, w: Floats) -> float:
    """Compute the expected calibration error over ten bins of equal size; weighted by w.

    Parameters
    ----------
    y, p, w : ndarray of shape (n_calls,), sorted by falling `p`
    """
    starts = np.unique(np.linspace(0, len(p), BINS, endpoint=False).astype(int))
    gap = np.add.reduceat(w * (p - y), starts)
    return float(np.abs(gap).sum() / w.sum())


RANKED: dict[str, Callable[[Floats, Floats, Floats], float]] = {
    "auroc": auroc,
    "average_precision": average_precision,
    "brier": brier,
    "calibration_error": calibration_error,
}


def drawn_weights(
    clusters: NDArray[np.object_], rng: np.random.Generator, resamples: int = RESAMPLES
) -> Iterator[Floats]:
    """Draw clusters with replacement; yield how often each call is drawn, per resample.

    Parameters
    ----------
    clusters : ndarray of shape (n_calls,)
        Name of each call's cluster.
    rng : numpy.random.Generator
    resamples : int

    Yields
    ------
    ndarray of shape (n_calls,)
        `resamples` times, one at a time: all at once are 8 kB a call.
    """
    names, member = np.unique(clusters.astype(str), return_inverse=True)
    n = len(names)
    for _ in range(resamples):
        yield np.bincount(rng.integers(0, n, n), minlength=n)[member].astype(np.float64)


def cluster_weights(
    clusters: NDArray[np.object_], rng: np.random.Generator, resamples: int = RESAMPLES
) -> list[Floats]:
    """Keep the draws of `drawn_weights`, for paired comparisons over the same draws."""
    return list(drawn_weights(clusters, rng, resamples))


def with_interval(point: float, draws: list[float]) -> Figure:
    """Join a point figure with the percentiles of its bootstrap draws."""
    usable = np.array([draw for draw in draws if not np.isnan(draw)])
    # A figure that most resamples can't compute has no interval worth the name.
    if len(usable) < 0.9 * len(draws) or not len(usable):
        return Figure(point, float("nan"), float("nan"))
    low, high = np.percentile(usable, [2.5, 97.5])
    return Figure(point, float(low), float(high))


def head_figures(
    y: Floats, p: Floats, clusters: NDArray[np.object_], rng: np.random.Generator
) -> dict[str, Figure]:
    """Figures of one head on labelled calls.

    Parameters
    ----------
    y : ndarray of shape (n_calls,)
        1 or 0.
    p : ndarray of shape (n_calls,)
        Probabilities.
    clusters : ndarray of shape (n_calls,)
    rng : numpy.random.Generator

    Returns
    -------
    dict of str to Figure
        The figures named in `RANKED`.
    """
    order = np.argsort(-p, kind="stable")
    y, p, clusters = y[order], p[order], clusters[order]
    one = np.ones(len(p))
    draws: dict[str, list[float]] = {name: [] for name in RANKED}
    if len(set(clusters)) > 1:  # a single cluster is drawn whole each time: no interval
        for w in drawn_weights(clusters, rng):
            for name, measure in RANKED.items():
                draws[name].append(measure(y, p, w))
    return {
        name: with_interval(measure(y, p, one), draws[name]) for name, measure in RANKED.items()
    }


def rate(
    hits: NDArray[np.bool_],
    among: NDArray[np.bool_],
    clusters: NDArray[np.object_],
    rng: np.random.Generator,
) -> tuple[Figure, int, int]:
    """Share of the calls `among` that are also `hits`.

    Returns
    -------
    Figure, int, int
        The share with its cluster-bootstrap interval, how many hits, among how many. Where none or
        all are hits every draw says the same and the bootstrap knows no interval: there it is the
        exact one (Clopper & Pearson 1934), each cluster counted as one call. A share between, of
        the calls of a single cluster, has no interval.
    """
    n, k = int(among.sum()), int((hits & among).sum())
    if n == 0:
        return Figure(float("nan"), float("nan"), float("nan")), 0, 0
    members = clusters[among]
    independent = len(set(members))
    if k in (0, n):
        exact = binomtest(independent if k else 0, independent).proportion_ci(0.95, method="exact")
        return Figure(k / n, float(exact.low), float(exact.high)), k, n
    if independent == 1:
        return Figure(k / n, float("nan"), float("nan")), k, n
    inside = hits[among].astype(np.float64)
    draws = [float((w * inside).sum() / w.sum()) for w in drawn_weights(members, rng)]
    return with_interval(k / n, draws), k, n
