"""The next question is the one whose answer changes most; a plan applied anew agrees."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.call import ANSWER_PREFIX, QUESTIONS, TARGETS, Call
from data.frame import to_frame
from model_service.model.assess import Assessment, assess
from model_service.model.compile import yes_shares
from model_service.model.plan import PROTOCOL, ResponsePlan, Thresholds, load_plan
from model_service.model.release import Release
from model_service.model.scorer import MISSING, CategoryTable
from tests.builders import make_rules, make_scorer
from tests.invented import make_plan
from tests.model.test_recommend import plans

NOON = datetime(2021, 10, 5, 16, tzinfo=UTC)
BOSTON, _ = load_plan("boston")
CRISIS = "brother hearing voices, not sleeping, suicidal"
SHARES = {question: 0.05 * number for number, question in enumerate(QUESTIONS, 1)}


def answered(question: str, yes: tuple[float, float], no: tuple[float, float]) -> CategoryTable:
    """Weights of the answers to a question."""
    values = {"yes": yes, "no": no, "unknown": (0.1, 0.1), MISSING: (0.0, 0.0)}
    return CategoryTable(f"{ANSWER_PREFIX}{question}", values, (0.0, 0.0), (0.0, 0.0))


def release(plan: ResponsePlan = BOSTON, shares: dict[str, float] = SHARES) -> Release:
    scorer = make_scorer()
    tables = (
        *(table for table in scorer.categories if not table.field.startswith(ANSWER_PREFIX)),
        answered("hallucinations", (1.0, 0.1), (-0.3, 0.0)),
        answered("suicidal", (1.5, 0.4), (-0.6, -0.2)),
        answered("accepts_help", (0.2, -1.5), (0.0, 2.5)),
        answered("weapon", (0.1, 3.0), (0.0, -0.4)),
    )
    return Release(
        digest="",
        signer=None,
        scorer=replace(scorer, categories=tables, yes_shares=shares),
        rules=make_rules(),
        plan=plan,
        plan_digest="",
        thresholds={target: Thresholds(low=0.2, high=0.6) for target in TARGETS},
        metrics={},
        card="",
    )


def asked(made: Release, narrative: str = CRISIS, **fields: Any) -> Assessment:
    call = Call(call_id="a", received_at=NOON, narrative=narrative, **fields)
    return assess(made, call)


def test_the_answer_that_is_missing_is_asked_for_first() -> None:
    made = asked(release())
    assert made.recommendation.response == PROTOCOL
    first = made.questions[0]
    assert (first.question, first.text) == ("weapon", "Weapon within reach?")
    assert (first.if_yes.response, first.if_no.response) == (PROTOCOL, "emt_clinician")
    assert first.change_probability == pytest.approx(1 - SHARES["weapon"])
    assert first.why.code == "question:needed"
    assert first.why.text.startswith("EMTs with a mental-health clinician")


def test_what_is_told_of_an_answer_comes_true() -> None:
    made = release()
    before = asked(made, neighborhood="Roxbury", answers={"weapon": "no"})
    assert before.questions
    for question in before.questions:
        for answer, told in (("yes", question.if_yes), ("no", question.if_no)):
            answers = {"weapon": "no", question.question: answer}
            after = asked(made, neighborhood="Roxbury", answers=answers)
            assert after.recommendation.response == told.response
            assert after.recommendation.name == told.name
            for target in TARGETS:
                change = getattr(after.prediction, target) - getattr(before.prediction, target)
                assert getattr(told, target) == pytest.approx(change, abs=1e-12)


@settings(max_examples=300)
@given(
    plan=plans(),
    narrative=st.lists(
        st.sampled_from(
            [
                *("hearing voices", "suicidal", "a knife", "no weapons", "car accident"),
                *("used to own a gun", "not sleeping", "brother", "on fire", "?", "hay un hombre"),
            ]
        ),
        max_size=6,
    ).map(", ".join),
    answers=st.dictionaries(st.sampled_from(QUESTIONS), st.sampled_from(["yes", "no", "unknown"])),
    place=st.sampled_from([None, "Roxbury", "Mattapan"]),
)
def test_what_is_told_is_what_the_plan_applied_anew_says(
    plan: ResponsePlan, narrative: str, answers: dict[Any, Any], place: str | None
) -> None:
    made = release(plan)
    before = asked(made, narrative, answers=answers, neighborhood=place)
    assert len(before.questions) <= 2
    changes = {}
    for question in QUESTIONS:
        known = {fact.code: fact for fact in before.recommendation.facts}.get(question)
        if answers.get(question) is not None and not (known and known.contradictory):
            continue
        if known is not None and known.value != "unknown" and not known.contradictory:
            continue  # the narrative has settled it
        after = [
            asked(made, narrative, answers={**answers, question: answer}, neighborhood=place)
            for answer in ("yes", "no")
        ]
        yes, no = (then.recommendation.response for then in after)
        share, now = SHARES[question], before.recommendation.response
        changes[question] = share * (yes != now) + (1 - share) * (no != now)
    ranked = sorted(changes, key=lambda question: -changes[question])
    best = [question for question in ranked if changes[question] > 0][:2]
    assert [asked_for.question for asked_for in before.questions] == best
    for asked_for in before.questions:
        assert asked_for.change_probability == pytest.approx(changes[asked_for.question])


@pytest.mark.parametrize(
    ("narrative", "fields"),
    [
        ("", {}),
        ("zzyzx zzyzx zzyzx", {}),
        (CRISIS, {"language": "es"}),
        (CRISIS, {"answers": {"injury": "yes"}}),  # the protocol, whatever else is answered
    ],
)
def test_nothing_is_asked_where_no_answer_helps(narrative: str, fields: dict[str, Any]) -> None:
    assert asked(release(), narrative, **fields).questions == ()


def test_nothing_is_asked_of_a_head_that_keeps_no_promise() -> None:
    made = release()
    limits = {**made.thresholds, "safety_risk": Thresholds(low=None, high=1.5)}
    assert asked(replace(made, thresholds=limits)).questions == ()


def test_what_was_answered_or_denied_is_not_asked_again() -> None:
    for narrative, fields in (
        (CRISIS, {"answers": {"weapon": "no"}}),
        (CRISIS, {"answers": {"weapon": "unknown"}}),
        (f"{CRISIS}, no weapons", {}),
    ):
        asked_for = [q.question for q in asked(release(), narrative, **fields).questions]
        assert "weapon" not in asked_for


def test_a_contradiction_is_what_is_asked_about() -> None:
    plan = make_plan()  # police with a clinician everywhere
    made = asked(release(plan), f"{CRISIS}, has a knife", answers={"weapon": "no"})
    assert made.recommendation.response == PROTOCOL
    (question,) = made.questions
    assert (question.question, question.why.code) == ("weapon", "question:contradiction")
    assert (question.if_yes.response, question.if_no.response) == ("police_clinician", PROTOCOL)


def test_a_release_without_shares_asks_nothing_and_says_the_same() -> None:
    old, new = asked(release(shares={})), asked(release())
    assert old.questions == ()
    assert old.recommendation == new.recommendation


def test_shares_are_of_yes_and_no_and_never_none_or_all() -> None:
    given = ["yes", "no", "no", "unknown", None]
    calls = [
        Call(call_id=f"c{n}", received_at=NOON, answers={"weapon": a} if a else {})  # type: ignore[dict-item]
        for n, a in enumerate(given)
    ]
    calls.append(Call(call_id="m", received_at=NOON, answers={"minor": "unknown", "fire": "yes"}))
    shares = yes_shares(pd.DataFrame(to_frame(calls)))
    assert shares == {"weapon": pytest.approx(2 / 5), "fire": pytest.approx(2 / 3)}
