"""Disqualifiers are facts with their evidence; abstention says why."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from data.call import QUESTIONS, Call
from model_service.model.facts import facts_of
from model_service.model.safeguards import (
    AbstentionReason,
    Disqualifier,
    abstention,
    disqualifiers,
)
from tests.builders import make_rules, make_scorer

NOON = datetime(2021, 10, 5, 16, tzinfo=UTC)
EFFECTS: Any = {"weapon": "risk_high", "injury": "protocol"}


def call(**fields: Any) -> Call:
    return Call(**{"call_id": "a-1", "received_at": NOON, **fields})


def reason(
    words: str = "", least: int = 2, share: float = 0.0, **fields: Any
) -> AbstentionReason | None:
    made = call(narrative=words, **fields)
    scored = make_scorer().score(made)
    return abstention(
        made,
        scored,
        facts_of(made, scored, QUESTIONS, make_rules()),
        min_known_words=least,
        min_known_share=share,
        languages=frozenset(["en"]),
    )


def found(**fields: Any) -> tuple[Disqualifier, ...]:
    made = call(**fields)
    scored = make_scorer().score(made)
    return disqualifiers(facts_of(made, scored, QUESTIONS, make_rules()), EFFECTS)


def test_only_a_yes_disqualifies() -> None:
    assert found(answers={"weapon": "no", "injury": "unknown"}) == ()
    assert found(answers={"suicidal": "yes"}) == ()
    assert found(narrative="no weapons, used to own a gun") == ()


def test_a_disqualifier_names_its_evidence() -> None:
    assert found(answers={"injury": "yes", "weapon": "yes"}) == (
        Disqualifier("weapon", "risk_high", "answers.weapon"),
        Disqualifier("injury", "protocol", "answers.injury"),
    )


def test_what_the_narrative_says_is_evidence_too() -> None:
    words = "no gun, he has a knife"
    said, answered = found(narrative=words), found(narrative=words, answers={"weapon": "yes"})
    for (hit,), evidence in ((said, "narrative"), (answered, "answers.weapon")):
        assert (hit.code, hit.evidence) == ("weapon", evidence)
        assert any("knife" in words[span.start : span.end] for span in hit.spans)
        assert {span.polarity for span in hit.spans} == {"said"}


@pytest.mark.parametrize(
    ("words", "fields", "expected"),
    [
        ("knife voices", {}, None),
        ("knife zzyzx", {}, "too_few_known_words"),
        ("zzyzx zzyzx zzyzx", {}, "only_unknown_words"),
        ("machete zzyzx", {}, "too_few_known_words"),  # the rules know it, the model does not
        ("knife knife", {}, None),  # two words, though the same
        ("", {}, "nothing_said"),
        (" \n--- ", {}, "nothing_said"),
        ("knife voices", {"language": "en"}, None),
        ("knife voices", {"language": "EN-us"}, None),
        ("knife voices", {"language": "es"}, "unsupported_language"),
        ("", {"language": "es"}, "unsupported_language"),
        ("he has a knife", {"answers": {"weapon": "no"}, "least": 1}, "contradictory_facts"),
        ("no weapons", {"answers": {"weapon": "yes"}}, "contradictory_facts"),
        ("no weapons", {"answers": {"weapon": "no"}}, None),
        ("no weapons", {"answers": {"weapon": "unknown"}}, None),
    ],
    ids=range(15),
)
def test_when_the_model_is_not_asked(
    words: str, fields: dict[str, Any], expected: AbstentionReason | None
) -> None:
    assert reason(words, **fields) == expected


def test_a_narrative_of_mostly_unknown_words_may_be_in_another_language() -> None:
    words = "voices, hay un hombre que grita y no se calla"  # "no" is Spanish as well
    assert reason(words, share=0.2) is None  # two of ten
    assert reason(words, share=0.3) == "mostly_unknown_words"
    assert reason(words, share=0.0) is None


def test_a_plan_may_ask_the_model_however_little_is_known() -> None:
    assert reason("voices zzyzx zzyzx", least=0) is None
    assert reason("zzyzx", least=0) == "only_unknown_words"
    assert reason("", least=0) == "nothing_said"
