"""The template grammar in which synthetic calls are written: parsing, linking, expanding.

    {slot}          an expansion of the slot; the same name gives the same expansion again
    {slot!}         an expansion of its own, another one than before where there are several
    {Slot} {SLOT}   the same with a capital first letter, or in capitals
    [a|b|]          one of the alternatives; they may nest and may be empty
    [inaudible]     a bracket without "|" stays as it is, bracket and all
    (text)?         kept half of the time; other parentheses stay as they are

A template is parsed once into a small tree and linked to the alternatives of its slots; drawing a
text then only walks the tree. Everything drawn comes from the `random.Random` that is given.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from data.errors import InputError

_SLOT = re.compile(r"\{([A-Za-z][A-Za-z0-9_]*)(!?)\}")
_SPACES = re.compile(r"[ \t]{2,}")
_COMMAS = re.compile(r",(?: *,)+")
_ARTICLE = re.compile(r"\b([aA]) (?=(?:orange|old|employee|unlocked|urinary|8\d?|11|18)\b)")
_BEFORE_MARK = re.compile(r" +(?=[,.;?](?:\s|$))")
_KEEP, _TITLE, _UPPER = 0, 1, 2
_OTHER_TRIES = 8


class GrammarError(InputError):
    """A family or the lexicon of the synthetic source can't be used; file and place are named."""


class Slot:
    """A reference to a slot; `alternatives` is None for a slot that depends on the person."""

    __slots__ = ("alternatives", "case", "fresh", "key")

    def __init__(self, key: str, fresh: bool, case: int) -> None:
        self.key = key
        self.fresh = fresh
        self.case = case
        self.alternatives: tuple[Parts, ...] | None = None


class Choice:
    """An inline choice between alternatives of equal probability."""

    __slots__ = ("alternatives",)

    def __init__(self, alternatives: tuple[Parts, ...]) -> None:
        self.alternatives = alternatives


Parts = tuple["str | Slot | Choice", ...]
"""A parsed template: literal text, slots and choices, in order."""


@dataclass(slots=True)
class Scene:
    """What all texts of one call share.

    Parameters
    ----------
    random : callable
        Draws a float in [0, 1); the `random` method of a `random.Random`.
    persons : mapping of str to tuple of Parts
        Alternatives of the slots that agree with the persons of this call.
    bound : dict of str to str
        Slot → expansion already drawn.
    """

    random: Callable[[], float]
    persons: Mapping[str, tuple[Parts, ...]]
    bound: dict[str, str]


def parse(text: str) -> Parts:
    """Parse a template.

    Parameters
    ----------
    text : str

    Returns
    -------
    Parts
        Not linked yet: no slot has alternatives.

    Raises
    ------
    GrammarError
        If a bracket or brace does not close, or a slot's name is none. The message has no file.

    Examples
    --------
    >>> [type(part).__name__ for part in parse("a [big|small] {thing}")]
    ['str', 'Choice', 'str', 'Slot']
    """
    parts: list[str | Slot | Choice] = []
    literal: list[str] = []

    def flush() -> None:
        if literal:
            parts.append("".join(literal))
            literal.clear()

    position = 0
    while position < len(text):
        character = text[position]
        if character == "{":
            match = _SLOT.match(text, position)
            if match is None:
                raise GrammarError(f"'{{' at character {position + 1} begins no {{slot}}")
            flush()
            parts.append(_slot(match[1], bool(match[2])))
            position = match.end()
        elif character == "[":
            end = _closing(text, position, "[", "]")
            if end is None:
                raise GrammarError(f"'[' at character {position + 1} is not closed")
            pieces = _split(text[position + 1 : end])
            if len(pieces) == 1:
                literal.append("[")
                inner = parse(pieces[0])
                flush()
                parts.extend(inner)
                literal.append("]")
            else:
                flush()
                parts.append(Choice(tuple(parse(piece) for piece in pieces)))
            position = end + 1
        elif character == "(" and (end := _optional_end(text, position)) is not None:
            flush()
            parts.append(Choice((parse(text[position + 1 : end]), ())))
            position = end + 2
        elif character in "]}":
            raise GrammarError(f"'{character}' at character {position + 1} closes nothing")
        elif character == "|":
            raise GrammarError(f"'|' at character {position + 1} stands outside of [a|b]")
        else:
            literal.append(character)
            position += 1
    flush()
    return tuple(parts)


