"""The text that a model sees: normalised tokens, each with its place in the original.

The original narrative is always kept; only the model reads the normalised form. Every token keeps
the span of the original characters that it came from, so that an explanation can mark words in
place.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from functools import lru_cache, partial
from typing import Literal, NamedTuple

_TOKEN = re.compile(r"[^\W_]+(?:'[^\W_]+)*(?:(?<=[a-z]{2}in)'(?!\w))?")
"""A word, with its inner apostrophes and with the one that stands for a dropped g."""

_ASCII_TOKEN = re.compile(r"[a-z0-9]+(?:'[a-z0-9]+)*(?:(?<=[a-z]{2}in)'(?!\w))?", re.ASCII)
"""The same for a folded text of ASCII alone, read in half the time."""

_APOSTROPHES = str.maketrans({"\u2019": "'", "\u2018": "'", "\u02bc": "'", "`": "'"})
_TYPOGRAPHY = _APOSTROPHES | str.maketrans(
    "\u201c\u201d\u201e\u2013\u2014\u2026\u00a0\u2022\u00b7", '"""--. **'
)
"""What word processors put for signs of ASCII; one character for one, so that places stay."""
_CONTROL = re.compile(r"[\0-\x08\x0b\x0c\x0e-\x1f\x7f]")
_HAS_DIGIT = re.compile(r"\d")

LOOK_ALIKES: dict[str, str] = {
    # Cyrillic and Greek letters that look like Latin ones: those of Unicode's confusables (UTS #39)
    # that pass for a single letter. A capital may look like another letter than its small form, so
    # the table is asked before case is dropped. Where UTS #39 gives `l` for a capital `I`, because
    # to it the two are one, `i` stands here; the palochka is `l` in both its cases.
    letter: latin
    for latin, letters in {
        # Cyrillic, then Greek; capital, then small.
        "a": "\u0410\u0430\u0391\u03b1",
        "b": "\u0412\u042c\u0392",
        "c": "\u0421\u0441\u03f9\u03f2",
        "d": "\u0501",
        "e": "\u0415\u0435\u04bd\u0395",
        "f": "\u03dc",
        "g": "\u050c",
        "h": "\u041d\u04bb\u0397",
        "i": "\u0406\u0456\u0399\u03b9",
        "j": "\u0408\u0458\u037f\u03f3",
        "k": "\u041a\u039a",
        "l": "\u04c0\u04cf",
        "m": "\u041c\u039c\u03fa",
        "n": "\u039d",
        "o": "\u041e\u043e\u039f\u03bf\u03c3",
        "p": "\u0420\u0440\u03a1\u03c1",
        "q": "\u051b",
        "r": "\u0433",
        "s": "\u0405\u0455",
        "t": "\u0422\u03a4",
        "u": "\u03c5",
        "v": "\u0474\u0475\u03bd",
        "w": "\u051c\u051d\u0461",
        "x": "\u0425\u0445\u03a7",
        "y": "\u0423\u0443\u04ae\u04af\u03a5\u03b3",
        "z": "\u0396",
    }.items()
    for letter in letters
}

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


_token: Callable[[tuple[str, int, int]], Token] = partial(tuple.__new__, Token)
"""Makes a token in half the time that its own constructor takes."""


def _fold(text: str) -> tuple[str, list[int]]:
    """Normalise character by character, keeping for each the index that it came from."""
    folded: list[str] = []
    origin: list[int] = []
    alike: dict[int, str] = {}
    for index, character in enumerate(text):
        if unicodedata.category(character) in ("Cf", "Mn", "Cc") and character not in "\n\t\r":
            continue  # invisible: zero-width, bidi, combining
        for letter in unicodedata.normalize("NFKD", character).translate(_APOSTROPHES):
            latin = LOOK_ALIKES.get(character) or LOOK_ALIKES.get(letter)
            if latin:
                alike[len(folded)] = latin
            for piece in letter.casefold():
                if unicodedata.category(piece) != "Mn":
                    folded.append(piece)
                    origin.append(index)
    plain = "".join(folded)
    return (_unmask(plain, alike) if alike else plain), origin


