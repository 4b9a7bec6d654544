"""How sure a share is, and how spread out times are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import quantiles
from typing import NamedTuple

Z = 1.959963984540054
"""Of a 95% interval: the 97.5th percentile of the normal distribution."""

WIDE = 0.30
"""An interval wider than this is drawn as what little it tells: our choice."""


class Share(NamedTuple):
    """A share with its 95% interval."""

    k: int
    n: int
    low: float
    high: float

    @property
    def value(self) -> float:
        """The share itself; 0 of nothing."""
        return self.k / self.n if self.n else 0.0

    @property
    def wide(self) -> bool:
        """Whether so little is known that it tells next to nothing."""
        return self.high - self.low > WIDE

    def words(self) -> str:
        """Tell it with its interval.

        Examples
        --------
        >>> wilson(12, 100).words(), wilson(1, 999).words(), wilson(0, 0).words()
        ('12% (7–20%)', '<1% (0–1%)', 'none')
        """
        if not self.n:
            return "none"
        low, high = round(self.low * 100), round(self.high * 100)
        share = round(self.value * 100)
        return f"{'<1' if self.k and not share else share}% ({low}–{high}%)"


def wilson(k: int, n: int) -> Share:
    """Give the share k of n with Wilson's 95% interval (Wilson 1927, JASA 22:209-212).

    Calls count as independent of each other. Of nothing, nothing is known: 0 to 1.

    Examples
    --------
    >>> [round(bound, 3) for bound in wilson(19, 20)[2:]]
    [0.764, 0.991]
    """
    if n == 0:
        return Share(k, n, 0.0, 1.0)
    share, spread = k / n, Z * Z / n
    centre = (share + spread / 2) / (1 + spread)
    half = Z / (1 + spread) * math.sqrt(share * (1 - share) / n + spread / (4 * n))
    # None and all are bounds themselves, which arithmetic misses by its last digit.
    return Share(k, n, centre - half if k else 0.0, centre + half if k < n else 1.0)


class Spread(NamedTuple):
    """Quartiles of some values."""

    n: int
    lower: float
    median: float
    upper: float


def quartiles(values: Sequence[float]) -> Spread | None:
    """Give the quartiles of values; None of nothing.

    Where one falls between two values it is drawn between them (type 7 of Hyndman and Fan 1996,
    The American Statistician 50:361-365).

    Examples
    --------
    >>> quartiles([1, 2, 3, 4])
    Spread(n=4, lower=1.75, median=2.5, upper=3.25)
    """
    if not values:
        return None
    # Of one value alone the library wants to know nothing before Python 3.13.
    several = values if len(values) > 1 else [*values, *values]
    return Spread(len(values), *quantiles(several, n=4, method="inclusive"))
