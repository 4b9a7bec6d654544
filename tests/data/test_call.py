"""`Call` and `Outcome` take what they declare and nothing else."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from data.call import KNOWN_AT, MAX_NARRATIVE, Call, Known, Outcome

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def call(**fields: Any) -> Call:
    return Call(**{"call_id": "a-1", "received_at": NOW, **fields})


def test_two_fields_suffice() -> None:
    made = call()
    assert made.revision == 1
    assert made.narrative == ""
    assert made.answers == {}
    assert made.call_type is None


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("call_id", ""),
        ("call_id", "a b"),
        ("call_id", "x" * 65),
        ("call_id", 7),
        ("received_at", datetime(2026, 1, 1)),
        ("received_at", "2026-01-01T00:00:00Z"),
        ("received_at", datetime(1968, 2, 15, tzinfo=UTC)),
        ("received_at", datetime(2100, 1, 1, tzinfo=UTC)),
        ("revision", 0),
        ("revision", "1"),
        ("revision", True),
        ("narrative", None),
        ("narrative", "x" * (MAX_NARRATIVE + 1)),
        ("call_type", ""),
        ("call_type", "x" * 201),
        ("call_source", "E911"),
        ("priority", 1),
        ("language", "english language"),
        ("latitude", 91.0),
        ("latitude", float("nan")),
        ("longitude", float("inf")),
        ("premise_id", "12 ELM ST"),
        ("answers", {"weapon": "maybe"}),
        ("answers", {"is_armed": "yes"}),
        ("final_call_type", "CRISIS"),
    ],
    ids=lambda value: value if isinstance(value, str) and len(value) < 20 else "value",
)
def test_a_wrong_value_is_refused(field: str, value: Any) -> None:
    place = {"latitude": 1.0, "longitude": 1.0} if field in ("latitude", "longitude") else {}
    with pytest.raises(ValidationError) as caught:
        call(**{**place, field: value})
    assert {str(e["loc"][0]) for e in caught.value.errors() if e["loc"]} <= {field}


def test_the_longest_narrative_is_taken() -> None:
    assert len(call(narrative="x" * MAX_NARRATIVE).narrative) == MAX_NARRATIVE


@pytest.mark.parametrize("only", ["latitude", "longitude"])
def test_coordinates_come_together(only: str) -> None:
    with pytest.raises(ValidationError, match="come together"):
        call(**{only: 1.0})


def test_an_error_does_not_echo_what_was_said() -> None:
    with pytest.raises(ValidationError) as caught:
        call(narrative="secretword" * 3_000)
    assert "secretword" not in str(caught.value)


def test_a_call_can_not_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        call().narrative = "other"  # type: ignore[misc]


def test_every_field_says_when_it_is_known() -> None:
    assert set(KNOWN_AT) == set(Call.model_fields) | set(Outcome.model_fields)


def test_nothing_of_a_call_is_known_after_dispatch_and_all_of_an_outcome_is() -> None:
    assert {KNOWN_AT[name] for name in Call.model_fields} == {Known.RECEIVED, Known.INTERVIEW}
    learned = set(Outcome.model_fields) - {"call_id"}
    assert {KNOWN_AT[name] for name in learned} == {Known.AFTER_DISPATCH}
    assert not learned & set(Call.model_fields)


def test_an_outcome_is_as_strict() -> None:
    made = Outcome(call_id="a-1", recorded_at=NOW, weapon_found=False)
    assert made.weapon_found is False
    assert made.force_used is None
    for fields in ({"weapon_found": 1}, {"clinician_finding": "yes"}, {"narrative": "x"}):
        with pytest.raises(ValidationError):
            Outcome(call_id="a-1", recorded_at=NOW, **fields)  # type: ignore[arg-type]
    with pytest.raises(ValidationError, match="1968"):
        Outcome(call_id="a-1", recorded_at=datetime(1950, 1, 1, tzinfo=UTC))
