"""How sure each figure is: 95% intervals that know incidents and weights.

Shares
------
A share `p = sum(w h) / sum(w)` over calls with weights `w` and hits `h` has, over incidents `c`,
the variance `v = m / (m - 1) * sum_c(sum_{i in c} w_i (h_i - p))^2 / sum(w)^2` (the ratio
estimator's; Cochran 1977, Sampling Techniques, section 3.12). It is worth `p (1 - p) / v * (n - 1)
/ n` independent calls, at most Kish's `sum(w)^2 / sum(w^2)` (the factor makes it n for single
calls); where all or none are hits, each incident counts as one call. Wilson's interval (1927) is
taken of that many calls. Single calls of weight 1 so have Wilson's interval as it stands in books.

All other figures
-----------------
A bootstrap draws whole incidents within each group (Davison and Hinkley 1997, section 3.8), each
as often as a Poisson law of mean 1 says (Hanley and MacGibbon 2006, Computer Methods and Programs
in Biomedicine 83). Each call is of one of a few types - a bin of the score and whether it was a
true case - so that an incident is a handful of counts, and equal incidents are drawn together: the
same law, at a cost that hardly grows with the calls.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.special import expit, logit
from scipy.stats import norm, poisson

Floats = NDArray[np.float64]
Codes = NDArray[np.intp]

LEVEL = 0.95
Z = float(norm.ppf(1 - (1 - LEVEL) / 2))
RESAMPLES = 1000
BINS = 100
"""Bins of equal size that scores are put into; each score counts as the mean of its bin. Of ten
such one bin of the calibration error is made."""

ECE_BINS = 10
MIN_EACH = 10
"""True cases, and other calls, that a calibration line needs."""

_CLIP = 1e-6
_NEWTON = 12
_SETTLED = 1e-7


@dataclass(frozen=True)
class Shares:
    """A share by group.

    Parameters
    ----------
    hits, calls : ndarray of shape (n_groups,)
        Counts, unweighted.
    value : ndarray of shape (n_groups,)
        Weighted; NaN where there is no call.
    worth : ndarray of shape (n_groups,)
        As many independent calls would tell as much.
    """

    hits: Floats
    calls: Floats
    value: Floats
    worth: Floats

    def interval(self) -> tuple[Floats, Floats]:
        """Wilson's 95% interval of `worth` calls; NaN where there is none."""
        return wilson(self.value, self.worth)


