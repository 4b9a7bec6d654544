from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from data.call import Call
from model_service.model.assess import assess
from model_service.service.views import AssessmentRecord, AssessmentView
from tests.builders import a_call
from tests.harness import Service, assert_problem
from tests.stores import execute
from tests.strategies import calls

pytestmark = pytest.mark.both_stores


@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(call=calls())
def test_the_answer_is_what_assess_says(shared: Service, call: Call) -> None:
    release = shared.releases.current
    assert release is not None
    latest = shared.log.read.latest(call.call_id)
    response = shared.post(
        "/v1/assessments",
        content=call.model_dump_json(),
        headers={"content-type": "application/json"},
    )
    if latest is not None and shared.log.read.revision(call.call_id, call.revision):
        assert response.status_code in (200, 201, 409)
        if response.status_code != 201:
            return
    assert response.status_code == 201
    answer = response.json()
    AssessmentView.model_validate(answer)
    expected = assess(release, call)
    assert tuple(answer["prediction"].values()) == tuple(expected.prediction)
    given_back, made = answer["recommendation"], expected.recommendation
    assert given_back["response"] == made.response
    assert given_back["police"] == made.police
    assert given_back["abstained"] == made.abstained
    assert given_back["bands"] == made.bands
    assert [reason["code"] for reason in given_back["reasons"]] == [r.code for r in made.reasons]
    explanation = expected.explanation
    assert explanation is not None
    assert tuple(answer["explanation"]["log_odds"].values()) == explanation.log_odds
    assert [
        (w["column"], w["start"], w["end"], w["mental_health_crisis"], w["safety_risk"])
        for w in answer["explanation"]["words"]
    ] == [
        (w.column, w.start, w.end, w.mental_health_crisis, w.safety_risk) for w in explanation.words
    ]
    record = shared.get(f"/v1/assessments/{answer['assessment_id']}").json()
    assert Call.model_validate_json(json.dumps(record["call"])) == call
    assert record["assessment"] == answer


def test_an_answer_names_its_place_in_the_log(service: Service) -> None:
    answer = service.assess(a_call()).json()
    entry = service.log.read.entry(answer["log"]["sequence"])
    assert entry is not None
    assert entry.digest == answer["log"]["digest"]
    assert entry.assessment_id == answer["assessment_id"]
    assert entry.actor == "dispatcher"
    assert entry.at == answer["at"]
    assert "voices" not in entry.body  # the narrative is not in the chain
    assert "EDP" not in entry.body


def test_ids_sort_by_time(service: Service) -> None:
    ids = [service.assess(a_call(number)).json()["assessment_id"] for number in range(5)]
    assert len(set(ids)) == 5
    assert [one[:13] for one in ids] == sorted(one[:13] for one in ids)


def test_the_same_revision_again_is_answered_from_the_record(service: Service) -> None:
    first = service.assess(a_call())
    head = service.log.head
    again = service.assess({**a_call(), "received_at": "2021-10-06T01:14:00Z"})
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.content == first.content
    assert service.log.head == head


def test_the_same_revision_with_another_content_is_a_conflict(service: Service) -> None:
    service.assess(a_call())
    head = service.log.head
    assert_problem(service.assess(a_call(narrative="something else")), 409)
    assert service.log.head == head


def test_posted_together_the_same_revision_is_assessed_once(service: Service) -> None:
    answers = service.gather(
        *(service.send("POST", "/v1/assessments", json=a_call()) for _ in range(8)),
        service.send("POST", "/v1/assessments", json=a_call(narrative="something else")),
    )
    statuses = sorted(answer.status_code for answer in answers)
    assert statuses.count(201) == 1
    same = [answer for answer in answers if answer.status_code != 409]
    assert len({answer.content for answer in same}) == 1
    assert len(service.log.read.page(kind="assessment")) == 1


def test_a_late_revision_does_not_lead(service: Service) -> None:
    second = service.assess(a_call(revision=2)).json()
    first = service.assess(a_call(revision=1)).json()
    third = service.assess(a_call(revision=3)).json()
    assert [second["leads"], first["leads"], third["leads"]] == [True, False, True]
    latest = service.get("/v1/calls/C-1").json()
    AssessmentRecord.model_validate_json(json.dumps(latest))
    assert latest["assessment"] == third
    assert latest["superseded_by"] is None
    older = service.get(f"/v1/assessments/{second['assessment_id']}").json()
    assert older["superseded_by"] == {"assessment_id": third["assessment_id"], "revision": 3}


def test_of_revisions_posted_together_one_leads(service: Service) -> None:
    answers = service.gather(
        *(service.send("POST", "/v1/assessments", json=a_call(revision=n)) for n in (3, 1, 5, 4))
    )
    order = sorted((answer.json() for answer in answers), key=lambda a: a["log"]["sequence"])
    highest = 0
    for answer in order:
        assert answer["leads"] == (answer["revision"] > highest)
        highest = max(highest, answer["revision"])


def test_a_call_number_may_hold_a_slash(service: Service) -> None:
    number = "2021/10#5?x=%2F"
    service.assess({**a_call(), "call_id": number})
    quoted = "2021%2F10%235%3Fx=%252F"
    assert service.get(f"/v1/calls/{quoted}").json()["assessment"]["call_id"] == number


@pytest.mark.parametrize(
    "path",
    [
        "/v1/assessments/nonsense",
        "/v1/assessments/017aff46-9000-7000-8000-000000000000",
        "/v1/assessments/%00",
        "/v1/assessments/' OR 1=1 --",
        "/v1/calls/C-404",
        "/v1/calls/%F0%9F",
    ],
)
def test_what_is_not_there_is_not_found(shared: Service, path: str) -> None:
    problem = assert_problem(shared.get(path), 404)
    assert "OR 1=1" not in json.dumps(problem)


def test_once_the_text_is_erased_the_record_is_still_there(service: Service) -> None:
    answer = service.assess(a_call()).json()
    service.erase()
    record: dict[str, Any] = service.get(f"/v1/assessments/{answer['assessment_id']}").json()
    AssessmentRecord.model_validate_json(json.dumps(record))
    assert record["call"] is None
    assert record["assessment"]["explanation"] is None
    assert record["assessment"]["prediction"] == answer["prediction"]
    assert record["assessment"]["recommendation"]["reasons"] is None
    assert record["assessment"]["erased"]["reason"] == "request"
    problem = assert_problem(service.assess(a_call()), 409)
    assert "erased" in problem["detail"]


def test_changed_text_is_not_passed_off_as_the_record(service: Service) -> None:
    answer = service.assess(a_call()).json()
    execute(service.settings.log_path, "UPDATE private SET content = x'7b7d' WHERE name = 'call'")
    problem = assert_problem(service.get(f"/v1/assessments/{answer['assessment_id']}"), 503)
    assert problem["title"] == "follow protocol"
