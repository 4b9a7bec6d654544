"""Light and dark, large and narrow, by eye and by ear; and the page of the API's description."""

from __future__ import annotations

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.browser.conftest import OpenDesk
from tests.browser.desk import Desk

CRISIS = "suicidal brother hearing voices, not sleeping, no weapons, knife in the car, accident"
LONG = f"{CRISIS} {'z' * 300} knife"

RULES = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
OPTIONS = {"runOnly": {"type": "tag", "values": list(RULES)}, "resultTypes": ["violations"]}


def faults(desk: Desk) -> list[str]:
    """What axe-core finds wrong with the page as it is now."""
    found: list[dict[str, Any]] = Axe().run(desk.page, options=OPTIONS).response["violations"]
    return [f"{v['id']}: {node['target']}" for v in found for node in v["nodes"]]


def unfold(desk: Desk) -> None:
    """Open everything that the page can open."""
    desk.page.get_by_text("Every figure behind it").click()
    desk.page.keyboard.press("F9")
    expect(desk.page.locator("#override-fields")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(open_desk: OpenDesk, scheme: str) -> None:
    desk = open_desk(color_scheme=scheme).open()
    assert faults(desk) == []
    desk.sign_in()
    expect(desk.page.locator("#model")).not_to_be_empty()
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
        ("button", "Accept"),
        ("heading", "Follow the centre's own protocol"),
    ):
        expect(desk.page.get_by_role(role, name=name)).to_be_visible()  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("width", "scale"), [(1280, 1), (640, 2), (320, 4)], ids=["100%", "200%", "400%"]
)
def test_nothing_is_cut_off_when_enlarged(open_desk: OpenDesk, width: int, scale: int) -> None:
    # A window of 1280 points at 200% is one of 640, drawn with twice the pixels.
    size = {"width": width, "height": 720 // scale}
    desk = open_desk(viewport=size, device_scale_factor=scale)

    def fits() -> bool:
        return bool(desk.page.evaluate("document.documentElement.scrollWidth") <= width)

    desk.open()
    assert fits()
    desk.sign_in()
    expect(desk.page.locator("#model")).not_to_be_empty()
    desk.assess(LONG)
    expect(desk.page.locator("#response")).to_be_in_viewport()
    assert fits()
    unfold(desk)
    assert fits()


def test_the_description_of_the_api_needs_no_internet(open_desk: OpenDesk) -> None:
    desk = open_desk()
    desk.page.goto(f"{desk.url}/docs")
    expect(desk.page.get_by_role("heading", name="crisiscall")).to_be_visible()
    expect(desk.page.locator(".opblock")).not_to_have_count(0)
    desk.page.locator("#operations-assessments-create_assessment button").first.click()
    expect(desk.page.get_by_text("Assess one revision of a call.")).to_be_visible()
