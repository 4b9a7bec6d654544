"""What is known of a call: yes, no, or not known; each with its evidence.

A fact is known by an answer to its protocol question, or by what the narrative says. Silence is
never a no: what was neither answered nor denied is not known.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from data.call import Answer, Call, Question
from data.text import tokenize
from model_service.model.matching import Polarity
from model_service.model.rules import RuleReader
from model_service.model.scorer import Scored

FACTS: tuple[Question, ...] = (
    "weapon",
    "violence",
    "threat_to_others",
    "injury",
    "overdose",
    "crime_in_progress",
    "barricaded",
    "fire",
)
"""The questions that a narrative may answer by itself; all others are known by an answer alone."""

NARRATIVE = "narrative"


class Span(NamedTuple):
    """Where a text speaks of a fact: characters `[start, end)` of the original, and how."""

    column: str
    start: int
    end: int
    polarity: Polarity


class Fact(NamedTuple):
    """What is known of one protocol question.

    Parameters
    ----------
    code : str
        The question.
    value : {"yes", "no", "unknown"}
    answer : {"yes", "no", "unknown"} or None
        What was answered; None where nobody asked.
    spans : tuple of Span
        Where the narrative speaks of it, in whatever way.
    contradictory : bool
        Answer and narrative say the opposite of each other. `value` is then a yes.
    """

    code: str
    value: Answer
    answer: Answer | None
    spans: tuple[Span, ...]
    contradictory: bool


Facts = dict[str, Fact]
"""Question → what is known of it."""


def settle(answer: Answer | None, spans: Iterable[Span]) -> tuple[Answer, bool]:
    """Weigh an answer and a narrative against each other.

    A yes from either is a yes. A no needs one of them to say so and neither to leave it open:
    "no gun, may have a knife" denies no weapon. Within a narrative what is said outweighs what is
    denied, since a call may speak of two weapons, or of two moments; that is no contradiction.

    Parameters
    ----------
    answer : {"yes", "no", "unknown"} or None
    spans : iterable of Span

    Returns
    -------
    {"yes", "no", "unknown"}, bool
        What is known, and whether answer and narrative contradict each other.

    Examples
    --------
    >>> denied = Span("narrative", 0, 8, "denied")
    >>> settle(None, []), settle(None, [denied]), settle("yes", [denied])
    (('unknown', False), ('no', False), ('yes', True))
    """
    spoken = {span.polarity for span in spans}
    if "said" in spoken:
        return "yes", answer == "no"
    if answer == "yes":
        return "yes", "denied" in spoken and "possible" not in spoken
    if (answer == "no" or "denied" in spoken) and "possible" not in spoken:
        return "no", False
    return "unknown", False


def facts_of(call: Call, scored: Scored, codes: Iterable[str], rules: RuleReader) -> Facts:
    """Gather what is known of a call.

    Parameters
    ----------
    call : Call
    scored : Scored
        What the model made of it; its words are used again here.
    codes : iterable of str
        The questions to gather, `FACTS` among them.
    rules : RuleReader
        What reads the narrative.
    """
    spans: dict[str, list[Span]] = {}
    if call.narrative:
        read = (text.tokens for text in scored.texts if text.column == NARRATIVE)
        tokens = next(read, None)
        if tokens is None:  # a model that does not read it
            tokens = tokenize(call.narrative)
        for fact, polarity, first, last in rules.read(call.narrative, tokens):
            span = Span(NARRATIVE, tokens[first].start, tokens[last - 1].end, polarity)
            spans.setdefault(fact, []).append(span)
    answers = call.answers
    return {
        code: _fact(code, answers.get(code), tuple(spans[code]))  # type: ignore[call-overload]
        if code in spans
        else _unsaid(code, answers.get(code))  # type: ignore[call-overload]
        for code in codes
    }


def with_answer(fact: Fact, answer: Answer | None) -> Fact:
    """Say what would be known with another answer."""
    return _fact(fact.code, answer, fact.spans)


@lru_cache(maxsize=256)
def _unsaid(code: str, answer: Answer | None) -> Fact:
    """Say what is known of what the narrative says nothing of: the same in every call."""
    return _fact(code, answer, ())


def _fact(code: str, answer: Answer | None, spans: tuple[Span, ...]) -> Fact:
    value, contradictory = settle(answer, spans)
    return Fact(code, value, answer, spans, contradictory)
