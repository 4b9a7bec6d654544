"""Is a group treated unlike the rest? Three answers, and never silence for equality.

Each group is compared with all other calls, itself excluded. A gap is the group's figure less the
rest's.

Shares are tested by the score test for two binomial shares of as many calls as they are worth
(`training.audit.uncertainty`), or by Fisher's exact test where fewer than ten hits or misses are
expected on a side; their gap has Newcombe's hybrid interval (1998, Statistics in Medicine 17,
873-890, method 10). Figures of the bootstrap are tested by their gap over its standard error.

The false discovery rate is held at 5% over all groups and measures of a report together, after
Benjamini and Yekutieli (2001, Annals of Statistics 29), by `scipy.stats.false_discovery_control`.
Theirs and not Benjamini and Hochberg's: missed and found, flagged and missed, a group and the rest
that the next group is compared with all hang together, some of them negatively, and only theirs
holds under any dependence. It costs power, and buys that a report on a fair model stays quiet.

What the plan's limits name is a family of its own, as the main questions of a trial are: they were
written down before anybody saw the calls, and a few of them should not have to stand out among a
thousand others. Each family is held at half the rate, so that the whole report is held at all of
it: the false share of a union is no larger than the sum of the false shares of its parts.

- *differs*: the adjusted p-value is at most 0.05.
- *no difference found*: it is not, and the 95% interval of the gap lies within the smallest gap
  that matters on both sides, so that a larger one is ruled out (two one-sided tests; Schuirmann
  1987).
- *insufficient evidence*: neither. With it stands how many calls of the group would suffice: so
  many that a gap as large as the smallest that matters is found four times out of five even if it
  is the only one in the report, by the usual calculation from standard errors (Fleiss, Levin and
  Paik 2003, Statistical Methods for Rates and Proportions, section 4.2).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.stats import false_discovery_control, fisher_exact, norm

from training.audit.uncertainty import Shares, Z, variance, wilson

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

Verdict = Literal["differs", "no difference found", "insufficient evidence"]
DIFFERS: Verdict = "differs"
NO_DIFFERENCE: Verdict = "no difference found"
INSUFFICIENT: Verdict = "insufficient evidence"

FALSE_DISCOVERIES = 0.05
POWER = 0.8
LEAST_CALLS = 10
"""Calls on either side that a comparison needs; fewer can prove nothing and are not tested."""

EXPECTED = 10.0
"""Hits and misses on each side below which the exact test is used."""


@dataclass(frozen=True)
class Gaps:
    """The gap of each group to the rest.

    Parameters
    ----------
    rest : ndarray of shape (n_groups,)
        The figure of the rest.
    gap, low, high, p : ndarray of shape (n_groups,)
        The gap, its 95% interval and p-value; NaN where nothing can be compared.
    own, others : ndarray of shape (n_groups,)
        Variance of the group's figure, times its number of calls, and variance of the rest's.
    """

    rest: Floats
    gap: Floats
    low: Floats
    high: Floats
    p: Floats
    own: Floats
    others: Floats


def share_gaps(shares: Shares, weights: Floats, matters: float) -> Gaps:
    """Compare shares.

    Parameters
    ----------
    shares : Shares
    weights : ndarray of shape (n_groups,)
        Sum of the weights of the calls that each share is of.
    matters : float
        The smallest gap that matters.

    Returns
    -------
    Gaps
    """
    p, n = shares.value, shares.worth
    hits = np.where(weights > 0, np.nan_to_num(p) * weights, 0.0)
    whole, count = weights.sum(), shares.calls
    with np.errstate(divide="ignore", invalid="ignore"):
        rest = (hits.sum() - hits) / (whole - weights)
        # The variance of the rest is made of those of the groups: they are drawn independently.
        noise = np.where(n > 0, weights**2 * np.nan_to_num(p * (1 - p)) / np.maximum(n, 1e-9), 0.0)
        spread = (noise.sum() - noise) / (whole - weights) ** 2
        most = n.sum() - n
        within = np.where(spread > 0, rest * (1 - rest) / spread, most)
        m = np.where(whole - weights > 0, np.minimum(within, most), 0.0)
        low_g, high_g = wilson(p, n)
        low_r, high_r = wilson(rest, m)
        gap = p - rest
        low = gap - np.sqrt((p - low_g) ** 2 + (high_r - rest) ** 2)
        high = gap + np.sqrt((high_g - p) ** 2 + (rest - low_r) ** 2)
        # What calls of the group would tell, if its share were as far from the rest's as matters,
        # on the side where shares vary more: what it has shown so far may be chance.
        nearer = np.where(rest < 0.5, rest + matters, rest - matters)
        guess = np.where((rest < 0.5) == (nearer < 0.5), nearer, 0.5)
        own = guess * (1 - guess) * np.where(n > 0, count / np.maximum(n, 1e-9), 1.0)
    enough = (count >= LEAST_CALLS) & (count.sum() - count >= LEAST_CALLS)
    tested = [_p_value(p[g], n[g], rest[g], m[g]) if enough[g] else np.nan for g in range(len(p))]
    return Gaps(rest, gap, low, high, np.array(tested), own, spread)


def _p_value(p: float, n: float, rest: float, m: float) -> float:
    """Test two shares against each other."""
    both = (p * n + rest * m) / (n + m)
    if both in (0.0, 1.0):
        return 1.0
    if min(n, m) * min(both, 1 - both) < EXPECTED:
        n, m = max(1.0, n), max(1.0, m)
        a, c = round(p * n), round(rest * m)
        return float(fisher_exact([[a, round(n) - a], [c, round(m) - c]]).pvalue)
    error = np.sqrt(both * (1 - both) * (1 / n + 1 / m))
    return float(2 * norm.sf(abs(p - rest) / error))


def drawn_gaps(value: Floats, rest: Floats, drawn: Floats, rest_drawn: Floats, n: Floats) -> Gaps:
    """Compare figures of a bootstrap.

    Parameters
    ----------
    value, rest : ndarray of shape (n_groups,)
        The figure of each group and of the rest.
    drawn, rest_drawn : ndarray of shape (n_groups, n_resamples)
    n : ndarray of shape (n_groups,)
        Calls of each group.

    Returns
    -------
    Gaps
        NaN where a tenth of the resamples or more have no figure.
    """
    own, others = variance(drawn), variance(rest_drawn)
    gap = value - rest
    with np.errstate(divide="ignore", invalid="ignore"):
        error = np.sqrt(own + others)
        p = 2 * norm.sf(np.abs(gap) / error)
    return Gaps(rest, gap, gap - Z * error, gap + Z * error, p, own * n, others)


def adjusted(p: Floats, named: Flags) -> Floats:
    """Adjust p-values for their number, after Benjamini and Yekutieli; NaN stays NaN.

    Parameters
    ----------
    p : ndarray of shape (n,)
    named : ndarray of shape (n,)
        Those that the plan names: a family of their own.
    """
    made = np.full(len(p), np.nan)
    families = _families(p, named)
    for family in families:
        one = false_discovery_control(np.clip(p[family], 0, 1), method="by")
        made[family] = np.minimum(one * len(families), 1.0)
    return made


def strictest(p: Floats, named: Flags) -> Floats:
    """Give the p-value that each gap would need if it were the only one of its family.

    Parameters
    ----------
    p : ndarray of shape (n,)
        NaN where nothing was tested.
    named : ndarray of shape (n,)
    """
    level = np.full(len(p), FALSE_DISCOVERIES)
    families = _families(p, named)
    for family in families:
        n = int(family.sum())
        same = named == named[family][0]
        level[same] /= len(families) * n * float((1 / np.arange(1, n + 1)).sum())
    return level


def _families(p: Floats, named: Flags) -> list[Flags]:
    """Part what was tested into the families that hold anything."""
    there = ~np.isnan(p)
    return [family for family in (there & named, there & ~named) if family.any()]


def judge(adjusted_p: Floats, low: Floats, high: Floats, matters: Floats) -> list[Verdict]:
    """Give the verdicts; NaN anywhere is insufficient evidence.

    Parameters
    ----------
    adjusted_p, low, high, matters : ndarray of shape (n,)
    """
    differs = adjusted_p <= FALSE_DISCOVERIES
    ruled_out = ~np.isnan(adjusted_p) & (low > -matters) & (high < matters)
    return [
        DIFFERS if d else NO_DIFFERENCE if r else INSUFFICIENT
        for d, r in zip(differs, ruled_out, strict=True)
    ]


def sufficient(own: Floats, others: Floats, matters: Floats, level: Floats) -> Floats:
    """Tell how many calls of the group would suffice; NaN where no number would.

    Parameters
    ----------
    own : ndarray of shape (n,)
        Variance of the group's figure, times its number of calls.
    others : ndarray of shape (n,)
        Variance of the rest's figure. Where this alone is too large, the rest is too few.
    matters : ndarray of shape (n,)
        The smallest gap that matters.
    level : ndarray of shape (n,)
        The p-value that is needed.
    """
    reach = matters / (norm.ppf(1 - level / 2) + norm.ppf(POWER))
    with np.errstate(divide="ignore", invalid="ignore"):
        needed = np.ceil(own / (reach**2 - others))
    return np.where(needed > 0, needed, np.nan)
