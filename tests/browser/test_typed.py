"""A call that is typed, in a real browser, worked by keyboard."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.desk import Desk

CRISIS = "suicidal brother hearing voices, not sleeping, no weapons"
HOSTILE = (
    '<img src=x onerror="window.harm=1"><script>window.harm=1</script>'
    '<b>voices</b> &amp; hearing </p></textarea> knife {{ 7*7 }} <a href="javascript:harm">no</a>'
)


def test_accepted_by_one_key_and_read_back(desk: Desk) -> None:
    assessment = desk.assess(CRISIS)
    assert assessment["recommendation"]["response"] == "emt_clinician"
    heading = desk.page.locator("#response")
    expect(heading).to_have_text("EMTs with a mental-health clinician")
    expect(desk.page.locator(".bands")).to_contain_text("in 100 such calls")
    expect(desk.narrative).to_be_focused()  # the key works where the dispatcher types
    desk.press("F8")
    expect(desk.decisions).to_contain_text("desk accepted: EMTs with a mental-health clinician")
    (decision,) = desk.record(assessment)["decisions"]
    assert decision["actor"] == "desk"
    assert decision["action"] == "accept"
    assert decision["at"] > assessment["at"]
    assert desk.narrative.input_value() == CRISIS  # the key typed nothing


def test_accepting_twice_is_one_decision(desk: Desk) -> None:
    assessment = desk.assess(CRISIS)
    desk.press("F8")
    expect(desk.decisions).to_have_count(1)
    desk.page.keyboard.press("F8")
    desk.page.keyboard.press("F9")
    desk.press("6")
    actions = [decision["action"] for decision in desk.record(assessment)["decisions"]]
    assert actions == ["accept", "override"]


def test_overridden_by_two_keys_and_read_back(desk: Desk) -> None:
    assessment = desk.assess(CRISIS)
    desk.page.keyboard.press("F9")
    expect(desk.page.get_by_role("radio", name="Follow the centre's own protocol")).to_be_focused()
    desk.press("1")
    expect(desk.decisions).to_contain_text("overridden: Follow the centre's own protocol")
    (decision,) = desk.record(assessment)["decisions"]
    assert (decision["actor"], decision["action"]) == ("desk", "override")
    assert (decision["response"], decision["reason"]) == ("protocol", "weapon_or_violence")
    assert decision["recommended"] == "emt_clinician"
    assert decision["note"] is None


def test_override_with_a_team_and_a_note_by_keyboard(desk: Desk) -> None:
    assessment = desk.assess(CRISIS)
    desk.press("F8")
    desk.page.keyboard.press("F9")
    desk.page.keyboard.press("a")
    expect(desk.page.get_by_role("radio", name="Police officers")).to_be_checked()
    desk.page.keyboard.press("Tab")
    desk.page.keyboard.type("unit 7, floor 2 <i>")  # digits are text here
    desk.page.keyboard.press("Enter")  # and Enter sends nothing without a reason
    desk.page.keyboard.press("Tab")
    desk.press("0")
    expect(desk.decisions).to_have_count(2)
    expect(desk.page.locator("#override")).to_be_focused()
    first, last = desk.record(assessment)["decisions"]
    assert first["action"] == "accept"
    assert (last["response"], last["reason"]) == ("police_clinician", "other")
    assert last["note"] == "unit 7, floor 2 <i>"


def test_an_override_of_protocol_needs_a_team(desk: Desk) -> None:
    assessment = desk.assess("someone called")
    assert assessment["recommendation"]["response"] == "protocol"
    desk.page.keyboard.press("F9")
    desk.page.keyboard.press("7")
    expect(desk.alarm).to_contain_text("Choose first what to send instead")
    desk.page.keyboard.press("a")
    assert desk.press("7")["response"] == "emt_clinician"


def test_escape_closes_the_override(desk: Desk) -> None:
    desk.assess(CRISIS)
    desk.page.keyboard.press("F9")
    expect(desk.page.locator("#override-fields")).to_be_visible()
    desk.page.keyboard.press("Escape")
    expect(desk.page.locator("#override-fields")).to_be_hidden()
    expect(desk.page.locator("#override")).to_be_focused()
    desk.page.keyboard.press("1")
    expect(desk.decisions).to_have_count(0)


def test_letters_with_alt_type_and_decide_nothing(desk: Desk) -> None:
    # AltGr is Ctrl and Alt at once, and types a letter in many languages.
    assessment = desk.assess(CRISIS)
    for keys in ("Alt+a", "Control+Alt+a", "Shift+F8", "Alt+F9"):
        desk.page.keyboard.press(keys)
    assert desk.record(assessment)["decisions"] == []


def test_the_mouse_does_it_too(desk: Desk) -> None:
    desk.narrative.fill(CRISIS)
    desk.page.get_by_role("radiogroup", name="Weapon within reach?").get_by_role(
        "radio", name="yes"
    ).check(force=True)
    with desk.page.expect_response("**/v1/assessments") as answer:
        desk.page.get_by_role("button", name="Assess").click()
    assessment = answer.value.json()
    assert desk.record(assessment)["call"]["answers"] == {"weapon": "yes"}
    assert [d["code"] for d in assessment["recommendation"]["disqualifiers"]] == ["weapon"]
    desk.page.get_by_role("button", name="Override").click()
    desk.page.get_by_role("radio", name="EMTs").check()
    with desk.page.expect_response("**/decision") as answer:
        desk.page.get_by_role("button", name="crisis missed").click()
    assert answer.value.json()["reason"] == "crisis_missed"


def test_growing_notes_are_revisions_and_old_advice_looks_old(desk: Desk) -> None:
    first = desk.assess(CRISIS)
    again = desk.assess()
    assert again["assessment_id"] == first["assessment_id"]  # nothing changed, nothing new
    expect(desk.page.locator("#stale")).to_be_hidden()
    desk.page.keyboard.type(" knife")
    expect(desk.page.locator("#stale")).to_be_visible()
    second = desk.assess()
    expect(desk.page.locator("#stale")).to_be_hidden()
    assert (first["call_id"], first["revision"]) == (second["call_id"], 1)
    assert second["revision"] == 2
    assert desk.record(first)["superseded_by"]["revision"] == 2


def test_a_new_call_asks_before_it_clears_what_no_one_assessed(desk: Desk) -> None:
    questions: list[str] = []
    answers = iter(["dismiss", "accept"])

    def asked(dialog: Any) -> None:
        questions.append(dialog.message)
        getattr(dialog, next(answers))()

    desk.page.on("dialog", asked)
    desk.narrative.fill("voices")
    desk.page.keyboard.press("F2")
    assert desk.narrative.input_value() == "voices"
    desk.page.keyboard.press("F2")
    assert desk.narrative.input_value() == ""
    desk.assess(CRISIS)
    desk.page.keyboard.press("F2")
    assert desk.narrative.input_value() == ""
    assert len(questions) == 2


def test_html_and_script_are_inert(desk: Desk) -> None:
    desk.page.get_by_label("Initial type").fill("<script>window.harm=1</script>")
    desk.page.get_by_label("Neighbourhood").fill("<img src=x onerror=window.harm=1>")
    desk.assess(HOSTILE)
    evidence = desk.page.locator("#evidence")
    expect(evidence).to_be_visible()
    assert evidence.evaluate("e => e.textContent") == HOSTILE
    assert desk.page.evaluate("window.harm") is None
    tags = desk.page.evaluate(
        "[...new Set([...document.querySelectorAll('#detail :is(#evidence, #figures) *')]"
        ".map(e => e.localName))].sort()"
    )
    assert set(tags) <= {"mark", "caption", "thead", "tbody", "tr", "th", "td"}
    assert desk.page.locator("main :is(script, img, a)").count() == 0
    assert HOSTILE not in desk.page.url


MARKED = {
    "plain": "hearing voices, knife",
    "emoji": "🙂🙂 hearing 👩‍👩‍👧 voices 🇧🇷 knife 𝒳",
    "accents": "café e\u0301te\u0301 hearing vo\u0069\u0302ces voices naïve knife",
    "zero-width": "hear\u200bing \u200dvoices\ufeff \u2060knife\u00ad suicidal",
    "lines": "brother\r\nhearing\r\n\r\nvoices\rknife\n\n\nsuicidal",
    "folding": "HEARING VOICES ﬁ ﬃ İstanbul straße knife",
    "right-to-left": "مرحبا hearing voices שלום knife",
    "spaces": "\t  hearing \u00a0 voices\u2028knife",
}


def test_marks_stand_on_the_right_words(desk: Desk) -> None:
    for narrative in MARKED.values():
        assessment = desk.assess(narrative)
        text = desk.record(assessment)["call"]["narrative"]
        assert text == narrative.replace("\r\n", "\n").replace("\r", "\n")  # as HTML has it
        shown = desk.page.locator("#evidence").evaluate(
            """e => ({ text: e.textContent, marks: [...e.querySelectorAll("mark")].map((mark) => {
              const before = document.createRange();
              before.setStart(e, 0);
              before.setEndBefore(mark);
              return [before.toString(), mark.textContent];
            }) })"""
        )
        assert shown["text"] == text
        words = {
            word["start"]: word["end"]
            for word in assessment["explanation"]["words"]
            if word["column"] == "narrative"
        }
        assert shown["marks"]
        for before, marked in shown["marks"]:
            assert text[len(before) : words[len(before)]] == marked
        assert "knife" in [marked.strip("\u2060\u00ad") for _, marked in shown["marks"]]
        desk.page.keyboard.press("F2")


def test_every_figure_adds_up(desk: Desk) -> None:
    desk.assess(CRISIS)
    desk.page.get_by_text("Every figure behind it").click()
    rows = desk.page.locator("#figures tbody tr").all_inner_texts()
    table = [[float(x.replace("−", "-")) for x in row.split("\t")[1:]] for row in rows]
    for *parts, total in zip(*table, strict=True):
        assert sum(parts) == pytest.approx(total, abs=0.005 * len(parts))


def test_what_is_wrong_with_a_call_is_said_and_nothing_is_cut(desk: Desk) -> None:
    long = "no " * 6_667
    desk.assess(long)
    expect(desk.alarm).to_contain_text("narrative: ")
    assert desk.narrative.input_value() == long
    desk.expected("422")


def test_a_language_that_is_none_is_refused_where_it_was_typed(desk: Desk) -> None:
    language = desk.page.get_by_label("Language")
    language.fill("not a tag")
    desk.narrative.fill(CRISIS)
    desk.page.keyboard.press("Control+Enter")
    expect(language).to_be_focused()
    language.fill("en")
    assert desk.assess()["revision"] == 1


def test_it_is_assessed_while_one_types_and_pauses(desk: Desk) -> None:
    with desk.page.expect_response("**/v1/assessments") as answer:
        desk.page.keyboard.type("brother hearing voices")
    first = answer.value.json()
    expect(desk.article).to_have_attribute("data-assessment", first["assessment_id"])
    expect(desk.narrative).to_be_focused()
    with desk.page.expect_response("**/v1/assessments") as answer:
        desk.page.keyboard.type(", he has a knife")
    second = answer.value.json()
    assert (second["call_id"], second["revision"]) == (first["call_id"], 2)
    expect(desk.page.locator("#evidence")).to_have_text("brother hearing voices, he has a knife")
    expect(desk.page.locator("#stale")).to_be_hidden()


def test_what_is_typed_goes_into_no_address(desk: Desk) -> None:
    asked: list[str] = []
    desk.page.on("request", lambda request: asked.append(request.url))
    desk.assess("zebra voices knife")
    desk.press("F8")
    expect(desk.decisions).to_have_count(1)
    assert len(asked) >= 3
    assert not any("zebra" in url for url in [*asked, desk.page.url])
