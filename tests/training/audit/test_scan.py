"""A cluster is found wherever the borders run, and chance is seldom taken for one."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import binom

from training.audit import scan as module
from training.audit.scan import KM, QUESTIONS, Scan, scan, scan_calls

LATITUDE, LONGITUDE = 42.3, -71.1


def city(calls: int, seed: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Points over 10 by 10 km, in km from the south-west."""
    x, y = np.random.default_rng(seed).uniform(0, 10, (2, calls))
    return x, y


def run(
    x: NDArray[np.float64], y: NDArray[np.float64], error: NDArray[np.bool_], **more: Any
) -> Scan:
    incident = more.pop("incident", np.arange(len(x)).astype(object))
    rng = np.random.default_rng(more.pop("seed", 0))
    latitude = LATITUDE + y / KM
    longitude = LONGITUDE + x / (KM * np.cos(np.radians(LATITUDE)))
    return scan(latitude, longitude, error, incident, rng, **{"deals": 99, **more})


def planted(calls: int, seed: int, more: float) -> tuple[NDArray[Any], ...]:
    """One error in ten, and within 1.5 km of the middle, where two halves meet, so many more."""
    x, y = city(calls, seed)
    near = np.hypot(x - 5, y - 5) < 1.5
    error = np.random.default_rng(seed + 10_000).random(calls) < np.where(near, 0.1 + more, 0.1)
    return x, y, error, near


def test_a_cluster_that_straddles_a_border_is_found_in_most_seeds() -> None:
    found = 0
    for seed in range(12):
        x, y, error, near = planted(2000, seed, 0.25)
        sides = np.where(x < 5, "west", "east").astype(object)
        made = run(x, y, error, seed=seed, neighborhood=sides)
        if not made.found:
            continue
        first = made.found[0]
        there = (first.latitude - LATITUDE) * KM
        across = (first.longitude - LONGITUDE) * KM * math.cos(math.radians(LATITUDE))
        found += math.hypot(across - 5, there - 5) < 1 and set(first.places) == {"west", "east"}
        assert sum(first.places.values()) == first.calls
        assert first.rate > first.rate_outside
    assert found >= 11


def test_without_a_cluster_alarms_are_rare() -> None:
    """The number of false alarms in 60 scans, against the binomial at one in twenty."""
    p = []
    for seed in range(60):
        x, y, error, _ = planted(300, seed, 0.0)
        p.append(run(x, y, error, seed=seed).clusters[0].p)
    assert sum(value <= 0.05 for value in p) <= binom.ppf(0.999, 60, 0.05)
    assert 0.35 < float(np.mean(p)) < 0.65


def test_calls_of_one_incident_are_no_cluster() -> None:
    """Errors come by incident, of up to eight calls at one place: calls alone would cry wolf."""
    alarms = {"incident": 0, "call": 0}
    for seed in range(40):
        rng = np.random.default_rng(seed + 1)
        x, y = city(200, seed)
        incident = np.repeat(np.arange(200), rng.integers(1, 9, 200))
        error = (rng.random(200) < 0.2)[incident]
        names = incident.astype(object)
        alarms["incident"] += len(run(x[incident], y[incident], error, incident=names).found) > 0
        alarms["call"] += len(run(x[incident], y[incident], error).found) > 0
    assert alarms["incident"] <= binom.ppf(0.999, 40, 0.05)
    assert alarms["call"] > 20


