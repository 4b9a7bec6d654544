"""The language of phrases: what one line of a list says, as a tree.

A phrase is matched word by word against the normalised text (`data.text`):

    word word    (a|b c) a choice    (a|) may be left out    stem* any word that begins so
    <set> any word of a named set    ~3 up to three words of any kind

`automaton` finds all phrases of a list at once.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Annotated, TypeAlias

from pydantic import Field

from data.errors import InputError
from data.text import tokenize

MAX_DEPTH = 16
"""Brackets that may stand within each other."""

Phrases = Annotated[tuple[str, ...], Field(strict=False)]

Choice: TypeAlias = "list[list[str | int | Choice]]"
"""Options, each a run of pieces: a word, `stem*` or `<set>` as it is written, the most words of a
gap, or a choice in brackets."""


class PhraseError(InputError):
    """A phrase that can't be read."""


_PIECE = re.compile(r"\s*(?:([()|])|~(\d)|(<[a-z_]+>|[^\s()~<>|]+))")


def parse(phrase: str, sets: Mapping[str, Phrases]) -> Choice:
    """Read one line.

    Raises
    ------
    PhraseError
        If it can't be read; the message names it.

    Examples
    --------
    >>> parse("(has|with a) ~2 <gun>", {"gun": ("gun", "pistol")})
    [[[['has'], ['with', 'a']], 2, '<gun>']]
    """
    options: Choice = [[]]
    outer: list[Choice] = []
    end = 0
    for piece in _PIECE.finditer(phrase):
        if piece.start() != end:
            break
        end = piece.end()
        mark, gap, word = piece.groups()
        if word:
            if not (word[1:-1] in sets if word[0] == "<" else _is_word(word)):
                raise PhraseError(_refusal(word, phrase))
            options[-1].append(word)
        elif gap:
            options[-1].append(int(gap))
        elif mark == "|":
            options.append([])
        elif mark == "(" and len(outer) < MAX_DEPTH:
            outer.append(options)
            options = [[]]
        elif mark == ")" and outer:
            inner, options = options, outer.pop()
            options[-1].append(inner)
        else:
            raise PhraseError(f"a bracket is not opened, or lies too deep, in {phrase!r}")
    if phrase[end:].strip():
        raise PhraseError(f"can't read {phrase!r}")
    if outer:
        raise PhraseError(f"a bracket is not closed in {phrase!r}")
    return options


@lru_cache(maxsize=2**15)
def _is_word(word: str) -> bool:
    """Tell whether a word, or a stem, is one as texts are read."""
    stem = word.rstrip("*")
    return [token.text for token in tokenize(stem)] == [stem]


def _refusal(word: str, phrase: str) -> str:
    if word.startswith("<"):
        return f"unknown set {word} in {phrase!r}"
    return f"{word!r} in {phrase!r} is not one word as texts are read"
