from __future__ import annotations

import base64
import hashlib
import json
import re
from typing import Any

import jsonschema
import pytest

from data.call import Call, Outcome, Record
from model_service.model.decision import Decision
from model_service.service.auth import ACCESS, PUBLIC
from tests.builders import a_call
from tests.harness import Service


@pytest.fixture(scope="module")
def openapi(shared: Service) -> dict[str, Any]:
    document: dict[str, Any] = shared.get("/openapi.json", role=None).json()
    return document


def operations(openapi: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        operation["operationId"]: operation
        for methods in openapi["paths"].values()
        for operation in methods.values()
    }


def test_bodies_are_described_though_they_are_read_from_bytes(openapi: dict[str, Any]) -> None:
    records: dict[str, type[Record]] = {
        "create_assessment": Call,
        "create_decision": Decision,
        "create_outcome": Outcome,
    }
    for name, record in records.items():
        content = operations(openapi)[name]["requestBody"]["content"]["application/json"]
        assert content["schema"] == {"$ref": f"#/components/schemas/{record.__name__}"}
        schema = openapi["components"]["schemas"][record.__name__]
        assert set(schema["properties"]) == set(record.model_fields)
        for example in content["examples"].values():
            record.model_validate_json(json.dumps(example["value"]))


def test_every_reference_leads_somewhere(openapi: dict[str, Any]) -> None:
    known = {f"#/components/schemas/{name}" for name in openapi["components"]["schemas"]}
    assert set(re.findall(r"'\$ref': '([^']+)'", str(openapi))) <= known


def test_answers_and_problems_are_as_described(service: Service, openapi: dict[str, Any]) -> None:
    def check(name: str, status: str, media: str, answer: Any) -> None:
        content = operations(openapi)[name]["responses"][status]["content"][media]
        jsonschema.validate(answer, {**content["schema"], "components": openapi["components"]})

    plain, problem = "application/json", "application/problem+json"
    assessed = service.assess(a_call()).json()
    check("create_assessment", "201", plain, assessed)
    path = f"/v1/assessments/{assessed['assessment_id']}"
    check(
        "create_decision",
        "201",
        plain,
        service.post(f"{path}/decision", json={"action": "accept"}).json(),
    )
    check("read_assessment", "200", plain, service.get(path).json())
    check("read_call", "200", plain, service.get("/v1/calls/C-1").json())
    check("read_log", "200", plain, service.get("/v1/log", role="auditor").json())
    check("read_model", "200", plain, service.get("/v1/model").json())
    check("readyz", "200", plain, service.get("/readyz").json())
    check("create_assessment", "422", problem, service.assess({}).json())
    check("read_call", "404", problem, service.get("/v1/calls/none").json())


def test_public_routes_ask_for_no_token(openapi: dict[str, Any]) -> None:
    for name, operation in operations(openapi).items():
        assert (operation["security"] == []) == (ACCESS[name] is PUBLIC)


def test_the_page_loads_nothing_from_elsewhere(shared: Service) -> None:
    response = shared.get("/docs", role=None)
    page = response.text
    for address in re.findall(r"""(?:src|href)=["']([^"']+)["']""", page):
        assert address.startswith("/docs/static/")
        assert shared.get(address, role=None).status_code == 200
    assert "://" not in page
    policy = response.headers["content-security-policy"]
    assert "://" not in policy
    (script,) = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"'sha256-{digest}'" in policy
    assert "unsafe-inline" not in policy.split("script-src")[1].split(";")[0]


def test_the_model_page_holds_plan_card_and_metrics(shared: Service) -> None:
    release = shared.releases.current
    assert release is not None
    answer = shared.get("/v1/model").json()
    assert answer["digest"] == release.digest
    assert answer["card"] == release.card
    assert answer["plan"]["digest"] == release.plan_digest
    assert [response["id"] for response in answer["plan"]["responses"]] == [
        "emt_clinician",
        "police_clinician",
        "community",
    ]
