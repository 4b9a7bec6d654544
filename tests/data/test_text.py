"""Tokens are normalised, and lead back to the characters they came from."""

from __future__ import annotations

import unicodedata
from random import Random
from string import ascii_lowercase

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.text import CODES, LOOK_ALIKES, mask, tokenize
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


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # Cyrillic і and е, Greek ο: one in a word, several, in capitals.
        ("a kn\u0456fe", "a knife"),
        ("a kn\u0456f\u0435 and a g\u03c5n", "a knife and a gun"),
        ("\u041aN\u0406F\u0415 IN HAND", "knife in hand"),
        ("\u0392\u039fMB", "bomb"),
        ("w\u00e9\u0430p\u043en\u0455", "weapons"),
        ("he\u2019\u0455 g\u043et a g\u03c5n", "he's got a gun"),
        # A capital may look like another letter than its small form.
        ("\u0412\u0415AT", "beat"),
        ("\u0432e", "\u0432e"),
        # Words of look-alikes alone, amid Latin.
        ("\u0430 man has \u0430 gun", "a man has a gun"),
        ("call \u0441\u043e\u0440\u0455", "call cops"),
        ("\u0455\u043e\u0455 \u0455\u043e\u0455 said", "sos sos said"),
        # Real Cyrillic and Greek, alone and in an English text.
        (
            "\u0443 \u043d\u0435\u0433\u043e \u043d\u043e\u0436",
            "\u0443 \u043d\u0435\u0433\u043e \u043d\u043e\u0436",
        ),
        (
            "he said \u043e\u043d \u0430 \u0442\u0430\u043c to me",
            "he said \u043e\u043d \u0430 \u0442\u0430\u043c to me",
        ),
        ("\u0441\u043e\u0440", "\u0441\u043e\u0440"),
        ("\u043d\u043ej", "\u043d\u043ej"),
        (
            "\u03bc\u03b1\u03c7\u03b1\u03b9\u03c1\u03b9",
            "\u03bc\u03b1\u03c7\u03b1\u03b9\u03c1\u03b9",
        ),
    ],
    ids=ascii,
)
def test_look_alikes_are_read_as_latin_only_where_they_pass_for_it(
    text: str, expected: str
) -> None:
    assert words(text) == expected.split()


def test_a_look_alike_keeps_its_place() -> None:
    text = "a kn\u0456\u200bf\u0435, \u0430 g\u03c5n"
    assert [text[token.start : token.end] for token in tokenize(text)] == [
        *("a", "kn\u0456\u200bf\u0435", "\u0430", "g\u03c5n")
    ]


def test_the_look_alikes_are_single_letters_of_the_two_scripts() -> None:
    for letter, latin in LOOK_ALIKES.items():
        assert unicodedata.name(letter).split()[0] in ("CYRILLIC", "GREEK")
        assert latin in ascii_lowercase
        assert len(letter.casefold()) == 1


@settings(max_examples=200)
@given(
    st.lists(st.text(ascii_lowercase, min_size=1, max_size=9), min_size=1, max_size=6),
    st.randoms(use_true_random=False),
)
def test_a_disguised_text_gives_the_tokens_and_places_of_the_plain_one(
    plain: list[str], chance: Random
) -> None:
    text = " ".join(["the", *plain, "now"])
    disguises = {c: [a for a, latin in LOOK_ALIKES.items() if latin == c] for c in text}
    disguised = "the" + "".join(
        chance.choice([character, *disguises[character]]) for character in text[3:-3]
    )
    assert tokenize(disguised + "now") == tokenize(text)


@settings(max_examples=200)
@given(
    st.lists(
        st.text(st.characters(min_codepoint=0x410, max_codepoint=0x44F), min_size=1), max_size=8
    )
)
def test_a_text_in_cyrillic_alone_is_left_alone(written: list[str]) -> None:
    text = " ".join(written)
    assert words(text) == [
        "".join(c for c in unicodedata.normalize("NFKD", w) if unicodedata.category(c) != "Mn")
        for w in text.casefold().split()
    ]


def test_a_long_run_of_look_alikes_goes_with_the_one_clear_word() -> None:
    assert words("say " + "\u0430 " * 9990) == ["say", *["a"] * 9990]


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


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("he's hearin' voices", ["he's", "hearing", "voices"]),
        ("TALKIN\u2019 to nobody", ["talking", "to", "nobody"]),
        ("ain't nothin'.", ["ain't", "nothing"]),
        ("come in' he said", ["come", "in", "he", "said"]),
        ("talkin'bout", ["talkin'bout"]),
    ],
)
def test_a_dropped_g_is_given_back(text: str, words: list[str]) -> None:
    tokens = tokenize(text)
    assert [token.text for token in tokens] == words
    assert all(text[token.start : token.end].strip() for token in tokens)
