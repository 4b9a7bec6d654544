"""Intervals know of incidents and weights, and hold."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit, logit
from scipy.stats import betabinom, binomtest
from sklearn.linear_model import LogisticRegression

from training.audit.pooling import pool
from training.audit.uncertainty import (
    Clusters,
    calibration_line,
    score_figures,
    score_types,
    wilson,
)


def one_group(incidents: np.ndarray, weight: np.ndarray | float = 1.0) -> Clusters:
    n = len(incidents)
    return Clusters(np.zeros(n, dtype=np.intp), 1, incidents, np.broadcast_to(weight, n).copy())


@pytest.mark.parametrize(("k", "n"), [(0, 12), (3, 40), (40, 40), (777, 1000)])
def test_single_calls_have_wilsons_interval(k: int, n: int) -> None:
    hits = np.arange(n) < k
    shares = one_group(np.arange(n)).shares(hits, np.ones(n, dtype=bool))
    expected = binomtest(k, n).proportion_ci(0.95, method="wilson")
    low, high = shares.interval()
    assert (low[0], high[0]) == pytest.approx((expected.low, expected.high), abs=1e-12)
    same = wilson(np.array([k / n]), np.array([float(n)]))
    assert (same[0][0], same[1][0]) == (low[0], high[0])


def test_copies_of_a_call_tell_nothing_new() -> None:
    rng = np.random.default_rng(0)
    hits = rng.random(300) < 0.3
    alone = one_group(np.arange(300)).shares(hits, np.ones(300, dtype=bool))
    copied = one_group(np.repeat(np.arange(300), 4)).shares(
        np.repeat(hits, 4), np.ones(1200, dtype=bool)
    )
    assert copied.calls[0] == 1200
    assert copied.worth[0] == pytest.approx(alone.worth[0], rel=0.01)


def test_unequal_weights_tell_less() -> None:
    rng = np.random.default_rng(0)
    hits, everyone = rng.random(400) < 0.3, np.ones(400, dtype=bool)
    weight = np.where(np.arange(400) < 200, 1.0, 9.0)
    shares = one_group(np.arange(400), weight).shares(hits, everyone)
    assert shares.worth[0] < 300
    equal = one_group(np.arange(400), 7.0).shares(hits, everyone)
    assert equal.worth[0] == pytest.approx(400, rel=0.01)


def test_shares_of_clustered_calls_are_covered() -> None:
    rng = np.random.default_rng(1)
    groups, incidents, inside = 500, 120, 3
    size = groups * incidents * inside
    place = np.repeat(np.arange(groups), incidents * inside)
    incident = np.repeat(np.arange(groups * incidents), inside)
    together = np.repeat(rng.random(groups * incidents) < 0.2, inside)
    hits = np.where(rng.random(size) < 0.6, together, rng.random(size) < 0.2)
    clusters = Clusters(place, groups, incident, np.ones(size))
    low, high = clusters.shares(hits, np.ones(size, dtype=bool)).interval()
    assert 0.92 < ((low <= 0.2) & (high >= 0.2)).mean() < 0.98


def test_the_bootstrap_spreads_as_incidents_do() -> None:
    rng = np.random.default_rng(2)
    n = 6000
    incident, weight = rng.integers(0, 3500, n), rng.choice([1.0, 2.5], n)
    types = rng.integers(-1, 4, n)
    clusters = one_group(incident, weight)
    counts, drawn = clusters.resampled(types, 4, rng, 4000)
    assert counts[0] == pytest.approx([weight[types == kind].sum() for kind in range(4)])
    share = drawn[0, :, 0] / drawn[0].sum(axis=1)
    assert share.mean() == pytest.approx(counts[0, 0] / counts[0].sum(), abs=0.001)
    # The linear variance of the same share, over incidents.
    there = types >= 0
    p = counts[0, 0] / counts[0].sum()
    part = np.bincount(incident[there], weight[there] * ((types[there] == 0) - p), 3500)
    assert share.std() == pytest.approx(np.sqrt((part**2).sum()) / counts[0].sum(), rel=0.05)


def test_resampling_goes_by_group_and_leaves_others_alone() -> None:
    rng = np.random.default_rng(4)
    group = rng.integers(0, 3, 900)
    types = np.where(group == 1, -1, group)
    clusters = Clusters(group, 3, np.arange(900), np.ones(900))
    counts, drawn = clusters.resampled(types, 3, rng, 50)
    assert counts[1].sum() == 0 and drawn[1].sum() == 0
    assert (drawn[0, :, 1:] == 0).all() and (drawn[2, :, :2] == 0).all()


def test_the_calibration_line_is_that_of_a_logistic_regression() -> None:
    rng = np.random.default_rng(5)
    z = rng.normal(-1, 1.5, 60)
    both = rng.integers(20, 60, 60).astype(float)
    positive = rng.binomial(both.astype(int), expit(0.4 + 0.7 * z)).astype(float)
    slope, intercept = calibration_line(both[None, :], positive[None, :], z)
    x = np.r_[z, z].reshape(-1, 1)
    y = np.r_[np.ones(60), np.zeros(60)]
    fitted = LogisticRegression(C=np.inf, tol=1e-10).fit(x, y, np.r_[positive, both - positive])
    assert slope[0] == pytest.approx(fitted.coef_[0, 0], abs=1e-4)
    # The intercept is where scores, moved by it, are right on average.
    assert (both * expit(intercept[0] + z)).sum() == pytest.approx(positive.sum())


def test_a_line_needs_calls_of_both_kinds() -> None:
    z = np.linspace(-2, 2, 20)
    both, positive = np.full((1, 20), 5.0), np.zeros((1, 20))
    assert np.isnan(calibration_line(both, positive, z)[0][0])
    assert np.isnan(calibration_line(both, both, z)[1][0])


def test_right_scores_have_slope_one_and_intercept_nought() -> None:
    rng = np.random.default_rng(6)
    p = expit(rng.normal(-1.5, 1.5, 200_000))
    truth = (rng.random(len(p)) < p).astype(float)
    of = score_types(truth, p)
    counts = np.bincount(of.types, minlength=200).astype(float)[None, :]
    right = score_figures(counts, of)
    assert right["calibration_slope"][0] == pytest.approx(1.0, abs=0.03)
    assert right["calibration_intercept"][0] == pytest.approx(0.0, abs=0.03)
    assert right["mean_score"][0] == pytest.approx(p.mean(), abs=1e-9)
    assert right["ece"][0] < 0.005
    too_sure = score_types(truth, expit(2 * logit(p)))
    counts = np.bincount(too_sure.types, minlength=200).astype(float)[None, :]
    assert score_figures(counts, too_sure)["calibration_slope"][0] == pytest.approx(0.5, abs=0.02)


def test_pooling_draws_small_groups_in_and_leaves_large_ones() -> None:
    worth = np.array([4.0, 40.0, 4000.0, 3000.0, 2500.0])
    share = np.array([1.0, 0.30, 0.20, 0.25, 0.15])
    made = pool(share, worth)
    assert made.value[0] < 0.7
    assert abs(made.value[2] - 0.20) < 0.01
    assert (made.low < made.value).all() and (made.value < made.high).all()
    assert made.high[0] - made.low[0] > made.high[2] - made.low[2]


def test_pooled_intervals_cover_groups_that_are_unlike_each_other() -> None:
    rng = np.random.default_rng(7)
    inside = []
    for _ in range(20):
        n = rng.integers(8, 400, 25)
        truth = rng.beta(6, 34, 25)
        made = pool(betabinom.rvs(n, 1e6 * truth, 1e6 * (1 - truth), random_state=rng) / n, n * 1.0)
        inside.append((made.low <= truth) & (truth <= made.high))
    assert 0.92 < np.mean(inside) < 0.98


def test_two_groups_have_nobody_to_borrow_from() -> None:
    made = pool(np.array([0.1, np.nan, 0.3]), np.array([50.0, 0.0, 60.0]))
    assert np.isnan(made.value).all()
