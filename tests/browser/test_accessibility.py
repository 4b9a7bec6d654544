"""Light and dark, large and narrow, by eye and by ear; and the page of the API's description."""

from __future__ import annotations

from typing import Any, cast

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from model_service.service.accounts import ROLES, Role
from model_service.service.console.page import Page
from model_service.service.routes.pages import NAVIGATION
from tests.browser.conftest import OpenDesk
from tests.browser.desk import Desk
from tests.builders import a_call
from tests.harness import Process

CRISIS = "suicidal brother hearing voices, not sleeping, no weapons, knife in the car, accident"
LONG = f"{CRISIS} {'z' * 300} knife"

RULES = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
OPTIONS = {"runOnly": {"type": "tag", "values": list(RULES)}, "resultTypes": ["violations"]}


def faults(desk: Desk) -> list[str]:
    """What axe-core finds wrong with the page as it is now."""
    found: list[dict[str, Any]] = Axe().run(desk.page, options=OPTIONS).response["violations"]
    return [f"{v['id']}: {node['target']}" for v in found for node in v["nodes"]]


@pytest.fixture(scope="module")
def roles() -> dict[str, str]:
    """A user of every role, named as the role, and those that the helpers know."""
    return {**dict(zip(ROLES, ROLES, strict=True)), "desk": "dispatcher"}


@pytest.fixture(scope="module", autouse=True)
def calls(process: Process, users: dict[str, str]) -> None:
    """Calls of every kind, so that no page is empty; one was decided."""
    form = {"username": "supervisor", "password": users["supervisor"]}
    with httpx.Client(base_url=process.url) as client:
        token = client.post("/v1/token", data=form).raise_for_status().json()["access_token"]
        client.headers["authorization"] = f"Bearer {token}"
        for number, narrative in enumerate((CRISIS, LONG, "", "someone called", "voices " * 200)):
            call = a_call(number, narrative=narrative, answers={})
            answer = client.post("/v1/assessments", json=call).raise_for_status().json()
        path = f"/v1/assessments/{answer['assessment_id']}/decision"
        override = {"action": "override", "response": "emt_clinician", "reason": "crisis_missed"}
        client.post(path, json=override).raise_for_status()


def seen_by(page: Page) -> str:
    """A role that may see a page."""
    return next(role for role in ROLES if page.open_to(cast(Role, role)))


def unfold(desk: Desk) -> None:
    """Open everything that the page can open."""
    desk.page.get_by_text("Every figure behind it").click()
    desk.page.keyboard.press("F9")
    expect(desk.page.locator("#override-fields")).to_be_visible()


SCHEMES = pytest.mark.parametrize("scheme", ["light", "dark"])
PAGES = pytest.mark.parametrize("page", NAVIGATION, ids=lambda page: page.name)
SIZES = pytest.mark.parametrize(
    ("width", "scale"),
    [(1280, 1), (768, 1), (640, 2), (320, 4)],
    ids=["100%", "tablet", "200%", "400%"],
)


@SCHEMES
@PAGES
def test_axe_finds_nothing_on_any_page(open_desk: OpenDesk, page: Page, scheme: str) -> None:
    desk = open_desk(color_scheme=scheme).enter(page.path, seen_by(page))
    expect(desk.page.get_by_role("heading", level=1)).to_be_visible()
    assert faults(desk) == []


@SCHEMES
def test_axe_finds_nothing_on_the_queue_at_work(open_desk: OpenDesk, scheme: str) -> None:
    desk = open_desk(color_scheme=scheme).queue()
    for _ in range(3):
        desk.page.keyboard.press("F2")
        expect(desk.article).to_be_visible()
        assert faults(desk) == []
    unfold(desk)
    assert faults(desk) == []
    desk.page.keyboard.press("F4")
    expect(desk.page.get_by_role("dialog")).to_be_visible()
    assert faults(desk) == []


