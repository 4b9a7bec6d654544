"""The plan is applied to the letter."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, get_args
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.call import QUESTIONS, TARGETS, Answer, Call
from model_service.model.facts import FACTS, Fact, Facts, Span, facts_of, with_answer
from model_service.model.matching import POLARITIES
from model_service.model.plan import (
    PROTOCOL,
    ResponsePlan,
    Thresholds,
    ThresholdSet,
    load_plan,
)
from model_service.model.recommend import Recommendation, recommend
from model_service.model.safeguards import AbstentionReason
from model_service.model.scorer import Prediction, Scored
from model_service.model.teams import Free, Teams, UnservedReason, obstacle
from model_service.model.texts import ENGLISH
from tests.builders import make_rules
from tests.invented import make_plan, plan_document

NEW_YORK = ZoneInfo("America/New_York")
NOON = datetime(2021, 10, 5, 12, tzinfo=NEW_YORK)  # a Tuesday
THRESHOLDS = {target: Thresholds(low=0.2, high=0.6) for target in TARGETS}
OF_BAND = {"low": 0.1, "medium": 0.4, "high": 0.8}
BANDS = tuple(OF_BAND)


def call(at: datetime = NOON, **fields: Any) -> Call:
    return Call(call_id="a-1", received_at=at, **fields)


def known(plan: ResponsePlan, made: Call) -> Facts:
    """What is known of a call, by a model that reads nothing."""
    return facts_of(made, Scored((0.0, 0.0), [], [], []), plan.facts, make_rules())


def apply(
    plan: ResponsePlan,
    crisis: float = 0.9,
    risk: float = 0.1,
    made: Call | None = None,
    abstained: AbstentionReason | None = None,
    *,
    thresholds: ThresholdSet = THRESHOLDS,
    free: Free | None = None,
) -> Recommendation:
    made = made or call()
    return recommend(
        Prediction(crisis, risk),
        teams=Teams(plan, made, free),
        thresholds=thresholds,
        facts=known(plan, made),
        abstained=abstained,
    )


def codes(recommendation: Recommendation) -> list[str]:
    return [reason.code for reason in recommendation.reasons]


def with_response(**changes: Any) -> ResponsePlan:
    document = plan_document()
    document["responses"][0].update(changes)
    return ResponsePlan.model_validate(document)


# Preference, and what is recommended


def test_the_first_response_that_takes_the_bands_is_recommended() -> None:
    document = plan_document()
    document["responses"].insert(0, {**document["responses"][0], "id": "first"})
    assert apply(ResponsePlan.model_validate(document)).response == "first"
    assert apply(make_plan()).response == "clinician"
    assert apply(make_plan(), 0.9, 0.2).response == "police_clinician"
    assert apply(make_plan(), 0.2, 0.1).response == "police_clinician"
    assert apply(make_plan(), 0.1, 0.1).response == PROTOCOL


def test_a_recommendation_says_who_comes_and_why() -> None:
    made = apply(make_plan())
    assert (made.name, made.police, made.abstained) == ("Clinician", False, False)
    assert made.bands == {"mental_health_crisis": "high", "safety_risk": "low"}
    assert codes(made) == ["band:mental_health_crisis:high", "band:safety_risk:low"]
    left = apply(make_plan(), 0.1, 0.1)
    assert (left.name, left.police, left.abstained) == ("The centre's own protocol", None, False)


@pytest.mark.parametrize("reason", get_args(AbstentionReason))
def test_an_abstention_is_the_protocol_whatever_the_model_says(reason: AbstentionReason) -> None:
    for crisis, risk in ((0.99, 0.01), (0.99, 0.99), (0.01, 0.01)):
        made = apply(make_plan(), crisis, risk, abstained=reason)
        assert (made.response, made.abstained, made.bands) == (PROTOCOL, True, None)
        assert codes(made) == [f"abstained:{reason}"]


def test_an_abstention_still_tells_the_facts() -> None:
    made = apply(make_plan(), made=call(answers={"weapon": "yes"}), abstained="nothing_said")
    assert codes(made) == ["disqualifier:weapon", "abstained:nothing_said"]
    assert [hit.evidence for hit in made.disqualifiers] == ["answers.weapon"]


# Disqualifiers


def test_a_weapon_counts_as_high_risk_and_an_injury_leaves_it_to_the_protocol() -> None:
    armed = apply(make_plan(), made=call(answers={"weapon": "yes"}))
    assert armed.response == "police_clinician"
    assert armed.bands == {"mental_health_crisis": "high", "safety_risk": "high"}
    hurt = apply(make_plan(), made=call(answers={"injury": "yes"}))
    assert hurt.response == PROTOCOL
    assert hurt.bands == {"mental_health_crisis": "high", "safety_risk": "low"}
    both = apply(make_plan(), made=call(answers={"weapon": "yes", "injury": "yes"}))
    assert both.response == PROTOCOL
    assert both.bands == {"mental_health_crisis": "high", "safety_risk": "high"}


effects = st.dictionaries(st.sampled_from(QUESTIONS), st.sampled_from(["risk_high", "protocol"]))
some_bands = st.lists(st.sampled_from(BANDS), min_size=1, max_size=3, unique=True)


@st.composite
def plans(draw: st.DrawFn) -> ResponsePlan:
    responses = []
    for number in range(draw(st.integers(1, 4))):
        police = draw(st.booleans())
        risks = draw(some_bands)
        if not police:
            risks = [band for band in risks if band != "high"] or ["low"]
        responses.append(
            {
                "id": f"r{number}",
                "name": "A team",
                "police": police,
                "mental_health_crisis": draw(some_bands),
                "safety_risk": risks,
                "since": draw(st.sampled_from(["2021-01-01", "2021-10-06"])),
                "places": draw(st.sampled_from([None, ["Roxbury"], ["Roxbury", "Downtown"]])),
            }
        )
    disqualifiers = draw(effects)
    for response in responses:
        needs = st.lists(st.sampled_from(sorted(disqualifiers)), max_size=2, unique=True)
        response["needs"] = draw(needs) if disqualifiers else []
    return make_plan(responses=responses, disqualifiers=disqualifiers)


@st.composite
def some_facts(draw: st.DrawFn, plan: ResponsePlan) -> Facts:
    """Answers and narratives of every kind, for one another or against."""
    answer = st.sampled_from([None, None, "yes", "no", "no", "unknown"])
    spans = st.lists(st.sampled_from(POLARITIES), max_size=3).map(
        lambda drawn: tuple(Span("narrative", 0, 1, polarity) for polarity in drawn)
    )
    return {
        code: with_answer(
            Fact(code, "unknown", None, draw(spans) if code in FACTS else (), False), draw(answer)
        )
        for code in plan.facts
    }


probabilities = st.floats(0, 1) | st.sampled_from([0.2, 0.6, 0.0, 1.0])
answered = st.dictionaries(st.sampled_from(QUESTIONS), st.sampled_from(["yes", "no", "unknown"]))


@settings(max_examples=300)
@given(
    plan=plans(),
    crisis=probabilities,
    risk=probabilities,
    answers=answered,
    more=st.sets(st.sampled_from(QUESTIONS), min_size=1),
    place=st.sampled_from([None, "Roxbury", "Mattapan"]),
)
def test_a_disqualifier_only_escalates(
    plan: ResponsePlan,
    crisis: float,
    risk: float,
    answers: dict[Any, Any],
    more: set[Any],
    place: str | None,
) -> None:
    before = apply(plan, crisis, risk, call(answers=answers, neighborhood=place))
    stated = {**answers, **dict.fromkeys(more, "yes")}
    after = apply(plan, crisis, risk, call(answers=stated, neighborhood=place))
    # Police or the protocol never become a team without police by a fact that was added.
    if before.police is not False:
        assert after.police is not False
    added = {question for question in plan.disqualifiers if stated.get(question) == "yes"}
    if added:
        assert after.police is not False
        assert {hit.code for hit in after.disqualifiers} == added


@settings(max_examples=200)
@given(plan=plans(), crisis=probabilities, risk=probabilities)
def test_no_high_risk_without_police(plan: ResponsePlan, crisis: float, risk: float) -> None:
    made = apply(plan, crisis, risk)
    if made.bands is not None and made.bands["safety_risk"] == "high":
        assert made.police is not False


@settings(max_examples=200)
@given(plan=plans(), crisis=probabilities, risk=probabilities)
def test_whoever_is_recommended_takes_the_bands_and_nobody_before_could_be_sent(
    plan: ResponsePlan, crisis: float, risk: float
) -> None:
    made = apply(plan, crisis, risk)
    assert made.bands is not None
    fitting = [
        response
        for response in plan.responses
        if made.bands["mental_health_crisis"] in response.mental_health_crisis
        and made.bands["safety_risk"] in response.safety_risk
    ]
    free = [r for r in fitting if obstacle(plan, r, call(), NOON, None) is None]
    ready = [r for r in free if not r.needs]
    assert made.response == (ready[0].id if ready else PROTOCOL)
    before = fitting[: fitting.index(ready[0])] if ready else fitting
    assert [u.response for u in made.unserved] == [r.id for r in before if r not in free]
    waiting = [(r.id, fact) for r in before if r in free for fact in r.needs]
    assert [tuple(awaiting) for awaiting in made.awaiting] == waiting


# Places, dates, hours


def unserved(plan: ResponsePlan, made: Call) -> UnservedReason | None:
    reasons = {u.response: u.reason for u in apply(plan, made=made).unserved}
    return reasons.get("clinician")


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        ("Roxbury", None),
        ("ROXBURY", None),
        (" roxbury ", None),
        ("South  End", None),
        ("Dorchester", "out_of_area"),
        ("Roxburys", "out_of_area"),
        (None, "place_unknown"),
    ],
)
def test_places(place: str | None, reason: UnservedReason | None) -> None:
    plan = with_response(places=["Roxbury", "South End"])
    assert unserved(plan, call(neighborhood=place)) == reason
    made = apply(plan, made=call(neighborhood=place))
    assert made.response == ("clinician" if reason is None else "police_clinician")
    assert (f"unserved:clinician:{reason}" in codes(made)) == (reason is not None)


@pytest.mark.parametrize(
    ("since", "until", "reason"),
    [
        (None, None, "not_started"),
        ("2021-10-05", None, None),
        ("2021-10-06", None, "not_started"),
        ("2021-10-01", "2021-10-05", None),
        ("2021-10-01", "2021-10-04", "ended"),
    ],
)
def test_dates(since: str | None, until: str | None, reason: UnservedReason | None) -> None:
    assert unserved(with_response(since=since, until=until), call()) == reason


def test_a_day_begins_at_the_plan_s_midnight() -> None:
    plan = with_response(since="2021-10-05")
    assert unserved(plan, call(datetime(2021, 10, 5, 3, 59, 59, tzinfo=UTC))) == "not_started"
    assert unserved(plan, call(datetime(2021, 10, 5, 4, 0, 0, tzinfo=UTC))) is None


def shift(days: list[str], start: str, end: str) -> ResponsePlan:
    return with_response(hours=[{"days": days, "from": start, "to": end}])


@pytest.mark.parametrize(
    ("at", "on_duty"),
    [
        ((2021, 10, 5, 21, 59, 59), False),  # Tuesday
        ((2021, 10, 5, 22, 0, 0), True),
        ((2021, 10, 5, 23, 59, 59), True),
        ((2021, 10, 6, 0, 0, 0), True),  # Wednesday, Tuesday's shift
        ((2021, 10, 6, 5, 59, 59), True),
        ((2021, 10, 6, 6, 0, 0), False),
        ((2021, 10, 6, 22, 0, 0), False),
        ((2021, 10, 5, 5, 0, 0), False),  # Tuesday early: Monday had none
    ],
)
def test_a_shift_over_midnight_is_that_of_the_day_it_began(
    at: tuple[int, ...], on_duty: bool
) -> None:
    plan = shift(["tue"], "22:00", "06:00")
    made = call(datetime(*at, tzinfo=NEW_YORK))  # type: ignore[misc, arg-type]
    assert (unserved(plan, made) is None) == on_duty


def test_a_shift_over_the_end_of_the_week() -> None:
    plan = shift(["sun"], "20:00", "04:00")
    assert unserved(plan, call(datetime(2021, 10, 4, 3, 59, tzinfo=NEW_YORK))) is None  # Monday
    assert unserved(plan, call(datetime(2021, 10, 3, 3, 59, tzinfo=NEW_YORK))) == "out_of_hours"


@pytest.mark.parametrize(("start", "end"), [("08:00", "08:00"), ("00:00", "00:00")])
def test_a_shift_that_ends_when_it_begins_is_a_whole_day(start: str, end: str) -> None:
    hour = int(start[:2])
    plan = shift(["tue"], start, end)
    first = datetime(2021, 10, 5, hour, tzinfo=NEW_YORK)
    assert unserved(plan, call(first)) is None
    assert unserved(plan, call(first.replace(day=5 + (hour > 0), hour=(hour - 1) % 24))) is None
    assert unserved(plan, call(first.replace(day=6))) == "out_of_hours"


def test_until_midnight() -> None:
    plan = shift(["tue"], "16:00", "00:00")
    assert unserved(plan, call(datetime(2021, 10, 5, 23, 59, 59, tzinfo=NEW_YORK))) is None
    assert unserved(plan, call(datetime(2021, 10, 6, 0, 0, tzinfo=NEW_YORK))) == "out_of_hours"


def test_hours_are_those_of_the_clock_on_the_wall_when_clocks_change() -> None:
    plan = shift(["sun"], "01:00", "03:00")
    # 7 November 2021: 1:00-2:00 comes twice; 1:30 EDT and 1:30 EST are both on duty.
    for hour in (5, 6, 7):
        assert unserved(plan, call(datetime(2021, 11, 7, hour, 30, tzinfo=UTC))) is None
    assert unserved(plan, call(datetime(2021, 11, 7, 8, 0, tzinfo=UTC))) == "out_of_hours"
    # 13 March 2022: after 1:59 EST comes 3:00 EDT.
    assert unserved(plan, call(datetime(2022, 3, 13, 6, 59, tzinfo=UTC))) is None
    assert unserved(plan, call(datetime(2022, 3, 13, 7, 0, tzinfo=UTC))) == "out_of_hours"


def test_several_shifts() -> None:
    plan = with_response(
        hours=[
            {"days": ["tue"], "from": "08:00", "to": "10:00"},
            {"days": ["mon", "tue"], "from": "11:30", "to": "12:01"},
        ]
    )
    assert unserved(plan, call()) is None
    assert unserved(plan, call(NOON.replace(hour=10))) == "out_of_hours"


def test_who_can_t_be_sent_is_passed_over_and_told() -> None:
    document = plan_document()
    document["responses"][0]["places"] = ["Roxbury"]
    document["responses"][1]["safety_risk"] = ["low", "high"]
    made = apply(ResponsePlan.model_validate(document))
    assert made.response == "police_clinician"
    assert [(u.response, u.reason) for u in made.unserved] == [("clinician", "place_unknown")]
    assert "unserved:clinician:place_unknown" in codes(made)


def test_what_can_t_be_sent_and_does_not_fit_is_not_told() -> None:
    assert apply(with_response(since=None), 0.9, 0.9).unserved == ()


# Boston's plan


def test_boston_s_three_responses() -> None:
    plan, _ = load_plan("boston")

    def sent(crisis: str, risk: str, place: str | None, day: str, **answers: Any) -> str:
        at = datetime.fromisoformat(f"{day}T12:00:00").replace(tzinfo=NEW_YORK)
        made = call(at, neighborhood=place, answers={"weapon": "no", **answers})
        return apply(plan, OF_BAND[crisis], OF_BAND[risk], made).response

    assert sent("high", "low", "Dorchester", "2021-08-01") == "emt_clinician"
    assert sent("high", "low", None, "2021-08-01") == "emt_clinician"
    assert sent("high", "low", "Dorchester", "2021-07-31") == PROTOCOL
    assert sent("high", "high", "Roxbury", "2021-08-31") == PROTOCOL
    assert sent("high", "high", "Roxbury", "2021-09-01") == "police_clinician"
    assert sent("high", "medium", "Downtown", "2021-09-01") == "police_clinician"
    assert sent("high", "high", "Dorchester", "2021-09-01") == PROTOCOL
    assert sent("high", "high", None, "2021-09-01") == PROTOCOL
    assert sent("medium", "low", "Roxbury", "2030-01-01") == PROTOCOL  # community: no date yet
    assert sent("low", "low", "Roxbury", "2021-09-01") == PROTOCOL
    assert sent("high", "low", "Roxbury", "2021-09-01", weapon="yes") == "police_clinician"
    assert sent("high", "low", "Dorchester", "2021-09-01", weapon="yes") == PROTOCOL
    assert sent("high", "low", "Roxbury", "2021-09-01", overdose="yes") == PROTOCOL


# Outlines and points

SQUARE = {"type": "Polygon", "coordinates": [[[0, 0], [2, 0], [2, 2], [0, 2], [0, 0]]]}


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"longitude": 1.0, "latitude": 1.0}, None),
        ({"longitude": 1.0, "latitude": 1.0, "neighborhood": "Dorchester"}, None),
        ({"longitude": 3.0, "latitude": 1.0}, "place_unknown"),  # may lie in the South End
        ({"longitude": 3.0, "latitude": 1.0, "neighborhood": "Roxbury"}, "out_of_area"),
        ({"longitude": 3.0, "latitude": 1.0, "neighborhood": "SOUTH END"}, None),
        ({"longitude": 3.0, "latitude": 1.0, "neighborhood": "Dorchester"}, "out_of_area"),
        ({"neighborhood": "roxbury"}, None),
        ({"neighborhood": "Dorchester"}, "out_of_area"),
        ({}, "place_unknown"),
    ],
    ids=range(9),
)
def test_a_point_is_placed_in_what_is_drawn(
    fields: dict[str, Any], reason: UnservedReason | None
) -> None:
    document = plan_document(areas={"ROXBURY": SQUARE, "Elsewhere": SQUARE})
    document["responses"][0]["places"] = ["Roxbury", "South End"]
    assert unserved(ResponsePlan.model_validate(document), call(**fields)) == reason


def test_where_all_is_drawn_a_point_outside_is_outside() -> None:
    document = plan_document(areas={"Roxbury": SQUARE})
    document["responses"][0]["places"] = ["Roxbury"]
    plan = ResponsePlan.model_validate(document)
    assert unserved(plan, call(longitude=3.0, latitude=1.0)) == "out_of_area"
    assert unserved(plan, call(longitude=0.0, latitude=-80.0)) == "out_of_area"
    assert unserved(plan, call()) == "place_unknown"


# Holidays


def test_on_a_holiday_only_its_shifts_begin() -> None:
    def plan(days: list[str]) -> ResponsePlan:
        document = plan_document(holidays={"2021-10-05": "A Tuesday off"})
        document["responses"][0]["hours"] = [{"days": days, "from": "20:00", "to": "14:00"}]
        return ResponsePlan.model_validate(document)

    evening, morning = NOON.replace(hour=21), NOON.replace(day=6, hour=9)
    for days, on_duty in ((["tue"], False), (["holiday"], True), (["tue", "holiday"], True)):
        assert (unserved(plan(days), call(evening)) is None) == on_duty
        assert (unserved(plan(days), call(morning)) is None) == on_duty  # the shift went on
    assert unserved(plan(["mon"]), call(NOON)) is None  # Monday's shift ends on the holiday
    assert unserved(plan(["holiday"]), call(NOON)) == "out_of_hours"


# Units


@pytest.mark.parametrize(
    ("free", "reason"),
    [
        (None, None),  # nobody asks
        ({"clinician": 1}, None),
        ({"clinician": 0}, "busy"),
        ({}, "units_unknown"),
        ({"police_clinician": 3}, "units_unknown"),
    ],
)
def test_unknown_is_not_free(free: dict[str, int] | None, reason: UnservedReason | None) -> None:
    made = apply(with_response(units=2), free=free)
    assert made.response == ("clinician" if reason is None else "police_clinician")
    assert [u.reason for u in made.unserved] == ([] if reason is None else [reason])


# When none is free


def none_free(**changes: Any) -> ResponsePlan:
    document = plan_document(**changes)
    document["responses"][0]["since"] = None
    document["responses"][1]["safety_risk"] = ["medium", "high"]
    return ResponsePlan.model_validate(document)


def test_when_none_is_free_it_is_the_protocol_unless_the_plan_names_another() -> None:
    left = apply(none_free())
    assert left.response == PROTOCOL
    assert codes(left)[-1] == "when_none:protocol"
    named = apply(none_free(when_none_free="police_clinician"))
    assert (named.response, named.police) == ("police_clinician", True)
    assert codes(named)[-2:] == ["unserved:clinician:not_started", "when_none:police_clinician"]
    assert [u.response for u in named.unserved] == ["clinician"]


def test_the_stand_in_must_be_there_itself_and_stands_in_for_nobody_else() -> None:
    plan = none_free(when_none_free="police_clinician")
    early = apply(plan, made=call(NOON.replace(month=8)))
    assert (early.response, codes(early)[-1]) == (PROTOCOL, "when_none:protocol")
    assert apply(plan, 0.1, 0.1).response == PROTOCOL  # nothing fits, so nothing is missed
    assert apply(plan, made=call(answers={"injury": "yes"})).response == PROTOCOL


# A promise that is not kept


@pytest.mark.parametrize("target", TARGETS)
def test_without_a_kept_promise_no_team_is_recommended(target: str) -> None:
    thresholds = {**THRESHOLDS, target: Thresholds(low=None, high=1.5)}
    made = apply(make_plan(), made=call(answers={"weapon": "yes"}), thresholds=thresholds)
    assert (made.response, made.abstained, made.bands) == (PROTOCOL, True, None)
    assert codes(made) == ["disqualifier:weapon", f"unsupported:{target}"]
    with pytest.raises(ValueError):
        thresholds[target].band(0.5)


# Words


def test_the_words_are_the_plan_s() -> None:
    document = plan_document(
        language="en", texts={"en": {"unserved:not_started": "{name} starts in spring"}}
    )
    document["responses"][0]["since"] = None
    made = apply(ResponsePlan.model_validate(document))
    assert "Clinician starts in spring" in [reason.text for reason in made.reasons]


def test_a_band_that_a_fact_has_raised_is_told_as_a_fact() -> None:
    made = apply(make_plan(), made=call(answers={"weapon": "yes"}))
    texts = {reason.code: reason.text for reason in made.reasons}
    assert texts["band:safety_risk:high"] == ENGLISH["raised:safety_risk"]
    assert texts["disqualifier:weapon"] == "“Weapon within reach?” was answered yes"


# The promise above all others


@st.composite
def whole_plans(draw: st.DrawFn) -> ResponsePlan:
    """Plans with everything that a plan may hold."""
    plan = draw(plans())
    document = plan.model_dump(mode="json", by_alias=True)
    document["areas"] = draw(st.sampled_from([{}, {"Roxbury": SQUARE}]))
    document["holidays"] = draw(st.sampled_from([{}, {"2021-10-05": "A day off"}]))
    for response in document["responses"]:
        response["units"] = draw(st.sampled_from([None, 2]))
        days = draw(st.sampled_from([["tue"], ["holiday"], ["mon", "wed"]]))
        shift = {"days": days, "from": "08:00", "to": draw(st.sampled_from(["16:00", "08:00"]))}
        response["hours"] = draw(st.sampled_from([None, [shift]]))
    police = [response["id"] for response in document["responses"] if response["police"]]
    document["when_none_free"] = draw(st.sampled_from([PROTOCOL, *police]))
    return ResponsePlan.model_validate(document)


@settings(max_examples=10_000)
@given(
    plan=whole_plans(),
    crisis=probabilities,
    risk=probabilities,
    where=st.sampled_from(
        [
            *({}, {"neighborhood": "Roxbury"}, {"neighborhood": "Mattapan"}),
            *({"longitude": 1.0, "latitude": 1.0}, {"longitude": 5.0, "latitude": 1.0}),
        ]
    ),
    hour=st.integers(0, 23),
    free=st.none() | st.dictionaries(st.sampled_from(["r0", "r1", "r2", "r3"]), st.integers(0, 2)),
    low=st.sampled_from([0.2, 0.2, 0.2, None]),
    abstained=st.sampled_from([None, None, None, *get_args(AbstentionReason)]),
    data=st.data(),
)
def test_no_team_without_police_unless_everything_speaks_for_it(
    plan: ResponsePlan,
    crisis: float,
    risk: float,
    where: dict[str, Any],
    hour: int,
    free: dict[str, int] | None,
    low: float | None,
    abstained: AbstentionReason | None,
    data: st.DataObject,
) -> None:
    made_of = call(NOON.replace(hour=hour), **where)
    facts = data.draw(some_facts(plan))
    thresholds = {**THRESHOLDS, "safety_risk": Thresholds(low=low, high=0.6)}
    made = recommend(
        Prediction(crisis, risk),
        teams=Teams(plan, made_of, free),
        thresholds=thresholds,
        facts=facts,
        abstained=abstained,
    )
    stated = [code for code in plan.disqualifiers if facts[code].value == "yes"]
    assert [hit.code for hit in made.disqualifiers] == stated
    assert made.reasons or made.response == PROTOCOL
    if made.response == PROTOCOL:
        assert made.police is None
        return
    response = next(r for r in plan.responses if r.id == made.response)
    assert abstained is None
    assert low is not None
    assert obstacle(plan, response, made_of, made_of.received_at, free) is None
    if free is not None and response.units is not None:
        assert free.get(response.id, 0) > 0
    assert not any(hit.effect == "protocol" for hit in made.disqualifiers)
    assert all(facts[code].value == "no" for code in response.needs)
    if made.police is False:
        assert made.disqualifiers == ()
        band = thresholds["safety_risk"].band(risk)
        assert band in response.safety_risk
        assert band != "high"
        assert made.bands is not None
        assert made.bands["mental_health_crisis"] in response.mental_health_crisis


# Unknown is not no

KNIFE, NO_KNIFE, PERHAPS = (
    Span("narrative", 0, 5, polarity) for polarity in ("said", "denied", "possible")
)


def with_fact(
    plan: ResponsePlan, answer: Answer | None, *spans: Span, risk: float = 0.1
) -> Recommendation:
    made = call(neighborhood="Dorchester")
    facts = known(plan, made)
    facts["weapon"] = with_answer(facts["weapon"]._replace(spans=spans), answer)
    return recommend(
        Prediction(0.9, risk),
        teams=Teams(plan, made),
        thresholds=THRESHOLDS,
        facts=facts,
        abstained=None,
    )


@pytest.mark.parametrize(
    ("answer", "spans", "response", "told"),
    [
        ("no", (), "clinician", []),
        (None, (NO_KNIFE,), "clinician", []),
        ("unknown", (NO_KNIFE,), "clinician", []),
        (None, (), "police_clinician", ["unknown:weapon"]),
        ("unknown", (), "police_clinician", ["unknown:weapon"]),
        (None, (PERHAPS,), "police_clinician", ["unknown:weapon"]),
        ("no", (PERHAPS,), "police_clinician", ["unknown:weapon"]),
        (None, (NO_KNIFE, PERHAPS), "police_clinician", ["unknown:weapon"]),
        ("yes", (), "police_clinician", ["disqualifier:weapon"]),
        (None, (NO_KNIFE, KNIFE), "police_clinician", ["disqualifier:weapon"]),
    ],
)
def test_a_team_that_needs_a_no_waits_for_it(
    answer: Answer | None, spans: tuple[Span, ...], response: str, told: list[str]
) -> None:
    made = with_fact(with_response(needs=["weapon"]), answer, *spans)
    assert made.response == response
    assert [code for code in codes(made) if not code.startswith("band:")] == told
    awaited = [("clinician", "weapon")] if "unknown:weapon" in told else []
    assert [tuple(awaiting) for awaiting in made.awaiting] == awaited


def test_the_reason_says_which_answer_is_missing() -> None:
    plan, _ = load_plan("boston")
    made = with_fact(plan, None)
    assert made.response == PROTOCOL
    assert made.reasons[-1].text == "“Weapon within reach?” is not known yet"
    assert with_fact(plan, None, risk=0.4).awaiting == ()  # it does not take the call anyway


def test_who_can_t_be_sent_anyway_waits_for_no_answer() -> None:
    made = with_fact(with_response(needs=["weapon"], places=["Roxbury"]), None)
    assert made.awaiting == ()
    assert [u.reason for u in made.unserved] == ["out_of_area"]


def test_a_stand_in_that_needs_a_no_waits_for_it_too() -> None:
    document = none_free(when_none_free="police_clinician").model_dump(mode="json", by_alias=True)
    document["responses"][1]["needs"] = ["weapon"]
    plan = ResponsePlan.model_validate(document)
    assert with_fact(plan, "no").response == "police_clinician"
    assert with_fact(plan, None).response == PROTOCOL


def test_a_mention_is_told_as_one_and_an_answer_as_an_answer() -> None:
    for answer, spans, text, evidence in (
        (None, (KNIFE,), "possible weapon mentioned", "narrative"),
        ("yes", (KNIFE,), "“Weapon within reach?” was answered yes", "answers.weapon"),
    ):
        made = with_fact(make_plan(), answer, *spans)
        assert made.reasons[0].text == text
        assert [(hit.evidence, hit.spans) for hit in made.disqualifiers] == [(evidence, spans)]
