"""The whole way of a call: silence is never safety, and a fact never calms the plan down."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.call import QUESTIONS, Call
from model_service.model.assess import assess
from model_service.model.facts import FACTS
from model_service.model.plan import PROTOCOL
from model_service.model.recommend import Recommendation
from model_service.model.release import Release, load_release
from tests import strategies
from tests.builders import PUBLIC_KEY, a_call, make_champion

CALL = Call.model_validate_json(json.dumps(a_call()))
SPANISH = "hay un hombre gritando en la calle con un cuchillo y no se calma"


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Release:
    folder = make_champion(tmp_path_factory.mktemp("home"))
    return load_release(folder, trusted=[PUBLIC_KEY])


def advice(release: Release, call: Call, **fields: Any) -> Recommendation:
    """What is recommended of a call of which only number, time and place are kept, and `fields`."""
    kept = {"call_id", "received_at", "neighborhood", "latitude", "longitude"}
    stripped = {name: getattr(call, name) for name in kept}
    return assess(release, Call(**{**stripped, **fields})).recommendation


unknown_words = st.lists(st.sampled_from(["zzyzx", "qwfpgj", "xyloph", "brzt", "刀"]), min_size=1)


@settings(max_examples=500)
@given(
    call=strategies.calls(),
    answers=st.dictionaries(st.sampled_from(QUESTIONS), st.just("unknown")),
    words=unknown_words,
)
def test_what_says_nothing_abstains_with_a_reason(
    release: Release, call: Call, answers: dict[Any, Any], words: list[str]
) -> None:
    unknown = " ".join(words)
    nowhere = dict.fromkeys(["neighborhood", "latitude", "longitude"])
    for fields, why in (
        (nowhere, "nothing_said"),  # every field is missing that may be
        ({"narrative": " \n"}, "nothing_said"),
        ({"answers": answers}, "nothing_said"),
        ({"answers": answers, "narrative": unknown}, "only_unknown_words"),
        ({"narrative": f"voices {unknown}"}, "too_few_known_words"),
        ({"narrative": SPANISH, "language": "es"}, "unsupported_language"),
        ({"narrative": call.narrative, "language": "pt-BR"}, "unsupported_language"),
        ({"narrative": f"brother {SPANISH} voices"}, "mostly_unknown_words"),
    ):
        given = advice(release, call, **fields)
        assert (given.response, given.abstained, given.bands) == (PROTOCOL, True, None), why
        told = {reason.code: reason.text for reason in given.reasons}
        assert told[f"abstained:{why}"].startswith("no prediction: ")


pieces = st.sampled_from(
    [
        *("brother hearing voices", "not sleeping", "suicidal", "car accident", "he has a knife"),
        *("no weapons", "used to own a gun", "any weapons?", "yes", "no", "she is bleeding", "but"),
    ]
)
texts = st.lists(pieces, max_size=8).map(", ".join)
answers = st.dictionaries(st.sampled_from(QUESTIONS), st.sampled_from(["yes", "no", "unknown"]))


@settings(max_examples=1_000)
@given(narrative=texts, answers=answers, place=st.sampled_from([None, "Roxbury", "Mattapan"]))
def test_no_team_without_police_where_a_fact_speaks_against_it_or_none_is_known(
    release: Release, narrative: str, answers: dict[Any, Any], place: str | None
) -> None:
    given = advice(release, CALL, narrative=narrative, answers=answers, neighborhood=place)
    facts = {fact.code: fact for fact in given.facts}
    if given.police is False:
        assert facts["weapon"].value == "no"
        assert all(facts[code].value != "yes" for code in release.plan.disqualifiers)
        assert not any(fact.contradictory for fact in facts.values())
        assert "said" not in {span.polarity for fact in facts.values() for span in fact.spans}
    if any(fact.contradictory for fact in facts.values()):
        assert (given.response, given.abstained) == (PROTOCOL, True)


@settings(max_examples=500)
@given(
    narrative=texts,
    answers=answers,
    more=st.sets(st.sampled_from(FACTS), min_size=1),
    place=st.sampled_from([None, "Roxbury"]),
)
def test_a_yes_never_calms_the_plan_down(
    release: Release, narrative: str, answers: dict[Any, Any], more: set[Any], place: str | None
) -> None:
    fields: dict[str, Any] = {"narrative": narrative, "neighborhood": place}
    before = advice(release, CALL, answers=answers, **fields)
    stated = {**answers, **dict.fromkeys(more, "yes")}
    after = advice(release, CALL, answers=stated, **fields)
    assert after.police is not False
    if before.response == PROTOCOL and any(
        hit.effect == "protocol" for hit in before.disqualifiers
    ):
        assert after.response == PROTOCOL
    assert {hit.code for hit in after.disqualifiers} >= more