def _slot(name: str, fresh: bool) -> Slot:
    if name == name.lower():
        return Slot(name, fresh, _KEEP)
    return Slot(name.lower(), fresh, _UPPER if name == name.upper() and len(name) > 1 else _TITLE)


def _closing(text: str, start: int, opening: str, closing: str) -> int | None:
    depth = 0
    for position in range(start, len(text)):
        if text[position] == opening:
            depth += 1
        elif text[position] == closing:
            depth -= 1
            if depth == 0:
                return position
    return None


def _optional_end(text: str, start: int) -> int | None:
    end = _closing(text, start, "(", ")")
    return end if end is not None and text[end + 1 : end + 2] == "?" else None


def _split(text: str) -> list[str]:
    """Split at every "|" that is not inside an inner bracket."""
    pieces, depth, start = [], 0, 0
    for position, character in enumerate(text):
        if character == "[":
            depth += 1
        elif character == "]":
            depth -= 1
        elif character == "|" and depth == 0:
            pieces.append(text[start:position])
            start = position + 1
    return [*pieces, text[start:]]


def slots_of(parts: Parts) -> Iterable[Slot]:
    """Yield the slots of a template, inner ones too, but not the slots of their alternatives."""
    for part in parts:
        if isinstance(part, Slot):
            yield part
        elif isinstance(part, Choice):
            for alternative in part.alternatives:
                yield from slots_of(alternative)


def draw(alternatives: tuple[Parts, ...], scene: Scene) -> str:
    """Draw one of several templates and expand it."""
    return expand(alternatives[int(scene.random() * len(alternatives))], scene)


def expand(parts: Parts, scene: Scene) -> str:
    """Expand a linked template.

    Parameters
    ----------
    parts : Parts
    scene : Scene
        Its `bound` grows by what is drawn.

    Returns
    -------
    str
    """
    if len(parts) == 1 and isinstance(parts[0], str):
        return parts[0]
    out: list[str] = []
    _write(parts, scene, out)
    return "".join(out)


def _write(parts: Parts, scene: Scene, out: list[str]) -> None:
    for part in parts:
        if isinstance(part, str):
            out.append(part)
        elif isinstance(part, Slot):
            bound = scene.bound
            text = bound.get(part.key)
            if text is None or part.fresh:
                text = _draw_slot(part, scene, text)
            if part.case:
                text = text.upper() if part.case == _UPPER else text[:1].upper() + text[1:]
            out.append(text)
        else:
            alternatives = part.alternatives
            _write(alternatives[int(scene.random() * len(alternatives))], scene, out)


def _draw_slot(slot: Slot, scene: Scene, before: str | None) -> str:
    alternatives = slot.alternatives
    if alternatives is None:
        alternatives = scene.persons[slot.key]
    text = draw(alternatives, scene)
    if slot.fresh:
        tries = 0
        while text == before and len(alternatives) > 1 and tries < _OTHER_TRIES:
            text = draw(alternatives, scene)
            tries += 1
        scene.bound.setdefault(slot.key, text)
    else:
        scene.bound[slot.key] = text
    return text


def tidy(text: str) -> str:
    """Remove what empty alternatives leave, doubled spaces and stray commas; mend "a orange".

    Examples
    --------
    >>> tidy(", well  I , uh, a orange shirt")
    'well I, uh, an orange shirt'
    """
    if "  " in text:
        text = _SPACES.sub(" ", text)
    if ",," in text or ", ," in text:
        text = _COMMAS.sub(",", text)
    if " ," in text or " ." in text or " ?" in text or " ;" in text:
        text = _BEFORE_MARK.sub("", text)
    return _ARTICLE.sub(r"\1n ", text).strip(" ,")
