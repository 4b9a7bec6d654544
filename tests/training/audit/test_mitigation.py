"""Options are chosen on calls that do not judge them, and cost what the table says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.call import TARGETS, Call
from data.errors import InputError
from data.frame import to_frame
from model_service.model.classifier import CallClassifier
from model_service.model.features import FeatureSettings
from training.audit import mitigation as module
from training.audit.mitigation import (
    ALL,
    EQUAL,
    LEAST,
    LOWER,
    NOW,
    NOWHERE,
    REWEIGHED,
    WORST,
    Mitigation,
    mitigations,
    reweighed_scores,
    reweighing,
)

NAMES = ["Here", "There", "Yonder", "Planted"]


def made(calls: int = 4000, seed: int = 0, gap: float = 1.5, **more: Any) -> pd.DataFrame:
    """Calls of four groups; the risks of one score lower than all others."""
    rng = np.random.default_rng(seed)
    group = rng.integers(0, 4, calls)
    risk = rng.random(calls) < 0.25
    score = rng.normal(np.where(risk, 1.5 - gap * (group == 3), -1.5), 1.0)
    incident = [f"i{number}" for number in rng.integers(0, calls * 3 // 4, calls)]
    table = pd.DataFrame(
        {
            "incident": incident,
            "neighborhood": pd.Series([NAMES[number] for number in group], dtype="str"),
            "risk": risk.astype(float),
            "risk_score": 1 / (1 + np.exp(-score)),
        }
    )
    return table.assign(**more)


def row(found: Mitigation, option: str, group: str = ALL) -> pd.Series:
    rows = found.table[(found.table["option"] == option) & (found.table["group"] == group)]
    assert len(rows) == 1
    return rows.iloc[0]


def test_the_planted_group_is_the_worst_and_gains_at_a_price() -> None:
    found = mitigations(made(20_000), 0.5)
    assert found.worst == "Planted"
    assert found.chosen + found.judged == 20_000 and found.unlabelled == 0
    now, then = (row(found, option, "Planted") for option in (NOW, WORST))
    assert now["sensitivity_high"] < then["sensitivity_low"]
    assert then["more_caught_low"] > 0 and then["more_needless_low"] > 0
    assert then["price"] == pytest.approx(then["more_needless"] / then["more_caught"])
    assert then["price_low"] < then["price"] < then["price_high"]
    for group in NAMES[:3]:
        mine = row(found, WORST, group)
        assert (mine[["more_caught", "more_caught_low", "more_caught_high"]] == 0).all()
        assert mine["threshold"] == 0.5 and np.isnan(mine["price"])
    assert np.isnan(row(found, WORST)["threshold"])
    assert row(found, LOWER)["threshold"] == then["threshold"] < 0.5
    # The same for all costs more sends, and catches more.
    assert row(found, LOWER)["more_needless"] > row(found, WORST)["more_needless"]
    assert row(found, LOWER)["more_caught"] > row(found, WORST)["more_caught"]
    gaps = [
        np.ptp([row(found, option, g)["sensitivity"] for g in NAMES]) for option in (NOW, EQUAL)
    ]
    assert gaps[1] < gaps[0] / 3
    assert set(found.options) == set(found.table["option"]) == {NOW, LOWER, WORST, EQUAL}


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.05, 0.95))
def test_thresholds_are_the_highest_that_reach_the_target(seed: int, threshold: float) -> None:
    table = made(1500, seed)
    found = mitigations(table, threshold)
    codes = pd.factorize(table["incident"].astype(str), sort=True)[0]
    first = module._half(codes, np.random.default_rng(0))
    choosing = table[first]
    risks = choosing[choosing["risk"] == 1]
    assert found.target == pytest.approx((risks["risk_score"] >= threshold).mean())
    lowest = (risks["risk_score"] >= threshold).groupby(risks["neighborhood"]).mean()
    assert lowest[found.worst] == lowest.min()
    for group in NAMES:
        own = row(found, EQUAL, group)["threshold"]
        scores = risks.loc[risks["neighborhood"] == group, "risk_score"]
        assert (scores >= own).mean() >= found.target - 1e-9
        assert (scores > own).mean() < found.target
    assert row(found, WORST, found.worst)["threshold"] == min(
        threshold, row(found, EQUAL, found.worst)["threshold"]
    )


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6))
def test_what_judges_has_no_say_in_what_is_chosen(seed: int) -> None:
    table = made(1500, seed)
    codes = pd.factorize(table["incident"].astype(str), sort=True)[0]
    first = module._half(codes, np.random.default_rng(0))
    assert not set(table["incident"][first]) & set(table["incident"][~first])
    other = table.copy()
    other.loc[~first, "risk"] = 1 - other.loc[~first, "risk"]
    other.loc[~first, "risk_score"] = 1 - other.loc[~first, "risk_score"]
    one, two = (mitigations(t, 0.5).table.set_index(["option", "group"]) for t in (table, other))
    pd.testing.assert_series_equal(one["threshold"], two["threshold"])
    assert not one["sensitivity"].equals(two["sensitivity"])


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.2, 0.8))
def test_changes_are_the_differences_of_the_rates(seed: int, threshold: float) -> None:
    found = mitigations(made(1500, seed), threshold)
    for _, mine in found.table.iterrows():
        now = row(found, NOW, mine["group"])
        calls = mine["risks"] + mine["others"]
        for rate, change, of in (
            ("sensitivity", "more_caught", "risks"),
            ("needless", "more_needless", "others"),
        ):
            expected = 1000 * (mine[rate] - now[rate]) * mine[of] / calls
            assert mine[change] == pytest.approx(expected, abs=1e-9)
            assert mine[f"{change}_low"] <= mine[change] <= mine[f"{change}_high"]
            assert mine[f"{rate}_low"] <= mine[rate] <= mine[f"{rate}_high"]


def test_neither_the_order_of_rows_nor_the_scale_of_weights_matters() -> None:
    table = made(weight=1.0)
    expected = mitigations(table, 0.5).table
    shuffled = table.sample(frac=1, random_state=1).assign(weight=3.7)
    pd.testing.assert_frame_equal(mitigations(shuffled, 0.5).table, expected)
    pd.testing.assert_frame_equal(mitigations(table.drop(columns="weight"), 0.5).table, expected)


def test_weights_stand_for_calls_that_were_not_drawn() -> None:
    """Half of the risks that the model missed are drawn, and count twice."""
    table = made(40_000, weight=1.0)
    missed = (table["risk"] == 1) & (table["risk_score"] < 0.5)
    kept = ~missed | (np.arange(len(table)) % 2 == 0)
    drawn = table[kept].assign(weight=np.where(missed[kept], 2.0, 1.0))
    whole, part = (row(mitigations(t, 0.5), NOW)["sensitivity"] for t in (table, drawn))
    assert part == pytest.approx(whole, abs=0.01)


def test_a_threshold_that_moved_and_changed_nothing_is_not_sure_of_it() -> None:
    """A group of few calls: its threshold is lower, and no call of the other half lies between."""
    table = made(seed=3)
    table.loc[table["neighborhood"] == "Yonder", "risk_score"] = 0.9
    table.loc[table["neighborhood"] == "Here", "risk_score"] = 0.1
    found = mitigations(table, 0.5)
    assert found.worst == "Here"
    unchanged = row(found, EQUAL, "Yonder")  # raised from 0.5 to 0.9
    assert unchanged["threshold"] == 0.9
    assert unchanged["more_caught"] == unchanged["more_caught_high"] == 0
    assert unchanged["more_caught_low"] < 0


def test_few_risks_and_missing_groups_get_no_threshold_of_their_own() -> None:
    table = made()
    few = table["neighborhood"].eq("There") & table["risk"].eq(1)
    table = table[~few | (few.cumsum() <= LEAST // 2)]
    table.loc[table["neighborhood"] == "Yonder", "neighborhood"] = None
    found = mitigations(table, 0.5)
    assert row(found, EQUAL, "There")["threshold"] == 0.5
    assert row(found, EQUAL, NOWHERE)["threshold"] == 0.5
    assert found.worst in ("Here", "Planted")


def test_a_group_without_risks_is_blank() -> None:
    table = made()
    table.loc[table["neighborhood"] == "There", "risk"] = 0.0
    there = row(mitigations(table, 0.5), NOW, "There")
    assert there["risks"] == 0
    assert there[["sensitivity", "sensitivity_low", "sensitivity_high"]].isna().all()
    assert there["needless"] > 0


def test_unlabelled_calls_are_left_out_and_told() -> None:
    table = made()
    table.loc[:9, "risk"] = np.nan
    table.loc[10:14, "risk_score"] = np.nan
    found = mitigations(table, 0.5)
    assert (found.unlabelled, found.chosen + found.judged) == (15, 3985)


@pytest.mark.parametrize("calls", [0, 1, 60])
def test_too_few_calls(calls: int) -> None:
    with pytest.raises(InputError, match="mitigation: "):
        mitigations(made(60)[:calls], 0.5)


def test_a_refit_is_judged_as_the_others_are() -> None:
    table = made(20_000)
    noise = np.random.default_rng(99).normal(0, 1, 20_000)
    better = np.where(table["risk"] == 1, 2.0, -2.0) + noise
    found = mitigations(table, 0.5, refit=lambda: better)
    mine = row(found, REWEIGHED)
    assert mine["sensitivity"] == pytest.approx(found.target, abs=0.03)
    assert mine["more_needless_high"] < 0
    assert row(found, REWEIGHED, "Planted")["more_caught_low"] > 0
    assert REWEIGHED in found.options


@given(
    st.lists(
        st.tuples(st.sampled_from("abc"), st.sampled_from([0.0, 1.0, np.nan])),
        min_size=1,
        max_size=60,
    )
)
def test_reweighed_labels_do_not_depend_on_the_group(pairs: list[tuple[str, float]]) -> None:
    group = np.array([name for name, _ in pairs], dtype=object)
    y = np.array([label for _, label in pairs])
    weights = reweighing(group, y)
    there = ~np.isnan(y)
    assert (weights[~there] == 1).all()
    both = {(g, label) for g, label in pairs if label == label}
    for name in {g for g, label in both}:
        # Where a group has both labels its weighted share of risks is that of all.
        if {(name, 0.0), (name, 1.0)} <= both:
            mine = there & (group == name)
            share = (weights * y)[mine].sum() / weights[mine].sum()
            assert share == pytest.approx(y[there].mean())


def test_a_reweighed_model_holds_nothing_against_a_place() -> None:
    """One place has nearly all risks, and a word of its own that says nothing else."""
    rng = np.random.default_rng(0)
    place = rng.integers(0, 2, 600)
    y = np.column_stack([rng.integers(0, 2, 600), rng.random(600) < 0.05 + 0.5 * place])
    calls = to_frame(
        [
            Call(
                call_id=str(number),
                received_at=datetime(2021, 1, 1, tzinfo=UTC) + timedelta(hours=number),
                narrative=f"{'harbour' if place[number] else 'hill'} {rng.choice(['a', 'b'])}",
                neighborhood="Harbour" if place[number] else "Hill",
            )
            for number in range(600)
        ]
    )
    form = {"column": "narrative", "ngrams": 1, "min_calls": 1}
    settings_ = FeatureSettings.model_validate(
        {"timezone": "America/New_York", "texts": [form], "categories": [], "min_calls": 1}
    )
    classifier = CallClassifier(settings_, C=dict.fromkeys(TARGETS, 1.0))
    labels = y.astype(float)
    before = classifier.fit(calls, labels).scores(calls)[:, 1]
    after = reweighed_scores(calls, labels, calls, classifier)
    gaps = [abs(s[place == 1].mean() - s[place == 0].mean()) for s in (before, after)]
    assert gaps[0] > 1.5 and gaps[1] < 0.1
