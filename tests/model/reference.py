"""The language of phrases by its definition: slow, and short enough to see that it is right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product

from model_service.model.phrases import Choice


def ends(
    choice: Choice, words: Sequence[str], first: int, sets: Mapping[str, Sequence[str]]
) -> set[int]:
    """Say where a phrase may end that begins at a word: the word after its last."""
    found: set[int] = set()
    for option in choice:
        reached = {first}
        for piece in option:
            if isinstance(piece, list):
                reached = {end for at in reached for end in ends(piece, words, at, sets)}
            elif isinstance(piece, int):
                reached = {
                    at + n for at in reached for n in range(piece + 1) if at + n <= len(words)
                }
            else:
                reached = {
                    at + 1 for at in reached if at < len(words) and is_one(words[at], piece, sets)
                }
        found |= reached
    return found


def is_one(word: str, label: str, sets: Mapping[str, Sequence[str]]) -> bool:
    """Tell whether a word is a listed one, begins with a stem, or is one of a set."""
    if label.startswith("<"):
        return any(is_one(word, member, sets) for member in sets[label[1:-1]])
    return word.startswith(label[:-1]) if label.endswith("*") else word == label


def occurrences(
    groups: Sequence[Sequence[Choice]],
    words: Sequence[str],
    sets: Mapping[str, Sequence[str]],
    *,
    shorter: bool,
) -> list[tuple[int, int, int]]:
    """Find all phrases in a text, as `Automaton.find` gives them."""
    every = sorted(
        {
            (last, group, last - first)
            for group, phrases in enumerate(groups)
            for phrase in phrases
            for first in range(len(words))
            for last in ends(phrase, words, first, sets)
        }
    )
    if shorter:
        return every
    return [(*end, length) for end, length in {each[:2]: each[2] for each in every}.items()]


def spelt(choice: Choice, sets: Mapping[str, Sequence[str]]) -> list[list[str]]:
    """Write out in words all that a phrase may stand for: of a set its first, of a gap no word."""
    texts: list[list[str]] = []
    for option in choice:
        parts: list[list[list[str]]] = []
        for piece in option:
            if isinstance(piece, list):
                parts.append(spelt(piece, sets))
            elif isinstance(piece, str):
                word = sets[piece[1:-1]][0] if piece.startswith("<") else piece
                parts.append([[word.rstrip("*")]])
        texts += [[word for part in run for word in part] for run in product(*parts)]
    return texts
