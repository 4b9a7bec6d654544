from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data.call import MAX_NARRATIVE, Call
from tests.builders import a_call
from tests.harness import OURS, Service, assert_problem

MARKER = "PLANTEDMARKER7"
JSON = {"content-type": "application/json"}


def post(service: Service, content: bytes | str, **more: Any) -> Any:
    return service.post("/v1/assessments", content=content, headers={**JSON, **more})


@pytest.mark.parametrize(
    ("field", "value", "path"),
    [
        ("narrative", "x" * (MAX_NARRATIVE + 1), "narrative"),
        ("narrative", 7, "narrative"),
        ("revision", "1", "revision"),
        ("revision", 0, "revision"),
        ("revision", 2**80, "revision"),
        ("received_at", "2021-10-05T21:14:00", "received_at"),
        ("received_at", "yesterday", "received_at"),
        ("received_at", 1633482840, "received_at"),
        ("call_id", "", "call_id"),
        ("call_id", "é", "call_id"),
        ("language", "12", "language"),
        ("call_source", MARKER, "call_source"),
        ("latitude", 91.0, "latitude"),
        ("answers", {"weapon": MARKER}, "answers.weapon"),
        ("answers", {MARKER: "yes"}, "answers.*"),
        ("answers", [MARKER], "answers"),
        (MARKER, 1, "*"),
    ],
)
def test_a_bad_field_is_named_by_its_path(
    shared: Service, field: str, value: Any, path: str
) -> None:
    response = shared.assess(a_call(**{field: value}))
    problem = assert_problem(response, 422)
    assert path in [error["path"] for error in problem["errors"]]
    assert MARKER not in response.text
    assert "xxxx" not in response.text


def test_an_empty_narrative_is_a_call_without_words(shared: Service) -> None:
    answer = shared.assess(a_call("silent", narrative="")).json()
    assert answer["recommendation"]["abstained"] is True
    assert answer["recommendation"]["response"] == "protocol"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{",
        b"\xff\xfe\x00",
        b"\xef\xbb\xbf{}",
        b'{"call_id": "\\ud800"}',
        b'{"call_id": "a", "latitude": NaN}',
        b'{"call_id": "a", "latitude": Infinity}',
        b'{"call_id": "a", "latitude": 1e999, "longitude": 1}',
        b'{"call_id": "a", "revision": ' + b"9" * 5000 + b"}",
        b"[" * 5000 + b"]" * 5000,
        b'{"a":' * 5000 + b"1" + b"}" * 5000,
        b'{"narrative": "\x00"}',
    ],
)
def test_what_is_no_call_is_refused(shared: Service, body: bytes) -> None:
    problem = assert_problem(post(shared, body), 422)
    assert problem["errors"]


def test_of_a_key_given_twice_the_last_one_counts(shared: Service) -> None:
    body = json.dumps(a_call("twice")).replace('"revision": 1', '"revision": 1, "revision": 4')
    assert post(shared, body).json()["revision"] == 4


@pytest.mark.parametrize(
    "content_type",
    ["", "text/plain", "application/x-www-form-urlencoded", "application/json; charset=utf-16"],
)
def test_another_content_type_is_refused(shared: Service, content_type: str) -> None:
    response = shared.post(
        "/v1/assessments", content=json.dumps(a_call()), headers={"content-type": content_type}
    )
    assert_problem(response, 415)


@pytest.mark.parametrize("path", ["/v1/assessments", "/v1/token", "/nowhere", "/healthz"])
def test_a_large_body_is_refused_by_its_stated_length(shared: Service, path: str) -> None:
    response = shared.post(path, content=b"x" * 65_537, headers=JSON)
    assert_problem(response, 413)
    assert response.headers["connection"] == "close"


def test_a_large_body_is_refused_while_it_comes(shared: Service) -> None:
    read = 0

    async def endless() -> Any:
        nonlocal read
        while True:
            read += 8192
            yield b" " * 8192

    assert_problem(shared.post("/v1/assessments", content=endless(), headers=JSON), 413)
    assert read < 200_000


