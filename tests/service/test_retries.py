"""A request that is sent again with its key: one entry, the same answer."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model_service.service.log import verify
from model_service.service.log.place import Place
from model_service.service.postgres import PostgresURL
from model_service.service.routes.examples import EIDOS
from tests.builders import a_call, make_champion
from tests.harness import Service, assert_problem, running

pytestmark = pytest.mark.both_stores

KEY = "8e03978e-40d5-43e8-bc93-6894a57f9324"
OVERRIDE = {"action": "override", "response": "protocol", "reason": "other", "note": "the heron"}


def with_key(key: str = KEY) -> dict[str, str]:
    return {"idempotency-key": key}


def entries(service: Service) -> int:
    return len(service.log.read.page(limit=1000))


def outcome(**more: Any) -> dict[str, Any]:
    return {"call_id": "C-1", "recorded_at": "2021-10-05T23:00:00-04:00", **more}


def requests(service: Service) -> dict[str, tuple[str, dict[str, Any], dict[str, Any]]]:
    """Route → its path, a body, and another body."""
    assessed = service.assess(a_call("0")).json()
    service.assess(a_call(1))
    eido = next(iter(EIDOS.values()))
    other = copy.deepcopy(eido)
    other["lastUpdateTimeStamp"] = "2021-10-05T22:30:00-04:00"
    return {
        "assessment": ("/v1/assessments", a_call("a"), a_call("a", narrative="other words")),
        "decision": (
            f"/v1/assessments/{assessed['assessment_id']}/decision",
            OVERRIDE,
            {**OVERRIDE, "note": "another bird"},
        ),
        "outcome": ("/v1/calls/C-1/outcome", outcome(), outcome(weapon_found=True)),
        "eido": ("/v1/eido", eido, other),
    }


ROUTES = ["assessment", "decision", "outcome", "eido"]


@pytest.mark.parametrize("route", ROUTES)
def test_sent_again_a_request_has_the_same_answer_and_one_entry(
    service: Service, route: str
) -> None:
    path, body, other = requests(service)[route]
    first = service.post(path, json=body, headers=with_key())
    assert first.status_code == 201, first.text
    before = entries(service)
    for _ in range(3):
        again = service.post(path, json=body, headers=with_key())
        assert (again.status_code, again.content) == (201, first.content)
    assert entries(service) == before
    problem = assert_problem(service.post(path, json=other, headers=with_key()), 422)
    assert problem["type"].endswith("idempotency-key-reused")
    assert entries(service) == before


@pytest.mark.parametrize("route", ROUTES)
def test_a_key_of_one_route_is_refused_at_the_others(service: Service, route: str) -> None:
    made = requests(service)
    path, body, _ = made[route]
    assert service.post(path, json=body, headers=with_key()).status_code == 201
    before = entries(service)
    for other in set(ROUTES) - {route}:
        path, body, _ = made[other]
        assert_problem(service.post(path, json=body, headers=with_key()), 422)
    assert entries(service) == before


def test_a_key_holds_across_restarts(tmp_path: Path, log: PostgresURL | None, place: Place) -> None:
    make_champion(tmp_path)
    answers: dict[str, httpx.Response] = {}
    for _ in range(2):
        (tmp_path / "accounts.db").unlink(missing_ok=True)
        with running(tmp_path, champion=False, log=log) as service:
            if not answers:
                made = requests(service)
            for number, (path, body, _) in enumerate(made.values()):
                answer = service.post(path, json=body, headers=with_key(f"k{number}"))
                assert answer.status_code == 201
                assert answers.setdefault(path, answer).content == answer.content
            kinds = [e.kind for e in service.log.read.page(limit=1000) if e.kind != "release"]
            assert len(kinds) == 2 + len(made)
    assert verify(place).whole


@pytest.mark.parametrize("route", ROUTES)
def test_sent_at_the_same_time_it_is_one(service: Service, route: str) -> None:
    path, body, other = requests(service)[route]
    before = entries(service)
    answers = service.gather(
        *(service.send("POST", path, json=body, headers=with_key()) for _ in range(8)),
        service.send("POST", path, json=other, headers=with_key()),
    )
    assert [a.status_code for a in answers] == [201] * 8 + [422]
    assert len({a.content for a in answers[:8]}) == 1
    assert entries(service) == before + 1


def test_a_key_is_its_users_own(service: Service) -> None:
    path, body, _ = requests(service)["decision"]
    one = service.post(path, json=body, headers=with_key())
    other = service.post(path, json=body, headers=with_key(), role="supervisor")
    assert (one.status_code, other.status_code) == (201, 201)
    assert one.json()["log"] != other.json()["log"]


def test_without_a_key_every_decision_counts(service: Service) -> None:
    path, body, _ = requests(service)["decision"]
    before = entries(service)
    for _ in range(2):
        assert service.post(path, json=body).status_code == 201
    assert entries(service) == before + 2


def test_the_same_revision_is_still_answered_from_the_record(service: Service) -> None:
    first = service.post("/v1/assessments", json=a_call(), headers=with_key("one"))
    for headers in ({}, with_key("two")):
        again = service.post("/v1/assessments", json=a_call(), headers=headers)
        assert (again.status_code, again.content) == (200, first.content)
    assert len(service.log.read.page(kind="assessment")) == 1


def test_what_failed_is_tried_anew(service: Service) -> None:
    path = "/v1/calls/C-1/outcome"
    assert_problem(service.post(path, json=outcome(), headers=with_key()), 404)
    service.assess(a_call(1))
    assert service.post(path, json=outcome(), headers=with_key()).status_code == 201


def test_after_an_erasure_the_record_is_the_answer(service: Service) -> None:
    made = requests(service)
    for number, (path, body, _) in enumerate(made.values()):
        service.post(path, json=body, headers=with_key(f"k{number}"))
    service.erase()
    before = entries(service)
    for number, (path, body, _) in enumerate(made.values()):
        again = service.post(path, json=body, headers=with_key(f"k{number}"))
        assert again.status_code == 201
        assert again.json()["erased"]["reason"] == "request"
    assert entries(service) == before


@pytest.mark.parametrize("key", ['"' + KEY + '"', KEY])
def test_quotes_make_no_other_key(service: Service, key: str) -> None:
    one = service.post("/v1/assessments", json=a_call(), headers=with_key(f'"{KEY}"'))
    again = service.post("/v1/assessments", json=a_call(), headers=with_key(key))
    assert (again.status_code, again.content) == (201, one.content)


@pytest.mark.parametrize("key", ["", '"', '""', "two words", "x" * 258, '"a"b"', "a\\b", "kéy"])
def test_a_key_that_is_none_is_refused_and_not_repeated(service: Service, key: str) -> None:
    headers = [("idempotency-key", key.encode("latin-1"))]
    headers.append(("authorization", f"Bearer {service.token('dispatcher')}".encode()))  # type: ignore[list-item]
    answer = service.post("/v1/assessments", json=a_call(), headers=headers)
    problem = assert_problem(answer, 422)
    assert problem["errors"][0]["path"] == "idempotency-key"
    assert len(key) < 3 or key not in answer.text


def test_no_file_holds_a_key_as_it_was_sent(service: Service) -> None:
    key = "617-555-0142"
    service.post("/v1/assessments", json=a_call(), headers=with_key(key))
    for file in service.settings.home.rglob("*"):
        if file.is_file():
            assert key.encode() not in file.read_bytes()
    assert key not in service.output.getvalue().decode()
    body = service.log.read.page(kind="assessment")[0].content()
    assert len(body["idempotency"]) == 64


@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_however_requests_are_repeated_each_key_leaves_one_entry(
    shared: Service, data: st.DataObject
) -> None:
    start = entries(shared)
    keys = data.draw(st.lists(st.sampled_from("abcd"), min_size=1, max_size=10))
    assessed = shared.assess(a_call("shared")).json()
    assert entries(shared) - start <= 1  # its first time
    start = entries(shared)
    path = f"/v1/assessments/{assessed['assessment_id']}/decision"
    run = f"{start}-"
    answers = shared.gather(
        *(
            shared.send("POST", path, json={"action": "accept"}, headers=with_key(run + key))
            for key in keys
        )
    )
    found = {
        key: {a.content for k, a in zip(keys, answers, strict=True) if k == key} for key in keys
    }
    assert all(len(same) == 1 for same in found.values())
    assert entries(shared) - start == len(set(keys))
