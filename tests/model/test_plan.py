"""The plan is applied to the letter, and a bad one is refused by the name of its field."""

from __future__ import annotations

import copy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args
from zoneinfo import ZoneInfo

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from data.call import QUESTIONS, TARGETS, Call
from model_service.model.plan import (
    PROTOCOL,
    PlanError,
    Recommendation,
    ResponsePlan,
    Thresholds,
    UnservedReason,
    load_plan,
    parse_plan,
    recommend,
)
from model_service.model.safeguards import AbstentionReason, disqualifiers
from model_service.model.scorer import Prediction
from tests.invented import make_plan, plan_document

NEW_YORK = ZoneInfo("America/New_York")
NOON = datetime(2021, 10, 5, 12, tzinfo=NEW_YORK)  # a Tuesday
THRESHOLDS = {target: Thresholds(low=0.2, high=0.6) for target in TARGETS}
OF_BAND = {"low": 0.1, "medium": 0.4, "high": 0.8}
BANDS = tuple(OF_BAND)


def call(at: datetime = NOON, **fields: Any) -> Call:
    return Call(call_id="a-1", received_at=at, **fields)


def apply(
    plan: ResponsePlan,
    crisis: float = 0.9,
    risk: float = 0.1,
    made: Call | None = None,
    abstained: AbstentionReason | None = None,
) -> Recommendation:
    made = made or call()
    return recommend(
        made,
        Prediction(crisis, risk),
        plan=plan,
        thresholds=THRESHOLDS,
        disqualifiers=disqualifiers(made, plan.disqualifiers),  # type: ignore[arg-type]
        abstained=abstained,
    )


def codes(recommendation: Recommendation) -> list[str]:
    return [reason.code for reason in recommendation.reasons]


def with_response(**changes: Any) -> ResponsePlan:
    document = plan_document()
    document["responses"][0].update(changes)
    return ResponsePlan.model_validate(document)


# Bands


@pytest.mark.parametrize(
    ("probability", "band"),
    [
        (0.0, "low"),
        (0.19999999999999998, "low"),
        (0.2, "medium"),
        (0.5999999999999999, "medium"),
        (0.6, "high"),
        (1.0, "high"),
    ],
)
def test_a_threshold_belongs_to_the_band_above_it(probability: float, band: str) -> None:
    assert Thresholds(low=0.2, high=0.6).band(probability) == band


def test_equal_thresholds_leave_no_medium_and_one_above_1_no_high() -> None:
    equal = Thresholds(low=0.3, high=0.3)
    assert [equal.band(p) for p in (0.29, 0.3, 0.31)] == ["low", "high", "high"]
    assert Thresholds(low=0.3, high=1.5).band(1.0) == "medium"
    assert Thresholds(low=0.0, high=1.5).band(0.0) == "medium"


@pytest.mark.parametrize(
    "wrong",
    [
        {"low": 0.5, "high": 0.4},
        {"low": -0.1, "high": 0.4},
        {"low": 1.1, "high": 1.2},
        {"low": float("nan"), "high": 0.4},
        {"low": 0.1, "high": float("nan")},
        {"low": 0.1, "high": float("inf")},
        {"low": "0.1", "high": 0.4},
        {"low": 0.1},
    ],
)
def test_thresholds_that_separate_nothing_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        Thresholds(**wrong)


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
    return make_plan(responses=responses, disqualifiers=draw(effects))


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
    free = [r for r in fitting if r.unserved(NOON.astimezone(plan.zone), None) is None]
    assert made.response == (free[0].id if free else PROTOCOL)
    before = fitting[: fitting.index(free[0])] if free else fitting
    assert [unserved.response for unserved in made.unserved] == [r.id for r in before]


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


# The document


HOURS = "responses: [{id: a, name: A, police: true, mental_health_crisis: [high], "
HOURS += "safety_risk: [high], since: 2021-08-01, hours: [{days: [mon], from: 16:00, to: 22:30}]}]"


def as_yaml(**changes: Any) -> str:
    return yaml.safe_dump({**plan_document(), **changes})


def test_an_hour_without_quotation_marks_is_that_hour() -> None:
    document = plan_document()
    del document["responses"]
    plan = parse_plan(yaml.safe_dump(document) + HOURS, name="plan.yaml")
    (only,) = plan.responses[0].hours or ()
    assert (only.start.isoformat(), only.end.isoformat()) == ("16:00:00", "22:30:00")


def changed(*path: str | int, to: Any) -> dict[str, Any]:
    document: Any = copy.deepcopy(plan_document())
    document["responses"][0]["hours"] = [{"days": ["mon"], "from": "08:00", "to": "16:00"}]
    place = document
    for step in path[:-1]:
        place = place[step]
    if to is None:
        del place[path[-1]]
    else:
        place[path[-1]] = to
    return dict(document)


