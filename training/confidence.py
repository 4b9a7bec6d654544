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

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta, t

LEVEL = 0.95
"""Of the one-sided bound: 19 of 20 such bounds lie below the true share."""


def lower_bounds(
    hits: NDArray[np.bool_], clusters: NDArray[np.object_], level: float = LEVEL
) -> NDArray[np.float64]:
    """Bound shares from below, one share per column.

    Parameters
    ----------
    hits : ndarray of shape (n_calls, n_shares)
    clusters : ndarray of shape (n_calls,)
        Name of each call's cluster.
    level : float

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
    n = len(hits)
    names, member = np.unique(clusters.astype(str), return_inverse=True)
    m = len(names)
    if m < 2:
        return np.zeros(hits.shape[1])
    size = np.bincount(member, minlength=m).astype(np.float64)
    inside = np.zeros((m, hits.shape[1]))
    np.add.at(inside, member, hits.astype(np.float64))
    share = inside.sum(axis=0) / n
    residuals = inside - size[:, None] * share
    variance = m / (m - 1) * (residuals**2).sum(axis=0) / n**2
    two_sided = 1 - (1 - level) / 2
    few = (t.ppf(two_sided, n - 1) / t.ppf(two_sided, m - 1)) ** 2
    with np.errstate(divide="ignore", invalid="ignore"):
        worth = share * (1 - share) / variance * few
    worth = np.where((share == 0) | (share == 1), m, np.minimum(worth, n))
    k = worth * share
    with np.errstate(invalid="ignore"):
        bound = beta.ppf(1 - level, k, worth - k + 1)
    return np.where(share == 0, 0.0, bound)
