"""Concepts: what callers and call-takers say of a crisis or a danger, as reviewed lists of phrases.

`concepts.yaml` holds the phrases (`phrases` explains their language); every hit has a polarity
(`matching`): said plainly, denied, asked and left open, of the past, or supposed. The statistical
model counts them.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal, get_args

from pydantic import Field, field_validator

from model_service.model.matching import (
    Part,
    Phrased,
    PhraseList,
    PhraseMatcher,
    Scopes,
    read_list,
    shipped_list,
)
from model_service.model.phrases import PhraseError

Polarity = Literal["said", "denied", "asked", "past", "supposed"]
"""How a concept was spoken of: those of `matching` that the features know."""

POLARITIES: tuple[Polarity, ...] = get_args(Polarity)

KINDS: dict[str, str] = {
    "said": "said",
    "denied": "denied",
    "asked": "open",
    "past": "open",
    "supposed": "open",
}
"""Polarity → what is counted apart; asked, past and supposed are too rare for that."""

_KIND_ORDER = tuple(dict.fromkeys(KINDS.values()))

PASSING_WORDS = 50
"""Words of a text by which what is everyday counts half."""


def strength(count: int, words: int, *, everyday: bool) -> float:
    """How much a concept counts that was found so many times: 1, 1.5, 1.75, … below 2.

    A long call repeats itself; the tenth gun says little more than the second. What is everyday
    fades with the length of the text: a car accident is what a line of ten words is about, and
    comes up in passing among four hundred. What tells a crisis or a danger does not fade.

    Parameters
    ----------
    count : int
    words : int
        Of the whole text.
    everyday : bool
        As the list says of the concept.

    Examples
    --------
    >>> strength(1, 400, everyday=False), strength(2, 50, everyday=True)
    (1.0, 0.75)
    """
    full = 2.0 - 2.0 * 0.5**count
    return full / (1.0 + words / PASSING_WORDS) if everyday else full


class ConceptError(PhraseError):
    """A list of concepts that can't be used."""


class Given(Part):
    """How likely each target is in a call of which only one concept is known, as judged."""

    crisis: float = Field(gt=0, lt=1)
    risk: float = Field(gt=0, lt=1)


class Concept(Phrased):
    """One concept: what it means and the phrases that say it.

    Parameters
    ----------
    given : Given
        What the list's author holds it to mean before a single call was counted.
    everyday : bool
        Whether it speaks of an everyday matter, which a long call may mention in passing.
    """

    given: Given
    everyday: bool = False


class ConceptList(PhraseList):
    """The whole list, as `concepts.yaml` and `real_words.yaml` hold it."""

    concepts: dict[str, Concept]

    @field_validator("scopes")
    @classmethod
    def _counted(cls, scopes: Scopes) -> Scopes:
        unknown = scopes.polarities() - KINDS.keys()
        if unknown:
            raise ValueError(f"the features do not count what is {', '.join(sorted(unknown))}")
        return scopes


class ConceptMatcher(PhraseMatcher):
    """Finds the concepts of a list in texts.

    Parameters
    ----------
    concepts : ConceptList

    Attributes
    ----------
    columns : tuple of (str, str)
        (concept, kind) of every figure that is counted: the columns of the features.
    given : tuple of (float, float)
        The prior judgement of each concept, crisis and risk.
    everyday : frozenset of str
        Names of the concepts that are everyday matters.
    """

    def __init__(self, concepts: ConceptList) -> None:
        try:
            super().__init__(concepts.concepts, concepts.sets, concepts.scopes, concepts.real_words)
        except PhraseError as error:
            raise ConceptError(f"concepts: {error}") from None
        self.columns = tuple((name, kind) for name in self.names for kind in _KIND_ORDER)
        self.given = tuple((c.given.crisis, c.given.risk) for c in concepts.concepts.values())
        self.everyday = frozenset(n for n, c in concepts.concepts.items() if c.everyday)


def parse_concepts(text: str) -> ConceptList:
    """Read a list of concepts from YAML.

    Raises
    ------
    ConceptError
        If it can't be used; the message says where.
    """
    return read_list(text, ConceptList, what="concepts", error=ConceptError)


def concepts_text() -> str:
    """Read the list that the project ships, as text."""
    return shipped_list("concepts")


@lru_cache(maxsize=4)
def matcher(text: str) -> ConceptMatcher:
    """Make the matcher of a list given as YAML; the same text gives the same matcher."""
    return ConceptMatcher(parse_concepts(text))
