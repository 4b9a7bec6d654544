"""The pages that look back in a real browser: figures, the log, a record, verification, reports."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from model_service.model.release import canonical
from tests.browser.conftest import OpenDesk
from tests.browser.desk import Desk
from tests.browser.test_accessibility import faults
from tests.builders import make_champion, make_settings, release_files
from tests.harness import Process
from tests.past import write_past

CALLS = 500
REPORT = """<!doctype html><html lang="en"><head><meta charset="utf-8">
<title>Fairness audit: nobody is missed more often</title>
<style>h1 { color: rgb(1, 2, 3) } svg { width: 4rem }</style></head>
<body><main><h1 id="top">Who is missed</h1><p style="margin: 0">figures</p><a href="#top">up</a>
<svg viewBox="0 0 10 10" role="img" aria-label="a map"><rect width="9" height="9"/></svg></main>
</body></html>"""
PATHS = {
    "supervision": ("boss", "/supervisor?period=24h"),
    "an empty period": ("boss", "/supervisor?since=2020-01-01&until=2020-01-02"),
    "a day long ago, by the log": ("boss", "/log?calls=1&since=2020-01-01&until=2020-01-02"),
    "the log": ("auditor", "/log"),
    "the log, filtered": ("auditor", "/log?calls=1&decision=accept&decision=override"),
    "a record": ("auditor", "/records/{one}"),
    "a replay": ("auditor", "/records/{one}/replay"),
    "verification": ("auditor", "/verification"),
    "reports": ("auditor", "/audits"),
    "a report": ("auditor", "/audits/2026-11"),
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a day's calls and a report."""
    folder = tmp_path_factory.mktemp("home")
    metrics = canonical({"warning": "A release made by hand, for the tests alone."})
    make_champion(folder, {**release_files(), "metrics.json": metrics})
    (folder / "audits" / "2026-11").mkdir(parents=True)
    (folder / "audits" / "2026-11" / "audit.html").write_text(REPORT)
    (folder / "audits" / "2026-11" / "audit.json").write_text("{}")
    return folder


@pytest.fixture(scope="module")
def past(home: Path) -> list[str]:
    until = datetime.now(UTC) - timedelta(minutes=10)
    return write_past(make_settings(home), calls=CALLS, until=until, hours=20)


@pytest.fixture(scope="module")
def roles() -> dict[str, str]:
    return {"boss": "supervisor", "auditor": "auditor", "desk": "dispatcher"}


@pytest.fixture(scope="module")
def process(
    browser: Browser, home: Path, users: dict[str, str], past: list[str]
) -> Iterator[Process]:
    started = Process(home)
    started.wait_ready()
    yield started
    started.stop()


def on(desk: Desk, name: str, path: str) -> Desk:
    """Sign in and go to a page."""
    desk.enter("/", name)
    answer = desk.page.goto(f"{desk.url}{path}")
    assert answer is not None
    assert answer.ok
    desk.bytes = len(answer.body())
    return desk


def listed(desk: Desk) -> int:
    """Count the rows of all pages of the log, from the one that is shown on."""
    n = 0
    while True:
        n += desk.page.locator(".entries tbody tr").count()
        further = desk.page.locator("a[rel=next]")
        if not further.count():
            return n
        further.click()
        desk.page.wait_for_load_state()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("title", PATHS)
def test_axe_finds_nothing_and_nothing_is_cut_off(
    open_desk: OpenDesk, past: list[str], title: str, scheme: str
) -> None:
    name, path = PATHS[title]
    desk = on(open_desk(color_scheme=scheme), name, path.format(one=past[-40]))
    assert faults(desk) == []
    for width in (1280, 640, 320):  # 100%, 200% and 400% of a window of 1280
        desk.page.set_viewport_size({"width": width, "height": 700})
        assert desk.page.evaluate("document.documentElement.scrollWidth") <= width
    assert desk.bytes < 150_000


