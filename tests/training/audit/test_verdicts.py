"""Three verdicts: a planted gap is found, no other is, and too little is called too little."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from model_service.model.plan import AuditRule, GapLimit
from tests.training.audit.calls import of_group, some_calls
from training.audit.audit import Audit, audit
from training.audit.gate import breaches, unknown
from training.audit.period import Period
from training.audit.uncertainty import Clusters
from training.audit.verdicts import (
    DIFFERS,
    INSUFFICIENT,
    NO_DIFFERENCE,
    POWER,
    adjusted,
    judge,
    share_gaps,
    strictest,
    sufficient,
)

LIMITS = (GapLimit(subject="safety_risk", measure="false_negative_rate", gap=0.05),)


@cache
def planted(n: int = 12_000, gap: float = 0.25, **rule: object) -> Audit:
    """Audit calls of which the model misses more risks in the West."""
    calls = some_calls(n)
    silent = (calls["neighborhood"] == "West") & (np.random.default_rng(1).random(n) < gap)
    calls.loc[silent & calls["risk_flag"].notna(), "risk_flag"] = False
    return audit(Period(calls), by=["neighborhood"], rule=AuditRule(**rule), resamples=50)


def test_a_planted_gap_differs_and_no_other_group_does() -> None:
    rows = planted().of("neighborhood", "safety_risk", "false_negative_rate").set_index("group")
    assert rows.loc["West", "verdict"] == DIFFERS
    assert rows.loc["West", "gap"] > 0.1
    assert rows.loc["West", "gap_low"] > 0
    other = planted().of("neighborhood", "mental_health_crisis")
    assert DIFFERS not in set(other["verdict"])


def test_a_group_is_compared_with_the_rest_without_itself() -> None:
    calls = some_calls()
    made = audit(Period(calls), by=["neighborhood"], resamples=20)
    row = of_group(made, "recommendation", "abstention_rate", "East")
    rest = calls[calls["neighborhood"] != "East"]
    assert row["rest"] == pytest.approx(rest["abstained"].mean())
    assert row["gap"] == pytest.approx(row["value"] - row["rest"])


def test_few_calls_are_insufficient_and_never_alike() -> None:
    calls = some_calls(6000)
    west = calls["neighborhood"] == "West"
    calls = calls[~west | (west.cumsum() <= 100)]
    made = audit(Period(calls), by=["neighborhood"], resamples=20)
    row = of_group(made, "safety_risk", "false_negative_rate", "West")
    assert row["verdict"] == INSUFFICIENT
    assert row["among_needed"] > row["among"]
    assert row["calls_needed"] > row["among_needed"]


def test_no_difference_is_only_where_a_larger_one_is_ruled_out() -> None:
    found = planted().findings
    alike = found[found["verdict"] == NO_DIFFERENCE]
    assert len(alike)
    assert (alike["gap_low"] > -alike["matters"]).all()
    assert (alike["gap_high"] < alike["matters"]).all()
    assert alike["among_needed"].isna().all()
    tested = found[found["matters"].notna()]
    assert set(tested.loc[tested["p"].isna(), "verdict"]) <= {INSUFFICIENT}


def test_verdicts_of_hand_made_figures() -> None:
    p = np.array([0.01, 0.9, 0.9, np.nan])
    low, high = np.array([0.1, -0.05, -0.2, -0.01]), np.array([0.3, 0.05, 0.05, 0.01])
    assert judge(p, low, high, np.full(4, 0.1)) == [
        DIFFERS,
        NO_DIFFERENCE,
        INSUFFICIENT,
        INSUFFICIENT,
    ]


def test_what_would_suffice_finds_the_gap_four_times_out_of_five() -> None:
    matters, base, rest_calls = 0.1, 0.15, 50_000
    level = strictest(np.ones(200), np.zeros(200, dtype=bool))[:1]
    own = np.array([(base + matters) * (1 - base - matters)])
    others = np.array([base * (1 - base) / rest_calls])
    needed = int(sufficient(own, others, np.array([matters]), level)[0])
    rng = np.random.default_rng(0)
    repeats = 2000
    mine = rng.binomial(needed, base + matters, repeats) / needed
    rest = rng.binomial(rest_calls, base, repeats) / rest_calls
    both = (mine * needed + rest * rest_calls) / (needed + rest_calls)
    error = np.sqrt(both * (1 - both) * (1 / needed + 1 / rest_calls))
    found = (2 * norm.sf(np.abs(mine - rest) / error) <= level).mean()
    assert POWER - 0.05 < found < POWER + 0.15


def test_no_number_suffices_where_the_rest_is_too_few() -> None:
    needed = sufficient(np.array([0.2]), np.array([0.01]), np.array([0.1]), np.array([0.001]))
    assert np.isnan(needed[0])


def test_adjusting_leaves_out_what_was_not_tested() -> None:
    p, none = np.array([0.001, np.nan, 0.5]), np.zeros(3, dtype=bool)
    made = adjusted(p, none)
    assert np.isnan(made[1])
    assert made[[0, 2]] == pytest.approx(adjusted(p[[0, 2]], none[:2]))
    assert made[0] == pytest.approx(0.001 * 2 * 1.5)
    assert strictest(p, none) == pytest.approx(0.05 / (2 * 1.5))


def test_what_the_plan_names_is_a_family_at_half_the_rate() -> None:
    p = np.r_[0.001, np.full(99, 0.5)]
    named = np.arange(100) < 2
    assert adjusted(p, named)[0] == pytest.approx(2 * 0.001 * 2 * 1.5)
    assert adjusted(p, ~named)[0] == pytest.approx(adjusted(p, named)[0])
    alone = np.zeros(100, dtype=bool)
    assert adjusted(p, named)[0] < adjusted(p, alone)[0]
    level = strictest(p, named)
    assert level[0] == pytest.approx(0.025 / (2 * 1.5)) and level[0] > level[-1]


@given(
    st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=40),
)
def test_families_share_one_rate(rows: list[tuple[float, bool]]) -> None:
    p, named = (np.array(column) for column in zip(*rows, strict=True))
    made = adjusted(p, named)
    assert ((made >= p - 1e-12) & (made <= 1)).all()
    # A gap at the level that is called enough is enough, whatever else was tested.
    assert (made[p <= strictest(p, named)] <= 0.05 + 1e-9).all()


def test_only_what_the_limits_name_is_named() -> None:
    found = planted(limits=LIMITS).findings
    named = found[found["named"].astype(bool)]
    assert set(named["measure"]) == {"false_negative_rate"}
    assert set(named["subject"]) == {"safety_risk"}
    assert planted(limits=()).words["named"] == 0


def test_p_values_of_equal_groups_are_no_smaller_than_they_should_be() -> None:
    rng = np.random.default_rng(3)
    small = []
    for _ in range(300):
        group = (rng.random(3000) < 0.1).astype(np.intp)
        hits = rng.random(3000) < 0.1
        shares = Clusters(group, 2, np.arange(3000), np.ones(3000)).shares(
            hits, np.ones(3000, dtype=bool)
        )
        small.append(share_gaps(shares, np.bincount(group) * 1.0, 0.1).p[0] < 0.05)
    assert np.mean(small) < 0.08


# the gate


def test_the_gate_names_the_group_and_by_how_much() -> None:
    broken = breaches(planted(limits=LIMITS))
    assert [breach.group for breach in broken] == ["West"]
    told = str(broken[0])
    assert "Neighbourhood West" in told and "safety head, missed" in told
    assert f"{broken[0].gap * 100:.1f} points more; the plan allows 5.0" in told


def test_a_gap_within_the_limit_passes() -> None:
    wide = (GapLimit(subject="safety_risk", measure="false_negative_rate", gap=0.6),)
    assert breaches(planted(limits=wide)) == []


def test_a_group_that_fares_better_breaks_no_limit() -> None:
    made = planted(limits=LIMITS)
    assert all(breach.gap > 0 for breach in breaches(made))


def test_too_little_evidence_breaks_a_limit_only_where_the_plan_says_so() -> None:
    calls = Period(some_calls(200))
    rule = {"limits": LIMITS}
    made = audit(calls, by=["neighborhood"], rule=AuditRule(**rule), resamples=20)
    assert breaches(made) == [] and unknown(made) > 0
    made.rule = AuditRule(**rule, needs_evidence=True)
    assert len(breaches(made)) == unknown(made)
    assert "too few calls to tell" in str(breaches(made)[0])
