from __future__ import annotations

import pytest

from model_service.service.accounts import ROLES
from model_service.service.app import create_app, route_names
from model_service.service.auth import ACCESS, PAGES, PUBLIC
from tests.builders import a_call, make_settings
from tests.harness import OURS, Service, assert_problem

PATHS: dict[str, tuple[str, str]] = {
    "create_assessment": ("POST", "/v1/assessments"),
    "create_eido_assessment": ("POST", "/v1/eido"),
    "read_eido": ("GET", "/v1/assessments/017aff46-9000-7000-8000-000000000000/eido"),
    "read_assessment": ("GET", "/v1/assessments/017aff46-9000-7000-8000-000000000000"),
    "create_decision": ("POST", "/v1/assessments/017aff46-9000-7000-8000-000000000000/decision"),
    "create_outcome": ("POST", "/v1/calls/C-9/outcome"),
    "read_call": ("GET", "/v1/calls/C-9"),
    "read_log": ("GET", "/v1/log"),
    "read_proof": ("GET", "/v1/log/1/proof"),
    "read_checkpoint": ("GET", "/v1/log/checkpoint"),
    "read_consistency": ("GET", "/v1/log/consistency?from=1&to=1"),
    "read_model": ("GET", "/v1/model"),
    "read_mode": ("GET", "/v1/mode"),
    "switch_mode": ("PUT", "/v1/mode"),
    "read_units": ("GET", "/v1/units"),
    "report_units": ("PUT", "/v1/units/emt_clinician"),
    "sign_in": ("POST", "/v1/token"),
    "sign_out": ("DELETE", "/v1/token"),
    "healthz": ("GET", "/healthz"),
    "readyz": ("GET", "/readyz"),
    "openapi": ("GET", "/openapi.json"),
    "docs": ("GET", "/docs"),
    "docs_static": ("GET", "/docs/static/swagger-ui.css"),
    "queue": ("GET", "/"),
    "queue_rows": ("GET", "/queue/rows"),
    "queue_events": ("GET", "/queue/events?stay=false"),
    "type_a_call": ("GET", "/type"),
    "call_detail": ("GET", "/calls/017aff46-9000-7000-8000-000000000000"),
    "supervisor": ("GET", "/supervisor"),
    "log_page": ("GET", "/log"),
    "call_record": ("GET", "/records/017aff46-9000-7000-8000-000000000000"),
    "read_words": ("POST", "/records/017aff46-9000-7000-8000-000000000000/words"),
    "replay": ("GET", "/records/017aff46-9000-7000-8000-000000000000/replay"),
    "verification": ("GET", "/verification"),
    "verification_state": ("GET", "/verification/state"),
    "verify_log": ("POST", "/verification"),
    "audits": ("GET", "/audits"),
    "audit": ("GET", "/audits/2026-11"),
    "audit_file": ("GET", "/audits/2026-11/audit.html"),
    "help": ("GET", "/help"),
    "state": ("GET", "/state"),
    "sign_in_page": ("GET", "/sign-in"),
    "open_session": ("POST", "/session"),
    "close_session": ("DELETE", "/session"),
    "console_static": ("GET", "/static/not-there"),
}


def test_the_table_and_the_application_know_the_same_routes(shared: Service) -> None:
    assert set(route_names(shared.app)) == set(ACCESS) == set(PATHS)


@pytest.mark.parametrize("role", [*ROLES, None])
@pytest.mark.parametrize("name", ACCESS)
def test_every_route_with_every_role_and_with_none(
    shared: Service, name: str, role: str | None
) -> None:
    method, path = PATHS[name]
    headers = OURS if name in PAGES else {}
    response = shared.request(method, path, role=role, headers=headers)
    allowed = ACCESS[name]
    if name == "sign_out" and role is not None:
        assert response.status_code == 204
        del shared._tokens[role]
    elif allowed is PUBLIC or role in allowed:
        assert response.status_code not in (401, 403)
    elif role is None:
        problem = assert_problem(response, 401)
        assert problem["title"] == "not signed in"
        assert response.headers["www-authenticate"] == "Bearer"
    else:
        assert_problem(response, 403)


@pytest.mark.parametrize("role", [*ROLES, None])
@pytest.mark.parametrize("name", PAGES)
def test_every_page_with_every_session_and_with_none(
    shared: Service, name: str, role: str | None
) -> None:
    """As a browser asks for it: what is wrong is told as a page, and who is not known signs in."""
    method, path = PATHS[name]
    headers = {} if role is None else {"cookie": shared.cookie(role)}
    if method != "GET":
        headers |= OURS
    response = shared.request(method, path, role=None, headers=headers)
    allowed = PAGES[name]
    if allowed is PUBLIC or role in allowed:
        assert response.status_code not in (401, 403)
    elif role is None:
        assert (response.status_code, response.headers.get("location")) in (
            (303, "/sign-in"),
            (401, None),
        )
    else:
        assert response.status_code == 403
        assert "not allowed" in response.text.lower()
    if response.headers.get("content-type", "").startswith("text/html"):
        assert "default-src 'none'" in response.headers["content-security-policy"]
        assert "unsafe" not in response.headers["content-security-policy"]


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer ", "Bearer nonsense", "Basic eDp5", "bearer \x7f", "Bearer é"]
)
def test_no_other_word_opens(shared: Service, header: str) -> None:
    head = {"authorization": header.encode("latin-1")}
    assert_problem(shared.request("GET", "/v1/model", headers=head, role=None), 401)


def test_a_route_that_nobody_thought_of_is_refused(
    tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(ACCESS, "read_log")
    with pytest.raises(RuntimeError, match="who may call read_log"):
        create_app(make_settings(tmp_path))  # type: ignore[arg-type]


def test_a_mount_can_only_be_public(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ACCESS, "docs_static", frozenset())
    with pytest.raises(RuntimeError, match="docs_static"):
        create_app(make_settings(tmp_path))  # type: ignore[arg-type]


def test_signed_out_is_signed_out(shared: Service) -> None:
    token = shared.token("cad")
    head = {"authorization": f"Bearer {token}"}
    assert shared.request("GET", "/v1/model", headers=head).status_code == 200
    assert shared.request("DELETE", "/v1/token", headers=head).status_code == 204
    assert_problem(shared.request("GET", "/v1/model", headers=head), 401)
    del shared._tokens["cad"]


def test_a_call_is_not_parsed_for_those_who_may_not(shared: Service) -> None:
    for content in (b"\xff", b"x" * 1000):
        head = {"content-type": "application/json"}
        assert_problem(
            shared.post("/v1/assessments", content=content, role="auditor", headers=head), 403
        )
    assert_problem(shared.assess(a_call(), role=None), 401)
