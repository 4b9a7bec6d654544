"""Adjusting for call mix takes out what the mix explains, and nothing else."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from training.audit.causes.estimates import difference, weighted_share
from training.audit.causes.standardised import Measure, compare, section, standardised
from training.metrics import Figure

MISSED = Measure("missed", lambda table: table["missed"], lambda table: table["missed"].notna())

calls = st.lists(
    st.tuples(st.integers(0, 1), st.booleans(), st.integers(0, 3), st.floats(0.1, 5)),
    min_size=1,
    max_size=60,
)
Rows = list[tuple[int, bool, int, float]]


def arrays(rows: Rows) -> tuple[np.ndarray, ...]:
    y, mine, strata, weight = zip(*rows, strict=True)
    member = np.arange(len(rows)) // 2
    return (
        np.array(y, dtype=float),
        np.array(weight),
        member.astype(np.int64),
        np.array(mine),
        np.array(strata, dtype=np.int64),
    )


def table(n: int, seed: int, *, gap: float = 0.0, mixed: bool = True) -> pd.DataFrame:
    """Make calls of two places; the types are missed alike but for `gap`, and mixed differently."""
    random = np.random.default_rng(seed)
    here = random.random(n) < 0.3
    hard = random.random(n) < np.where(here & mixed, 0.8, 0.3)
    chance = np.where(hard, 0.5, 0.1) + gap * here
    return pd.DataFrame(
        {
            "incident": [f"i{number // 2}" for number in range(n)],
            "neighborhood": np.where(here, "Here", "There"),
            "call_type": np.where(hard, "HARD", "EASY"),
            "hour": random.integers(0, 24, n),
            "missed": (random.random(n) < chance).astype(float),
        }
    )


# --- properties -----------------------------------------------------------------------------------


@given(calls)
def test_a_group_in_its_own_mix_stays_what_it_was(rows: Rows) -> None:
    y, w, member, mine, strata = arrays(rows)
    like = compare(y, w, member, mine, strata)
    if like.common == 1:
        assert like.one.value == pytest.approx(np.average(y[mine], weights=w[mine]))


@given(calls)
def test_one_stratum_changes_nothing(rows: Rows) -> None:
    y, w, member, mine, _ = arrays(rows)
    if mine.all() or not mine.any():
        return
    for standard in ("group", "all"):
        like = compare(y, w, member, mine, np.zeros(len(y), dtype=np.int64), standard=standard)
        assert like.one.value == pytest.approx(np.average(y[mine], weights=w[mine]))
        assert like.other.value == pytest.approx(np.average(y[~mine], weights=w[~mine]))


@given(calls)
def test_a_population_against_its_copy_has_no_gap(rows: Rows) -> None:
    y, w, member, _, strata = arrays(rows)
    n = len(y)
    mine = np.r_[np.ones(n, dtype=bool), np.zeros(n, dtype=bool)]
    twice = [np.r_[a, a] for a in (y, w, strata)]
    member = np.r_[member, member + n]
    for standard in ("group", "all"):
        like = compare(twice[0], twice[1], member, mine, twice[2], standard=standard)
        assert like.common == 1
        assert like.gap.value == pytest.approx(0, abs=1e-12)
        assert not like.gap.low > 1e-12 and not like.gap.high < -1e-12


@given(calls, st.floats(0.1, 10))
def test_the_scale_of_the_weights_does_not_matter(rows: Rows, scale: float) -> None:
    y, w, member, mine, strata = arrays(rows)
    one = compare(y, w, member, mine, strata)
    other = compare(y, w * scale, member, mine, strata)
    np.testing.assert_allclose(one.gap, other.gap, atol=1e-9)


@given(st.lists(st.booleans(), min_size=2, max_size=60))
def test_calls_of_their_own_get_about_the_exact_interval(hits: list[bool]) -> None:
    n = len(hits)
    figure = weighted_share(np.array(hits, float), np.ones(n), np.arange(n))
    exact = binomtest(sum(hits), n).proportion_ci(0.95, method="exact")
    assert figure.value == pytest.approx(sum(hits) / n)
    # The variance's n - 1 makes it a little wider.
    assert figure.low <= exact.low + 1e-9 and figure.high >= exact.high - 1e-9
    assert figure.low >= exact.low - 0.5 / n and figure.high <= exact.high + 0.5 / n


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 0.3), st.floats(-1, 1))
def test_a_difference_turned_about_is_its_mirror(
    a: float, b: float, half: float, correlation: float
) -> None:
    one, other = Figure(a, a - half, a + half / 2), Figure(b, b - half / 3, b + half)
    gap, mirror = difference(one, other, correlation), difference(other, one, correlation)
    np.testing.assert_allclose(gap, (-mirror.value, -mirror.high, -mirror.low), atol=1e-12)


# --- what it finds --------------------------------------------------------------------------------


def test_a_gap_of_mix_alone_goes_and_a_real_one_stays() -> None:
    (raw, *_) = standardised(table(20_000, 1), measures=[MISSED])
    assert raw.group == "Here" and raw.gap.low > 0.1
    assert abs(raw.like_gap.value) < 0.03 and raw.like_gap.low < 0 < raw.like_gap.high
    (real, *_) = standardised(table(20_000, 1, gap=0.1, mixed=False), measures=[MISSED])
    assert real.like_gap.low > 0.05 and real.like_gap.high < 0.15
    assert raw.mix == real.mix == ("call_type", "hour_band")


def test_intervals_of_the_adjusted_gap_cover_the_truth() -> None:
    seeds = 300
    covered = 0
    for seed in range(seeds):
        (gap, *_) = standardised(table(500, seed, gap=0.1), measures=[MISSED])
        covered += gap.like_gap.low <= 0.1 <= gap.like_gap.high
    assert 0.92 <= covered / seeds <= 0.99


def test_strata_are_coarsened_until_calls_have_their_like_and_it_is_said() -> None:
    calls = table(400, 3)
    calls["call_source"] = [f"source {number}" for number in range(len(calls))]  # each its own
    (gap, *_) = standardised(calls, measures=[MISSED], mix=("call_type", "call_source"))
    assert gap.mix == ("call_type",) and gap.common == 1
    (gap, *_) = standardised(calls, measures=[MISSED], mix=("call_source", "call_type"))
    assert gap.common == 0 and np.isnan(gap.like_gap.value) and gap.gap.value > 0


def test_nothing_in_question_is_blank_not_zero() -> None:
    calls = table(200, 4)
    calls.loc[calls["neighborhood"] == "Here", "missed"] = np.nan
    (gap, *_) = standardised(calls, measures=[MISSED])
    assert gap.calls == 0 and np.isnan(gap.value.value) and np.isnan(gap.like_gap.value)
    told = section(standardised(calls, measures=[MISSED]))
    assert told.as_json()["tables"][0]["rows"][0][2]["value"] is None
    assert "| Here | 0 | – | – | – | – |" in told.markdown()


def test_measures_without_their_column_are_left_out() -> None:
    assert standardised(table(50, 5)) == ()
