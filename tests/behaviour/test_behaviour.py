"""The cases of `cases.yaml`, on the shipped configuration trained on synthetic calls.

The model here has seen a sixth of the calls that the shipped one sees, so the cases are those that
any usable model keeps. Names of tests are those of the cases; no text of a call is in them.

The many cases of `training.behaviour` have goals for a release that is shipped (`crisiscall
behave`). This small model does not reach them: it is held to the floors below, and wholly to what
no model may get wrong because the text is the same once it is normalised.
"""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from data.call import TARGETS, Call
from data.dataset import Dataset
from data.document import read_document
from model_service.model.assess import Assessment, assess
from training.behaviour import KINDS, read_cases, run
from training.pipeline import Trained

CASES: dict[str, Any] = read_document(
    (Path(__file__).with_name("cases.yaml")).read_text(encoding="utf-8")
)
FLOORS = {"must_have": 0.90, "invariance": 0.93, "direction": 0.87}
"""A little under what the small model does; the goals are `training.behaviour.GOALS`."""

NORMALISED = ("invisible-characters", "look-alikes", "case", "neighbourhood-of-the-call")

AT = "2025-06-03T14:00:00-04:00"


def cases(kind: str) -> Any:
    return pytest.mark.parametrize("case", CASES[kind], ids=lambda case: case["id"])


def assessed(trained: Trained, fields: dict[str, Any]) -> Assessment:
    document = {"call_id": "case", "received_at": AT, **CASES["usual"], **fields}
    return assess(trained.release, Call.model_validate_json(json.dumps(document)))


def probability(trained: Trained, fields: dict[str, Any], target: str) -> float:
    return float(getattr(assessed(trained, fields).prediction, target))


@cases("ranked")
def test_ranked(synthetic: tuple[Dataset, Trained], case: dict[str, Any]) -> None:
    above, below = (
        [probability(synthetic[1], {"narrative": n}, case["target"]) for n in case[side]]
        for side in ("above", "below")
    )
    wrong = [
        (i, j)
        for (i, high), (j, low) in product(enumerate(above), enumerate(below))
        if not high > low
    ]
    assert not wrong, f"pairs the wrong way about, by position: {wrong}"


@cases("rises")
def test_rises(synthetic: tuple[Dataset, Trained], case: dict[str, Any]) -> None:
    before = probability(synthetic[1], case["first"], case["target"])
    after = probability(synthetic[1], case["then"], case["target"])
    assert after > before + 0.001


@cases("same")
def test_same(synthetic: tuple[Dataset, Trained], case: dict[str, Any]) -> None:
    first = assessed(synthetic[1], case["first"]).prediction
    then = assessed(synthetic[1], case["then"]).prediction
    assert then == pytest.approx(first, abs=1e-12)


@cases("sent")
def test_sent(synthetic: tuple[Dataset, Trained], case: dict[str, Any]) -> None:
    made, expected = assessed(synthetic[1], case["call"]).recommendation, case["expect"]
    for name in ("response", "police", "abstained"):
        if name in expected:
            assert getattr(made, name) == expected[name]
    if "never_police" in expected:
        assert made.police is not expected["never_police"]
        assert made.disqualifiers


def test_every_case_has_a_name_of_its_own_and_a_known_target() -> None:
    assert set(CASES) == {"usual", "ranked", "rises", "same", "sent"}
    for kind in ("ranked", "rises", "same", "sent"):
        names = [case["id"] for case in CASES[kind]]
        assert len(set(names)) == len(names)
        assert all(case["target"] in TARGETS for case in CASES[kind] if "target" in case)


@pytest.fixture(scope="module")
def behaviour(synthetic: tuple[Dataset, Trained]) -> dict[str, Any]:
    return run(synthetic[1].release)


@pytest.mark.parametrize("kind", KINDS)
def test_the_small_model_keeps_most_cases(behaviour: dict[str, Any], kind: str) -> None:
    tally = behaviour["kinds"][kind]
    assert tally["share"] >= FLOORS[kind], f"failed: {', '.join(tally['failed'])}"


@pytest.mark.parametrize("group", NORMALISED)
def test_what_is_normalised_away_changes_no_band(behaviour: dict[str, Any], group: str) -> None:
    tally = behaviour["kinds"]["invariance"]["groups"][group]
    assert tally["strict"] == tally["cases"]


def test_no_case_is_a_call_that_was_learned_from(synthetic: tuple[Dataset, Trained]) -> None:
    learned = set(synthetic[0].calls["narrative"].str.casefold())
    told = [n for case in CASES["ranked"] for n in (*case["above"], *case["below"])]
    told += [case[side]["narrative"] for case in CASES["rises"] for side in ("first", "then")]
    told += [call.narrative for case in read_cases() for call in case.calls]
    assert not learned & {narrative.casefold() for narrative in told}
