"""Tokens are normalised, and lead back to the characters they came from."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.text import CODES, mask, tokenize
from tests.strategies import narratives


def words(text: str) -> list[str]:
    return [token.text for token in tokenize(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        (" \n\t--- !", []),
        ("He HAS a Knife", ["he", "has", "a", "knife"]),
        ("don't don’t don`t", ["don't"] * 3),
        ("'quoted'", ["quoted"]),
        ("ｆｕｌｌｗｉｄｔｈ", ["fullwidth"]),
        ("café cafe\u0301", ["cafe", "cafe"]),
        ("straße", ["strasse"]),
        ("kn\u200bi\u00adfe", ["knife"]),
        ("snake_case", ["snake", "case"]),
        ("刀 нож", ["刀", "нож"]),
    ],
    ids=str,
)
def test_words_are_folded(text: str, expected: list[str]) -> None:
    assert words(text) == expected


def test_a_folded_word_leads_back_to_the_original_characters() -> None:
    text = "a ﬁghting kn\u200bife"
    spans = {token.text: text[token.start : token.end] for token in tokenize(text)}
    assert spans == {"a": "a", "fighting": "ﬁghting", "knife": "kn\u200bife"}


def test_numbers_are_masked_but_codes_of_the_trade_are_not() -> None:
    assert words("5150 at 617-555-0123") == ["5150", "at", "000", "000", "0000"]
    assert all(mask(code) == code for code in CODES)


@settings(deadline=None, max_examples=200, derandomize=True)
@given(narratives)
def test_tokens_are_in_order_and_hold_no_upper_case(text: str) -> None:
    # Spans may touch the same character: "\u00bc" is folded to 1/4, two tokens of one character.
    start, end = 0, 0
    for token in tokenize(text):
        assert token.text
        assert start <= token.start < token.end <= len(text)
        assert end <= token.end
        assert token.text == token.text.casefold()
        start, end = token.start, token.end


@settings(deadline=None, max_examples=200, derandomize=True)
@given(st.text(st.characters(codec="ascii"), max_size=80))
def test_the_quick_way_for_ascii_gives_what_the_other_gives(text: str) -> None:
    # One character past ASCII at the end sends the same text the other way.
    printable = "".join(c for c in text if c.isprintable() or c in "\n\t\r")
    assert tokenize(printable) == tokenize(printable + " ！")
