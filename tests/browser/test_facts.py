"""What is known is told with the words that say it, and what to ask next is marked in the form."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.desk import Desk

OPEN = "brother hearing voices, not sleeping"


def reasons(desk: Desk) -> list[str]:
    return desk.page.locator("#reasons li").all_inner_texts()


def test_a_fact_is_told_with_the_words_that_say_it(desk: Desk) -> None:
    desk.assess("\U0001f642 brother hearing voices, not sleeping, he has a knife")
    assert any(
        text.startswith("possible weapon mentioned: “") and "knife" in text
        for text in reasons(desk)
    )
    told = desk.page.locator("#facts li").all_inner_texts()
    assert len(told) == 1
    assert told[0].startswith("Weapon within reach? yes (said: “")


def test_what_to_ask_next_is_told_and_marked_in_the_form(desk: Desk) -> None:
    desk.assess(OPEN)
    asked = desk.page.locator("#questions li").first
    expect(asked).to_contain_text("Weapon within reach?")
    expect(asked).to_contain_text("No: EMTs with a mental-health clinician")
    marked = desk.page.locator(".question.next")
    expect(marked.first).to_contain_text("Weapon within reach?")

    weapon = desk.page.get_by_role("radiogroup", name="Weapon within reach?")
    weapon.get_by_role("radio", name="no", exact=True).check(force=True)
    second = desk.assess()
    assert second["recommendation"]["response"] == "emt_clinician"
    assert "weapon" not in [question["question"] for question in second["questions"]]
    expect(desk.page.locator("#facts li")).to_have_text("Weapon within reach? no (answered no)")
    desk.page.keyboard.press("F2")
    expect(marked).to_have_count(0)


def test_a_contradiction_is_told(desk: Desk) -> None:
    weapon = desk.page.get_by_role("radiogroup", name="Weapon within reach?")
    weapon.get_by_role("radio", name="yes").check(force=True)
    desk.assess(f"{OPEN}, no weapons")
    expect(desk.page.locator("#response")).to_have_text("Follow the centre's own protocol")
    expect(desk.page.locator("#facts li")).to_contain_text("contradictory (answered yes; denied: “")
    assert any("contradict each other" in text for text in reasons(desk))
