from __future__ import annotations

from typing import Any

import pytest

from model_service.service.views import DecisionView, OutcomeView
from tests.builders import a_call
from tests.harness import Service, assert_problem

pytestmark = pytest.mark.both_stores

OVERRIDE = {"action": "override", "response": "police_clinician", "reason": "weapon_or_violence"}
OUTCOME = {"call_id": "C-1", "recorded_at": "2021-10-05T22:40:00-04:00", "weapon_found": False}


@pytest.fixture
def assessed(service: Service) -> dict[str, Any]:
    answer: dict[str, Any] = service.assess(a_call()).json()
    return answer


def decide(
    service: Service, assessed: dict[str, Any], decision: dict[str, Any], **more: Any
) -> Any:
    return service.post(
        f"/v1/assessments/{assessed['assessment_id']}/decision", json=decision, **more
    )


def test_who_decided_what_when_and_why_can_be_read_back(
    service: Service, assessed: dict[str, Any]
) -> None:
    accepted = decide(service, assessed, {"action": "accept"})
    overridden = decide(
        service, assessed, {**OVERRIDE, "note": "second thoughts"}, role="supervisor"
    )
    assert accepted.status_code == overridden.status_code == 201
    for answer in (accepted.json(), overridden.json()):
        DecisionView.model_validate(answer)
    record = service.get(f"/v1/assessments/{assessed['assessment_id']}", role="auditor").json()
    assert record["decisions"] == [accepted.json(), overridden.json()]  # none erased, last leads
    last = record["decisions"][-1]
    assert (last["actor"], last["reason"]) == ("supervisor", "weapon_or_violence")
    assert (last["response"], last["recommended"]) == ("police_clinician", "emt_clinician")
    assert last["note"] == "second thoughts"
    assert last["time_to_decide_ms"] >= 0
    assert last["at"] >= assessed["at"]


def test_the_note_is_not_in_the_chain(service: Service, assessed: dict[str, Any]) -> None:
    decide(service, assessed, {**OVERRIDE, "note": "a name that was typed"})
    (entry,) = service.log.read.page(kind="decision")
    assert "a name" not in entry.body


@pytest.mark.parametrize("response", ["helicopter", "EMT"])
def test_an_override_names_a_response_of_the_plan(
    service: Service, assessed: dict[str, Any], response: str
) -> None:
    problem = assert_problem(decide(service, assessed, {**OVERRIDE, "response": response}), 422)
    assert problem["errors"][0]["path"] == "response"
    assert response not in str(problem["errors"])


def test_an_override_may_go_back_to_protocol(service: Service, assessed: dict[str, Any]) -> None:
    assert decide(service, assessed, {**OVERRIDE, "response": "protocol"}).status_code == 201


def test_a_decision_on_a_superseded_revision_is_kept_and_says_so(
    service: Service, assessed: dict[str, Any]
) -> None:
    later = service.assess(a_call(revision=2)).json()
    answer = decide(service, assessed, {"action": "accept"}).json()
    assert answer["superseded_by"] == {"assessment_id": later["assessment_id"], "revision": 2}
    record = service.get(f"/v1/assessments/{assessed['assessment_id']}").json()
    assert record["decisions"] == [answer]


def test_a_decision_needs_an_assessment(service: Service) -> None:
    missing = {"assessment_id": "017aff46-9000-7000-8000-000000000000"}
    assert_problem(decide(service, missing, {"action": "accept"}), 404)


def test_an_outcome_is_kept_and_the_last_one_leads(
    service: Service, assessed: dict[str, Any]
) -> None:
    for weapon in (False, True):
        response = service.post(
            "/v1/calls/C-1/outcome", json={**OUTCOME, "weapon_found": weapon}, role="cad"
        )
        assert response.status_code == 201
        OutcomeView.model_validate_json(response.content)
    record = service.get(f"/v1/assessments/{assessed['assessment_id']}").json()
    assert record["outcome"] == response.json()
    assert record["outcome"]["outcome"]["weapon_found"] is True
    assert record["outcome"]["actor"] == "cad"
    assert len(service.log.read.page(kind="outcome")) == 2


def test_an_outcome_belongs_to_the_call_of_its_path(
    service: Service, assessed: dict[str, Any]
) -> None:
    problem = assert_problem(service.post("/v1/calls/C-2/outcome", json=OUTCOME), 422)
    assert problem["errors"] == [{"path": "call_id", "message": "not the call of the path"}]


def test_an_outcome_needs_a_call(service: Service) -> None:
    assert_problem(service.post("/v1/calls/C-1/outcome", json=OUTCOME), 404)


def test_the_log_is_read_in_pages_that_stay_as_they_are(
    service: Service, assessed: dict[str, Any]
) -> None:
    for number in range(2, 9):
        service.assess(a_call(number))
    whole = service.get("/v1/log", role="auditor").json()
    assert whole["next"] is None
    pages: list[Any] = []
    after: int | None = 0
    while after is not None:
        page = service.get(f"/v1/log?after={after}&limit=3", role="auditor").json()
        service.assess(a_call(f"more-{after}"))  # arrives meanwhile
        pages += page["entries"]
        after = page["next"] if len(pages) < len(whole["entries"]) else None
    assert pages[: len(whole["entries"])] == whole["entries"]
    kinds = service.get("/v1/log?kind=release", role="supervisor").json()["entries"]
    assert [entry["kind"] for entry in kinds] == ["release"]


@pytest.mark.parametrize(
    "query",
    [
        "after=-1",
        "limit=0",
        "limit=1001",
        "kind=SECRET",
        "after=SECRET",
        "after=99999999999999999999",
    ],
)
def test_a_bad_page_is_refused(shared: Service, query: str) -> None:
    problem = assert_problem(shared.get(f"/v1/log?{query}", role="auditor"), 422)
    assert problem["errors"][0]["path"] == query.split("=")[0]
    assert "SECRET" not in str(problem)
