"""The lower confidence bound of a share whose calls are not independent.

Calls of one incident, or of one scenario family, succeed and fail together. The bound is Clopper
and Pearson's (1934) with the sample shrunk to what it is worth: divided by the design effect (the
variance of the share over clusters, against that of as many independent calls) and by the square
of the ratio of Student's t for so many clusters to that for so many calls, after Korn and Graubard
("Confidence intervals for proportions with small expected number of positive counts estimated from
survey data", Survey Methodology 24, 1998). It holds at shares near 1, where a bootstrap, which can
only draw what was seen, says too much.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta, t

LEVEL = 0.95
"""Of the one-sided bound: 19 of 20 such bounds lie below the true share."""


def lower_bounds(
    hits: NDArray[np.bool_],
    clusters: NDArray[Any],
    level: float = LEVEL,
    weights: NDArray[np.float64] | None = None,
) -> NDArray[np.float64]:
    """Bound shares from below, one share per column.

    Parameters
    ----------
    hits : ndarray of shape (n_calls, n_shares)
    clusters : ndarray of shape (n_calls,)
        Name or number of each call's cluster.
    level : float
    weights : ndarray of shape (n_calls,), optional
        Of each call, greater than 0, such as one over its chance to be drawn. The share is the
        weighted one; no sample is worth more calls than Kish's (sum of weights)² / sum of squares
        ("Survey Sampling", 1965, section 11.7).

    Returns
    -------
    ndarray of shape (n_shares,)
        0 where there is but one cluster: it says nothing of others. Where no call misses (or
        none hits), nothing tells how alike the calls of a cluster are, and each cluster counts as
        one call.

    Examples
    --------
    >>> hits = np.ones((60, 1), dtype=bool)
    >>> alone, together = np.arange(60).astype(object), (np.arange(60) // 10).astype(object)
    >>> [round(float(lower_bounds(hits, c)[0]), 3) for c in (alone, together)]
    [0.951, 0.607]
    """
    w = np.ones(len(hits)) if weights is None else weights
    names = clusters if clusters.dtype.kind in "iu" else clusters.astype(str)
    member = np.unique(names, return_inverse=True)[1]
    m = int(member.max()) + 1 if len(member) else 0
    if m < 2:
        return np.zeros(hits.shape[1])
    inside = np.zeros((m, hits.shape[1]))
    np.add.at(inside, member, hits * w[:, None])
    share = inside.sum(axis=0) / w.sum()
    residuals = inside - np.bincount(member, w)[:, None] * share
    variance = m / (m - 1) * (residuals**2).sum(axis=0) / w.sum() ** 2
    n = w.sum() ** 2 / (w**2).sum()
    two_sided = 1 - (1 - level) / 2
    few = (t.ppf(two_sided, n - 1) / t.ppf(two_sided, m - 1)) ** 2
    with np.errstate(divide="ignore", invalid="ignore"):
        worth = share * (1 - share) / variance * few
    none, every = ~hits.any(axis=0), hits.all(axis=0)
    worth = np.where(none | every, min(m, n), np.minimum(worth, n))
    share = np.where(every, 1.0, share)  # a sum of weights may miss it by its rounding
    k = worth * share
    with np.errstate(invalid="ignore"):
        bound = beta.ppf(1 - level, k, worth - k + 1)
    return np.where(none, 0.0, bound)


def interval(
    hits: NDArray[np.bool_], clusters: NDArray[Any], weights: NDArray[np.float64] | None = None
) -> tuple[float, float]:
    """Bound one share from both sides, each at 97.5%: a 95% interval.

    Parameters
    ----------
    hits : ndarray of shape (n_calls,)
    clusters, weights : ndarray of shape (n_calls,)
        As `lower_bounds` takes them.

    Returns
    -------
    (float, float)
        0 and 1 where there are fewer than two clusters.
    """
    low, rest = lower_bounds(np.column_stack([hits, ~hits]), clusters, 1 - (1 - LEVEL) / 2, weights)
    return float(low), 1 - float(rest)