@pytest.mark.parametrize(
    ("path", "to", "named"),
    [
        (("plan",), "Not An Id", "plan"),
        (("version",), 1, "version"),
        (("title",), "", "title"),
        (("timezone",), "Boston", "timezone"),
        (("timezone",), None, "timezone"),
        (("bands",), {}, "bands are missing for mental_health_crisis, safety_risk"),
        (("bands", "safety_risk"), None, "bands are missing for safety_risk"),
        (("bands", "safety_risk", "low"), {"precision": 0.9}, "bands.safety_risk.low"),
        (("bands", "safety_risk", "low"), {"sensitivity": 1.0}, "bands.safety_risk.low"),
        (("bands", "safety_risk", "high"), {"precision": 0}, "bands.safety_risk.high"),
        (("bands", "safety_risk", "high"), {"precision": float("nan")}, "bands.safety_risk.high"),
        (("bands", "weather"), {}, "bands.weather"),
        (("abstain", "min_known_words"), -1, "abstain.min_known_words"),
        (("abstain", "languages"), [], "abstain.languages"),
        (("abstain", "languages"), ["en-US"], "abstain.languages.0"),
        (("abstain", "languages"), ["EN"], "abstain.languages.0"),
        (("disqualifiers", "weapon"), "never", "disqualifiers.weapon"),
        (("disqualifiers", "weather"), "protocol", "disqualifiers.weather"),
        (("responses",), [], "responses"),
        (("responses", 0, "id"), "protocol", "response ids"),
        (("responses", 0, "id"), "police_clinician", "response ids"),
        (("responses", 0, "id"), "9", "responses.0.id"),
        (("responses", 0, "police"), "no", "responses.0.police"),
        (("responses", 0, "police"), None, "responses.0.police"),
        (("responses", 0, "mental_health_crisis"), ["severe"], "responses.0.mental_health_crisis"),
        (("responses", 0, "mental_health_crisis"), [], "responses.0.mental_health_crisis"),
        (("responses", 0, "safety_risk"), ["low", "high"], "without police can't take the safety"),
        (("responses", 0, "since"), "soon", "responses.0.since: write a day"),
        (("responses", 0, "since"), 0, "responses.0.since: write a day"),
        (("responses", 0, "since"), datetime(2021, 8, 1), "responses.0.since: write a day"),
        (("responses", 0, "until"), "2021-07-31", "responses.0"),
        (("responses", 0, "places"), [], "responses.0.places"),
        (("responses", 0, "units"), 2, "responses.0.units"),
        (("responses", 0, "hours", 0, "days"), ["Monday"], "responses.0.hours.0.days"),
        (("responses", 0, "hours", 0, "days"), [], "responses.0.hours.0.days"),
        (("responses", 0, "hours", 0, "from"), 960, "responses.0.hours.0.from: write an hour"),
        (("responses", 0, "hours", 0, "from"), "8am", "responses.0.hours.0.from"),
        (("responses", 0, "hours", 0, "to"), "24:00", "responses.0.hours.0.to: write an hour"),
        (("responses", 0, "hours", 0, "to"), None, "responses.0.hours.0.to"),
        (("protocol", "name"), "", "protocol.name"),
        (("weather",), "fine", "weather"),
    ],
    ids=str,
)
def test_a_bad_plan_is_refused_by_the_name_of_its_field(
    path: tuple[str | int, ...], to: Any, named: str
) -> None:
    text = yaml.safe_dump(changed(*path, to=to))
    with pytest.raises(PlanError) as caught:
        parse_plan(text, name="our.yaml")
    message = str(caught.value)
    assert message.startswith("our.yaml: ")
    assert named in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "the plan"),
        ("just words", "the plan"),
        ("- a\n- b", "the plan"),
        ("plan: [unclosed", "line 1"),
        ("plan: a\nplan: b", "'plan' is given twice"),
        ("disqualifiers: {weapon: risk_high, weapon: protocol}", "'weapon' is given twice"),
        ("since: 2021-02-30", "not valid YAML"),
        ("a: !!python/object/apply:os.getcwd []", "not valid YAML"),
        ("[" * 5000, "not valid YAML"),
    ],
    ids=range(9),
)
def test_what_is_no_plan_is_told_in_one_line(text: str, named: str) -> None:
    with pytest.raises(PlanError) as caught:
        parse_plan(text, name="our.yaml")
    assert named in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00"])
def test_a_file_that_can_t_be_read(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "plan.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(PlanError, match="neither a file nor a shipped plan"):
        load_plan(path)


@pytest.mark.parametrize("name", ["boston", "seattle"])
def test_the_shipped_plans_are_plans_and_come_to_the_letter(name: str, tmp_path: Path) -> None:
    plan, text = load_plan(name)
    (tmp_path / "copy.yaml").write_text(text, encoding="utf-8")
    assert load_plan(tmp_path / "copy.yaml") == (plan, text)


def test_boston_s_three_responses() -> None:
    plan, _ = load_plan("boston")

    def sent(crisis: str, risk: str, place: str | None, day: str, **answers: Any) -> str:
        at = datetime.fromisoformat(f"{day}T12:00:00").replace(tzinfo=NEW_YORK)
        made = call(at, neighborhood=place, answers=answers)
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
