"""Disqualifiers are facts with their evidence; abstention says why."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from data.call import Call
from model_service.model.safeguards import (
    AbstentionReason,
    Disqualifier,
    abstention,
    disqualifiers,
)
from tests.builders import make_scorer

NOON = datetime(2021, 10, 5, 16, tzinfo=UTC)
EFFECTS: Any = {"weapon": "risk_high", "injury": "protocol"}


def call(**fields: Any) -> Call:
    return Call(**{"call_id": "a-1", "received_at": NOON, **fields})


def reason(words: str = "", least: int = 2, **fields: Any) -> AbstentionReason | None:
    made = call(narrative=words, **fields)
    return abstention(
        made,
        make_scorer().score(made),
        min_known_words=least,
        languages=frozenset(["en"]),
    )


def test_only_yes_disqualifies() -> None:
    assert disqualifiers(call(answers={"weapon": "no", "injury": "unknown"}), EFFECTS) == ()
    assert disqualifiers(call(answers={"suicidal": "yes"}), EFFECTS) == ()
    assert disqualifiers(call(narrative="weapon yes"), EFFECTS) == ()


def test_a_disqualifier_names_its_evidence() -> None:
    found = disqualifiers(call(answers={"injury": "yes", "weapon": "yes"}), EFFECTS)
    assert found == (
        Disqualifier("weapon", "risk_high", "answers.weapon"),
        Disqualifier("injury", "protocol", "answers.injury"),
    )


@pytest.mark.parametrize(
    ("words", "fields", "expected"),
    [
        ("knife voices", {}, None),
        ("knife zzyzx", {}, "too_few_known_words"),
        ("knife knife", {}, None),  # two words, though the same
        ("", {}, "nothing_said"),
        (" \n--- ", {}, "nothing_said"),
        ("knife voices", {"language": "en"}, None),
        ("knife voices", {"language": "EN-us"}, None),
        ("knife voices", {"language": "es"}, "unsupported_language"),
        ("", {"language": "es"}, "unsupported_language"),
    ],
    ids=range(9),
)
def test_when_the_model_is_not_asked(
    words: str, fields: dict[str, Any], expected: AbstentionReason | None
) -> None:
    assert reason(words, **fields) == expected


def test_a_plan_may_ask_the_model_however_little_is_known() -> None:
    assert reason("zzyzx", least=0) is None
    assert reason("", least=0) == "nothing_said"