def wilson(p: Floats, n: Floats, z: float = Z) -> tuple[Floats, Floats]:
    """Give Wilson's interval of a share of n calls (Wilson 1927); n need not be whole.

    Examples
    --------
    >>> low, high = wilson(np.array([0.95]), np.array([20.0]))
    >>> [round(float(bound[0]), 3) for bound in (low, high)]
    [0.764, 0.991]
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        middle = (p + z**2 / (2 * n)) / (1 + z**2 / n)
        half = z / (1 + z**2 / n) * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    return np.clip(middle - half, 0.0, 1.0), np.clip(middle + half, 0.0, 1.0)


class Clusters:
    """Incidents within groups, coded once for all measures.

    Parameters
    ----------
    groups : ndarray of shape (n_calls,)
        Code of each call's group.
    n_groups : int
    incidents : ndarray of shape (n_calls,)
        Code of each call's incident. One that lies in several groups counts in each by itself.
    weight : ndarray of shape (n_calls,)
    """

    def __init__(
        self, groups: Codes, n_groups: int, incidents: NDArray[np.integer], weight: Floats
    ) -> None:
        self.groups, self.n_groups, self.weight = groups, n_groups, weight
        pair = incidents.astype(np.int64) * n_groups + groups
        members, first = pd.factorize(pair)
        self.member = members.astype(np.intp)
        self.group_of = (first % n_groups).astype(np.intp)
        self.unweighted = bool((weight == 1).all())
        self.single = len(first) == len(pair)

    def shares(self, hits: NDArray[np.bool_], among: NDArray[np.bool_]) -> Shares:
        """Count a share by group.

        Parameters
        ----------
        hits, among : ndarray of shape (n_calls,)

        Returns
        -------
        Shares
        """
        rows = np.flatnonzero(among)
        h, w, g = hits[rows], self.weight[rows], self.groups[rows]
        n = self.n_groups
        count = np.bincount(g, minlength=n).astype(np.float64)
        whole = np.bincount(g, w, n)
        with np.errstate(divide="ignore", invalid="ignore"):
            p = np.bincount(g, w * h, n) / whole
            kish = whole**2 / np.bincount(g, w**2, n)
            if self.single and self.unweighted:
                worth = count
            else:
                worth = self._worth(rows, h, w, g, p, kish)
        hit = np.bincount(g[h], minlength=n).astype(np.float64)
        return Shares(hit, count, p, np.where(count > 0, worth, 0.0))

    def _worth(
        self, rows: Codes, h: NDArray[np.bool_], w: Floats, g: Codes, p: Floats, kish: Floats
    ) -> Floats:
        n = self.n_groups
        size = len(self.group_of)
        part = np.bincount(self.member[rows], w * (h - p[g]), size)
        weight = np.bincount(self.member[rows], w, size)
        there = weight > 0
        group = self.group_of[there]
        m = np.bincount(group, minlength=n).astype(np.float64)
        whole = np.bincount(group, weight[there], n)
        variance = m / (m - 1) * np.bincount(group, part[there] ** 2, n) / whole**2
        clusters = whole**2 / np.bincount(group, weight[there] ** 2, n)
        worth = p * (1 - p) / variance * (kish - 1) / kish
        flat = (p == 0) | (p == 1) | (m < 2)
        return np.where(flat, clusters, np.minimum(worth, kish))

    def resampled(
        self,
        types: Codes,
        n_types: int,
        rng: np.random.Generator,
        resamples: int = RESAMPLES,
    ) -> tuple[Floats, NDArray[np.float32]]:
        """Count types of calls by group, as they are and in resamples of incidents.

        Parameters
        ----------
        types : ndarray of shape (n_calls,)
            Type of each call; -1 for calls that do not count.
        n_types : int
        rng : numpy.random.Generator
        resamples : int

        Returns
        -------
        counts : ndarray of shape (n_groups, n_types)
        drawn : ndarray of shape (n_groups, resamples, n_types)
            Weighted counts.
        """
        rows = np.flatnonzero(types >= 0)
        cells = self.groups[rows] * n_types + types[rows]
        counts = np.zeros(self.n_groups * n_types)
        np.add.at(counts, cells, self.weight[rows])
        drawn = np.zeros((self.n_groups, resamples, n_types), dtype=np.float32)
        kinds, often, group = self._kinds(rows, types[rows], n_types)
        for code in np.unique(group):
            mine = group == code
            step = max(1, 5_000_000 // int(mine.sum()))
            for start in range(0, resamples, step):
                size = min(step, resamples - start)
                drawn[code, start : start + size] = (
                    kinds[mine].T @ _times(often[mine], size, rng)
                ).T
        return counts.reshape(self.n_groups, n_types), drawn

    def _kinds(
        self, rows: Codes, types: Codes, n_types: int
    ) -> tuple[csr_array, NDArray[np.int64], Codes]:
        """Put equal incidents together: their counts by type, how many there are, their group."""
        member, w = self.member[rows], self.weight[rows]
        size = len(self.group_of)
        # Incidents whose sums of random marks are equal are taken for equal: that two others have
        # the same sum has a chance of one in 2^64.
        marks = np.random.default_rng(0).integers(-(2**63), 2**63, n_types + self.n_groups)
        sums = marks[n_types + self.group_of]
        np.add.at(sums, member, marks[types] * np.round(w * 2**20).astype(np.int64))
        there = np.flatnonzero(np.bincount(member, minlength=size))
        number, _ = pd.factorize(sums[there])
        often = np.bincount(number).astype(np.int64)
        example = np.full(len(often), -1)
        example[number[::-1]] = there[::-1]
        place = np.full(size, -1)
        place[example] = np.arange(len(example))
        shown = place[member]
        keep = shown >= 0
        cells = (w[keep], (shown[keep], types[keep]))
        kinds = csr_array(cells, shape=(len(example), n_types), dtype=np.float32)
        return kinds, often, self.group_of[example]


def _times(
    often: NDArray[np.int64], resamples: int, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Draw how often incidents of each kind come up, of shape (n_kinds, resamples)."""
    times = np.empty((len(often), resamples), dtype=np.float32)
    once = often == 1
    # Most kinds of a large group are of one incident: looked up, in steps of 1 / 65,536.
    times[once] = _ONCE[rng.integers(0, 2**16, (int(once.sum()), resamples), dtype=np.uint16)]
    times[~once] = rng.poisson(often[~once, None], (len(often) - int(once.sum()), resamples))
    return times


