"""The history of a premise holds what was known then: brute force, serving and training agree."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.call import Known
from data.errors import InputError
from data.frame import with_dtypes
from data.history import DAY, WINDOWS, PremiseHistory, check_history, columns, history_frame
from data.known import LeakError, known_at
from data.labels import DTYPES, resolve

START = pd.Timestamp("2026-01-01", tz="UTC")


def calls_of(*rows: tuple[str, str | None, float]) -> pd.DataFrame:
    """Make calls of (number, premise, day)."""
    frame = pd.DataFrame(rows, columns=["call_id", "premise_id", "day"])
    frame["received_at"] = START + pd.to_timedelta(frame.pop("day"), unit="D")
    return with_dtypes(frame)


def labels_of(*rows: tuple[str, bool, float], source: str = "final_call_type") -> pd.DataFrame:
    """Make crisis labels of (call, value, day it was known)."""
    frame = pd.DataFrame(rows, columns=["call_id", "value", "day"])
    frame["as_of"] = START + pd.to_timedelta(frame.pop("day"), unit="D")
    frame = frame.assign(
        target="mental_health_crisis", source=source, confidence=1.0, by=None
    ).reindex(columns=list(DTYPES))
    return frame.astype(DTYPES)


def brute(calls: pd.DataFrame, labels: pd.DataFrame, windows: Any = WINDOWS) -> pd.DataFrame:
    """Spell the rule out, call by call."""
    rows = []
    first = calls.sort_values(["received_at", "revision"], kind="stable").drop_duplicates("call_id")
    for _, call in calls.iterrows():
        if not isinstance(call["premise_id"], str):
            rows.append([np.nan] * 2 * len(windows))
            continue
        now = call["received_at"]
        known = resolve(labels, first["call_id"], known_by=now.to_pydatetime())
        crisis = known["mental_health_crisis"].fillna(False).astype(bool)
        here = (first["premise_id"] == call["premise_id"]) & (first["received_at"] < now)
        inside = [here & (first["received_at"] >= now - pd.Timedelta(days=d)) for d in windows]
        rows.append([float(w.sum()) for w in inside] + [float((w & crisis).sum()) for w in inside])
    return pd.DataFrame(rows, index=calls.index, columns=columns(windows), dtype="float64")


CALLS = st.lists(
    st.tuples(st.sampled_from(["P", "Q", None]), st.integers(0, 80), st.booleans()),
    min_size=1, max_size=14,
)  # fmt: skip
LABELS = st.lists(
    st.tuples(
        st.integers(0, 15),
        st.booleans(),
        st.integers(0, 90),
        st.sampled_from(["final_call_type", "expert_review", "decision_advised"]),
    ),
    max_size=14,
)


@settings(deadline=None, max_examples=30, derandomize=True)
@given(CALLS, LABELS)
def test_the_frame_agrees_with_the_rule_spelt_out(
    called: list[tuple[str | None, int, bool]], told: list[tuple[int, bool, int, str]]
) -> None:
    calls = calls_of(*((f"c{i}", place, day / 2) for i, (place, day, _) in enumerate(called)))
    again = calls[[twice for _, _, twice in called]].assign(revision=2)
    calls = pd.concat([calls, again], ignore_index=True)
    parts = [labels_of((f"c{i}", value, day / 2), source=source) for i, value, day, source in told]
    labels = pd.concat(parts, ignore_index=True) if parts else labels_of()
    windows = (3, 20)
    made = history_frame(calls, labels, windows=windows)
    pd.testing.assert_frame_equal(made, brute(calls, labels, windows))
    shuffled = calls.sample(frac=1, random_state=1)
    pd.testing.assert_frame_equal(
        history_frame(shuffled, labels, windows=windows), made.loc[shuffled.index]
    )


@settings(deadline=None, max_examples=60, derandomize=True)
@given(CALLS, LABELS, st.integers(0, 80))
def test_nothing_that_comes_later_changes_what_was(
    called: list[tuple[str | None, int, bool]], told: list[tuple[int, bool, int, str]], day: int
) -> None:
    calls = calls_of(*((f"c{i}", place, d / 2) for i, (place, d, _) in enumerate(called)))
    parts = [labels_of((f"c{i}", value, d / 2), source=source) for i, value, d, source in told]
    labels = pd.concat(parts, ignore_index=True) if parts else labels_of()
    now = START + pd.Timedelta(days=day / 2)
    past = calls["received_at"] <= now
    whole = history_frame(calls, labels)[past]
    then = history_frame(calls[past], labels[labels["as_of"] <= now])
    pd.testing.assert_frame_equal(whole, then)


@settings(deadline=None, max_examples=60, derandomize=True)
@given(CALLS, LABELS)
def test_serving_and_training_agree(
    called: list[tuple[str | None, int, bool]], told: list[tuple[int, bool, int, str]]
) -> None:
    """Serve: calls and labels come as they come, and a call is asked about at any later time."""
    calls = calls_of(*((f"c{i}", place, d / 2) for i, (place, d, _) in enumerate(called)))
    told = [(i, value, d, "final_call_type") for i, value, d, _ in told]
    told = list({(i, d): (i, v, d, s) for i, v, d, s in told}.values())
    labels = labels_of(*((f"c{i}", value, d / 2) for i, value, d, _ in told))
    frame = history_frame(calls, labels)
    history = PremiseHistory()
    base = START.value // 1000
    # All labels first in order of time, then all calls: the worst order there is.
    for i, value, d, _ in sorted(told, key=lambda row: row[2]):
        history.add_label(f"c{i}", value, base + d * DAY // 2)
    for i, (place, d, _) in enumerate(called):
        history.add_call(f"c{i}", place, base + d * DAY // 2)
    for row, (place, d, _) in enumerate(called):
        counts = history.counts(place, base + d * DAY // 2)
        expected = frame.iloc[row]
        if counts is None:
            assert expected.isna().all()
        else:
            assert list(counts) == expected.tolist()


def test_a_crisis_counts_from_when_it_was_known() -> None:
    calls = calls_of(("a", "P", 0), ("b", "P", 1), ("c", "P", 3), ("d", "P", 40), ("e", "Q", 3))
    made = history_frame(calls, labels_of(("a", True, 2)))
    assert made["history_calls_7d"].tolist() == [0, 1, 2, 0, 0]
    assert made["history_crises_7d"].tolist() == [0, 0, 1, 0, 0]
    assert made["history_crises_365d"].tolist() == [0, 0, 1, 1, 0]


def test_a_correction_changes_later_calls_only() -> None:
    calls = calls_of(("a", "P", 0), ("b", "P", 2), ("c", "P", 4))
    labels = pd.concat(
        [labels_of(("a", True, 1)), labels_of(("a", False, 3), source="expert_review")]
    )
    assert history_frame(calls, labels)["history_crises_7d"].tolist() == [0, 1, 0]


def test_a_decision_that_the_score_has_swayed_is_no_crisis() -> None:
    calls = calls_of(("a", "P", 0), ("b", "P", 2))
    labels = labels_of(("a", True, 1), source="decision_advised")
    assert history_frame(calls, labels)["history_crises_7d"].tolist() == [0, 0]


def test_calls_that_no_window_reaches_are_forgotten() -> None:
    whole, lean = PremiseHistory((7,)), PremiseHistory((7,))
    for history in (whole, lean):
        for day in range(30):
            history.add_call(f"c{day}", "P" if day % 2 else "Q", day * DAY)
            history.add_label(f"c{day}", day % 3 == 0, (day + 1) * DAY)
    assert lean.forget(28 * DAY) == 21
    for place in "PQ":
        for day in (28, 29, 31, 40):
            assert lean.counts(place, day * DAY) == whole.counts(place, day * DAY)
    assert lean.forget(100 * DAY) == 9
    assert lean.counts("P", 100 * DAY) == (0, 0)


def test_labels_of_calls_that_never_came_are_forgotten_too() -> None:
    history = PremiseHistory((7,))
    for day in range(30):
        history.add_label(f"c{day}", True, day * DAY)
    history.forget(28 * DAY)
    assert len(history._early) == 9
    history.add_call("c25", "P", 24 * DAY)  # it came late, and its label with it
    assert history.counts("P", 28 * DAY) == (1, 1)


@pytest.mark.parametrize("windows", [(), (0,), (30, 7), (7, 7)])
def test_windows_are_ascending_days(windows: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="windows"):
        PremiseHistory(windows)


def test_every_column_is_known_with_the_call() -> None:
    assert all(known_at(name) is Known.RECEIVED for name in columns())


def planted(calls: pd.DataFrame, labels: pd.DataFrame) -> pd.DataFrame:
    """Compute the history as a careless study would: with labels as they are known today."""
    return history_frame(calls, labels.assign(as_of=START - pd.Timedelta(days=1)))


def test_a_history_that_knows_the_future_is_refused_by_name() -> None:
    calls = calls_of(*((f"c{i}", "P", float(i)) for i in range(20)))
    labels = labels_of(*((f"c{i}", i % 2 == 0, i + 5.0) for i in range(20)))
    check_history(history_frame(calls, labels), calls, labels)
    with pytest.raises(LeakError, match=r"history_crises_7d \(of 19 calls, 19 times too much\)"):
        check_history(planted(calls, labels), calls, labels)
    with pytest.raises(LeakError, match="history_ever"):
        check_history(pd.DataFrame({"history_ever": 1.0}, calls.index), calls, labels)


def test_a_year_of_calls_takes_seconds_not_minutes() -> None:
    random = np.random.default_rng(1)
    n = 20_000
    # A tenth of the calls come from five premises, such as a shelter.
    places = np.where(
        random.random(n) < 0.1, random.integers(5, size=n), random.integers(8000, size=n)
    )
    days = np.sort(random.random(n)) * 365
    calls = calls_of(
        *((f"c{i}", f"P{p}", d) for i, (p, d) in enumerate(zip(places, days, strict=True)))
    )
    labels = labels_of(*((f"c{i}", bool(random.random() < 0.2), d + 2) for i, d in enumerate(days)))
    begun = time.perf_counter()
    history_frame(calls, labels)
    assert time.perf_counter() - begun < 10
