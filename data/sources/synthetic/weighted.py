"""Drawing one of several things by weight, with nothing but `random.Random.random`."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate
from typing import Generic, TypeVar

T = TypeVar("T")


class Weighted(Generic[T]):
    """Things with weights.

    Parameters
    ----------
    items : sequence of length n
    weights : sequence of float of length n
        Not negative, at least one of them positive; they need not add up to one.

    Examples
    --------
    >>> Weighted(["a", "b", "c"], [1, 0, 3]).draw(lambda: 0.3)
    'c'
    """

    __slots__ = ("_cumulative", "_items", "_last", "_total")

    def __init__(self, items: Sequence[T], weights: Sequence[float]) -> None:
        kept = [(item, weight) for item, weight in zip(items, weights, strict=True) if weight > 0]
        if not kept:
            raise ValueError("nothing has a weight above 0")
        self._items = [item for item, _ in kept]
        self._cumulative = list(accumulate(weight for _, weight in kept))
        self._total = self._cumulative[-1]
        self._last = len(kept) - 1

    @classmethod
    def of(cls, weights: Mapping[T, float]) -> Weighted[T]:
        """Take the things and their weights from a mapping, in its order."""
        return cls(list(weights), list(weights.values()))

    def draw(self, random: Callable[[], float]) -> T:
        """Draw one of them."""
        return self._items[bisect_right(self._cumulative, random() * self._total, 0, self._last)]
