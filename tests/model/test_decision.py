"""A decision accepts, or overrides with a response and a reason."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from model_service.model.decision import OVERRIDE_REASONS, Decision


@pytest.mark.parametrize("reason", OVERRIDE_REASONS)
def test_an_override_says_what_was_sent_and_why(reason: Any) -> None:
    made = Decision(action="override", response="protocol", reason=reason, note="as agreed")
    assert Decision.model_validate_json(made.model_dump_json()) == made


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"action": "override"},
        {"action": "override", "response": "protocol"},
        {"action": "override", "reason": "other"},
        {"action": "override", "response": "protocol", "reason": "because"},
        {"action": "override", "response": "Not An Id", "reason": "other"},
        {"action": "accept", "response": "protocol"},
        {"action": "accept", "reason": "other"},
        {"action": "ignore"},
        {"action": "accept", "note": "x" * 1001},
        {"action": "accept", "by": "somebody"},
    ],
    ids=range(11),
)
def test_anything_else_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Decision(**fields)


def test_an_acceptance_may_carry_a_note() -> None:
    assert Decision(action="accept").note is None
    assert Decision(action="accept", note="spoke with the mother").note
