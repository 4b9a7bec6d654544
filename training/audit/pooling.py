"""Small groups borrow from the others: a beta-binomial model of their shares.

The share of group `g` is drawn from a beta distribution of mean `m` and size `s`, and its hits are
binomial: `p_g ~ Beta(m s, (1 - m) s)`. Of `m` and `s` it is only taken for granted that
`p(m, s) ~ s^(-3/2)`, and what all groups together tell of them is summed up over a grid (Gelman et
al. 2013, Bayesian Data Analysis, section 5.3). Given both, the share of a group with `k` hits among
`n` calls is `Beta(m s + k, (1 - m) s + n - k)`; the pooled share is the mean of these over the
grid, its interval the central 95% of the beta distribution with their mean and variance. A group of
few calls is so drawn towards all groups' mean, one of many stays where it is. Plain empirical
Bayes, which takes the best `m` and `s` for known, gives intervals that are far too narrow where
groups are alike.

`n` is what the calls are worth (`training.audit.uncertainty`), so that incidents and weights count
here too. The pooled shares are for looking at many small groups without being led by the luckiest;
verdicts are made of the plain ones, since pooling hides the very group that is unlike the others.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaln, expit, logit
from scipy.stats import beta

Floats = NDArray[np.float64]

POINTS = 41
"""Of the grid, each way."""

MEANS = 4.0
"""How far the grid of the mean goes to both sides, in log-odds."""

SIZES = (np.log(0.5), np.log(1e6))
"""Of the logarithm of the size, from groups that have nothing in common to groups that are
alike."""

COUNTS = -12.0
"""Logarithm of a point's probability against the best one's below which it counts for nothing."""

MIN_GROUPS = 3


class Pooled(NamedTuple):
    """Pooled shares with 95% intervals, of shape (n_groups,); NaN where there is no call."""

    value: Floats
    low: Floats
    high: Floats


def pool(share: Floats, worth: Floats) -> Pooled:
    """Draw shares towards their common mean.

    Parameters
    ----------
    share : ndarray of shape (n_groups,)
        NaN where there is no call.
    worth : ndarray of shape (n_groups,)
        Number of calls, or as many as they are worth.

    Returns
    -------
    Pooled
        NaN throughout where fewer than three groups have calls: there is nobody to borrow from.

    Examples
    --------
    >>> made = pool(np.array([0.0, 0.2, 0.3, 0.25]), np.array([3.0, 500.0, 400.0, 600.0]))
    >>> bool(0.1 < made.value[0] < 0.25)
    True
    """
    there = (worth > 0) & ~np.isnan(share)
    value, low, high = (np.full(len(share), np.nan) for _ in range(3))
    if there.sum() < MIN_GROUPS:
        return Pooled(value, low, high)
    n, k = worth[there], worth[there] * share[there]
    chance, mean, size = _posterior(k, n)
    whole = size[:, None] + n
    middle = (mean[:, None] * size[:, None] + k) / whole
    first = chance @ middle
    second = chance @ (middle * (1 - middle) / (whole + 1) + middle**2)
    worth_of = first * (1 - first) / np.maximum(second - first**2, 1e-15) - 1
    value[there] = first
    low[there], high[there] = beta.ppf([[0.025], [0.975]], first * worth_of, (1 - first) * worth_of)
    return Pooled(value, low, high)


def _posterior(k: Floats, n: Floats) -> tuple[Floats, Floats, Floats]:
    """Sum up what the groups tell of mean and size: points of a grid with their probability.

    Returns
    -------
    chance, mean, size : ndarray of shape (n_points,)
        Only points that count for anything.
    """
    start = float(logit(np.clip(k.sum() / n.sum(), 1e-4, 1 - 1e-4)))
    means, sizes = (start - MEANS, start + MEANS), SIZES
    for _ in range(3):  # each time only where the last grid found anything
        x = np.linspace(*means, POINTS)
        t = np.linspace(*sizes, POINTS)
        mean, size = expit(x)[:, None], np.exp(t)[None, :]
        a, b = mean * size, (1 - mean) * size
        told = np.zeros((POINTS, POINTS))
        for hits, calls in zip(k, n, strict=True):
            told += betaln(hits + a, calls - hits + b) - betaln(a, b)
        # The prior in (log-odds of m, logarithm of s): s^(-1/2) m (1 - m).
        told += -0.5 * t + np.log(mean * (1 - mean))
        told -= told.max()
        means = _around(x, told.max(axis=1) > COUNTS)
        sizes = _around(t, told.max(axis=0) > COUNTS)
    chance = np.exp(told)
    there = chance > 1e-5
    m, s = np.broadcast_arrays(mean, size)
    return chance[there] / chance[there].sum(), m[there], s[there]


def _around(points: Floats, here: NDArray[np.bool_]) -> tuple[float, float]:
    """Give the ends of the part of a grid that counts, one step wider."""
    step = points[1] - points[0]
    found = points[here]
    return float(found[0] - step), float(found[-1] + step)
