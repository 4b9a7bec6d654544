"""The cases are well made, and the runner counts rightly, on a model that a person can reckon."""

from __future__ import annotations

import json
from collections import Counter
from itertools import product
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from data.call import Call
from data.document import read_document
from model_service.model.release import Release, load_release, write_release
from tests.builders import KEY, a_call, release_files
from training.behaviour import GOALS, KINDS, missed, read_cases, run
from training.behaviour.cases import (
    Expectation,
    MoveCase,
    MoveGroup,
    PlainCase,
    PlainGroup,
    SameCase,
    SameGroup,
)

CRISIS = "brother hearing voices, not sleeping"
NOTHING = "car accident no"


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Release:
    folder = write_release(tmp_path_factory.mktemp("store"), release_files(), KEY)
    return load_release(folder, trusted=None)


def call(narrative: str) -> Call:
    document = a_call(1, narrative=narrative, neighborhood="Roxbury", answers={"weapon": "no"})
    return Call.model_validate_json(json.dumps(document))


def plain(narrative: str, **expect: Any) -> PlainCase:
    return PlainCase("g", "g/a", call(narrative), Expectation.model_validate(expect))


def same(first: str, then: str) -> SameCase:
    return SameCase("g", "g/a/b", call(first), call(then), "crisis", "spoken")


def moves(target: Any, must: Any, first: str, then: str) -> MoveCase:
    return MoveCase("g", "g/a", call(first), call(then), target, must)


def passes(release: Release, case: Any) -> bool:
    (kind,) = run(release, [case])["kinds"].values()
    assert kind["cases"] == 1
    assert kind["failed"] == ([] if kind["passed"] else [case.id])
    return bool(kind["passed"])


# The cases


def test_there_are_enough_cases_of_every_kind() -> None:
    count = Counter(case.kind for case in read_cases())
    assert set(count) == set(KINDS) == set(GOALS)
    assert count["must_have"] >= 150
    assert count["invariance"] >= 200
    assert count["direction"] >= 100


def test_the_pairs_cover_every_truth_in_every_style() -> None:
    pairs = Counter((case.truth, case.style) for case in read_cases() if isinstance(case, SameCase))
    truths, styles = ("crisis", "risk", "both", "neither"), ("spoken", "cad", "log")
    assert set(pairs) == set(product(truths, styles))
    assert min(pairs.values()) >= 5


def test_no_case_stands_there_twice_and_no_pair_is_one_call() -> None:
    cases = read_cases()
    assert len({(case.kind, case.id) for case in cases}) == len(cases)
    said = Counter(tuple(c.model_dump_json() for c in case.calls) for case in cases)
    assert [n for n in said.values() if n > 1] == []
    assert [case.id for case in cases if case.calls[0] == case.calls[-1] and case.calls[1:]] == []


