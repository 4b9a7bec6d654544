"""The bound holds as often as it says, and clusters are worth no more than they are."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import beta

from training.confidence import interval, lower_bounds


def bound(hits: list[int], clusters: list[int]) -> float:
    made = np.array(hits, dtype=bool)[:, None]
    return float(lower_bounds(made, np.array(clusters, dtype=object))[0])


def test_independent_calls_are_clopper_and_pearson_s() -> None:
    hits = [1] * 190 + [0] * 10
    exact = beta.ppf(0.05, 190, 11)
    # A cluster for each call: the design effect is n / (n - 1).
    assert bound(hits, list(range(200))) == pytest.approx(exact, abs=2e-3)
    assert bound([1] * 80, list(range(80))) == pytest.approx(0.05 ** (1 / 80))


def test_calls_that_miss_together_are_worth_less() -> None:
    hits = [1] * 190 + [0] * 10
    together = [number // 10 for number in range(200)]
    assert bound(hits, together) < bound(hits, list(range(200))) - 0.03
    assert bound([1] * 200, together) == pytest.approx(0.05 ** (1 / 20))


def test_one_cluster_says_nothing_and_no_hit_is_nothing() -> None:
    assert bound([1] * 500, [1] * 500) == 0.0
    assert bound([0] * 50, list(range(50))) == 0.0


def test_it_does_not_depend_on_the_names_or_the_order() -> None:
    rng = np.random.default_rng(3)
    hits, clusters = rng.random((300, 4)) < 0.9, rng.integers(0, 40, 300).astype(object)
    order = rng.permutation(300)
    named = np.array([f"family {c}" for c in clusters], dtype=object)
    expected = lower_bounds(hits, clusters)
    assert lower_bounds(hits[order], named[order]) == pytest.approx(expected)


@pytest.mark.parametrize(("families", "spread"), [(25, 30.0), (60, 30.0), (60, 8.0)])
def test_it_lies_below_the_truth_as_often_as_it_says(families: int, spread: float) -> None:
    """Families whose own sensitivities differ (a beta law of mean 0.95), drawn 600 times."""
    rng = np.random.default_rng(0)
    kept = 0
    for _ in range(600):
        own = rng.beta(0.95 * spread, 0.05 * spread, families)
        size = rng.integers(2, 20, families)
        clusters = np.repeat(np.arange(families), size)
        hits = rng.random(len(clusters)) < own[clusters]
        kept += bool(lower_bounds(hits[:, None], clusters.astype(object))[0] <= 0.95)
    assert kept / 600 >= 0.93


def test_both_bounds_of_independent_calls_are_clopper_and_pearson_s() -> None:
    hits = np.arange(200) < 30
    low, high = interval(hits, np.arange(200))
    assert low == pytest.approx(beta.ppf(0.025, 30, 171), abs=2e-3)
    assert high == pytest.approx(beta.ppf(0.975, 31, 170), abs=2e-3)
    assert interval(hits, np.zeros(200, dtype=int)) == (0.0, 1.0)
    assert interval(~hits, np.arange(200)) == pytest.approx((1 - high, 1 - low))


def test_equal_weights_are_none() -> None:
    rng = np.random.default_rng(5)
    hits, clusters = rng.random((200, 3)) < (0.0, 0.7, 1.0), rng.integers(0, 50, 200)
    expected = lower_bounds(hits, clusters)
    assert lower_bounds(hits, clusters, weights=np.full(200, 7.3)) == pytest.approx(expected)


def test_a_weighted_interval_holds_the_truth_as_often_as_it_says() -> None:
    """Hits are drawn rarer than misses, and calls weighted by one over the chance of each."""
    rng = np.random.default_rng(1)
    kept = 0
    for _ in range(600):
        strata = rng.random(400) < 0.5
        hits = rng.random(400) < np.where(strata, 0.9, 0.4)
        drawn = rng.random(400) < np.where(strata, 0.3, 0.9)
        weights = np.where(strata, 1 / 0.3, 1 / 0.9)[drawn]
        low, high = interval(hits[drawn], np.arange(int(drawn.sum())), weights)
        kept += low <= 0.65 <= high
    assert 0.93 <= kept / 600 <= 0.99
