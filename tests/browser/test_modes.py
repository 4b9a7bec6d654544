"""Off, in shadow, held back: the page says so, shows no advice, and still takes decisions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from playwright.sync_api import expect

from model_service.service.log.erasure import erasable, erase
from model_service.service.opening import open_store
from tests.browser.desk import Desk
from tests.builders import add_users, make_champion, make_settings, release_files

CRISIS = "suicidal brother hearing voices, not sleeping, no weapons"
ADVICE = (".bands", "#reasons", "#answer-advice", "#all-figures")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose plan holds advice back on nearly every call."""
    folder = tmp_path_factory.mktemp("home")
    files = release_files()
    plan = {**yaml.safe_load(files["plan.yaml"]), "hold_back": 0.999999}
    make_champion(folder, {**files, "plan.yaml": yaml.safe_dump(plan).encode()})
    return folder


@pytest.fixture(scope="module")
def users(home: Path) -> dict[str, str]:
    roles = {"desk": "dispatcher", "auditor": "auditor", "boss": "supervisor"}
    return add_users(make_settings(home), roles)


@pytest.fixture
def switched(desk: Desk) -> Iterator[Desk]:
    """A window whose service is switched back at the end."""
    yield desk
    switch(desk, "advisory")


def switch(desk: Desk, mode: str) -> None:
    with desk.api("boss") as client:
        client.put("/v1/mode", json={"mode": mode}).raise_for_status()


def assert_no_advice(desk: Desk) -> None:
    for place in ADVICE:
        expect(desk.page.locator(place)).to_be_hidden()
    expect(desk.page.locator("#commit-fields")).to_be_visible()
    expect(desk.page.locator("#pane")).not_to_contain_text("in 100 such calls")


def test_held_back_until_the_dispatcher_has_committed(desk: Desk) -> None:
    assessment = desk.assess(CRISIS)
    assert assessment["withheld"] == "held_back"
    expect(desk.page.locator("#response")).to_have_text("Held back until you have decided")
    expect(desk.page.locator("#state .warn")).to_have_count(0)
    assert_no_advice(desk)
    desk.page.keyboard.press("F8")
    expect(desk.alarm).to_contain_text("Choose first what to send")
    expect(desk.page.locator("#send input").first).to_be_focused()
    desk.page.keyboard.press("b")
    expect(desk.page.get_by_role("radio", name="Police officers")).to_be_checked()
    assert desk.press("F8")["action"] == "commit"
    expect(desk.decisions).to_contain_text("desk committed: Police officers")
    expect(desk.page.locator("#response")).to_have_text("EMTs with a mental-health clinician")
    expect(desk.page.locator("#reasons")).to_be_visible()
    expect(desk.page.locator("#commit-fields")).to_be_hidden()
    expect(desk.page.locator("#evidence")).to_have_text(CRISIS)
    assert desk.press("F8")["action"] == "accept"
    expect(desk.decisions).to_have_count(2)
    first, last = desk.record(assessment)["decisions"]
    assert (first["advice_shown"], last["advice_shown"]) == (False, True)


def test_what_was_erased_meanwhile_is_said_to_be(desk: Desk, home: Path) -> None:
    assessment = desk.assess(CRISIS)
    store = open_store(make_settings(home), busy_timeout_ms=5000)
    found = erasable(store, call_id=assessment["call_id"])
    assert erase(store, found, actor="auditor", reason="request").entries == 1
    store.close()
    desk.page.get_by_role("radio", name="Police officers").check()
    assert desk.press("F8")["action"] == "commit"
    expect(desk.page.locator("#reasons")).to_contain_text("was erased")
    expect(desk.page.locator("#response")).to_have_text("EMTs with a mental-health clinician")


def test_by_mouse(desk: Desk) -> None:
    desk.assess(CRISIS)
    desk.page.get_by_role("radio", name="Follow the centre's own protocol").check()
    desk.page.get_by_role("button", name="Commit").click()
    expect(desk.decisions).to_contain_text("committed: Follow the centre's own protocol")
    expect(desk.page.get_by_role("button", name="Accept")).to_be_visible()


@pytest.mark.parametrize(
    ("mode", "heading", "notice"),
    [
        ("off", "Switched off: follow your centre’s protocol", "switched off"),
        ("shadow", "Not shown: the service runs in shadow", "recorded and not shown"),
    ],
)
def test_off_and_shadow_are_said_plainly_and_decisions_go_on(
    switched: Desk, mode: str, heading: str, notice: str
) -> None:
    desk = switched
    expect(desk.page.locator("#state")).to_contain_text("Advisory")
    switch(desk, mode)
    assessment = desk.assess(CRISIS)
    assert (assessment["withheld"], assessment["recommendation"]) == (mode, None)
    expect(desk.page.locator("#response")).to_have_text(heading)
    expect(desk.page.locator("#state")).to_contain_text(notice)
    assert_no_advice(desk)
    desk.page.keyboard.press("F9")
    desk.page.keyboard.press("a")
    desk.press("F8")
    expect(desk.decisions).to_contain_text("committed: EMTs with a mental-health clinician")
    assert_no_advice(desk)
    expect(desk.decisions).to_have_count(1)
    desk.page.keyboard.press("F8")  # the same again says nothing new
    expect(desk.decisions).to_have_count(1)
    (decision,) = desk.record(assessment)["decisions"]
    assert (decision["action"], decision["advice_shown"]) == ("commit", False)
    desk.page.reload()
    expect(desk.page.locator("#state")).to_contain_text(notice)