def _unmask(folded: str, alike: dict[int, str]) -> str:
    """Write look-alikes as the Latin letters that they pass for, where they do.

    A word of Latin letters and look-alikes alone (`knife` with a Cyrillic `i`) is Latin in
    disguise. A word with any other letter of another script is that script's and stays as it is.
    A word of look-alikes alone (what reads as `cop` may be Russian for litter) goes with its
    neighbours: the nearest word before it and the nearest after it that are clearly of one kind
    must be Latin, where there are any, and there must be one. So Russian stays Russian, alone and
    as a quotation in an English text.

    Parameters
    ----------
    folded : str
    alike : dict of int to str
        Position in `folded` → the Latin letter that the one there looks like.
    """
    words = [match.span() for match in _TOKEN.finditer(folded)]
    kinds = [_kind(folded, span, alike) for span in words]
    before = _nearest(kinds)
    after = _nearest(kinds[::-1])[::-1]
    letters = list(folded)
    for span, kind, *sides in zip(words, kinds, before, after, strict=True):
        if kind == "latin" or (kind == "unclear" and "latin" in sides and "other" not in sides):
            for position in range(*span):
                letters[position] = alike.get(position, letters[position])
    return "".join(letters)


_Kind = Literal["latin", "other", "unclear", "number"]


def _kind(folded: str, span: tuple[int, int], alike: dict[int, str]) -> _Kind:
    """Say what script a word is of; one of look-alikes alone is unclear."""
    own = [p for p in range(*span) if p not in alike and folded[p].isalpha()]
    if all(folded[p].isascii() or "LATIN" in unicodedata.name(folded[p], "") for p in own):
        if own:
            return "latin"
        return "unclear" if any(p in alike for p in range(*span)) else "number"
    return "other"


def _nearest(kinds: list[_Kind]) -> list[_Kind | None]:
    """Give for every word the kind of the last clear one that comes before it."""
    last: _Kind | None = None
    nearest: list[_Kind | None] = []
    for kind in kinds:
        nearest.append(last)
        if kind in ("latin", "other"):
            last = kind
    return nearest


@lru_cache(maxsize=2**16)
def _spelt(word: str) -> str:
    """Give "hearin'" its g, and mask digits."""
    return word[:-1] + "g" if word[-1] == "'" else mask(word)


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
    over, Cyrillic and Greek letters that pass for Latin ones are read as these (see `_unmask` for
    where they do), a g dropped for an apostrophe is given back ("hearin'"), and digits are masked
    (`mask`).

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
    plain = text.translate(_TYPOGRAPHY)
    if plain.isascii() and (text.isascii() or not _CONTROL.search(plain)):
        folded = plain.lower()
        tokens = []
        end = 0
        for word in _ASCII_TOKEN.findall(folded):
            # Between words stands nothing that a word begins with: the next place is the word's.
            start = folded.find(word, end)
            end = start + len(word)
            tokens.append(_token((_spelt(word), start, end)))
        return tokens
    folded, origin = _fold(text)
    return [
        Token(_spelt(m[0]), origin[m.start()], _after_marks(text, origin[m.end() - 1] + 1))
        for m in _TOKEN.finditer(folded)
    ]


def same_words(text: str) -> str:
    """Write a text so that it equals every other that differs but in digits, case and signs.

    Examples
    --------
    >>> same_words("Noise, apt 31!") == same_words("NOISE apt 47")
    True
    """
    return " ".join(token.text for token in tokenize(text))


def _after_marks(text: str, end: int) -> int:
    """Move an end behind the combining marks that belong to the last letter."""
    while end < len(text) and unicodedata.category(text[end]) == "Mn":
        end += 1
    return end
