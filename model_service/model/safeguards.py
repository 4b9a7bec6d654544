"""What stands above the model: disqualifiers with their evidence, and abstention.

A disqualifier is a fact that rules a response out whatever the probabilities say; the model can
only be escalated by it. Abstention means that the model is not asked: too little was said for its
probabilities to mean anything, or what was said contradicts itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

from data.call import Call
from model_service.model.facts import NARRATIVE, Facts, Span
from model_service.model.scorer import Scored

Effect = Literal["risk_high", "protocol"]
"""`risk_high`: the risk band counts as high. `protocol`: the centre's own protocol comes first."""

AbstentionReason = Literal[
    "nothing_said",
    "only_unknown_words",
    "too_few_known_words",
    "mostly_unknown_words",
    "unsupported_language",
    "contradictory_facts",
]


class Disqualifier(NamedTuple):
    """A fact that rules a response out.

    Parameters
    ----------
    code : str
        The protocol question whose yes it is.
    effect : {"risk_high", "protocol"}
    evidence : str
        The field of the call that states it: `answers.weapon`, or `narrative`.
    spans : tuple of Span
        Where the narrative says it, whether or not it was answered too.
    """

    code: str
    effect: Effect
    evidence: str
    spans: tuple[Span, ...] = ()


def disqualifiers(facts: Facts, effects: Mapping[str, Effect]) -> tuple[Disqualifier, ...]:
    """Find the facts of a call that rule a response out.

    Parameters
    ----------
    facts : dict of str to Fact
    effects : mapping
        The response plan's: protocol question → effect of a yes.
    """
    found = []
    for code, effect in effects.items():
        fact = facts[code]
        if fact.value == "yes":
            evidence = f"answers.{code}" if fact.answer == "yes" else NARRATIVE
            said = tuple(span for span in fact.spans if span.polarity == "said")
            found.append(Disqualifier(code, effect, evidence, said))
    return tuple(found)


def abstention(
    call: Call,
    scored: Scored,
    facts: Facts,
    *,
    min_known_words: int,
    min_known_share: float,
    languages: frozenset[str],
) -> AbstentionReason | None:
    """Say why the model should not be asked about this call, if it should not.

    Parameters
    ----------
    call : Call
    scored : Scored
        What the model made of the call's words.
    facts : dict of str to Fact
    min_known_words : int
        Fewer known words than this, over all text fields, are too few.
    min_known_share : float
        A narrative of which a smaller share of the words is known is mostly unknown; perhaps it is
        in another language.
    languages : frozenset of str
        Primary language subtags that the model was trained on; a call whose language is not stated
        is not held against it.
    """
    if call.language is not None and call.language.split("-")[0].lower() not in languages:
        return "unsupported_language"
    if not any(text.tokens for text in scored.texts):
        return "nothing_said"
    known = scored.known_words
    if not known and not any(fact.spans for fact in facts.values()):
        return "only_unknown_words"
    if known < min_known_words:
        return "too_few_known_words"
    for text in scored.texts:
        if text.column == NARRATIVE and text.known_words < min_known_share * len(text.tokens):
            return "mostly_unknown_words"
    if any(fact.contradictory for fact in facts.values()):
        return "contradictory_facts"
    return None