def test_figures_lead_to_the_calls_behind_them(open_desk: OpenDesk) -> None:
    desk = on(open_desk(), "boss", "/supervisor?period=24h")
    for row in ("Dorchester", "Mattapan", "weapon or violence", "Accepted", "Undecided"):
        desk.page.goto(f"{desk.url}/supervisor?period=24h")
        line = desk.page.get_by_role("row", name=row).first
        link = line.get_by_role("link").first
        n = int(link.inner_text())
        assert n > 0
        link.click()
        expect(desk.page.get_by_role("heading", name="Log")).to_be_visible()
        assert listed(desk) == n


def test_a_bar_leads_to_its_hour(open_desk: OpenDesk) -> None:
    desk = on(open_desk(), "boss", "/supervisor?period=24h")
    bar = desk.page.locator("tr.calls svg.bars a").nth(5)
    told = re.fullmatch(r"(\w{3}) (\d\d):00: (\d+)", bar.locator("title").text_content() or "")
    assert told is not None
    bar.click(force=True)
    expect(desk.page.get_by_role("heading", name="Log")).to_be_visible()
    first = desk.page.locator(".entries .when").first.inner_text()
    assert first[11:13] == told[2]
    assert listed(desk) == int(told[3])


def test_a_picture_has_its_numbers_beside_it(open_desk: OpenDesk) -> None:
    desk = on(open_desk(), "boss", "/supervisor?period=24h")
    desk.page.get_by_text("The same in numbers").click()
    table = desk.page.get_by_role("group", name="The same in numbers")
    expect(table.get_by_role("columnheader", name="Overridden")).to_be_visible()
    columns = table.locator("thead th").all_inner_texts()
    rows = table.locator("tbody tr").all()
    total = sum(int(row.locator("td").first.inner_text()) for row in rows)
    assert columns[1] == "Calls"
    shown = desk.page.locator(".heads dd").first.inner_text()
    assert total == int(shown)
    few = desk.page.get_by_role("row", name="Mattapan")
    expect(few).to_contain_text("too few to tell")
    expect(few.locator("svg.wide")).to_be_visible()


def test_a_period_is_chosen_by_keyboard_and_without_a_script(open_desk: OpenDesk) -> None:
    desk = on(open_desk(), "boss", "/supervisor")
    desk.page.get_by_role("link", name="7 days").focus()
    desk.page.keyboard.press("Enter")
    expect(desk.page.get_by_role("heading", name="7 days")).to_be_visible()
    desk.page.get_by_role("textbox", name="From").fill("2026-01-01T00:00")
    desk.page.get_by_role("textbox", name="To").fill("2026-01-02T00:00")
    desk.page.get_by_role("textbox", name="To").press("Enter")
    expect(desk.page.get_by_text("No call came in during this period.")).to_be_visible()


def test_the_log_is_filtered_by_its_form(open_desk: OpenDesk) -> None:
    desk = on(open_desk(), "auditor", "/log")
    desk.page.get_by_label("Reason of an override").select_option("weapon or violence")
    desk.page.get_by_label("Neighbourhood").fill("Dorchester")
    desk.page.get_by_label("Each call once").check()
    desk.page.get_by_role("button", name="Show").press("Enter")
    expect(desk.page.get_by_label("Neighbourhood")).to_have_value("Dorchester")
    rows = desk.page.locator(".entries tbody tr")
    expect(rows.first).to_contain_text("weapon or violence")
    assert rows.count() == rows.filter(has_text="weapon or violence").count()
    rows.first.get_by_role("link").click()
    expect(desk.page.get_by_role("heading", name="Record of call")).to_be_visible()


