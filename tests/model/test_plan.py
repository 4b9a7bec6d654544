"""A plan is a document: a bad one is refused by the name of its field."""

from __future__ import annotations

import copy
from datetime import datetime
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from model_service.model.plan import (
    PROTOCOL,
    PlanError,
    ResponsePlan,
    SensitivityPromise,
    Thresholds,
    load_plan,
    parse_plan,
    plan_schema,
)
from model_service.model.texts import ENGLISH
from tests.invented import plan_document

SQUARE = {"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1], [0, 1], [0, 0]]]}

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
        (("responses", 0, "units"), 0, "responses.0.units"),
        (("responses", 0, "hours", 0, "days"), ["Monday"], "responses.0.hours.0.days"),
        (("responses", 0, "hours", 0, "days"), [], "responses.0.hours.0.days"),
        (("responses", 0, "hours", 0, "from"), 960, "responses.0.hours.0.from: write an hour"),
        (("responses", 0, "hours", 0, "from"), "8am", "responses.0.hours.0.from"),
        (("responses", 0, "hours", 0, "to"), "24:00", "responses.0.hours.0.to: write an hour"),
        (("responses", 0, "hours", 0, "to"), None, "responses.0.hours.0.to"),
        (("protocol", "name"), "", "protocol.name"),
        (("mode",), "on", "mode"),
        (("mode",), True, "mode"),
        (("hold_back",), 1, "hold_back"),
        (("bands", "safety_risk", "low"), {"of": "guess"}, "bands.safety_risk.low.of"),
        (("holidays",), {"Christmas": "2021-12-25"}, "holidays.Christmas"),
        (("areas",), {"Roxbury": "a triangle"}, "areas.Roxbury: not a GeoJSON geometry"),
        (("areas",), {"Roxbury": SQUARE, " ROXBURY": SQUARE}, "differ in case or spaces alone"),
        (("responses", 0, "needs"), ["fire"], "clinician: needs fire, which is no disqualifier"),
        (("responses", 0, "needs"), ["weather"], "responses.0.needs.0"),
        (("abstain", "min_known_share"), 1.1, "abstain.min_known_share"),
        (("when_none_free",), "clinician", "when_none_free"),
        (("when_none_free",), "helicopter", "when_none_free"),
        (("language",), "es", "texts.es: lacks abstained:contradictory_facts"),
        (("texts",), {"en": {"weather": "fine"}}, "texts: weather: no such code"),
        (("texts",), {"en": {"band:safety_risk:high": "high risk"}}, "alarms"),
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


def test_the_word_off_is_a_mode_with_and_without_quotation_marks() -> None:
    document = plan_document()
    for word in ("off", '"off"'):
        assert parse_plan(f"{yaml.safe_dump(document)}mode: {word}\n", name="a").mode == "off"


def test_what_a_plan_does_not_say() -> None:
    plan = parse_plan(as_yaml(), name="a")
    assert (plan.mode, plan.hold_back, plan.when_none_free) == ("advisory", 0.0, PROTOCOL)
    assert SensitivityPromise().model_dump() == {"sensitivity": 0.95, "of": "lower_bound"}


def test_a_plan_in_another_language_has_all_of_its_words() -> None:
    texts = {"es": {code: text.replace("the", "la") for code, text in ENGLISH.items()}}
    plan = parse_plan(as_yaml(language="es", texts=texts), name="a")
    assert plan.words == texts["es"]


def everything() -> dict[str, Any]:
    """A plan with every key that a plan may hold."""
    document = plan_document(
        mode="shadow",
        hold_back=0.1,
        holidays={"2021-11-25": "Thanksgiving Day"},
        areas={
            "Roxbury": SQUARE,
            "Both": {"type": "MultiPolygon", "coordinates": [SQUARE["coordinates"]]},
        },
        when_none_free="police_clinician",
        texts={"en": {"unserved:busy": "{name}: out on calls"}},
    )
    document["responses"][0].update(
        until="2030-01-01",
        units=2,
        places=["Roxbury"],
        hours=[{"days": ["mon", "holiday"], "from": "08:00", "to": "00:00"}],
    )
    return document


def test_the_schema_says_what_the_code_says() -> None:
    schema = plan_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    judge = jsonschema.Draft202012Validator(schema)
    for name in ("boston", "seattle"):
        document = load_plan(name)[0].model_dump(mode="json", by_alias=True, exclude_none=True)
        assert list(judge.iter_errors(document)) == []
    assert list(judge.iter_errors(everything())) == []
    assert ResponsePlan.model_validate(everything()).plan == "small"
    for wrong in ({"mode": "on"}, {"weather": "fine"}, {"timezone": None}, {"hold_back": 2}):
        assert list(judge.iter_errors({**everything(), **wrong})), wrong


def test_a_plan_that_is_written_out_and_read_again_is_the_plan() -> None:
    plan = ResponsePlan.model_validate(everything())
    written = yaml.safe_dump(plan.model_dump(mode="json", by_alias=True))
    assert parse_plan(written, name="a") == plan


# EIDO


def test_what_goes_out_with_an_eido_is_the_plans_to_say() -> None:
    silent = ResponsePlan.model_validate(plan_document())
    assert (silent.eido.agency, silent.eido.caution) == (None, False)
    told = {**plan_document(), "eido": {"agency": "psap.example", "caution": True}}
    plan = ResponsePlan.model_validate(told)
    assert (plan.eido.agency, plan.eido.caution) == ("psap.example", True)
    for wrong in ({"caution": "yes"}, {"agency": ""}, {"severity": "high"}, None):
        with pytest.raises(ValueError, match="eido"):
            ResponsePlan.model_validate({**plan_document(), "eido": wrong})
