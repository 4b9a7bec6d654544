"""Thresholds keep the plan's promises, and are the best that do."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from model_service.model.plan import BandPromises, Thresholds
from training import thresholds
from training.confidence import lower_bounds
from training.thresholds import NEVER, Evidence, wilson


def promises(
    sensitivity: float = 0.9, precision: float = 0.7, of: str = "estimate"
) -> BandPromises:
    return BandPromises.model_validate(
        {"low": {"sensitivity": sensitivity, "of": of}, "high": {"precision": precision}}
    )


def choose(
    y: NDArray[np.float64], p: NDArray[np.float64], promised: BandPromises
) -> tuple[Thresholds, dict[str, Evidence]]:
    """Choose from calls that are independent."""
    return thresholds.choose(y, p, np.arange(len(p)).astype(object), promised)


def sensitivity(y: NDArray[np.float64], p: NDArray[np.float64], threshold: float) -> float:
    return float((p[y == 1] >= threshold).mean())


def precision(y: NDArray[np.float64], p: NDArray[np.float64], threshold: float) -> float:
    return float(y[p >= threshold].mean())


cases = st.lists(
    st.tuples(st.booleans(), st.integers(0, 12).map(lambda n: n / 12) | st.floats(0, 1)),
    min_size=1,
    max_size=40,
)
rates = st.sampled_from([0.05, 0.3, 1 / 3, 0.5, 0.6, 2 / 3, 0.7, 0.75, 0.8, 0.9, 0.95, 0.99])


@settings(max_examples=500)
@given(cases, rates, rates)
def test_against_every_threshold_there_is(
    made: list[tuple[bool, float]], asked: float, wanted: float
) -> None:
    y = np.array([truth for truth, _ in made], dtype=float)
    p = np.array([probability for _, probability in made])
    assume(y.any())
    chosen, evidence = choose(y, p, promises(asked, wanted))
    candidates = np.unique(p)

    keeps = [t for t in candidates if sensitivity(y, p, t) >= asked - 1e-12]
    assert chosen.low == max(keeps)
    assert chosen.low is not None
    assert evidence["low"].reached == sensitivity(y, p, chosen.low)
    assert evidence["low"].calls == y.sum()

    precise = [t for t in candidates if t >= chosen.low and precision(y, p, t) >= wanted]
    assert chosen.high == (min(precise) if precise else NEVER)
    if precise:
        assert evidence["high"].reached == precision(y, p, chosen.high)
        assert evidence["high"].reached >= wanted
        assert evidence["high"].calls == (p >= chosen.high).sum()
    else:
        assert evidence["high"].reached is None
        assert evidence["high"].interval is None


def test_a_precision_out_of_reach_leaves_the_band_unused() -> None:
    y = np.array([0, 1, 0, 1, 0, 1.0])
    p = np.array([0.9, 0.8, 0.7, 0.6, 0.5, 0.4])
    chosen, evidence = choose(y, p, promises(precision=0.9))
    assert chosen.high == NEVER
    assert {chosen.band(x) for x in (0.0, 0.5, 1.0)} == {"low", "medium"}
    assert evidence["high"].calls == 0


def test_a_precision_kept_only_below_low_is_not_kept() -> None:
    # From 0.1 on 8 of 10 are true, but low lies at 0.5, and from there on 2 of 4 are.
    p = np.array([0.9, 0.8, 0.6, 0.5] + [0.4, 0.3, 0.2, 0.15, 0.12, 0.1])
    y = np.array([0, 0, 1, 1] + [1, 1, 1, 1, 1, 1.0])
    chosen, evidence = choose(y, p, promises(sensitivity=0.25, precision=0.8))
    assert chosen.low == 0.5
    assert chosen.high == NEVER
    assert evidence["high"].reached is None


def test_calls_of_equal_probability_are_taken_together() -> None:
    p = np.array([0.9, 0.5, 0.5, 0.5, 0.5])
    y = np.array([1, 1, 0, 0, 0.0])
    chosen, evidence = choose(y, p, promises(sensitivity=0.9, precision=0.6))
    assert chosen.low == 0.5
    assert chosen.high == 0.9  # a cut within the ties would look like 2 of 2
    assert evidence["high"].reached == 1.0
    assert choose(y, np.full(5, 0.5), promises())[0].high == NEVER


def test_the_spare_true_cases_are_counted_exactly() -> None:
    p = np.arange(1, 21) / 21
    y = np.ones(20)
    lows = [choose(y, p, promises(sensitivity=s))[0].low for s in (0.9, 0.94, 0.95, 0.96)]
    assert lows == [p[2], p[1], p[1], p[0]]


def test_one_true_case() -> None:
    chosen, evidence = choose(np.array([1.0]), np.array([0.3]), promises())
    assert (chosen.low, chosen.high) == (0.3, 0.3)
    assert evidence["low"].interval is not None
    assert evidence["low"].interval[0] < 0.25  # one call proves little


@pytest.mark.parametrize(("k", "n"), [(0, 1), (0, 10), (5, 10), (10, 10), (19, 20), (300, 1000)])
def test_wilson_s_interval(k: int, n: int) -> None:
    z = 1.959963984540054
    centre = (k + z * z / 2) / (n + z * z)
    half = z / (n + z * z) * np.sqrt(k * (n - k) / n + z * z / 4)
    assert wilson(k, n) == pytest.approx((centre - half, centre + half), abs=1e-12)


def test_more_is_promised_at_a_lower_threshold() -> None:
    rng = np.random.default_rng(0)
    p = rng.random(500)
    y = (rng.random(500) < p).astype(float)
    lows = [choose(y, p, promises(sensitivity=s))[0].low for s in (0.5, 0.8, 0.9, 0.99)]
    highs = [choose(y, p, promises(0.999, precision=s))[0].high for s in (0.6, 0.7, 0.8, 0.9)]
    assert all(a >= b for a, b in pairwise(lows))
    assert all(a <= b for a, b in pairwise(highs))


def test_a_promised_bound_is_kept_at_the_highest_threshold_that_keeps_it() -> None:
    rng = np.random.default_rng(0)
    for families in (30, 400):
        clusters = rng.integers(0, families, 900).astype(object)
        y = (rng.random(900) < 0.5).astype(float)
        p = np.clip(0.2 + 0.5 * y + rng.normal(0, 0.15, 900), 0, 1)
        chosen, evidence = thresholds.choose(y, p, clusters, promises(0.9, of="lower_bound"))
        candidates = np.unique(p[y == 1])
        bounds = lower_bounds(p[y == 1, None] >= candidates, clusters[y == 1])
        assert chosen.low == max(candidates[bounds >= 0.9])
        low = evidence["low"]
        assert low.bound is not None and low.reached is not None
        assert low.reached > low.bound >= 0.9
        assert (low.calls, low.clusters) == ((y == 1).sum(), len(set(clusters[y == 1])))
        plain, _ = thresholds.choose(y, p, clusters, promises(0.9))
        assert plain.low is not None and chosen.low < plain.low


def test_too_few_true_cases_keep_no_promise() -> None:
    # With no miss at all the bound of n independent calls is 0.05 ** (1 / n): 0.95 takes 59.
    p = np.linspace(0.5, 1, 100)
    for n, kept in ((58, False), (59, True)):
        y = np.r_[np.zeros(100 - n), np.ones(n)]
        chosen, evidence = choose(y, p, promises(0.95, 0.5, of="lower_bound"))
        assert (chosen.low is not None) == kept
        low = evidence["low"]
        assert low.bound == pytest.approx(0.05 ** (1 / n))
        assert (low.reached is None) == (not kept)
        if not kept:
            assert low.interval is None
            assert low.calls == n