def test_a_record_is_read_on_record_and_printed(
    open_desk: OpenDesk, past: list[str], tmp_path: Path
) -> None:
    desk = on(open_desk(color_scheme="dark"), "auditor", f"/records/{past[-40]}")
    expect(desk.page.locator(".narrative")).to_have_count(0)
    desk.page.get_by_role("button", name="Read what was said").press("Enter")
    expect(desk.page.locator(".narrative").first).to_be_visible()
    expect(desk.page.get_by_text("auditor read it is on record")).to_be_visible()
    expect(desk.page.get_by_role("heading", name="Words read")).to_be_visible()
    assert faults(desk) == []
    desk.page.emulate_media(media="print")
    for hidden in (".top", ".bar", "footer", ".no-print"):
        expect(desk.page.locator(hidden).first).to_be_hidden()
    ink = "getComputedStyle(document.querySelector('.narrative')).color"
    assert desk.page.evaluate(ink) == "rgb(0, 0, 0)"
    ground = "getComputedStyle(document.documentElement).colorScheme"
    assert desk.page.evaluate(ground) == "light"
    paper = desk.page.pdf(path=tmp_path / "record.pdf", format="Letter")
    assert paper.startswith(b"%PDF")
    desk.page.emulate_media(media="screen")
    desk.page.goto(f"{desk.url}/log?kind=narratives_read")
    expect(desk.page.locator(".entries tbody tr").first).to_contain_text("auditor")


def test_a_record_is_recomputed_beside_itself(open_desk: OpenDesk, past: list[str]) -> None:
    desk = on(open_desk(), "auditor", f"/records/{past[-40]}")
    desk.page.get_by_role("link", name="Recompute it").first.click()
    expect(desk.page.get_by_role("heading", name="The same again")).to_be_visible()
    expect(desk.page.get_by_role("row", name="Prediction ✓ the same")).to_be_visible()


def test_the_log_is_verified_from_the_page(open_desk: OpenDesk) -> None:
    desk = on(open_desk(), "auditor", "/verification")
    desk.page.get_by_role("button", name="Verify now").press("Enter")
    expect(desk.page.get_by_text("Under way")).to_be_visible()
    expect(desk.page.get_by_text("Whole: every entry is as it was written.")).to_be_visible(
        timeout=60_000
    )
    expect(desk.page.get_by_role("button", name="Verify now")).to_be_visible()
    assert faults(desk) == []


def test_a_report_is_shown_in_the_frame_with_its_own_style(open_desk: OpenDesk) -> None:
    desk = on(open_desk(), "auditor", "/audits")
    desk.page.get_by_role("link", name="nobody is missed").press("Enter")
    report = desk.page.frame_locator("iframe")
    heading = report.get_by_role("heading", name="Who is missed")
    expect(heading).to_be_visible()
    expect(heading).to_have_css("color", "rgb(1, 2, 3)")
    expect(report.get_by_role("img", name="a map")).to_be_visible()
    table = desk.page.get_by_role("link", name="audit.json")
    expect(table).to_have_attribute("download", "")
    got = desk.page.evaluate(
        "path => fetch(path).then(got => got.text())", "/audits/2026-11/audit.json"
    )
    assert got == "{}"
    alone = desk.page.get_by_role("link", name="On a page of its own")
    expect(alone).to_have_attribute("href", "/audits/2026-11/audit.html")


@pytest.mark.parametrize(
    ("name", "seen", "not_seen"),
    [
        ("boss", ["Supervision", "Log"], ["Verification", "Fairness"]),
        ("auditor", ["Log", "Verification", "Fairness"], ["Supervision"]),
        ("desk", [], ["Supervision", "Log", "Verification", "Fairness"]),
    ],
)
def test_each_role_is_offered_its_own(
    open_desk: OpenDesk, name: str, seen: list[str], not_seen: list[str]
) -> None:
    desk = on(open_desk(), name, "/help")
    pages: Any = desk.page.get_by_role("navigation", name="Pages")
    for title in seen:
        expect(pages.get_by_role("link", name=title)).to_be_visible()
    for title in not_seen:
        expect(pages.get_by_role("link", name=title)).to_have_count(0)
