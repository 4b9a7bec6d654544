"""Labels: one value per call and target, by trust and time; what has none is missing."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.call import TARGETS
from data.labels import DEFAULT_SOURCES, DTYPES, SOURCES, check_labels, learned, resolve


def rows(*entries: tuple[Any, ...]) -> pd.DataFrame:
    frame = pd.DataFrame(
        [(*entry, 1.0) for entry in entries],
        columns=["call_id", "target", "value", "source", "as_of", "confidence"],
    )
    return check_labels(frame.assign(as_of=pd.to_datetime(frame["as_of"], utc=True)))


def test_the_more_trusted_source_wins_though_it_is_older() -> None:
    labels = rows(
        ("a", "safety_risk", False, "final_call_type", "2026-02-01"),
        ("a", "safety_risk", True, "clinician_finding", "2026-01-01"),
    )
    assert resolve(labels, pd.Series(["a"]))["safety_risk"].tolist() == [True]


def test_within_a_source_a_correction_wins() -> None:
    labels = rows(
        ("a", "safety_risk", True, "expert_review", "2026-02-01"),
        ("a", "safety_risk", False, "expert_review", "2026-01-01"),
    )
    assert resolve(labels, pd.Series(["a"]))["safety_risk"].tolist() == [True]


def test_only_what_was_known_by_then_counts() -> None:
    labels = rows(
        ("a", "safety_risk", True, "expert_review", "2026-02-01"),
        ("a", "safety_risk", False, "final_call_type", "2026-01-01"),
    )
    early = resolve(
        labels, pd.Series(["a"]), known_by=pd.Timestamp("2026-01-15", tz="UTC").to_pydatetime()
    )
    assert early["safety_risk"].tolist() == [False]


def test_no_label_is_missing_and_the_index_is_kept() -> None:
    labels = rows(("b", "mental_health_crisis", True, "expert_review", "2026-01-01"))
    resolved = resolve(labels, pd.Series(["a", "b"], index=[7, 9]))
    assert resolved.index.tolist() == [7, 9]
    assert list(resolved.columns) == list(TARGETS)
    assert resolved["mental_health_crisis"].tolist() == [pd.NA, True]
    assert resolved["safety_risk"].isna().all()


def test_no_labels_at_all() -> None:
    empty = pd.DataFrame(columns=list(DTYPES)).astype(DTYPES)
    resolved = resolve(empty, pd.Series(["a"]))
    assert resolved.isna().all(axis=None)
    assert (resolved.dtypes == "boolean").all()


LABEL = st.tuples(
    st.sampled_from("abc"),
    st.sampled_from(TARGETS),
    st.booleans(),
    st.sampled_from(SOURCES),
    st.dates(pd.Timestamp("2026-01-01").date(), pd.Timestamp("2026-03-01").date()),
)


@settings(deadline=None, max_examples=60, derandomize=True)
@given(st.lists(LABEL, min_size=1, max_size=12, unique_by=lambda e: (e[0], e[1], e[3], e[4])))
def test_resolving_agrees_with_the_rule_spelt_out(entries: list[tuple[Any, ...]]) -> None:
    ids = pd.Series(list("abcd"))
    resolved = resolve(rows(*entries), ids)
    for position, call_id in enumerate(ids):
        for target in TARGETS:
            mine = [
                e for e in entries if e[0] == call_id and e[1] == target and e[3] in DEFAULT_SOURCES
            ]
            best = min(mine, key=lambda e: (SOURCES.index(e[3]), -e[4].toordinal()), default=None)
            value = resolved.loc[position, target]
            assert value is pd.NA if best is None else value == best[2]


@pytest.mark.parametrize(
    ("column", "value"), [("target", "arson"), ("source", "hearsay"), ("confidence", 1.5)]
)
def test_an_unknown_target_source_or_confidence_is_refused(column: str, value: Any) -> None:
    labels = rows(("a", "safety_risk", True, "expert_review", "2026-01-01"))
    with pytest.raises(ValueError, match=column):
        check_labels(labels.assign(**{column: value}))


def test_a_missing_column_is_named() -> None:
    labels = rows(("a", "safety_risk", True, "expert_review", "2026-01-01"))
    with pytest.raises(ValueError, match="as_of"):
        check_labels(labels.drop(columns="as_of"))


def test_a_label_without_a_time_is_refused() -> None:
    labels = rows(("a", "safety_risk", True, "expert_review", "2026-01-01"))
    with pytest.raises(ValueError, match="as_of"):
        check_labels(labels.assign(as_of=pd.Series(pd.NaT, labels.index, dtype=DTYPES["as_of"])))


def test_folders_written_before_labels_had_a_name_can_be_read() -> None:
    labels = rows(("a", "safety_risk", True, "expert_review", "2026-01-01"))
    assert check_labels(labels.drop(columns="by"))["by"].isna().all()


def test_a_decision_made_after_seeing_the_score_is_no_label_by_default() -> None:
    labels = rows(("a", "safety_risk", True, "decision_advised", "2026-01-01"))
    ids = pd.Series(["a"])
    assert resolve(labels, ids)["safety_risk"].isna().all()
    assert resolve(labels, ids, sources=SOURCES)["safety_risk"].tolist() == [True]
    assert list(learned(labels, "safety_risk")) == []


def test_a_decision_made_without_the_score_counts_where_nothing_better_is_known() -> None:
    labels = rows(
        ("a", "safety_risk", True, "decision_unadvised", "2026-01-02"),
        ("b", "safety_risk", True, "decision_unadvised", "2026-01-02"),
        ("b", "safety_risk", False, "final_call_type", "2026-01-01"),
    )
    assert resolve(labels, pd.Series(["a", "b"]))["safety_risk"].tolist() == [True, False]


def test_at_the_same_time_the_more_confident_wins_and_a_tie_is_missing() -> None:
    labels = rows(
        ("a", "safety_risk", True, "free_text_rule", "2026-01-02"),
        ("a", "safety_risk", False, "free_text_rule", "2026-01-02"),
        ("b", "safety_risk", True, "free_text_rule", "2026-01-02"),
        ("b", "safety_risk", False, "free_text_rule", "2026-01-02"),
        ("b", "safety_risk", False, "disposition", "2026-01-01"),
    )
    ids = pd.Series(["a", "b"])
    assert resolve(labels, ids)["safety_risk"].tolist() == [pd.NA, False]
    labels.loc[1, "confidence"] = 0.4
    assert resolve(labels, ids)["safety_risk"].tolist() == [True, False]


@settings(deadline=None, max_examples=60, derandomize=True)
@given(
    st.lists(st.tuples(LABEL, st.sampled_from([0.5, 1.0])), min_size=1, max_size=14),
    st.dates(pd.Timestamp("2026-01-01").date(), pd.Timestamp("2026-03-01").date()),
)
def test_what_was_learned_step_by_step_is_what_resolving_gives_at_any_day(
    entries: list[tuple[tuple[Any, ...], float]], day: Any
) -> None:
    labels = rows(*(entry for entry, _ in entries))
    labels["confidence"] = [confidence for _, confidence in entries]
    ids = pd.Series(list("abc"))
    known_by = pd.Timestamp(day, tz="UTC")
    expected = resolve(labels, ids, known_by=known_by.to_pydatetime())
    for target in TARGETS:
        values: dict[str, Any] = {}
        for moment in learned(labels, target):
            if moment.as_of <= known_by.timestamp() * 1e6:
                values[moment.call_id] = moment.value
        got = [pd.NA if values.get(i) is None else values[i] for i in ids]
        assert got == expected[target].tolist()