def test_the_largest_body_is_read(shared: Service) -> None:
    body = json.dumps(a_call("largest")).encode()
    assert post(shared, body.ljust(65_536)).status_code == 201


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", f"/{MARKER}", 404),
        ("GET", f"/v1/assessments/{MARKER}", 404),
        ("GET", f"/v1/assessments//{MARKER}/", 404),
        ("PUT", "/v1/assessments", 405),
        ("POST", "/healthz", 405),
        ("GET", f"/docs/static/{MARKER}", 404),
        ("GET", "/docs/static/..%2f..%2fapp.py", 404),
        ("GET", f"/healthz/?{MARKER}", 404),
    ],
)
def test_every_error_is_a_problem_that_echoes_nothing(
    shared: Service, method: str, path: str, status: int
) -> None:
    response = shared.request(method, path)
    assert_problem(response, status)
    assert MARKER not in response.text + str(response.headers)


def test_what_breaks_inside_is_a_problem_and_tells_nothing(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise ValueError(MARKER)

    monkeypatch.setattr("model_service.service.assessor.assess", broken)
    response = service.assess(a_call())
    problem = assert_problem(response, 500)
    assert "follow protocol" in problem["detail"]
    log = service.output.getvalue().decode()
    assert MARKER not in response.text + log
    line = service.lines()[-1]
    assert (line["error"], line["status"], line["level"]) == ("ValueError", 500, "error")
    assert line["where"]
    monkeypatch.undo()
    assert service.assess(a_call()).status_code == 201


def test_every_answer_carries_safe_headers(shared: Service) -> None:
    for path in ("/healthz", "/nowhere", "/openapi.json", "/docs", "/docs/static/swagger-ui.css"):
        headers = shared.get(path).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cache-control"] == "no-store"
        assert len(headers["x-request-id"]) == 36


def test_a_log_line_tells_what_is_needed_and_no_more(service: Service) -> None:
    response = service.assess(a_call(narrative=f"{MARKER} hearing voices now"))
    line = service.lines()[-1]
    assert line["request_id"] == response.headers["x-request-id"]
    assert line["route"] == "/v1/assessments"
    assert (line["status"], line["actor"], line["call_id"]) == (201, "dispatcher", "C-1")
    assert line["ms"] > 0
    assert MARKER not in service.output.getvalue().decode()


leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20).map(lambda text: MARKER + text)
)
values = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=5).map(lambda key: MARKER + key), inner, max_size=3)
    ),
    max_leaves=6,
)
names = st.sampled_from(sorted(Call.model_fields)) | st.just(MARKER)
bodies = st.one_of(
    st.dictionaries(names, values, max_size=5).map(
        lambda changes: json.dumps({**a_call("fuzz"), **changes}).encode()
    ),
    values.map(lambda value: json.dumps(value).encode()),
    st.binary(max_size=80).map(lambda junk: MARKER.encode() + junk),
    st.binary(max_size=30).map(
        lambda junk: json.dumps(a_call("fuzz")).encode().replace(b"brother", MARKER.encode() + junk)
    ),
)
routes = st.sampled_from(
    [
        "/v1/assessments",
        "/v1/assessments/017aff46-9000-7000-8000-000000000000/decision",
        "/v1/calls/C-fuzz/outcome",
    ]
)


@settings(
    max_examples=300,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(path=routes, body=bodies)
def test_no_body_breaks_the_service_or_comes_back(shared: Service, path: str, body: bytes) -> None:
    shared.output.seek(0)
    shared.output.truncate()
    response = shared.post(path, content=body, headers=JSON)
    assert response.status_code < 500
    if response.status_code >= 400:
        assert_problem(response, response.status_code)
        assert MARKER not in response.text
    # A call's number may be told; nothing else that was sent.
    log = shared.output.getvalue().decode()
    assert MARKER not in log or f'"call_id":"{MARKER}' in log


forms = st.dictionaries(
    st.sampled_from(["username", "password", "grant_type", "scope", "client_id", MARKER]),
    st.text(max_size=30).map(lambda text: MARKER + text),
)


@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(form=forms | st.binary(max_size=200), path=st.sampled_from(["/v1/token", "/session"]))
def test_no_form_breaks_signing_in_or_comes_back(
    shared: Service, form: dict[str, str] | bytes, path: str
) -> None:
    shared.output.seek(0)
    shared.output.truncate()
    head = {**OURS, "content-type": "application/x-www-form-urlencoded"}
    body: Any = {"data": form} if isinstance(form, dict) else {"content": form}
    shared.app.state.accounts.execute("DELETE FROM failures")
    response = shared.post(path, role=None, headers=head, **body)
    assert response.status_code in (401, 422)
    assert_problem(response, response.status_code)
    assert MARKER not in response.text + shared.output.getvalue().decode()
