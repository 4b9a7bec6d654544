"""The dispatcher's queue in a real browser: calls as they come, decided by one key or two."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any, cast

import httpx
import pytest
from playwright.sync_api import Locator, expect

from tests.browser.conftest import OpenDesk
from tests.browser.desk import Desk
from tests.builders import a_call

CRISIS = "suicidal brother hearing voices, not sleeping, no weapons"
ARMED = "suicidal brother hearing voices, he has a knife"
HOSTILE = (
    '<img src=x onerror="window.harm=1"><script>window.harm=1</script> voices </li></ol> {{ 7*7 }}'
    "\n\nevent: reset\ndata: <script>window.harm=1</script>\u2028id: 9"
)
EMTS = "EMTs with a mental-health clinician"
PROTOCOL = "Follow the centre's own protocol"

Post = Callable[..., dict[str, Any]]
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def roles() -> dict[str, str]:
    return {"desk": "dispatcher", "other": "dispatcher", "auditor": "auditor", "cad": "cad"}


@pytest.fixture
def post(desk: Desk) -> Iterator[Post]:
    """Sends calls as a CAD system does."""
    with desk.api("cad") as client:

        def posted(narrative: str, *, call: str | None = None, **more: Any) -> dict[str, Any]:
            body = a_call(call or f"Q-{next(_numbers)}", narrative=narrative, answers={}, **more)
            answer = client.post("/v1/assessments", json=body).raise_for_status()
            return cast(dict[str, Any], answer.json())

        yield posted


@pytest.fixture
def desk(open_desk: OpenDesk) -> Desk:
    """A window on the queue."""
    return open_desk().queue()


def row(desk: Desk, assessment: dict[str, Any]) -> Locator:
    return desk.page.locator(f"#rows [data-assessment='{assessment['assessment_id']}']")


def picked(desk: Desk, assessment: dict[str, Any]) -> None:
    """Pick a call by mouse, and wait until it is there whole."""
    row(desk, assessment).get_by_role("button").click()
    expect(desk.article).to_have_attribute("data-assessment", assessment["assessment_id"])


def actions(desk: Desk, assessment: dict[str, Any]) -> list[tuple[str, str]]:
    return [(one["actor"], one["action"]) for one in desk.record(assessment)["decisions"]]


def test_a_call_comes_in_without_a_reload_and_tells_the_main_things(desk: Desk, post: Post) -> None:
    assessment = post(CRISIS)
    here = row(desk, assessment)
    expect(here).to_contain_text(EMTS)
    expect(here).to_contain_text("Crisis likely")
    expect(here).to_contain_text("Safety risk unlikely")
    expect(here).to_contain_text("undecided")
    expect(here).to_contain_text("Ask: ")
    expect(here.locator("mark.crisis").first).to_be_visible()
    assert "0." not in here.inner_text()  # no bare decimals


def test_accepted_by_one_key_after_the_next_call_was_asked_for(desk: Desk, post: Post) -> None:
    assessment = post(CRISIS)
    expect(row(desk, assessment)).to_be_visible()
    while not row(desk, assessment).locator("[aria-current]").count():
        desk.page.keyboard.press("F2")
    assert desk.press("F8")["action"] == "accept"
    expect(row(desk, assessment)).to_contain_text("accepted · desk")
    expect(desk.decisions).to_contain_text(f"desk accepted: {EMTS}")
    desk.page.keyboard.press("F8")  # a second press says nothing new
    desk.page.wait_for_timeout(200)
    assert actions(desk, assessment) == [("desk", "accept")]


def test_overridden_by_two_keys(desk: Desk, post: Post) -> None:
    assessment = post(CRISIS)
    picked(desk, assessment)
    desk.page.keyboard.press("F9")
    decision = desk.press("1")
    assert (decision["response"], decision["reason"]) == ("protocol", "weapon_or_violence")
    expect(row(desk, assessment)).to_contain_text("overridden · desk")
    expect(desk.decisions).to_contain_text(f"overridden: {PROTOCOL} (weapon or violence)")


def test_arrow_keys_go_through_the_calls(desk: Desk, post: Post) -> None:
    older, newer = post(CRISIS), post(ARMED)
    expect(row(desk, newer)).to_be_visible()
    row(desk, newer).get_by_role("button").focus()
    desk.page.keyboard.press("ArrowDown")
    expect(row(desk, older).get_by_role("button")).to_be_focused()
    expect(desk.article).to_have_attribute("data-assessment", older["assessment_id"])


def test_marks_say_which_way_without_colour(desk: Desk, post: Post) -> None:
    picked(desk, post(ARMED))
    ruled_out = desk.page.locator("#evidence mark.rules-out")
    expect(ruled_out).to_have_text("knife")
    assert "rules a response out: weapon" in (ruled_out.get_attribute("title") or "")
    signs = desk.page.evaluate(
        "[...document.querySelectorAll('.legend mark')]"
        ".map((mark) => getComputedStyle(mark, '::before').content)"
    )
    assert len(set(signs)) == 4
    assert desk.page.locator("#evidence").evaluate("e => e.textContent") == ARMED


def test_html_and_script_are_inert(desk: Desk, post: Post) -> None:
    name = f"<img/src=x/onerror=window.harm=1>{next(_numbers)}"
    assessment = post(HOSTILE, call=name, call_type="<script>window.harm=1</script>")
    expect(row(desk, assessment)).to_contain_text("<img src=x")
    picked(desk, assessment)
    assert desk.page.locator("#evidence").evaluate("e => e.textContent") == HOSTILE
    desk.press("F8")
    expect(row(desk, assessment)).to_contain_text("accepted")
    assert desk.page.evaluate("window.harm") is None
    assert desk.page.locator("main :is(script, img, a)").count() == 0


def test_two_dispatchers_decide_on_one_call_and_both_see_both(
    desk: Desk, post: Post, open_desk: OpenDesk
) -> None:
    second = open_desk().queue("other")
    assessment = post(CRISIS)
    picked(desk, assessment)
    picked(second, assessment)
    desk.press("F8")
    expect(row(second, assessment)).to_contain_text("accepted · desk")
    expect(second.decisions).to_contain_text("desk accepted")
    second.page.keyboard.press("F9")
    second.press("6")
    for window in (desk, second):
        expect(row(window, assessment)).to_contain_text("overridden · other")
        expect(window.decisions).to_have_count(2)
        expect(window.page.locator("#decisions .leads")).to_contain_text("other overridden")
    desk.press("F8")  # a further decision, which leads now; nothing is erased
    expect(second.decisions).to_have_count(3)
    assert actions(desk, assessment) == [
        ("desk", "accept"),
        ("other", "override"),
        ("desk", "accept"),
    ]


def test_notes_that_grow_and_advise_the_same_show_by_themselves(desk: Desk, post: Post) -> None:
    first = post(CRISIS, call="grows")
    picked(desk, first)
    desk.page.keyboard.press("F9")
    note = desk.page.get_by_label("Note")
    note.fill("half a sen")
    button = desk.page.locator("#accept").bounding_box()
    second = post(f"{CRISIS} brother", call="grows", revision=2)
    expect(desk.article).to_have_attribute("data-assessment", second["assessment_id"])
    expect(desk.page.locator("#evidence")).to_have_text(f"{CRISIS} brother")
    expect(note).to_be_focused()
    assert note.input_value() == "half a sen"
    assert desk.page.locator("#accept").bounding_box() == button


def test_advice_that_changes_waits_until_one_asks_for_it(desk: Desk, post: Post) -> None:
    first = post(CRISIS, call="turns")
    picked(desk, first)
    button = desk.page.locator("#accept").bounding_box()
    second = post(ARMED, call="turns", revision=2)
    expect(row(desk, second)).to_contain_text(PROTOCOL)
    expect(desk.page.locator("#grown")).to_contain_text("Revision 2 has come in")
    expect(desk.article).to_have_attribute("data-assessment", first["assessment_id"])
    assert desk.page.locator("#accept").bounding_box() == button
    decision = desk.press("F8")  # on what is on the screen, and on record as that
    assert decision["revision"] == 1
    assert decision["superseded_by"]["revision"] == 2
    expect(row(desk, second)).to_contain_text("grew after accepted · desk")
    desk.page.keyboard.press("F2")
    expect(desk.article).to_have_attribute("data-assessment", second["assessment_id"])
    expect(desk.decisions).to_contain_text("on revision 1")
    assert desk.press("F8")["revision"] == 2


def test_nothing_moves_under_the_mouse(desk: Desk, post: Post) -> None:
    assessment = post(CRISIS)
    button = row(desk, assessment).get_by_role("button")
    button.hover()
    before = button.bounding_box()
    last = [post(CRISIS) for _ in range(3)][-1]
    expect(row(desk, last)).to_be_attached()
    assert button.bounding_box() == before
    expect(desk.page.locator("#newer")).to_be_visible()
    desk.page.locator("#newer").click()
    expect(row(desk, last)).to_be_in_viewport()


def test_what_was_missed_is_there_when_the_line_is_back(desk: Desk, post: Post) -> None:
    before = post(CRISIS)
    expect(row(desk, before)).to_be_visible()
    place = row(desk, before).bounding_box()
    desk.page.context.set_offline(True)
    desk.page.evaluate("document.querySelector('#stream > div').remove()")
    expect(desk.alarm).to_contain_text("Follow protocol", timeout=20_000)
    assert row(desk, before).bounding_box() == place
    missed = post(ARMED)
    picked_row = row(desk, before).get_by_role("button")
    picked_row.click()
    desk.page.keyboard.press("F8")  # decided without a line
    expect(desk.page.locator("#sending")).to_contain_text("Kept here")
    desk.page.context.set_offline(False)
    expect(row(desk, missed)).to_be_visible(timeout=20_000)
    expect(row(desk, before)).to_contain_text("accepted · desk")
    expect(desk.alarm).to_be_hidden()
    assert actions(desk, before) == [("desk", "accept")]
    desk.expected("ERR_INTERNET_DISCONNECTED|Failed to fetch")


def test_a_session_that_ended_while_one_listens(desk: Desk, post: Post) -> None:
    assessment = post(CRISIS)
    picked(desk, assessment)
    desk.page.keyboard.press("F4")
    missed = post(ARMED)
    expect(desk.page.locator("#rows")).to_be_hidden()
    desk.unlock()
    expect(row(desk, missed)).to_be_visible()
    desk.press("F8")
    expect(row(desk, assessment)).to_contain_text("accepted")
    desk.complaints = [text for text in desk.complaints if "401" not in text]


def test_earlier_calls_come_when_one_looks_for_them(open_desk: OpenDesk, post: Post) -> None:
    for _ in range(40):
        post(CRISIS)
    desk = open_desk().queue()
    rows = desk.page.locator("#rows li.call")
    expect(rows).to_have_count(25)
    desk.page.locator("#rows .more").scroll_into_view_if_needed()
    expect(rows.nth(39)).to_be_attached()
    keys = rows.evaluate_all("rows => rows.map((row) => row.id)")
    assert len(keys) == len(set(keys))
    orders = rows.evaluate_all("rows => rows.map((row) => Number(row.dataset.order))")
    assert orders == sorted(orders, reverse=True)


def test_the_first_load_is_light(desk: Desk, post: Post, open_desk: OpenDesk) -> None:
    for _ in range(30):
        post(f"{CRISIS} {'and more words ' * 400}")
    for path in ("/sign-in", "/", "/type", "/help"):
        window = open_desk()
        window.open(path) if path == "/sign-in" else window.enter(path)
        window.page.wait_for_load_state("load")
        sizes = window.page.evaluate(
            "['navigation', 'resource'].flatMap((kind) => performance.getEntriesByType(kind))"
            ".map((entry) => entry.decodedBodySize)"
        )
        assert len(sizes) >= 4
        assert sum(sizes) < 150_000, path


def test_the_events_are_for_those_at_a_desk(desk: Desk) -> None:
    assert httpx.get(f"{desk.url}/queue/events").status_code in (303, 401)
    with desk.api("auditor") as client:
        assert client.get("/queue/events").status_code == 403
