from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.text import tokenize
from model_service.model.concepts import concepts_text, matcher, parse_concepts
from model_service.model.rules import rule_reader, rules_text
from model_service.model.spelling import SHORTEST, Spelling

LISTED = ("suicide", "hearing", "voices", "knife", "weapon", "screaming")


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("suicde", "suicide"),  # left out
        ("suiicide", "suicide"),  # doubled
        ("suivide", "suicide"),  # the key beside
        ("sucidie", None),  # two slips
        ("haering", "hearing"),  # swapped
        ("voces", "voices"),
        ("kniffe", "knife"),
        ("xnife", None),  # the first letter is taken as right
        ("kinfe", "knife"),
        ("weapon5", None),
        ("", None),
    ],
)
def test_one_slip_and_no_more(typed: str, meant: str | None) -> None:
    assert Spelling(LISTED, ()).meant(typed) == ({meant} if meant else set())


def test_a_real_word_is_no_slip() -> None:
    assert Spelling(["stabbing"], ()).meant("stubbing") == {"stabbing"}
    assert Spelling(["stabbing"], ["stubbing"]).meant("stubbing") == set()


def test_every_word_that_may_be_meant_is_given() -> None:
    assert Spelling(["wanted", "waded"], ()).meant("wanded") == {"wanted", "waded"}


@given(
    word=st.sampled_from(LISTED),
    at=st.integers(1, 3),
    letter=st.sampled_from(string.ascii_lowercase),
    kind=st.sampled_from(["out", "in", "for", "swap"]),
)
def test_any_one_slip_behind_the_first_letter_is_mended(
    word: str, at: int, letter: str, kind: str
) -> None:
    typed = {
        "out": word[:at] + word[at + 1 :],
        "in": word[:at] + letter + word[at:],
        "for": word[:at] + letter + word[at + 1 :],
        "swap": word[:at] + word[at + 1] + word[at] + word[at + 2 :],
    }[kind]
    if len(typed) >= SHORTEST and typed not in LISTED:
        assert word in Spelling(LISTED, ()).meant(typed)


def test_a_slip_hides_no_concept_of_the_shipped_list() -> None:
    found = matcher(concepts_text())
    for right, typed in [
        ("he is hearing voices again", "he is haering voces again"),
        ("she is having a panic attack", "she is having a panick atack"),
        ("he is off his medication", "he is off his medicaton"),
        ("she is not suicidal", "she is not suiciidal"),
    ]:
        wanted = {hit[:2] for hit in found.find(right, tokenize(right))}
        assert wanted and wanted <= {hit[:2] for hit in found.find(typed, tokenize(typed))}, typed


def test_the_real_words_of_the_shipped_list_are_real() -> None:
    listed = parse_concepts(concepts_text())
    assert len(listed.real_words) > 5000
    assert {"stubbing", "taker"} <= set(listed.real_words)
    spelling = Spelling(matcher(concepts_text()).automaton.words, listed.real_words)
    assert not any(spelling.meant(word) for word in listed.real_words)


def test_a_name_or_a_word_of_another_language_is_no_slip() -> None:
    rules, concepts = rule_reader(rules_text()), matcher(concepts_text())
    for word in ("Meena", "Maina", "spera", "Ragini", "Harini"):
        text = f"caller named {word}"
        tokens = tokenize(text)
        assert not rules.read(text, tokens) and not concepts.find(text, tokens), word
