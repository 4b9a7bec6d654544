"""Figures are scikit-learn's; intervals are those of clusters, and cover what they should."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score

from training import metrics
from training.metrics import (
    Figure,
    auroc,
    average_precision,
    brier,
    calibration_error,
    cluster_weights,
    drawn_weights,
    head_figures,
    rate,
    with_interval,
)

Array = np.ndarray[Any, np.dtype[np.float64]]


def falling(y: Any, p: Any, w: Any) -> tuple[Array, Array, Array]:
    y, p, w = (np.asarray(values, dtype=np.float64) for values in (y, p, w))
    order = np.argsort(-p, kind="stable")
    return y[order], p[order], w[order]


rows = st.lists(
    st.tuples(
        st.sampled_from([0.0, 1.0]),
        st.integers(0, 6).map(lambda n: n / 6) | st.floats(0, 1, allow_subnormal=False),
        st.integers(0, 3),
    ),
    min_size=2,
    max_size=60,
)


@settings(max_examples=150)
@given(rows)
def test_figures_are_those_of_scikit_learn(made: list[tuple[float, float, int]]) -> None:
    y, p, w = falling(*zip(*made, strict=True))
    assume((w * y).sum() > 0 and (w * (1 - y)).sum() > 0)
    assert auroc(y, p, w) == pytest.approx(roc_auc_score(y, p, sample_weight=w), abs=1e-12)
    assert average_precision(y, p, w) == pytest.approx(
        average_precision_score(y, p, sample_weight=w), abs=1e-12
    )
    assert brier(y, p, w) == pytest.approx(brier_score_loss(y, p, sample_weight=w), abs=1e-12)


@settings(max_examples=80)
@given(rows)
def test_a_weight_counts_as_so_many_calls(made: list[tuple[float, float, int]]) -> None:
    y, p, w = falling(*zip(*made, strict=True))
    assume(w.sum() > 0)
    repeated = [np.repeat(values, w.astype(int)) for values in (y, p)]
    ones = np.ones(len(repeated[0]))
    for measure in (auroc, average_precision, brier):
        weighted, plain = measure(y, p, w), measure(*repeated, ones)
        assert weighted == pytest.approx(plain, abs=1e-12, nan_ok=True)


def test_where_a_class_is_missing_there_is_no_figure() -> None:
    p = np.array([0.9, 0.5])
    one = np.ones(2)
    assert math.isnan(auroc(np.zeros(2), p, one))
    assert math.isnan(auroc(np.ones(2), p, one))
    assert math.isnan(average_precision(np.zeros(2), p, one))
    assert average_precision(np.ones(2), p, one) == 1


def test_calibration_error_by_hand() -> None:
    # Ten calls a bin: 0.8 is said where 0.5 is true, 0.2 where 0.3 is.
    p = np.repeat([0.8, 0.2], 50)
    y = np.r_[np.tile([1.0, 0.0], 25), np.tile([1, 0, 0, 0, 0, 1, 0, 0, 1, 0.0], 5)]
    assert calibration_error(y, p, np.ones(100)) == pytest.approx((0.3 + 0.1) / 2)
    assert calibration_error(p.round(), p.round(), np.ones(100)) == 0
    assert calibration_error(np.array([1.0]), np.array([0.4]), np.ones(1)) == pytest.approx(0.6)


def test_a_draw_takes_clusters_whole_and_as_many_as_there_are() -> None:
    clusters = np.array(["a", "b", "a", "c", "b", "a"], dtype=object)
    drawn = cluster_weights(clusters, np.random.default_rng(0), 200)
    assert len(drawn) == 200
    for w in drawn:
        assert w[0] == w[2] == w[5]
        assert w[1] == w[4]
        assert w[0] + w[1] + w[3] == 3
    assert np.mean(drawn, axis=0) == pytest.approx(np.ones(6), abs=0.25)
    again = list(drawn_weights(clusters, np.random.default_rng(0), 200))
    np.testing.assert_array_equal(drawn, again)


def sample(
    rng: np.random.Generator, clusters: int, size: int, spread: float
) -> tuple[Array, Array, Any]:
    """Make calls in clusters that share a part of what the score misses."""
    shift = np.repeat(rng.normal(0, spread, clusters), size)
    truth = np.repeat((rng.random(clusters) < 0.4).astype(float), size)
    score = truth + shift + rng.normal(0, 1, clusters * size)
    return truth, 1 / (1 + np.exp(-score)), np.repeat(np.arange(clusters), size).astype(object)


def width(figure: Figure) -> float:
    return figure.high - figure.low


def test_clusters_make_intervals_wider_than_single_calls(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(metrics.drawn_weights, "__defaults__", (300,))
    y, p, clusters = sample(np.random.default_rng(0), clusters=60, size=15, spread=1.0)
    naive = np.arange(len(y)).astype(object)
    whole = head_figures(y, p, clusters, np.random.default_rng(1))
    single = head_figures(y, p, naive, np.random.default_rng(1))
    for name in metrics.RANKED:
        assert whole[name].value == single[name].value
        assert width(whole[name]) > 1.5 * width(single[name])
    hits = p >= 0.5
    everyone = np.ones(len(y), dtype=bool)
    first, _, _ = rate(hits, everyone, clusters, np.random.default_rng(2))
    second, _, _ = rate(hits, everyone, naive, np.random.default_rng(2))
    assert width(first) > 1.5 * width(second)


def test_intervals_cover_the_truth_about_as_often_as_they_say() -> None:
    rng = np.random.default_rng(7)
    y, p, _ = sample(rng, clusters=20_000, size=3, spread=0.7)
    true_auroc = roc_auc_score(y, p)
    true_rate = float((p >= 0.5).mean())
    rounds, covered, by_rate, by_naive_rate = 120, 0, 0, 0
    for _ in range(rounds):
        y, p, clusters = sample(rng, clusters=70, size=3, spread=0.7)
        order = np.argsort(-p)
        y, p, clusters = y[order], p[order], clusters[order]
        draws = [auroc(y, p, w) for w in drawn_weights(clusters, rng, 150)]
        figure = with_interval(auroc(y, p, np.ones(len(y))), draws)
        covered += figure.low <= true_auroc <= figure.high
        hits = p >= 0.5
        for cluster, name in ((clusters, "whole"), (np.arange(len(y)).astype(object), "naive")):
            draws = [float((w * hits).sum() / w.sum()) for w in drawn_weights(cluster, rng, 150)]
            figure = with_interval(float(hits.mean()), draws)
            inside = figure.low <= true_rate <= figure.high
            by_rate += inside and name == "whole"
            by_naive_rate += inside and name == "naive"
    assert 0.88 <= covered / rounds <= 1
    assert 0.88 <= by_rate / rounds <= 1
    assert by_naive_rate < by_rate


def truth(*values: int) -> Any:
    return np.array(values, dtype=bool)


def names(*values: str) -> Any:
    return np.array(values, dtype=object)


def test_a_rate_of_nothing_is_no_figure() -> None:
    nobody = truth(0, 0)
    figure, k, n = rate(truth(1, 0), nobody, names("a", "b"), np.random.default_rng(0))
    assert (k, n) == (0, 0)
    assert all(math.isnan(value) for value in figure)


@pytest.mark.parametrize("all_of_them", [False, True])
def test_none_or_all_of_a_few_is_not_certain(all_of_them: bool) -> None:
    hits = np.full(12, all_of_them)
    clusters = names(*"aaabbbcccddd")
    figure, k, n = rate(hits, np.ones(12, dtype=bool), clusters, np.random.default_rng(0))
    assert (figure.value, k, n) == (float(all_of_them), 12 * all_of_them, 12)
    edge = 0.025 ** (1 / 4)  # exact for four independent clusters
    expected = (edge, 1.0) if all_of_them else (0.0, 1 - edge)
    assert (figure.low, figure.high) == pytest.approx(expected)


def test_a_single_cluster_has_no_interval() -> None:
    one = names(*"aaaa")
    figure, k, n = rate(truth(1, 0, 1, 0), truth(1, 1, 1, 1), one, np.random.default_rng(0))
    assert (figure.value, k, n) == (0.5, 2, 4)
    assert math.isnan(figure.low)
    assert math.isnan(figure.high)
    y, p = np.array([1, 0, 1, 0.0]), np.array([0.9, 0.8, 0.3, 0.1])
    for head in head_figures(y, p, one, np.random.default_rng(0)).values():
        assert not math.isnan(head.value)
        assert math.isnan(head.low)
        assert math.isnan(head.high)


def test_a_rate_counts_only_those_it_is_of() -> None:
    hits, among = truth(1, 1, 0, 1), truth(1, 0, 1, 1)
    figure, k, n = rate(hits, among, names(*"abcd"), np.random.default_rng(0))
    assert (figure.value, k, n) == (2 / 3, 2, 3)
    assert figure.low < 2 / 3 < figure.high


def test_a_figure_that_most_draws_can_t_compute_has_no_interval() -> None:
    assert with_interval(0.5, [0.4] * 95 + [math.nan] * 5) == Figure(0.5, 0.4, 0.4)
    for draws in ([0.4] * 89 + [math.nan] * 11, [math.nan], []):
        figure = with_interval(0.5, draws)
        assert figure.value == 0.5
        assert math.isnan(figure.low)


def test_the_same_seed_gives_the_same_interval() -> None:
    y, p, clusters = sample(np.random.default_rng(0), clusters=20, size=3, spread=1.0)
    first = head_figures(y, p, clusters, np.random.default_rng(5))
    assert first == head_figures(y, p, clusters, np.random.default_rng(5))
    shuffled = np.random.default_rng(9).permutation(len(y))
    other = head_figures(y[shuffled], p[shuffled], clusters[shuffled], np.random.default_rng(5))
    assert other["auroc"] == pytest.approx(first["auroc"])
