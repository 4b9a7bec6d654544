"""What is known, and that silence is never a no."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.call import QUESTIONS, Answer, Call
from model_service.model.facts import FACTS, Facts, Span, facts_of, settle
from model_service.model.matching import POLARITIES
from model_service.model.scorer import Scored
from tests.builders import make_rules, make_scorer
from tests.strategies import narratives

NOON = datetime(2021, 10, 5, 16, tzinfo=UTC)
ORDER = {"no": 0, "unknown": 1, "yes": 2}


def spans(*polarities: str) -> list[Span]:
    return [Span("narrative", 0, 1, polarity) for polarity in polarities]


def facts(narrative: str = "", **answers: Any) -> Facts:
    call = Call(call_id="a", received_at=NOON, narrative=narrative, answers=answers)
    return facts_of(call, make_scorer().score(call), QUESTIONS, make_rules())


@pytest.mark.parametrize(
    ("answer", "spoken", "value", "contradictory"),
    [
        (None, [], "unknown", False),
        ("unknown", [], "unknown", False),
        ("yes", [], "yes", False),
        ("no", [], "no", False),
        (None, ["said"], "yes", False),
        (None, ["denied"], "no", False),
        ("unknown", ["denied"], "no", False),
        ("yes", ["said"], "yes", False),
        ("no", ["denied"], "no", False),
        ("no", ["said"], "yes", True),
        ("yes", ["denied"], "yes", True),
        ("yes", ["denied", "possible"], "yes", False),
        # Within a narrative both may be true, of two things or two moments.
        (None, ["denied", "said"], "yes", False),
        ("yes", ["said", "denied"], "yes", False),
        ("no", ["said", "denied"], "yes", True),
        # What is left open keeps a denial from being one.
        (None, ["possible"], "unknown", False),
        (None, ["denied", "possible"], "unknown", False),
        ("no", ["possible"], "unknown", False),
        *[(None, [polarity], "unknown", False) for polarity in ("asked", "past", "supposed")],
        (None, ["other"], "unknown", False),
        ("no", ["past", "other", "asked"], "no", False),
    ],
)
def test_an_answer_and_a_narrative_are_weighed(
    answer: Answer | None, spoken: list[str], value: Answer, contradictory: bool
) -> None:
    assert settle(answer, spans(*spoken)) == (value, contradictory)


answers = st.sampled_from([None, *get_args(Answer)])
polarities = st.lists(st.sampled_from(POLARITIES), max_size=5)


@given(answer=answers, spoken=polarities)
def test_a_no_is_never_silence(answer: Answer | None, spoken: list[str]) -> None:
    value, _ = settle(answer, spans(*spoken))
    if value == "no":
        assert answer == "no" or "denied" in spoken
    if answer == "yes" or "said" in spoken:
        assert value == "yes"


@given(answer=answers, spoken=polarities, data=st.data())
def test_a_yes_only_raises(answer: Answer | None, spoken: list[str], data: st.DataObject) -> None:
    before, _ = settle(answer, spans(*spoken))
    more = data.draw(st.permutations([*spoken, "said"]))
    assert ORDER[settle(answer, spans(*more))[0]] >= ORDER[before]
    assert ORDER[settle("yes", spans(*spoken))[0]] >= ORDER[before]


def test_what_was_neither_answered_nor_said_is_not_known() -> None:
    assert {fact.value for fact in facts().values()} == {"unknown"}
    assert {fact.value for fact in facts("brother hearing voices").values()} == {"unknown"}


def test_evidence_is_the_answer_and_the_place_in_the_original() -> None:
    words = "Fr\u00e8re hearing voices \U0001f642 NO WEAPONS seen"
    found = facts(words, weapon="no", suicidal="yes")
    weapon = found["weapon"]
    assert (weapon.value, weapon.answer, weapon.contradictory) == ("no", "no", False)
    assert {span.polarity for span in weapon.spans} == {"denied"}
    assert all("WEAPONS" in words[span.start : span.end] for span in weapon.spans)
    suicidal = found["suicidal"]
    assert (suicidal.value, suicidal.answer, suicidal.spans) == ("yes", "yes", ())


def test_a_model_that_reads_no_narrative_knows_the_facts_all_the_same() -> None:
    call = Call(call_id="a", received_at=NOON, narrative="he has a knife")
    blind = facts_of(call, Scored((0.0, 0.0), [], [], []), FACTS, make_rules())
    assert blind["weapon"] == facts("he has a knife")["weapon"]
    assert blind["weapon"].value == "yes"


@given(narrative=narratives)
def test_any_narrative_has_its_places(narrative: str) -> None:
    for fact in facts(narrative).values():
        for span in fact.spans:
            assert 0 <= span.start < span.end <= len(narrative)