_ONCE = np.searchsorted(
    np.round(poisson.cdf(np.arange(9), 1) * 2**16), np.arange(2**16), side="right"
).astype(np.float32)


def percentiles(draws: Floats) -> tuple[Floats, Floats]:
    """Give the middle 95% of resamples; NaN where a tenth of them or more have no figure.

    Parameters
    ----------
    draws : ndarray of shape (n_groups, n_resamples)
    """
    low, high = np.full(len(draws), np.nan), np.full(len(draws), np.nan)
    there = np.isfinite(draws).mean(axis=1) > 0.9
    if there.any():
        low[there], high[there] = np.nanpercentile(draws[there], [2.5, 97.5], axis=1)
    return low, high


def variance(draws: Floats) -> Floats:
    """Give the variance over resamples, read off the width of their middle four fifths.

    By quantiles and not by squares: a resample or two without a settled line would spoil these.

    Parameters
    ----------
    draws : ndarray of shape (n_groups, n_resamples)
    """
    made = np.full(len(draws), np.nan)
    there = np.isfinite(draws).mean(axis=1) > 0.9
    if there.any():
        low, high = np.nanquantile(draws[there], [0.1, 0.9], axis=1)
        made[there] = ((high - low) / (2 * norm.ppf(0.9))) ** 2
    return made


# --- scores ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ScoreTypes:
    """Bins of a score, the same for all groups; a type is `2 * bin + truth`.

    Parameters
    ----------
    types : ndarray of shape (n_calls,)
        -1 where truth or score is not known.
    score, log_odds : ndarray of shape (BINS,)
        Means within the bins.
    """

    types: Codes
    score: Floats
    log_odds: Floats


def score_types(truth: Floats, score: Floats) -> ScoreTypes:
    """Bin scores into bins of equal size, over all calls."""
    there = ~np.isnan(truth)
    p = score[there]
    edges = np.quantile(p, np.arange(1, BINS) / BINS) if len(p) else np.zeros(BINS - 1)
    bins = np.searchsorted(edges, p, side="right")
    z = logit(np.clip(p, _CLIP, 1 - _CLIP))
    n = np.maximum(np.bincount(bins, minlength=BINS), 1)
    types = np.full(len(truth), -1, dtype=np.intp)
    types[there] = 2 * bins + truth[there].astype(np.intp)
    return ScoreTypes(types, np.bincount(bins, p, BINS) / n, np.bincount(bins, z, BINS) / n)


def score_figures(counts: Floats, of: ScoreTypes) -> dict[str, Floats]:
    """Compute mean score, calibration error, slope and intercept of counts by type.

    Parameters
    ----------
    counts : ndarray of shape (n, 2 * BINS)
    of : ScoreTypes

    Returns
    -------
    dict of str to ndarray of shape (n,)
        NaN where there are too few calls.
    """
    counts = np.asarray(counts, dtype=np.float64)
    negative, positive = counts[:, ::2], counts[:, 1::2]
    both = negative + positive
    whole = both.sum(axis=1)
    gap = (both * of.score - positive).reshape(len(counts), ECE_BINS, -1).sum(axis=2)
    slope, intercept = calibration_line(both, positive, of.log_odds)
    with np.errstate(divide="ignore", invalid="ignore"):
        return {
            "mean_score": both @ of.score / whole,
            "ece": np.abs(gap).sum(axis=1) / whole,
            "calibration_slope": slope,
            "calibration_intercept": intercept,
        }


