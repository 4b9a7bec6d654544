"""Where a text speaks of a fact, and how: a few phrases behind the interface of the rules.

TO BE REPLACED IN THE MERGE by the reader of `disqualifiers.yaml`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Literal, NamedTuple, get_args

from data.text import Token
from model_service.model.concepts import (
    Concept,
    ConceptMatcher,
    Given,
    concepts_text,
    parse_concepts,
)

Polarity = Literal["said", "denied", "asked", "past", "supposed", "possible", "other"]
"""How a fact was spoken of; `other`: of somebody or something that it is not about."""

POLARITIES: tuple[Polarity, ...] = get_args(Polarity)

_PHRASES = {
    "weapon": ("(knife|knives|gun|guns|weapon|weapons|machete)",),
    "violence": ("(hitting|punching|stabbing|attacking) (him|her|me|them)",),
    "threat_to_others": ("(threatening|threatened) to (kill|hurt|stab|shoot) (him|her|me|them)",),
    "injury": ("(bleeding|unconscious)",),
    "overdose": ("(overdosed|overdosing|overdose)",),
    "crime_in_progress": ("(breaking into|robbing|robbery|burglary)",),
    "barricaded": ("barricaded",),
    "fire": ("(on fire|smoke|flames)",),
}


class FactHit(NamedTuple):
    """A fact found in a text: which, how it was spoken of, and its words `[first, last)`."""

    fact: str
    polarity: str
    first: int
    last: int


@cache
def _matcher() -> ConceptMatcher:
    shipped = parse_concepts(concepts_text())
    even = Given(crisis=0.5, risk=0.5)
    facts = {
        fact: Concept(about=fact, given=even, phrases=phrases) for fact, phrases in _PHRASES.items()
    }
    return ConceptMatcher(shipped.model_copy(update={"concepts": facts}))


def read_facts(text: str, tokens: Sequence[Token]) -> list[FactHit]:
    """Find where a text speaks of a fact."""
    return [FactHit(*hit) for hit in _matcher().find(text, tokens)]
