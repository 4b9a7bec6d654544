"""The console's sessions: what the cookie is worth, and what a request with one must show."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from model_service.service.accounts import Accounts, Identity
from model_service.service.sessions import Sessions
from tests.builders import CHEAP
from tests.clock import Clock
from tests.harness import OURS, Service, assert_problem

HOUR = 3600.0
DESK = Identity("desk", "dispatcher")


@pytest.fixture
def accounts(tmp_path: Path, clock: Clock) -> Iterator[Accounts]:
    opened = Accounts(tmp_path / "accounts.db", hasher=CHEAP, clock=clock)
    opened.add("desk", "dispatcher")
    yield opened
    opened.close()


@pytest.fixture
def sessions(accounts: Accounts, clock: Clock) -> Sessions:
    return Sessions(accounts, lifetime=12 * HOUR, idle=2 * HOUR, clock=clock)


def test_a_session_in_use_lasts_a_shift_and_no_longer(sessions: Sessions, clock: Clock) -> None:
    token = sessions.open(DESK)
    for _ in range(12):
        assert sessions.identify(token) == DESK
        clock.now += HOUR - 1
    assert sessions.identify(token) == DESK
    clock.now += 12
    assert sessions.identify(token) is None


def test_a_session_that_nobody_uses_ends(sessions: Sessions, clock: Clock) -> None:
    token = sessions.open(DESK)
    for _ in range(4):
        clock.now += HOUR / 2 - 1
        assert sessions.identify(token, use=False) == DESK  # the page asks; nobody does anything
    clock.now += 4
    assert sessions.identify(token) is None


def test_a_closed_session_and_those_of_a_disabled_user_are_worth_nothing(
    sessions: Sessions, accounts: Accounts, clock: Clock
) -> None:
    first, second, third = (sessions.open(DESK) for _ in range(3))
    sessions.close(first)
    assert sessions.identify(first) is None
    assert sessions.identify(second) == DESK
    accounts.disable("desk")
    clock.now += 2.1
    assert sessions.identify(second) is None
    accounts.reset("desk")
    assert sessions.identify(third) is None  # not even when the user is let in again


def test_the_token_is_not_in_the_file(
    sessions: Sessions, accounts: Accounts, tmp_path: Path
) -> None:
    token = sessions.open(DESK)
    accounts.close()
    assert token.encode() not in b"".join(file.read_bytes() for file in tmp_path.iterdir())


def open_session(service: Service, **headers: str) -> httpx.Response:
    form = {"username": "dispatcher", "password": service.passwords["dispatcher"]}
    return service.post("/session", data=form, role=None, headers={**OURS, **headers})


def cookie_of(answer: httpx.Response) -> dict[str, str]:
    service_cookie = answer.headers["set-cookie"].split(";")[0]
    return {"cookie": service_cookie}


def test_a_session_over_http_from_sign_in_to_sign_out(service: Service) -> None:
    answer = open_session(service)
    assert answer.status_code == 200
    attributes = {part.strip().lower() for part in answer.headers["set-cookie"].split(";")[1:]}
    assert {"httponly", "samesite=strict", "path=/", "max-age=43200"} <= attributes
    assert "secure" not in attributes  # there is no TLS here
    cookie = cookie_of(answer)
    assert service.get("/help", role=None, headers=cookie).status_code == 200
    assert service.get("/v1/model", role=None, headers=cookie).status_code == 200
    gone = service.request("DELETE", "/session", role=None, headers={**OURS, **cookie})
    assert gone.status_code == 204
    assert service.get("/help", role=None, headers=cookie).headers["location"] == "/sign-in"
    assert_problem(service.get("/v1/model", role=None, headers=cookie), 401)
    kinds = [
        (entry.kind, entry.actor, entry.content()["way"])
        for entry in service.log.read.page()
        if entry.kind.startswith("sign_")
    ]
    assert kinds == [("sign_in", "dispatcher", "console"), ("sign_out", "dispatcher", "console")]
    secret = cookie["cookie"].partition("=")[2]
    assert secret not in service.output.getvalue().decode()


def test_behind_tls_the_cookie_goes_nowhere_else(service: Service) -> None:
    form = {"username": "dispatcher", "password": service.passwords["dispatcher"]}
    answer = service.post("https://test/session", data=form, role=None, headers=OURS)
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("__Host-")
    assert "; Secure" in cookie


FOREIGN: dict[str, dict[str, str]] = {
    "another site": {**OURS, "sec-fetch-site": "cross-site"},
    "another host of the site": {**OURS, "sec-fetch-site": "same-site"},
    "typed by nobody": {**OURS, "sec-fetch-site": "none"},
    "a form": {"sec-fetch-site": "same-origin"},
    "an old browser elsewhere": {"x-crisiscall-console": "1", "origin": "http://evil.example"},
    "an old browser that tells nothing": {"x-crisiscall-console": "1", "origin": "null"},
    "no browser": {"x-crisiscall-console": "1"},
}


@pytest.mark.parametrize("headers", FOREIGN.values(), ids=FOREIGN)
def test_what_comes_from_elsewhere_changes_nothing(
    shared: Service, headers: dict[str, str]
) -> None:
    cookie = cookie_of(open_session(shared))
    refused = shared.request("DELETE", "/session", role=None, headers={**headers, **cookie})
    assert refused.status_code == 403
    path = "/v1/assessments"
    assert_problem(shared.post(path, json={}, role=None, headers={**headers, **cookie}), 403)
    # An unusable head beside the cookie does not make a program of it.
    odd = {**headers, **cookie, "authorization": "Basic eDp5"}
    assert_problem(shared.post(path, json={}, role=None, headers=odd), 403)
    form = {"username": "dispatcher", "password": shared.passwords["dispatcher"]}
    assert shared.post("/session", data=form, role=None, headers=headers).status_code == 403
    assert shared.get("/v1/model", role=None, headers=cookie).status_code == 200


def test_an_old_browser_on_our_page_may(shared: Service) -> None:
    headers = {"x-crisiscall-console": "1", "origin": "http://test"}
    cookie = cookie_of(open_session(shared))
    gone = shared.request("DELETE", "/session", role=None, headers={**headers, **cookie})
    assert gone.status_code == 204


def test_a_wrong_password_opens_nothing(shared: Service) -> None:
    form = {"username": "dispatcher", "password": "wrong"}
    answer = shared.post("/session", data=form, role=None, headers=OURS)
    assert_problem(answer, 401)
    assert "set-cookie" not in answer.headers
