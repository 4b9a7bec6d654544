"""Intervals of shares, means and differences whose calls come in clusters.

Every estimate here is a smooth function of weighted sums, so its variance is that of the sum of its
calls' influences, summed by cluster first (Taylor linearisation: Binder 1983, International
Statistical Review 51; Sarndal, Swensson and Wretman 1992, Model Assisted Survey Sampling, section
5.5). Nothing is drawn at random: the same calls give the same interval.

A share gets Clopper and Pearson's interval at the sample size that its variance is worth (Korn and
Graubard 1998, Survey Methodology 24); it holds near 0 and 1, where a share's standard error does
not. A difference is put together from the two intervals by square-and-add (Newcombe 1998,
Statistics in Medicine 17; with correlation Zou and Donner 2008, Statistics in Medicine 27).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta, t

from training.metrics import Figure

Floats = NDArray[np.float64]

LEVEL = 0.95
ROUNDING = 1e-12
"""A share this near to 0 or 1 is 0 or 1 but for rounding."""

UNKNOWN = Figure(math.nan, math.nan, math.nan)


def cluster_sums(influence: Floats, member: NDArray[np.int64]) -> Floats:
    """Sum influences by cluster.

    Parameters
    ----------
    influence : ndarray of shape (n_calls, n_estimates)
    member : ndarray of shape (n_calls,)
        Number of each call's cluster, from 0.

    Returns
    -------
    ndarray of shape (n_clusters, n_estimates)
        Of the clusters that have a call here.
    """
    there = np.bincount(member) > 0
    return np.column_stack([np.bincount(member, column)[there] for column in influence.T])


def clusters_of(member: NDArray[np.int64]) -> int:
    """Count the clusters that calls are of."""
    return int(np.count_nonzero(np.bincount(member)))


def covariance(sums: Floats) -> Floats:
    """Give the covariance of estimates, (n_estimates, n_estimates), from their `cluster_sums`.

    NaN with fewer than two clusters: one says nothing of others.
    """
    m = len(sums)
    if m < 2:
        return np.full((sums.shape[1], sums.shape[1]), np.nan)
    centred = sums - sums.mean(axis=0)
    made: Floats = m / (m - 1) * centred.T @ centred
    return made


def variances(sums: Floats) -> Floats:
    """Give the variances of estimates, (n_estimates,): the diagonal of their `covariance`."""
    m = len(sums)
    if m < 2:
        return np.full(sums.shape[1], np.nan)
    made: Floats = m / (m - 1) * ((sums - sums.mean(axis=0)) ** 2).sum(axis=0)
    return made


def share(value: float, variance: float, *, worth: float, clusters: int) -> Figure:
    """Give a share with its interval.

    Parameters
    ----------
    value : float
        0 to 1.
    variance : float
    worth : float
        The most calls that it can be worth: Kish's (sum of weights)^2 / sum of squared weights.
    clusters : int
        Where none or all are hits nothing tells how alike a cluster's calls are, and each cluster
        counts as one call.
    """
    if clusters < 2 or math.isnan(variance):
        return Figure(value, math.nan, math.nan)
    value = _snapped(value)
    if 0 < value < 1 and variance > ROUNDING**2:
        tail = 1 - (1 - LEVEL) / 2
        few = (t.ppf(tail, max(worth - 1, 1)) / t.ppf(tail, clusters - 1)) ** 2
        worth = min(worth, value * (1 - value) / variance * few)
    else:
        worth = min(worth, clusters)
    k, tail = value * worth, (1 - LEVEL) / 2
    low = 0.0 if value == 0 else float(beta.ppf(tail, k, worth - k + 1))
    high = 1.0 if value == 1 else float(beta.ppf(1 - tail, k + 1, worth - k))
    return Figure(value, min(low, value), max(high, value))


def correlation(spread: Floats) -> float:
    """Give the correlation of two estimates from their `covariance`; 0 where one can't vary."""
    own = np.diagonal(spread)
    if not (own > ROUNDING**2).all():
        return 0.0
    return float(np.clip(spread[0, 1] / math.sqrt(own[0] * own[1]), -1, 1))


def _snapped(value: float) -> float:
    """Take what is 0 or 1 but for rounding as that."""
    if value < ROUNDING:
        return 0.0
    return 1.0 if value > 1 - ROUNDING else value


def mean(value: float, variance: float, *, clusters: int) -> Figure:
    """Give a mean, or a difference of means, with Student's interval for so many clusters."""
    if clusters < 2 or math.isnan(variance):
        return Figure(value, math.nan, math.nan)
    half = float(t.ppf(1 - (1 - LEVEL) / 2, clusters - 1)) * math.sqrt(variance)
    return Figure(value, value - half, value + half)


def difference(one: Figure, other: Figure, correlation: float = 0.0) -> Figure:
    """Give `one - other` with the interval that follows from both of theirs.

    Examples
    --------
    >>> gap = difference(Figure(0.3, 0.2, 0.4), Figure(0.1, 0.05, 0.2))
    >>> [round(value, 3) for value in gap]
    [0.2, 0.059, 0.312]
    """
    value = one.value - other.value
    below, above = one.value - one.low, one.high - one.value
    under, over = other.value - other.low, other.high - other.value
    low = below**2 + over**2 - 2 * correlation * below * over
    high = above**2 + under**2 - 2 * correlation * above * under
    return Figure(value, value - math.sqrt(max(low, 0.0)), value + math.sqrt(max(high, 0.0)))


def weighted_share(
    hits: Floats, weights: Floats, member: NDArray[np.int64], *, binary: bool = True
) -> Figure:
    """Give the weighted share of hits, or the weighted mean of values.

    Parameters
    ----------
    hits : ndarray of shape (n_calls,)
        0 or 1 where `binary`; else any values.
    weights : ndarray of shape (n_calls,)
        Above 0.
    member : ndarray of shape (n_calls,)
        Number of each call's cluster.
    binary : bool

    Returns
    -------
    Figure
        NaN without a call.
    """
    if not len(hits):
        return UNKNOWN
    total = weights.sum()
    value = float((weights * hits).sum() / total)
    sums = cluster_sums((weights * (hits - value) / total)[:, None], member)
    variance = float(variances(sums)[0])
    if not binary:
        return mean(value, variance, clusters=len(sums))
    worth = float(total**2 / (weights**2).sum())
    return share(value, variance, worth=worth, clusters=len(sums))


def paired_change(
    first: NDArray[np.bool_], then: NDArray[np.bool_], weights: Floats, member: NDArray[np.int64]
) -> Figure:
    """Give the change of a share over the same calls: the share that became a hit, less that lost.

    Where no call changed the interval is not of no width: it says how many others might.

    Parameters
    ----------
    first, then : ndarray of shape (n_calls,)
    weights : ndarray of shape (n_calls,)
    member : ndarray of shape (n_calls,)
    """
    won, lost = (
        weighted_share(hits.astype(np.float64), weights, member)
        for hits in (then & ~first, first & ~then)
    )
    return difference(won, lost)
