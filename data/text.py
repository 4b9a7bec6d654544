"""The text that a model sees: normalised tokens, each with its place in the original.

The original narrative is always kept; only the model reads the normalised form. Every token keeps
the span of the original characters that it came from, so that an explanation can mark words in
place.
"""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

_TOKEN = re.compile(r"[^\W_]+(?:'[^\W_]+)*")
_APOSTROPHES = str.maketrans({"\u2019": "'", "\u2018": "'", "\u02bc": "'", "`": "'"})
_HAS_DIGIT = re.compile(r"\d")

CODES = frozenset(
    # Numbers that are words of the trade, not somebody's number: hotlines, involuntary-hold
    # statutes (California 5150/5250/5585, Georgia 1013, Washington 5150's like) and call signs.
    # A code's ending stays with it ("5150'd", "section 12a").
    [
        *("911", "988", "5150", "5150d", "5150s", "5150'd", "5250", "5585", "1013", "1799", "2013"),
        *("302", "302d", "302'd", "201", "10", "12", "12a", "12b", "20", "35", "36", "51", "56"),
        *("56a", "72", "96", "941", "m1", "2pc", "k2", "c4"),
    ]
)


class Token(NamedTuple):
    """A normalised word and the span `[start, end)` of the original text it came from."""

    text: str
    start: int
    end: int


def _fold(text: str) -> tuple[str, list[int]]:
    """Normalise character by character, keeping for each the index that it came from."""
    folded: list[str] = []
    origin: list[int] = []
    for index, character in enumerate(text):
        if unicodedata.category(character) in ("Cf", "Mn", "Cc") and character not in "\n\t\r":
            continue  # invisible: zero-width, bidi, combining
        for piece in unicodedata.normalize("NFKD", character).translate(_APOSTROPHES).casefold():
            if unicodedata.category(piece) != "Mn":
                folded.append(piece)
                origin.append(index)
    return "".join(folded), origin


def mask(word: str) -> str:
    """Replace the digits of a word by `0`, unless it is a code of the trade.

    Examples
    --------
    >>> mask("5150"), mask("6175550123"), mask("apt4b"), mask("knife")
    ('5150', '0000000000', 'apt0b', 'knife')
    """
    if word in CODES or not _HAS_DIGIT.search(word):
        return word
    return re.sub(r"\d", "0", word)


def tokenize(text: str) -> list[Token]:
    """Split a text into normalised tokens.

    Compatibility forms and accents are folded, case is dropped, invisible characters are passed
    over, and digits are masked (`mask`).

    Parameters
    ----------
    text : str

    Returns
    -------
    list of Token

    Examples
    --------
    >>> [token.text for token in tokenize("He\u2019s got a KN\u200bIFE, apt 14B")]
    ["he's", 'got', 'a', 'knife', 'apt', '00b']
    >>> token = tokenize("a KN\u200bIFE")[1]
    >>> (token.start, token.end)
    (2, 8)
    """
    if text.isascii():
        folded = text.lower().replace("`", "'")
        return [Token(mask(m[0]), m.start(), m.end()) for m in _TOKEN.finditer(folded)]
    folded, origin = _fold(text)
    return [
        Token(mask(m[0]), origin[m.start()], _after_marks(text, origin[m.end() - 1] + 1))
        for m in _TOKEN.finditer(folded)
    ]


def _after_marks(text: str, end: int) -> int:
    """Move an end behind the combining marks that belong to the last letter."""
    while end < len(text) and unicodedata.category(text[end]) == "Mn":
        end += 1
    return end