def by_hand(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    error: NDArray[np.bool_],
    largest: float,
    least: int,
) -> float:
    """The largest likelihood ratio of all circles about calls, one circle at a time."""
    n, best = len(x), 0.0

    def likelihood(k: int, of: int) -> float:
        return sum(m * math.log(m / of) for m in (k, of - k) if m)

    for cx, cy in zip(x, y, strict=True):
        far = (x - cx) ** 2 + (y - cy) ** 2
        for radius in np.unique(far):
            inside = far <= radius
            of, k = int(inside.sum()), int(error[inside].sum())
            if not least <= of <= largest * n or of == n:
                continue
            rest = int(error.sum()) - k
            if k * (n - of) > rest * of:
                total = likelihood(k, of) + likelihood(rest, n - of)
                best = max(best, total - likelihood(k + rest, n))
    return best


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 10**6), st.integers(5, 60), st.sampled_from([0.25, 0.5, 0.9]), st.integers(1, 9)
)
def test_the_statistic_is_that_of_all_circles(
    seed: int, calls: int, largest: float, least: int
) -> None:
    rng = np.random.default_rng(seed)
    # On the cells of the grid, so that nothing is gathered that lay apart.
    x, y = rng.integers(0, 12, (2, calls)) * module.FINEST
    error = rng.random(calls) < 0.3
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "STEP", 1.0)
        patch.setattr(module, "LEAST", least)
        made = run(x, y, error, largest=largest, deals=9)
    # By hand in whole cells: ties of distances are ties.
    cells = np.rint(x / module.FINEST), np.rint(y / module.FINEST)
    best = by_hand(*cells, error, largest, least)
    if made.clusters:
        assert made.clusters[0].ratio == pytest.approx(best, abs=1e-9)
        assert all(least <= c.calls <= largest * calls for c in made.clusters)
    else:
        assert best == 0


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 10**6))
def test_neither_order_nor_names_nor_place_matter(seed: int) -> None:
    x, y, error, _ = planted(300, seed, 0.3)
    base = run(x, y, error)
    order = np.random.default_rng(seed).permutation(300)
    names = np.array([f"i{number}" for number in order], dtype=object)
    for other in (
        run(x[order], y[order], error[order], incident=names),
        run(x + 20, y, error),
    ):
        assert [(c.calls, c.errors) for c in other.clusters[:1]] == [
            (c.calls, c.errors) for c in base.clusters[:1]
        ]
        assert other.windows == base.windows


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 10**6))
def test_clusters_share_no_call(seed: int) -> None:
    x, y = city(500, seed)
    rng = np.random.default_rng(seed + 1)
    near = (np.hypot(x - 2, y - 2) < 1.5) | (np.hypot(x - 8, y - 8) < 1.5)
    error = rng.random(500) < np.where(near, 0.8, 0.1)
    made = run(x, y, error, alpha=1.0, neighborhood=np.arange(500).astype(object))
    members = [set(cluster.places) for cluster in made.clusters]
    assert sum(map(len, members)) == len(set().union(*members))
    assert [c.ratio for c in made.clusters] == sorted(
        (c.ratio for c in made.clusters), reverse=True
    )
    assert [c.p for c in made.clusters] == sorted(c.p for c in made.clusters)


def test_two_clusters_are_both_found() -> None:
    x, y = city(3000, 1)
    near = (np.hypot(x - 2, y - 2) < 1.2) | (np.hypot(x - 8, y - 8) < 1.2)
    error = np.random.default_rng(2).random(3000) < np.where(near, 0.5, 0.1)
    assert len(run(x, y, error).found) == 2


@pytest.mark.parametrize("value", [False, True])
def test_nothing_to_find_where_all_or_none_are_in_error(value: bool) -> None:
    x, y = city(50, 0)
    made = run(x, y, np.full(50, value))
    assert made.clusters == () and made.found == ()
    assert (made.calls, made.errors) == (50, 50 * value)


def test_one_place_has_no_circle() -> None:
    same = np.zeros(20)
    assert run(same, same, np.arange(20) < 5).clusters == ()
    nothing = np.empty(0)
    assert run(nothing, nothing, nothing.astype(bool)).calls == 0


def test_calls_without_a_point_are_told() -> None:
    x, y, error, _ = planted(300, 0, 0.3)
    x[:7] = np.nan
    made = run(x, y, error)
    assert (made.calls, made.without_point) == (293, 7)


def test_a_city_of_many_cells_is_gathered_into_fewer() -> None:
    x, y, error, _ = planted(20_000, 0, 0.1)
    made = run(x * 5, y * 5, error, deals=9)
    assert made.cell > module.FINEST
    assert made.windows < 100 * module.MOST_CELLS


def test_each_question_asks_the_calls_that_could_be_in_error() -> None:
    rng = np.random.default_rng(0)
    calls = 400
    table = pd.DataFrame(
        {
            "incident": [f"i{number}" for number in range(calls)],
            "latitude": rng.uniform(42.2, 42.4, calls),
            "longitude": rng.uniform(-71.2, -71.0, calls),
            "neighborhood": pd.Series(["A", None] * (calls // 2), dtype="str"),
            "risk": rng.choice([0.0, 1.0, np.nan], calls),
            "crisis": rng.choice([0.0, 1.0, np.nan], calls),
            "risk_flag": rng.choice(np.array([True, False, None], dtype=object), calls),
            "crisis_flag": rng.random(calls) < 0.5,
            "recommended_police": pd.array(
                rng.choice(np.array([True, False, None], dtype=object), calls), dtype="boolean"
            ),
        }
    )
    scans = scan_calls(table, deals=9)
    assert list(scans) == list(QUESTIONS)[:3]
    missed = scans["safety risks missed by the model"]
    assert missed.calls == int(((table.risk == 1) & table.risk_flag.notna()).sum())
    assert missed.errors == int(((table.risk == 1) & (table.risk_flag == False)).sum())  # noqa: E712
    needless = scans["police recommended without a risk"]
    hits = (table.risk == 0) & table.recommended_police.fillna(False).astype(bool)
    assert needless.errors == int(hits.sum())
    assert all(set(c.places) <= {"A"} for made in scans.values() for c in made.clusters)
    again = scan_calls(table.drop(columns="risk_flag"), deals=9)
    assert again == {name: made for name, made in scans.items() if name in again}
