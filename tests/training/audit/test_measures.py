"""The audit counts as Fairlearn and scikit-learn do, and leaves blank what can't be told."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from fairlearn import metrics
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import precision_score

from tests.training.audit.calls import a_period, of_group, some_calls
from training.audit.audit import audit
from training.audit.measures import MEASURES, SUBJECTS, confusion, rates
from training.audit.period import Period
from training.audit.uncertainty import Clusters

HEADS = {"mental_health_crisis": "crisis", "safety_risk": "risk"}


@pytest.mark.parametrize("subject", list(HEADS))
@pytest.mark.parametrize("weighted", [False, True])
def test_the_rates_are_those_of_fairlearn(subject: str, weighted: bool) -> None:
    weight = np.random.default_rng(3).choice([1.0, 2.5, 7.0], 3000) if weighted else 1.0
    calls = some_calls(weight=weight)
    made = audit(Period(calls), by=["neighborhood"], resamples=20)
    name = HEADS[subject]
    there = calls[calls[name].notna() & calls[f"{name}_flag"].notna()]
    frame = metrics.MetricFrame(
        metrics={
            "false_negative_rate": metrics.false_negative_rate,
            "false_positive_rate": metrics.false_positive_rate,
            "sensitivity": metrics.true_positive_rate,
            "ppv": precision_score,
        },
        y_true=there[name].astype(int),
        y_pred=there[f"{name}_flag"].astype(int),
        sensitive_features=there["neighborhood"],
        sample_params={
            measure: {"sample_weight": there["weight"]}
            for measure in ("false_negative_rate", "false_positive_rate", "sensitivity", "ppv")
        },
    )
    flagged = calls[calls[f"{name}_flag"].notna()]
    selected = metrics.MetricFrame(
        metrics=metrics.selection_rate,
        y_true=flagged[f"{name}_flag"].astype(int),
        y_pred=flagged[f"{name}_flag"].astype(int),
        sensitive_features=flagged["neighborhood"],
        sample_params={"sample_weight": flagged["weight"]},
    )
    expected = frame.by_group.assign(selection_rate=selected.by_group)
    for measure in expected:
        mine = made.of("neighborhood", subject, measure).set_index("group")["value"]
        np.testing.assert_allclose(mine, expected[measure], rtol=0, atol=1e-9)
        whole = made.overall.set_index(["subject", "measure"])["value"]
        if measure != "selection_rate":
            assert whole[subject, measure] == pytest.approx(frame.overall[measure], abs=1e-9)


def test_a_group_without_true_cases_is_blank_and_not_perfect() -> None:
    calls = some_calls()
    calls.loc[calls["neighborhood"] == "West", "risk"] = 0.0
    made = audit(Period(calls), by=["neighborhood"], resamples=50)
    row = of_group(made, "safety_risk", "false_negative_rate", "West")
    assert row["among"] == 0
    assert row[["value", "low", "high", "pooled", "gap", "p"]].isna().all()
    assert row["verdict"] == "insufficient evidence"
    assert row["among_needed"] > 0


def test_a_group_of_a_few_calls_shows_no_figure() -> None:
    calls = some_calls()
    calls.loc[:3, "neighborhood"] = "Islet"
    made = audit(Period(calls), by=["neighborhood"], resamples=20)
    few = made.of("neighborhood")
    few = few[few["group"] == "(fewer than 10 calls each)"]
    assert set(few["calls"]) == {4}
    assert few[["hits", "value", "low", "high", "pooled"]].isna().all(axis=None)
    assert "Islet" not in set(made.findings["group"])


def test_where_the_model_abstained_it_neither_hits_nor_misses() -> None:
    calls = some_calls()
    counted = rates(Period(calls).calls, "safety_risk")
    abstained = calls["abstained"].to_numpy()
    assert not counted["false_negative_rate"].among[abstained].any()
    assert rates(Period(calls).calls, "recommendation")["abstention_rate"].hits[abstained].all()


def test_every_subject_has_the_measures_that_are_declared() -> None:
    made = audit(a_period(), by=["neighborhood"], resamples=20)
    for subject in SUBJECTS:
        assert set(made.of("neighborhood", subject)["measure"]) == set(MEASURES[subject])


def test_subjects_of_which_nothing_is_known_are_left_out() -> None:
    calls = some_calls().drop(columns=["decision", "decided_police", "overridden"])
    made = audit(Period(calls), by=["neighborhood"], resamples=20)
    assert "decision" not in made.words["subjects"]
    assert set(made.findings["subject"]) == set(made.words["subjects"])


pairs = st.lists(
    st.tuples(
        st.sampled_from([0.0, 1.0, np.nan]),
        st.sampled_from([0.0, 1.0, np.nan]),
        st.integers(0, 3),
        st.integers(0, 5),
        st.floats(0.1, 10),
    ),
    min_size=1,
    max_size=60,
)


@given(pairs)
def test_counting_by_group_is_counting_each_group_alone(
    rows: list[tuple[float, float, int, int, float]],
) -> None:
    truth, flag, group, incident, weight = (np.array(column) for column in zip(*rows, strict=True))
    counted = confusion(truth, flag)
    clusters = Clusters(group.astype(np.intp), 4, incident, weight)
    for rate in counted.values():
        shares = clusters.shares(rate.hits, rate.among)
        low, high = shares.interval()
        for code in range(4):
            mine = (group == code) & rate.among
            if not mine.any():
                assert np.isnan(shares.value[code]) and np.isnan(low[code])
                continue
            expected = np.average(rate.hits[mine], weights=weight[mine])
            assert shares.value[code] == pytest.approx(expected)
            assert shares.worth[code] <= mine.sum() + 1e-9
            assert low[code] - 1e-9 <= shares.value[code] <= high[code] + 1e-9


def test_time_to_decide_is_the_median() -> None:
    calls = some_calls(20_000)
    made = audit(Period(calls), by=["neighborhood"], resamples=50)
    mine = made.of("neighborhood", "decision", "seconds_to_decide").set_index("group")["value"]
    expected = calls.groupby("neighborhood")["seconds_to_decide"].median()
    pd.testing.assert_series_equal(mine, expected, rtol=0.02, check_names=False)