@SCHEMES
def test_axe_finds_nothing_on_the_form_at_work(open_desk: OpenDesk, scheme: str) -> None:
    desk = open_desk(color_scheme=scheme).open()
    assert faults(desk) == []
    desk.ready()
    desk.assess(CRISIS)
    desk.press("F8")
    unfold(desk)
    assert faults(desk) == []
    desk.assess("no " * 6_667)
    expect(desk.alarm).to_contain_text("narrative")
    expect(desk.page.locator("#stale")).to_be_visible()
    assert faults(desk) == []
    desk.expected("422")


def test_dark_is_dark_and_light_is_light(open_desk: OpenDesk) -> None:
    brightness = {}
    for scheme in ("light", "dark"):
        desk = open_desk(color_scheme=scheme).open()
        color = desk.page.evaluate("getComputedStyle(document.body).backgroundColor")
        brightness[scheme] = sum(int(part) for part in color[4:-1].split(","))
    assert brightness["light"] > 600
    assert brightness["dark"] < 150


def test_every_control_has_a_name_and_the_roles_are_told(desk: Desk) -> None:
    desk.assess(CRISIS)
    unfold(desk)
    tree = desk.page.locator("body").aria_snapshot()
    controls = ("button", "textbox", "combobox", "radio", "radiogroup")
    lines = [line.strip().removeprefix("- ") for line in tree.splitlines()]
    named = [line for line in lines if line.split()[0].rstrip(":") in controls]
    assert len(named) > 70
    assert [line for line in named if '"' not in line] == []
    for role, name in (
        ("textbox", "What was said or typed so far"),
        ("combobox", "Who calls"),
        ("radiogroup", "Weapon within reach?"),
        ("radiogroup", "Accepts help?"),
        ("button", "Accept F8"),
        ("heading", "Follow the centre's own protocol"),
        ("navigation", "Pages"),
        ("region", "Recommendation"),
    ):
        expect(desk.page.get_by_role(role, name=name)).to_be_visible()  # type: ignore[arg-type]


def test_the_first_tab_skips_to_the_content(desk: Desk) -> None:
    desk.open("/help")
    desk.page.keyboard.press("Tab")
    skip = desk.page.get_by_role("link", name="Skip to the content")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    desk.page.keyboard.press("Enter")
    expect(desk.page.locator("main")).to_be_focused()


@SIZES
@PAGES
def test_nothing_is_cut_off_when_enlarged(
    open_desk: OpenDesk, page: Page, width: int, scale: int
) -> None:
    # A window of 1280 points at 200% is one of 640, drawn with twice the pixels.
    desk = sized(open_desk, width, scale).enter(page.path, seen_by(page))
    expect(desk.page.get_by_role("heading", level=1)).to_be_visible()
    assert fits(desk, width)


@SIZES
def test_the_desk_works_when_enlarged(open_desk: OpenDesk, width: int, scale: int) -> None:
    desk = sized(open_desk, width, scale).open("/sign-in")
    assert fits(desk, width)
    desk.queue()
    desk.page.keyboard.press("F2")
    expect(desk.article).to_be_visible()
    accept = desk.page.locator("#accept")
    accept.scroll_into_view_if_needed()
    expect(accept).to_be_in_viewport()
    assert fits(desk, width)
    unfold(desk)
    assert fits(desk, width)
    desk.open("/type")
    desk.assess(LONG)
    unfold(desk)
    assert fits(desk, width)


def sized(open_desk: OpenDesk, width: int, scale: int) -> Desk:
    size = {"width": width, "height": 720 // scale}
    return open_desk(viewport=size, device_scale_factor=scale)


def fits(desk: Desk, width: int) -> bool:
    return bool(desk.page.evaluate("document.documentElement.scrollWidth") <= width)


def test_the_description_of_the_api_needs_no_internet(open_desk: OpenDesk) -> None:
    desk = open_desk()
    desk.page.goto(f"{desk.url}/docs")
    expect(desk.page.get_by_role("heading", name="crisiscall")).to_be_visible()
    expect(desk.page.locator(".opblock")).not_to_have_count(0)
    desk.page.locator("#operations-assessments-create_assessment button").first.click()
    expect(desk.page.get_by_text("Assess one revision of a call.")).to_be_visible()
