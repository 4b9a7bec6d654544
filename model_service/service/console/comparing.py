"""An assessment beside what was made again of it, as a page shows it.

What the chain holds is shown; what is kept apart from it, being personal, is only told to agree or
not, with what it holds counted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from model_service.service.log.replay import Compared, Part

SHOWN = frozenset(
    ["prediction", "recommendation", "bands", "unserved", "thresholds", "model", "plan", "eido"]
)
"""Parts that the chain holds; nothing personal."""

TITLES = {
    "prediction": "Prediction",
    "recommendation": "Recommendation",
    "bands": "Bands",
    "unserved": "Could not be sent",
    "reasons": "Reasons",
    "disqualifiers": "Disqualifiers",
    "awaiting": "Awaiting an answer",
    "facts": "What was known",
    "questions": "Questions to ask next",
    "explanation": "Explanation",
    "history": "History of the premise",
    "thresholds": "Thresholds",
    "model": "Release",
    "plan": "Plan",
    "eido": "EIDO settings",
    "record": "The record itself",
}

VERDICTS = {
    "agrees": "The same again: numbers to 1e-9, all else to the letter.",
    "differs": "It differs from its record.",
    "no_release": "It can’t be recomputed: its release is not at hand, or was changed.",
    "erased": "It can’t be recomputed: what was said was erased, which is on record.",
    "not_asked": "No model was asked: the service was off. What the record says of its release "
    "is right.",
}


class Line(NamedTuple):
    """One value on both sides."""

    name: str
    recorded: str
    made: str


class Shown(NamedTuple):
    """A part as the page shows it."""

    title: str
    agrees: bool
    difference: str
    lines: tuple[Line, ...]
    counted: str


def shown(compared: Compared) -> list[Shown]:
    """Put the parts of a comparison into the form that the page shows."""
    return [_shown(part) for part in compared.parts]


def _shown(part: Part) -> Shown:
    recorded, made = dict(_flat(part.recorded)), dict(_flat(part.made))
    lines: tuple[Line, ...] = ()
    counted = ""
    if part.name in SHOWN:
        lines = tuple(
            Line(name, recorded.get(name, "–"), made.get(name, "–"))
            for name in {**recorded, **made}
        )
    elif part.recorded is None:
        counted = "not in the record"
    else:
        counted = f"{len(recorded)} values, not shown here" if recorded else "none"
    return Shown(TITLES[part.name], part.agrees, _difference(part), lines, counted)


def _difference(part: Part) -> str:
    """Tell by how much numbers are apart at most, where there are any on both sides."""
    recorded, made = dict(_numbers(part.recorded)), dict(_numbers(part.made))
    apart = [abs(value - made[name]) for name, value in recorded.items() if name in made]
    return f"numbers apart by up to {max(apart):.1g}" if any(apart) else ""


def _numbers(value: Any) -> Iterator[tuple[str, float]]:
    return ((name, leaf) for name, leaf in _leaves(value, "") if isinstance(leaf, float))


def _flat(value: Any) -> Iterator[tuple[str, str]]:
    return ((name, _word(leaf)) for name, leaf in _leaves(value, ""))


def _word(leaf: Any) -> str:
    if leaf is None:
        return "none"
    if isinstance(leaf, bool):
        return "yes" if leaf else "no"
    return f"{leaf:.12g}" if isinstance(leaf, float) else str(leaf)


def _leaves(value: Any, name: str) -> Iterator[tuple[str, Any]]:
    """Take a value apart; a leaf is named by the way to it."""
    if isinstance(value, Mapping):
        items: Any = value.items()
    elif isinstance(value, list):
        items = enumerate(value, 1)
    else:
        yield name, value
        return
    for key, one in items:
        yield from _leaves(one, f"{name} {key}".strip().replace("_", " "))