def test_the_plain_calls_are_of_all_four_kinds() -> None:
    expected = Counter(
        (
            "low" not in (case.expect.mental_health_crisis or ("low",)),
            "low" not in (case.expect.safety_risk or ("low",)),
        )
        for case in read_cases()
        if isinstance(case, PlainCase)
    )
    assert len(expected) == 4
    assert min(expected.values()) >= 20


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (PlainGroup, "[{group: g, expect: {safety: [low]}, calls: {a: knife}}]"),
        (PlainGroup, "[{group: g, expect: {safety_risk: [none]}, calls: {a: knife}}]"),
        (PlainGroup, "[{group: g, expect: {safety_risk: [low]}, calls: {}}]"),
        (PlainGroup, "[{group: g, expect: {safety_risk: [low]}, calls: {'he has a knife': x}}]"),
        (SameGroup, "[{group: g, bases: {a: {truth: crisis, style: cad, first: x}}}]"),
        (
            SameGroup,
            "[{group: g, bases: {a: {truth: crisis, style: cad, text: he is, first: x, "
            "then: {b: y}}}}]",
        ),
        (
            SameGroup,
            "[{group: g, bases: {a: {truth: crisis, style: verse, first: x, then: {b: y}}}}]",
        ),
        (
            MoveGroup,
            "[{group: g, target: safety_risk, must: soar, pairs: {a: {first: x, then: y}}}]",
        ),
    ],
)
def test_a_slip_of_the_pen_is_refused(kind: Any, text: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(list[kind]).validate_python(read_document(text))


def test_a_blank_is_filled() -> None:
    base = "{truth: crisis, style: cad, text: ___ hi, first: '', then: {b: oh}}"
    text = f"[{{group: g, bases: {{a: {base}}}}}]"
    (group,) = TypeAdapter(list[SameGroup]).validate_python(read_document(text))
    made = group.bases["a"]
    assert [made.filled(made.first), made.filled(made.then["b"])] == ["hi", "oh hi"]


# The runner


@pytest.mark.parametrize(
    ("narrative", "expect", "kept"),
    [
        (CRISIS, {"mental_health_crisis": ["medium", "high"]}, True),
        (CRISIS, {"mental_health_crisis": ["low", "medium"]}, False),
        (CRISIS, {"mental_health_crisis": ["high"], "safety_risk": ["low"]}, True),
        (CRISIS, {"mental_health_crisis": ["high"], "safety_risk": ["high"]}, False),
        (CRISIS, {"never_without_police": True}, False),
        (CRISIS + " knife", {"never_without_police": True}, True),
        (NOTHING, {"mental_health_crisis": ["low"], "never_without_police": True}, True),
        # The model abstains: nothing was seen.
        ("", {"mental_health_crisis": ["medium", "high"]}, False),
        ("", {"mental_health_crisis": ["low", "medium"], "never_without_police": True}, True),
    ],
)
def test_plain_calls(release: Release, narrative: str, expect: Any, kept: bool) -> None:
    assert passes(release, plain(narrative, **expect)) is kept


@pytest.mark.parametrize(
    ("first", "then", "kept"),
    [
        (CRISIS, CRISIS.upper(), True),
        (CRISIS, NOTHING, False),
        (CRISIS, "", False),
        # Both go to the protocol, though one is no call to speak of.
        (NOTHING, NOTHING + " car", True),
        (NOTHING, "", False),
    ],
)
def test_pairs_that_mean_the_same(release: Release, first: str, then: str, kept: bool) -> None:
    assert passes(release, same(first, then)) is kept


@pytest.mark.parametrize(
    ("target", "must", "first", "then", "kept"),
    [
        ("safety_risk", "rise", "brother", "brother knife", True),
        ("safety_risk", "rise", "brother knife", "brother", False),
        ("safety_risk", "rise", "brother", "brother", False),
        ("safety_risk", "fall", "brother weapons", "brother no weapons", True),
        ("safety_risk", "fall", "brother no weapons", "brother weapons", False),
        ("safety_risk", "fall", "brother", "brother", False),
        ("safety_risk", "not_rise", "brother", "brother", True),
        ("safety_risk", "not_rise", "brother", "brother knife", False),
        ("mental_health_crisis", "not_rise", "hearing voices", "car accident", True),
        ("mental_health_crisis", "not_move_up", "car", "car accident", True),
        ("mental_health_crisis", "not_move_up", "car", "car hearing voices", False),
        ("mental_health_crisis", "rise", "car", "car hearing voices", True),
    ],
)
def test_pairs_that_move(
    release: Release, target: str, must: str, first: str, then: str, kept: bool
) -> None:
    assert passes(release, moves(target, must, first, then)) is kept


def test_the_report_counts_by_kind_and_group_and_holds_no_text(release: Release) -> None:
    high = Expectation.model_validate({"mental_health_crisis": ["medium", "high"]})
    cases = [
        PlainCase("one", "one/a", call(CRISIS), high),
        PlainCase("one", "one/b", call(NOTHING), high),
        PlainCase("two", "two/a", call("not sleeping car"), high),
        SameCase("names", "names/a/b", call(CRISIS), call(CRISIS), "crisis", "log"),
        # The same protocol, but another band.
        SameCase("names", "names/a/c", call(NOTHING), call("not sleeping car"), "neither", "log"),
    ]
    report = run(release, cases)
    assert report["release"] == release.digest
    assert set(report["kinds"]) == {"must_have", "invariance"}
    kind = report["kinds"]["must_have"]
    assert (kind["goal"], kind["cases"], kind["passed"]) == (GOALS["must_have"], 3, 2)
    assert kind["share"] == pytest.approx(2 / 3)
    assert kind["groups"]["one"] == {"cases": 2, "passed": 1, "share": 0.5, "strict": 1}
    assert kind["groups"]["two"] == {"cases": 1, "passed": 1, "share": 1.0, "strict": 0}
    assert kind["failed"] == ["one/b"]
    pairs = report["kinds"]["invariance"]
    assert (pairs["passed"], pairs["strict"], pairs["cases"]) == (2, 1, 2)
    assert missed(report) == ["must_have"]
    text = json.dumps(report)
    assert not any(word in text for word in ("brother", "accident", "voices"))


def test_goals_are_met_from_the_goal_on(release: Release) -> None:
    report = run(
        release,
        [plain(CRISIS, mental_health_crisis=["high"])] * 49
        + [plain(NOTHING, mental_health_crisis=["high"])],
    )
    assert report["kinds"]["must_have"]["share"] == GOALS["must_have"]
    assert missed(report) == []


def test_progress_wraps_the_cases(release: Release) -> None:
    told: list[str] = []

    def progress(items: Any, what: str) -> Any:
        told.append(what)
        return items

    run(release, [same(CRISIS, CRISIS)], progress=progress)
    assert told == ["running cases"]
