"""Signing in, the lock, a session that has ended: nothing that was typed is lost or left behind."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from model_service.service.accounts import Accounts
from tests.browser.conftest import OpenDesk
from tests.browser.desk import Desk
from tests.builders import CHEAP, make_settings
from tests.harness import Process

CRISIS = "suicidal brother hearing voices, not sleeping, no weapons"


def end_sessions(process: Process) -> None:
    """End every session, as an administrator who resets a password does."""
    accounts = Accounts(make_settings(process.home).accounts_path, hasher=CHEAP)
    accounts.execute("DELETE FROM sessions")
    accounts.close()


def test_wrong_password(open_desk: OpenDesk) -> None:
    desk = open_desk().open().sign_in(password="not-the-password")
    expect(desk.page.locator(".fault")).to_contain_text("name and password do not fit")
    assert desk.page.url.endswith("/sign-in")
    desk.expected("401")


def test_whoever_is_not_signed_in_is_asked_to(open_desk: OpenDesk) -> None:
    for path in ("/", "/type", "/help"):
        desk = open_desk().open(path)
        expect(desk.page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_the_navigation_offers_what_the_role_may_see(open_desk: OpenDesk) -> None:
    desk = open_desk().enter(name="auditor", path="/help")
    links = desk.page.get_by_role("navigation", name="Pages").get_by_role("link")
    assert "Queue" not in links.all_inner_texts()
    desk.open("/")
    expect(desk.page.get_by_role("heading", name="Not allowed")).to_be_visible()
    desk.expected("403")


def test_no_script_can_read_the_session(desk: Desk) -> None:
    assert desk.page.evaluate("document.cookie") == ""
    assert desk.page.evaluate("sessionStorage.length + localStorage.length") == 0


@pytest.mark.parametrize("doing", ["assess", "accept"])
def test_a_session_that_ended_is_asked_for_in_place_and_what_was_done_is_sent(
    desk: Desk, process: Process, doing: str
) -> None:
    first = desk.assess(CRISIS)
    end_sessions(process)
    desk.page.wait_for_timeout(2100)  # the service looks again after two seconds
    desk.page.get_by_label("Initial type").fill("EDP")
    desk.page.keyboard.press("Control+Enter" if doing == "assess" else "F8")
    expect(desk.page.locator("#locked")).to_contain_text("Your session has ended")
    expect(desk.narrative).to_be_hidden()
    desk.unlock()
    assert desk.narrative.input_value() == CRISIS
    assert desk.page.get_by_label("Initial type").input_value() == "EDP"
    expect(desk.page.locator("#detail .eyebrow")).to_contain_text("revision 2")
    if doing == "accept":
        (decision,) = desk.record(first)["decisions"]
        assert (decision["actor"], decision["action"]) == ("desk", "accept")
    desk.expected("401")


def test_the_lock_hides_everything_and_loses_nothing(desk: Desk) -> None:
    desk.assess(CRISIS)
    desk.page.keyboard.press("F9")
    desk.page.get_by_label("Note").fill("unit 7")
    desk.page.keyboard.press("F4")
    expect(desk.page.get_by_role("dialog", name="Locked")).to_be_visible()
    expect(desk.narrative).to_be_hidden()
    expect(desk.page.locator("#detail")).to_be_hidden()
    for key in ("Escape", "F8", "F2"):
        desk.page.keyboard.press(key)
    expect(desk.page.get_by_role("dialog", name="Locked")).to_be_visible()
    assert "voices" not in desk.page.locator("body").aria_snapshot()
    locked = desk.page.context.request.get(f"{desk.url}/v1/model")
    assert locked.status == 401  # there is no session behind it
    desk.page.keyboard.type("wrong")
    desk.page.keyboard.press("Enter")
    expect(desk.page.locator("#unlock .fault")).to_be_visible()
    desk.unlock()
    assert desk.narrative.input_value() == CRISIS
    assert desk.page.get_by_label("Note").input_value() == "unit 7"
    desk.page.keyboard.press("Escape")
    assert desk.press("F8")["action"] == "accept"
    desk.expected("401")


def test_a_console_that_nobody_touches_locks_itself(open_desk: OpenDesk) -> None:
    desk = open_desk()
    desk.page.clock.install()
    desk.ready()
    desk.narrative.fill("half a sen")
    desk.page.clock.run_for("29:00")
    expect(desk.page.locator("#locked")).to_be_hidden()
    desk.page.keyboard.press("Shift")
    desk.page.clock.run_for("29:00")
    expect(desk.page.locator("#locked")).to_be_hidden()
    desk.page.clock.run_for("02:00")
    expect(desk.page.locator("#locked")).to_contain_text("Nobody touched this console")
    desk.unlock()
    assert desk.narrative.input_value() == "half a sen"
    desk.complaints = []


def test_a_reload_does_not_open_the_lock(desk: Desk) -> None:
    with desk.page.expect_response("**/session?why=locked"):
        desk.page.keyboard.press("F4")
    desk.page.reload()
    expect(desk.page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_signing_out_leaves_nothing_behind(desk: Desk) -> None:
    desk.assess(CRISIS)
    desk.page.get_by_role("button", name="Sign out").click()
    expect(desk.page.get_by_label("Name")).to_be_focused()
    assert desk.page.evaluate("sessionStorage.length + localStorage.length") == 0
    assert "voices" not in desk.page.content()
    assert desk.page.context.cookies() == []
    desk.page.go_back()
    expect(desk.page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert "voices" not in desk.page.content()