def calibration_line(both: Floats, positive: Floats, z: Floats) -> tuple[Floats, Floats]:
    """Fit calibration slope and intercept by Newton's method, many at once.

    Parameters
    ----------
    both, positive : ndarray of shape (n, n_points)
        Weight of all calls and of true cases at each point.
    z : ndarray of shape (n_points,)
        Log-odds of the score.

    Returns
    -------
    slope, intercept : ndarray of shape (n,)
        `b` of `y ~ a + b z`, and `a` of `y ~ a + z`; NaN where there are fewer than `MIN_EACH`
        true cases or other calls, or a line does not settle.
    """
    yes, no = positive.sum(axis=1), (both - positive).sum(axis=1)
    enough = (yes >= MIN_EACH) & (no >= MIN_EACH)
    slope, intercept = np.full(len(both), np.nan), np.full(len(both), np.nan)
    if not enough.any():
        return slope, intercept
    n, k = both[enough], positive[enough]
    a, b, only = np.zeros(len(n)), np.ones(len(n)), np.zeros(len(n))
    with np.errstate(all="ignore"):
        for _ in range(_NEWTON):
            p = expit(a[:, None] + b[:, None] * z)
            error, v = k - n * p, n * p * (1 - p)
            g0, g1 = error.sum(axis=1), error @ z
            h0, h1, h2 = v.sum(axis=1), v @ z, v @ z**2
            det = h0 * h2 - h1**2
            da, db = (h2 * g0 - h1 * g1) / det, (h0 * g1 - h1 * g0) / det
            a, b, moved = a + da, b + db, np.abs(da) + np.abs(db)
            q = expit(only[:, None] + z)
            step = (k - n * q).sum(axis=1) / (n * q * (1 - q)).sum(axis=1)
            only = only + np.clip(step, -3, 3)
            if max(np.nanmax(moved), np.nanmax(np.abs(step))) < _SETTLED:
                break
    slope[enough] = np.where(moved < 1e-4, b, np.nan)
    intercept[enough] = only
    return slope, intercept


# --- times ----------------------------------------------------------------------------------------

TIME_BINS = 200


def time_types(seconds: Floats) -> tuple[Codes, Floats]:
    """Bin times to decide, each bin up to 5% longer than the one before.

    Parameters
    ----------
    seconds : ndarray of shape (n_calls,)
        NaN where nothing was decided.

    Returns
    -------
    types : ndarray of shape (n_calls,)
        -1 where nothing was decided.
    middle : ndarray of shape (TIME_BINS,)
        Seconds in the middle of each bin, from 0.5 s to some two hours.
    """
    there = ~np.isnan(seconds)
    types = np.full(len(seconds), -1, dtype=np.intp)
    place = np.log(np.maximum(seconds[there], 0.5) / 0.5) / np.log(1.05)
    types[there] = np.clip(place, 0, TIME_BINS - 1).astype(np.intp)
    return types, 0.5 * np.power(1.05, np.arange(TIME_BINS) + 0.5)


def median_of(counts: Floats, middle: Floats) -> Floats:
    """Read the median off counts by bin, within its bin in proportion.

    Parameters
    ----------
    counts : ndarray of shape (n, n_bins)
    middle : ndarray of shape (n_bins,)
    """
    counts = np.asarray(counts, dtype=np.float64)
    whole = counts.sum(axis=1)
    running = np.cumsum(counts, axis=1)
    at = (running >= whole[:, None] / 2).argmax(axis=1)
    rows = np.arange(len(counts))
    inside = counts[rows, at]
    with np.errstate(divide="ignore", invalid="ignore"):
        part = (whole / 2 - (running[rows, at] - inside)) / inside
    return np.where(whole > 0, middle[at] * 1.05 ** (part - 0.5), np.nan)
