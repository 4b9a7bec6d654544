"""Nothing that is known only after dispatch passes for a feature, under whatever name it comes."""

from __future__ import annotations

import pytest

from data.call import KNOWN_AT, Call, Known, Outcome
from data.frame import DTYPES
from data.known import LeakError, known_at, refuse_later, sounds_later
from data.labels import SOURCES


def test_every_field_of_a_call_and_an_outcome_has_its_time() -> None:
    for name in (*Call.model_fields, *Outcome.model_fields):
        assert known_at(name) is KNOWN_AT[name]
    assert all(known_at(name) not in (None, Known.AFTER_DISPATCH) for name in DTYPES)


def test_outcomes_labels_and_their_sources_are_later() -> None:
    later = set(Outcome.model_fields) - {"call_id"} | set(SOURCES)
    for name in (*later, "mental_health_crisis", "safety_risk", "as_of", "value"):
        assert known_at(name) is Known.AFTER_DISPATCH, name


def test_history_and_the_hour_are_known_with_the_call() -> None:
    assert known_at("history_calls_30d") is Known.RECEIVED
    assert known_at("hour") is Known.RECEIVED
    assert known_at("answer_weapon") is Known.INTERVIEW
    assert known_at("answer_shoe_size") is None


def test_what_is_later_is_refused_by_name() -> None:
    refuse_later(["narrative", "hour", "answer_weapon"], "features")
    with pytest.raises(LeakError, match="features: disposition, force_used is known only after"):
        refuse_later(["narrative", "force_used", "disposition"], "features")


@pytest.mark.parametrize(
    "column",
    ["Final Type", "FINAL_CALL_TYPE", "finalCallType", "Event.Clearance.Group", "Dispo", "Disp."]
    + ["DispositionCode", "closed_at", "Cleared By", "Arrival Time", "OnSceneTime", "At.Scene.Time"]
    + ["EnRoute", "dispatch_time", "Outcome", "Use Of Force", "Clinician Finding", "Case No"],
)
def test_names_of_what_is_learned_later(column: str) -> None:
    assert sounds_later(column) is (column != "Disp.")  # "Disp." may also mean dispatcher


@pytest.mark.parametrize(
    "column",
    ["Initial Type", "Remarks", "Pri", "Call Received", "Address", "Nature", "Problem", "Source"]
    + ["Dispatch Zone", "Closest Cross Street", "Incident No", "Narrative", "Finals Week"],
)
def test_names_of_what_is_known_before(column: str) -> None:
    assert not sounds_later(column)
