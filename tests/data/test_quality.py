"""`check` finds what would spoil training, and does not cry wolf over sound calls."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest

from data.call import TARGETS, Call
from data.dataset import Dataset
from data.frame import to_frame
from data.quality import check

START = datetime(2026, 1, 1, 8, 17, tzinfo=UTC)
N = 400


def sound(**parts: Any) -> Dataset:
    """Make calls of which nothing is wrong."""
    random = np.random.default_rng(5)
    calls = [
        Call(
            call_id=f"c{i}",
            received_at=START + timedelta(hours=3 * i),
            narrative="the caller speaks of " + " ".join(f"w{x:x}" for x in random.bytes(7)),
            call_type=["NOISE", "WELFARE", "THEFT"][int(random.integers(3))],
            priority=str(random.integers(1, 4)),
        )
        for i in range(N)
    ]
    outcomes = pd.DataFrame(
        {
            "call_id": [call.call_id for call in calls],
            "recorded_at": [call.received_at + timedelta(hours=1) for call in calls],
            "final_call_type": "OTHER",
        }
    )
    labels = pd.concat(
        pd.DataFrame(
            {
                "call_id": outcomes["call_id"],
                "target": target,
                "value": random.random(N) < 0.3,
                "source": "final_call_type",
                "as_of": outcomes["recorded_at"],
                "confidence": 0.9,
            }
        )
        for target in TARGETS
    )
    groups = pd.DataFrame({"call_id": outcomes["call_id"], "incident_id": outcomes["call_id"]})
    made = {"calls": to_frame(calls), "outcomes": outcomes, "labels": labels, "groups": groups}
    return Dataset(**{**made, **parts})


def levels(dataset: Dataset) -> dict[str, str]:
    return {finding.code: finding.level for finding in check(dataset).findings}


def test_sound_calls_are_not_spoilt() -> None:
    report = check(sound())
    assert not report.spoilt
    assert report.calls == N
    assert report.period == ("2026-01-01", "2026-02-20")
    assert set(levels(sound())) == {"empty_field"}


def test_revisions_of_a_call_count_once() -> None:
    dataset = sound()
    again = dataset.calls.iloc[:100].assign(revision=2)
    grown = pd.concat([dataset.calls, again], ignore_index=True)
    report = check(sound(calls=grown, labels=dataset.labels))
    assert (report.calls, report.revisions) == (N, N + 100)
    assert report.labels == check(dataset).labels
    assert {finding.code for finding in report.findings} == {"empty_field"}


def test_shares_of_what_is_missing() -> None:
    dataset = sound()
    dataset.calls.loc[: N // 4 - 1, "narrative"] = "  "
    dataset.calls.loc[: N // 2 - 1, "priority"] = None
    missing = check(dataset).missing
    assert (missing["narrative"], missing["priority"], missing["call_id"]) == (0.25, 0.5, 0.0)
    assert missing["answer_weapon"] == 1.0


def test_days_are_those_of_the_agency() -> None:
    dataset = sound()
    dataset.manifest["time_zone"] = "America/Los_Angeles"
    assert check(dataset).period == ("2026-01-01", "2026-02-19")


def test_no_calls_is_an_error() -> None:
    assert levels(Dataset(to_frame([]))) == {"no_calls": "error"}


def test_a_repeated_id_is_an_error_and_a_repeated_content_a_warning() -> None:
    dataset = sound()
    dataset.calls.loc[1] = dataset.calls.loc[0]
    copied = dataset.calls.loc[3].copy()
    copied["call_id"] = "c2"
    dataset.calls.loc[2] = copied
    found = levels(dataset)
    assert found["duplicate_id"] == "error"
    assert found["duplicate_content"] == "warning"


@pytest.mark.parametrize(("copies", "level"), [(2, "warning"), (30, "error")])
def test_texts_on_both_sides_of_a_split_in_time(copies: int, level: str) -> None:
    dataset = sound()
    early = dataset.calls["narrative"].iloc[:copies].str.upper().tolist()
    dataset.calls.loc[N - copies :, "narrative"] = early
    assert levels(dataset)["text_on_both_sides"] == level


def test_copies_within_an_incident_that_the_split_purges_are_only_noted() -> None:
    dataset = sound()
    assert dataset.groups is not None
    dataset.groups.loc[N - 30 :, "incident_id"] = dataset.calls["call_id"].iloc[:30].tolist()
    dataset.calls.loc[N - 30 :, "narrative"] = dataset.calls["narrative"].iloc[:30].tolist()
    found = levels(dataset)
    assert found["incident_on_both_sides"] == "note"
    assert "text_on_both_sides" not in found


def test_short_texts_that_are_alike_are_no_copies() -> None:
    dataset = sound()
    dataset.calls["narrative"] = "burglar alarm"
    assert "text_on_both_sides" not in levels(dataset)


def test_a_family_on_both_sides_is_noted() -> None:
    dataset = sound()
    assert dataset.groups is not None
    dataset.groups["family"] = "quarrel"
    assert levels(dataset)["family_on_both_sides"] == "note"


def test_a_label_of_one_class_is_an_error_and_few_positives_a_warning() -> None:
    dataset = sound()
    assert dataset.labels is not None
    mine = dataset.labels["target"] == "safety_risk"
    dataset.labels.loc[mine, "value"] = False
    assert levels(dataset)["one_class"] == "error"
    dataset.labels.loc[mine, "value"] = [True] * 5 + [False] * (N - 5)
    assert levels(dataset)["few_positives"] == "warning"


def test_no_labels_is_an_error() -> None:
    assert levels(sound(labels=None))["one_class"] == "error"


def test_labels_and_outcomes_of_other_calls_or_from_before_the_call_are_errors() -> None:
    dataset = sound()
    assert dataset.labels is not None and dataset.outcomes is not None
    dataset.labels.iloc[0, dataset.labels.columns.get_loc("call_id")] = "stranger"
    dataset.outcomes.loc[0, "call_id"] = "stranger"
    dataset.labels["as_of"] -= timedelta(days=1)
    dataset.outcomes["recorded_at"] -= timedelta(days=1)
    found = levels(dataset)
    for code in (
        "labels_without_call",
        "outcomes_without_call",
        "labels_too_early",
        "outcomes_too_early",
    ):
        assert found[code] == "error"


def test_labels_that_disagree_are_noted() -> None:
    dataset = sound()
    assert dataset.labels is not None
    other = dataset.labels.iloc[:3].assign(source="expert_review")
    other["value"] = ~other["value"]
    changed = sound(labels=pd.concat([dataset.labels, other]))
    assert levels(changed)["labels_disagree"] == "note"


def test_a_share_that_shifts_is_a_warning() -> None:
    dataset = sound()
    assert dataset.labels is not None
    mine = dataset.labels["target"] == "safety_risk"
    late = np.arange(N) >= int(0.8 * N)
    dataset.labels.loc[mine, "value"] = np.where(late, np.arange(N) % 2, np.arange(N) % 10 == 0) > 0
    assert levels(dataset)["share_shifts"] == "warning"


def test_times_without_an_hour_are_a_warning() -> None:
    dataset = sound()
    dataset.calls["received_at"] = dataset.calls["received_at"].dt.normalize()
    assert levels(dataset)["day_only"] == "warning"


@pytest.mark.parametrize(("share", "level"), [(0.01, "warning"), (0.2, "error")])
def test_a_narrative_that_tells_the_outcome(share: float, level: str) -> None:
    dataset = sound()
    n = int(share * N)
    dataset.calls.loc[: n - 1, "narrative"] += " male transported to the hospital, call cleared"
    report = check(dataset)
    found = next(f for f in report.findings if f.code == "narrative_tells_outcome")
    assert found.level == level
    assert f"transported ({n})" in found.message
    assert "male" not in found.message


def test_a_call_type_that_was_overwritten_at_clearance_is_an_error() -> None:
    dataset = sound()
    assert dataset.outcomes is not None
    dataset.outcomes["final_call_type"] = dataset.calls["call_type"].to_numpy()
    assert levels(dataset)["type_is_final"] == "error"


@pytest.mark.parametrize("field", ["priority", "answer_weapon", "narrative"])
def test_a_field_that_tells_the_label_is_an_error(field: str) -> None:
    dataset = sound()
    truth = dataset.targets()["safety_risk"].astype(bool)
    if field == "narrative":
        dataset.calls[field] = dataset.calls[field].mask(~truth, "")
    else:
        dataset.calls[field] = truth.map({True: "yes", False: "no"}).astype("str")
    assert levels(dataset)["field_tells_label"] == "error"


def test_rejected_rows_and_constant_fields_are_told() -> None:
    rejected = pd.DataFrame(
        {"row": range(N + 50), "field": "", "reason": "exact duplicate", "record": "{}"}
    )
    rejected.loc[:9, "reason"] = "call_id: no value"
    dataset = sound(rejected=rejected)
    dataset.calls["priority"] = "2"
    found = levels(dataset)
    assert found["copies_dropped"] == "note"
    assert found["rejected"] == "warning"
    assert found["constant_field"] == "warning"
    rejected["reason"] = "call_id: no value"
    assert levels(sound(rejected=rejected))["rejected"] == "error"


def test_errors_come_first() -> None:
    dataset = sound(labels=None)
    order = [finding.level for finding in check(dataset).findings]
    assert order == sorted(order, key=("error", "warning", "note").index)


# --- planted leaks ------------------------------------------------------------------------------


def test_remarks_of_units_are_found_and_the_mending_is_named() -> None:
    dataset = sound()
    dataset.calls.loc[: N // 4, "narrative"] += "\n2A12 ON SCENE\nSPOKE WITH HIM"
    finding = next(f for f in check(dataset).findings if f.code == "narrative_tells_outcome")
    assert finding.level == "error"
    assert f"unit status ({N // 4 + 1})" in finding.message
    assert "narrative_cut" in finding.message


def test_what_callers_tell_of_the_police_is_not_taken_for_remarks_of_units() -> None:
    dataset = sound()
    dataset.calls["narrative"] += ", and police were on scene yesterday"
    assert "narrative_tells_outcome" not in levels(dataset)


def test_a_disposition_in_other_codes_is_found() -> None:
    dataset = sound()
    assert dataset.outcomes is not None
    dispositions = np.random.default_rng(8).choice(["REPORT", "ARREST", "ASSIST"], N)
    dataset.outcomes["disposition"] = dispositions
    assert "field_tells_outcome" not in levels(dataset)
    codes = {"REPORT": "R", "ARREST": "A", "ASSIST": "X"}
    dataset.calls["priority"] = pd.Series(dispositions).map(codes).astype("str")
    finding = next(f for f in check(dataset).findings if f.code == "field_tells_outcome")
    assert finding.level == "error"
    assert finding.message.startswith("priority tells the disposition")


@pytest.mark.parametrize("field", ["disposition", "final_call_type"])
def test_an_outcome_written_into_the_narrative_is_found(field: str) -> None:
    dataset = sound()
    assert dataset.outcomes is not None
    told = np.random.default_rng(8).choice(["BLUE PAPER", "GREEN PAPER", "RED PAPER"], N)
    dataset.outcomes[field] = told
    dataset.calls["narrative"] += " green paper"
    assert "narrative_holds_outcome" not in levels(dataset)
    dataset.calls.loc[::3, "narrative"] += " " + pd.Series(told).str.lower()
    assert levels(dataset)["narrative_holds_outcome"] == "error"


def test_a_flag_on_an_address_that_knows_the_future_is_found() -> None:
    dataset = sound()
    random = np.random.default_rng(3)
    dataset.calls["premise_id"] = pd.Series([f"P{x}" for x in random.integers(120, size=N)])
    positive = dataset.targets()["mental_health_crisis"].astype(bool)
    calls = dataset.calls
    # As of the call: an earlier positive call of the premise. That is fair.
    before = [
        bool((positive & (calls["premise_id"] == p) & (calls["received_at"] < t)).any())
        for p, t in zip(calls["premise_id"], calls["received_at"], strict=True)
    ]
    dataset.calls["priority"] = np.where(before, "flagged", "none")
    assert "field_tells_future" not in levels(dataset)
    ever = calls["premise_id"].isin(set(calls["premise_id"][positive]))
    dataset.calls["priority"] = np.where(ever, "flagged", "none")
    assert levels(dataset)["field_tells_future"] == "error"
