"""The service goes away, hangs, or has no model: the page says so in words and keeps the words."""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, expect

from tests.browser.desk import Desk
from tests.builders import add_users, make_champion, make_settings
from tests.faults.faulty import away
from tests.harness import Process

CRISIS = "suicidal brother hearing voices, not sleeping, no weapons"


class Fragile:
    """A service that a test may stop and start, and a window on it."""

    def __init__(self, browser: Browser, home: Path) -> None:
        self._home = home
        self.users = add_users(make_settings(home), {"desk": "dispatcher", "auditor": "auditor"})
        self.process = Process(home)
        self._wait_up()
        self.desk = Desk(browser, self.process.url, self.users)

    def _wait_up(self) -> None:
        until = time.monotonic() + 30
        while time.monotonic() < until:
            with contextlib.suppress(httpx.TransportError):
                httpx.get(f"{self.process.url}/healthz")
                return
            time.sleep(0.02)
        raise TimeoutError("the service did not start")

    def start_again(self) -> None:
        self.process = Process(self._home, port=self.process.port)
        self.process.wait_ready()

    def close(self) -> None:
        self.process.process.send_signal(signal.SIGCONT)
        self.process.stop()
        self.desk.close()


@pytest.fixture
def fragile(browser: Browser, tmp_path: Path) -> Iterator[Fragile]:
    make_champion(tmp_path)
    made = Fragile(browser, tmp_path)
    yield made
    made.close()


def test_a_stopped_service(fragile: Fragile) -> None:
    desk = fragile.desk.ready()
    desk.page.get_by_label("Neighbourhood").fill("Roxbury")
    first = desk.assess(CRISIS)
    fragile.process.stop()

    # A decision that can't be sent is kept, and the page says what holds meanwhile.
    desk.page.keyboard.press("F8")
    expect(desk.alarm).to_contain_text("Follow protocol – The service can’t be reached.")
    expect(desk.alarm).to_contain_text("kept here and sent when it is back")
    expect(desk.page.locator("#sending")).to_contain_text("Kept here")

    # So does a call that can't be assessed; the advice of before is marked as old.
    desk.narrative.focus()
    desk.page.keyboard.press("End")
    desk.page.keyboard.type(" knife")
    desk.page.keyboard.press("Control+Enter")
    expect(desk.page.locator("#assess")).to_have_attribute("aria-disabled", "false")
    expect(desk.alarm).to_contain_text("Follow protocol")
    expect(desk.page.locator("#stale")).to_be_visible()
    assert desk.narrative.input_value() == CRISIS + " knife"
    assert desk.page.get_by_label("Neighbourhood").input_value() == "Roxbury"

    fragile.start_again()
    second = desk.assess()
    expect(desk.alarm).to_be_hidden()
    assert (second["call_id"], second["revision"]) == (first["call_id"], 2)
    assert desk.record(second)["call"]["neighborhood"] == "Roxbury"
    kept = desk.record(first)["decisions"]
    assert [(one["actor"], one["action"]) for one in kept] == [("desk", "accept")]
    desk.expected("ERR_CONNECTION_REFUSED")


def test_a_decision_while_the_log_can_not_be_written(fragile: Fragile) -> None:
    desk = fragile.desk.ready()
    assessed = desk.assess(CRISIS)
    bring_back = away(fragile.process.home / "log.db")
    desk.page.keyboard.press("F8")
    expect(desk.page.locator("#sending")).to_have_text("Kept, not on record yet.")
    bring_back()
    until = time.monotonic() + 20
    while not desk.record(assessed)["decisions"] and time.monotonic() < until:
        time.sleep(0.1)
    assert [one["action"] for one in desk.record(assessed)["decisions"]] == ["accept"]


def test_a_service_that_hangs_is_not_waited_for(fragile: Fragile) -> None:
    desk = fragile.desk.ready()
    desk.narrative.fill(CRISIS)
    fragile.process.process.send_signal(signal.SIGSTOP)
    begun = time.monotonic()
    desk.page.keyboard.press("Control+Enter")
    expect(desk.alarm).to_contain_text("Follow protocol")
    assert time.monotonic() - begun < 8
    assert desk.narrative.input_value() == CRISIS

    # The request may have come through after all: asking again makes no second revision.
    fragile.process.process.send_signal(signal.SIGCONT)
    assert desk.assess()["revision"] == 1
    expect(desk.alarm).to_be_hidden()


def test_a_service_without_a_model(browser: Browser, tmp_path: Path) -> None:
    fragile = Fragile(browser, tmp_path)
    try:
        desk = fragile.desk.ready()
        expect(desk.page.locator("#state")).to_contain_text("Follow protocol")
        desk.narrative.fill(CRISIS)
        desk.page.keyboard.press("Control+Enter")
        expect(desk.page.locator("#assess")).to_have_attribute("aria-disabled", "false")
        expect(desk.alarm).to_contain_text("Follow protocol")
        expect(desk.article).to_have_count(0)
        assert desk.narrative.input_value() == CRISIS
        desk.expected("503")
    finally:
        fragile.close()
