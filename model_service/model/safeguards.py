"""What stands above the model: disqualifiers with their evidence, and abstention.

A disqualifier is a fact, stated in a protocol answer, that rules a response out whatever the
probabilities say; the model can only be escalated by it. Abstention means that the model is not
asked: too little was said for its probabilities to mean anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from data.call import Call
from model_service.model.scorer import Scored

Effect = Literal["risk_high", "protocol"]
"""`risk_high`: the risk band counts as high. `protocol`: the centre's own protocol comes first."""

AbstentionReason = Literal["nothing_said", "too_few_known_words", "unsupported_language"]


@dataclass(frozen=True, slots=True)
class Disqualifier:
    """A fact that rules a response out.

    Parameters
    ----------
    code : str
        The protocol question that was answered with yes.
    effect : {"risk_high", "protocol"}
    evidence : str
        The field of the call that states it, such as `answers.weapon`.
    """

    code: str
    effect: Effect
    evidence: str


def disqualifiers(call: Call, effects: dict[str, Effect]) -> tuple[Disqualifier, ...]:
    """Find the facts of a call that rule a response out.

    Parameters
    ----------
    call : Call
    effects : dict
        The response plan's: protocol question → effect of a yes.
    """
    return tuple(
        Disqualifier(question, effect, f"answers.{question}")
        for question, effect in effects.items()
        if call.answers.get(question) == "yes"  # type: ignore[call-overload]
    )


def abstention(
    call: Call, scored: Scored, *, min_known_words: int, languages: frozenset[str]
) -> AbstentionReason | None:
    """Say why the model should not be asked about this call, if it should not.

    Parameters
    ----------
    call : Call
    scored : Scored
        What the model made of the call's words.
    min_known_words : int
        Fewer known words than this, over all text fields, are too few.
    languages : frozenset of str
        Primary language subtags that the model was trained on; a call whose language is not stated
        is not held against it.
    """
    if call.language is not None and call.language.split("-")[0].lower() not in languages:
        return "unsupported_language"
    if not any(text.tokens for text in scored.texts):
        return "nothing_said"
    if scored.known_words < min_known_words:
        return "too_few_known_words"
    return None
