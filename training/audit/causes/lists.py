"""The reviewed lists that swaps are made of: swaps.yaml, checked."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cached_property, lru_cache
from importlib import resources
from typing import Annotated, Literal, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from data.document import read_document

Sex = Literal["f", "m"]
Said = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]
Words = Annotated[tuple[Said, ...], Field(strict=False, min_length=1)]

_NO_VERB = (
    r"(?!(?:(?:no|some|any|every)?th|morn|even|build|ceil|wedd|cloth|dur|br|str|spr|sw|st|sl|k|r|s|w)"
    r"ing\b)"
)
_NO_INFINITIVE = (
    "the|a|an|my|his|her|our|their|your|this|that|him|me|them|us|it|"
    "work|school|bed|church|jail|court"
)
PARTS = {
    "{verb}": _NO_VERB + r"\w+ing\b",
    "{stem}": _NO_VERB + r"\w+?",
    "{infinitive}": rf"(?!(?:{_NO_INFINITIVE})\b)\w",
}
"""What stands in a rule's pattern for a sort of words."""


def either(words: Iterable[str]) -> str:
    """Write a pattern for any of some words, the longest first."""
    return "|".join(re.escape(word) for word in sorted(set(words), key=lambda w: (-len(w), w)))


class _Part(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, populate_by_name=True)


class NameSet(_Part):
    """Names in which people hear one origin."""

    f: Words
    m: Words
    last: Words


class Names(_Part):
    """Sets of names, and the one that the others are compared with."""

    reference: str
    sets: dict[str, NameSet]

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.reference not in self.sets:
            raise ValueError("the reference is none of the sets")
        return self

    @cached_property
    def after_relation(self) -> re.Pattern[str]:
        """A listed first name, with the space before it."""
        return re.compile(rf" (?:{self._any_first})(?![\w'’-])", re.IGNORECASE)

    @cached_property
    def at_the_end(self) -> re.Pattern[str]:
        """The phrase that names somebody at the end of a text."""
        last = either(name for one in self.sets.values() for name in one.last)
        return re.compile(rf"(?:^|, )named (?:{self._any_first}) (?:{last})$", re.IGNORECASE)

    @cached_property
    def _any_first(self) -> str:
        return either(name for one in self.sets.values() for name in (*one.f, *one.m))


class Places(_Part):
    """Parts of a city in people's words."""

    said: Words


class Rule(_Part):
    """A pattern and what comes in its place."""

    pattern: str = Field(alias="from")
    to: str

    @cached_property
    def compiled(self) -> re.Pattern[str]:
        """The pattern, whatever the case, with its sorts of words put in."""
        pattern = self.pattern
        for name, part in PARTS.items():
            pattern = pattern.replace(name, part)
        return re.compile(pattern, re.IGNORECASE)


class Languages(_Part):
    """Tags of languages, courtesies, and sentences that mean the same."""

    tags: Words
    same: Annotated[tuple[str | None, ...], Field(strict=False, min_length=2)]
    courtesies: dict[str, Words]
    sentences: dict[str, dict[str, Said]]

    @model_validator(mode="after")
    def _check(self) -> Self:
        counts = {len(words) for words in self.courtesies.values()}
        if "en" not in self.courtesies or len(counts) != 1:
            raise ValueError("every language has the same courtesies, English among them")
        if len({frozenset(said) for said in self.sentences.values()}) != 1:
            raise ValueError("every sentence is given in the same languages")
        return self


class Lists(_Part):
    """All of swaps.yaml."""

    names: Names
    places: Places
    dialects: dict[str, Annotated[tuple[Rule, ...], Field(strict=False, min_length=1)]]
    languages: Languages


class Name(NamedTuple):
    """A name of nobody."""

    first: str
    last: str


@lru_cache(maxsize=1)
def shipped() -> Lists:
    """Read the lists that the project ships.

    Raises
    ------
    pydantic.ValidationError, data.document.DocumentError
        If they are not as they should be; the project's tests read them.
    """
    text = (resources.files("training.audit.causes") / "swaps.yaml").read_text(encoding="utf-8")
    return Lists.model_validate(read_document(text))
