"""Rules: facts that rule a team without police out, read from what was said or typed.

`disqualifiers.yaml` holds the phrases of each fact, in the language of `phrases`, and the cues that
tell "he has a knife" from "no knife" or "if he had a knife" (`matching`). The list is reviewed by a
person and stands apart from that of the statistical model: whoever tunes the one can't change the
other. A fact that is found can only escalate.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple, cast

from data.text import Token
from model_service.model.matching import (
    Phrased,
    PhraseList,
    PhraseMatcher,
    Polarity,
    read_list,
    shipped_list,
)
from model_service.model.phrases import PhraseError


class RuleError(PhraseError):
    """A list of rules that can't be used."""


class FactHit(NamedTuple):
    """Words `[first, last)` of a text that speak of a fact, and how."""

    fact: str
    polarity: Polarity
    first: int
    last: int


class RuleList(PhraseList):
    """The whole list, as `disqualifiers.yaml` and `real_words.yaml` hold it."""

    facts: dict[str, Phrased]


class RuleReader:
    """Reads the facts of a list from texts.

    Parameters
    ----------
    rules : RuleList

    Attributes
    ----------
    facts : tuple of str
        Names of the facts, in the order of the list.

    Raises
    ------
    RuleError
        If a phrase can't be read.
    """

    def __init__(self, rules: RuleList) -> None:
        try:
            self._matcher = PhraseMatcher(
                rules.facts, rules.sets, rules.scopes, rules.real_words, strict=True
            )
        except PhraseError as error:
            raise RuleError(f"rules: {error}") from None
        self.facts = self._matcher.names

    def read(self, text: str, tokens: Sequence[Token]) -> list[FactHit]:
        """Find every mention of a fact.

        `said` means that the fact holds, `denied` that it does not; `asked`, `supposed` and
        `possible` leave it open; `past` and `other` tell nothing of here and now.

        Parameters
        ----------
        text : str
            The original, for its punctuation.
        tokens : sequence of Token
            What `data.text.tokenize` made of it.

        Returns
        -------
        list of FactHit
            In the order of their last words; hits of one fact do not overlap.
        """
        return [
            FactHit(name, cast(Polarity, polarity), first, last)
            for name, polarity, first, last in self._matcher.find(text, tokens)
        ]


def parse_rules(text: str) -> RuleList:
    """Read a list of rules from YAML.

    Raises
    ------
    RuleError
        If it can't be used; the message says where.
    """
    return read_list(text, RuleList, what="rules", error=RuleError)


@lru_cache(maxsize=1)
def rules_text() -> str:
    """Read the list that the project ships, as text."""
    return shipped_list("disqualifiers")


@lru_cache(maxsize=4)
def rule_reader(text: str) -> RuleReader:
    """Make the reader of a list given as YAML; the same text gives the same reader."""
    return RuleReader(parse_rules(text))


def read_facts(text: str, tokens: Sequence[Token]) -> list[FactHit]:
    """Find every mention of a fact by the list that the project ships; see `RuleReader.read`."""
    return rule_reader(rules_text()).read(text, tokens)
