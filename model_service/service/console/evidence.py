"""A narrative cut into pieces, those marked that weigh something: which way, in words.

A disqualifier is marked apart from what the model weighs, since it counts whatever the model says.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

Kind = Literal["risk", "crisis", "against", "rules-out"]

SAYS: dict[Kind, str] = {
    "risk": "towards a safety risk",
    "crisis": "towards a crisis",
    "against": "against both",
    "rules-out": "rules a response out",
}
"""What a mark says; the stylesheet says it without colour, by a sign and a line."""

FAINT = 0.35
"""What weighs less than this share of the heaviest is not marked."""

NARRATIVE = "narrative"
CRISIS, RISK = "mental_health_crisis", "safety_risk"


class Piece(NamedTuple):
    """A piece of the narrative; `kind` is None where it is not marked."""

    text: str
    kind: Kind | None = None
    says: str = ""


class _Phrase(NamedTuple):
    start: int
    end: int
    crisis: float
    risk: float

    @property
    def weight(self) -> float:
        return max(abs(self.crisis), abs(self.risk))


def pieces(
    narrative: str,
    explanation: Mapping[str, Any] | None,
    disqualifiers: Sequence[Mapping[str, Any]] | None,
) -> list[Piece]:
    """Cut a narrative at what is marked in it; put together, the pieces are the narrative.

    Parameters
    ----------
    narrative : str
    explanation, disqualifiers
        As an assessment's answer has them; None where there are none, or they were erased.

    Examples
    --------
    >>> word = {"column": "narrative", "start": 3, "end": 8}
    >>> words = [{**word, "mental_health_crisis": 0.1, "safety_risk": 2.0}]
    >>> [(piece.text, piece.kind) for piece in pieces("he stabs", {"words": words}, [])]
    [('he ', None), ('stabs', 'risk')]
    """
    marks = [*_ruling_out(disqualifiers or ())]
    taken = [(start, end) for start, end, *_ in marks]
    phrases = [phrase for phrase in _phrases(explanation or {}) if not _overlaps(phrase, taken)]
    heaviest = max((phrase.weight for phrase in phrases), default=0.0)
    marks += [
        (
            phrase.start,
            phrase.end,
            kind,
            f"{SAYS[kind]} (log-odds: crisis {phrase.crisis:+.2f}, safety risk {phrase.risk:+.2f})",
        )
        for phrase in phrases
        if phrase.weight and phrase.weight >= FAINT * heaviest
        for kind in [_kind(phrase)]
    ]
    found: list[Piece] = []
    at = 0
    for start, end, kind, says in sorted(marks):
        start = max(start, at)
        if start >= end:
            continue
        found += [Piece(narrative[at:start])] if start > at else []
        found.append(Piece(narrative[start:end], kind, says))
        at = end
    return [*found, Piece(narrative[at:])] if at < len(narrative) else found


def snippet(cut: Sequence[Piece], length: int = 170, before: int = 40) -> list[Piece]:
    """Keep the stretch of a cut narrative that a row has room for: where the marks begin.

    Parameters
    ----------
    cut : sequence of Piece
    length : int
        Characters to keep.
    before : int
        Characters to keep before the first mark.

    Examples
    --------
    >>> snippet([Piece("a" * 100), Piece("knife", "risk"), Piece("b" * 100)], 12, 3)
    [Piece(text='…', kind=None, says=''), Piece(text='aaa', kind=None, says=''), \
Piece(text='knife', kind='risk', says=''), Piece(text='bbbb', kind=None, says=''), \
Piece(text='…', kind=None, says='')]
    """
    whole = sum(len(piece.text) for piece in cut)
    if whole <= length:
        return list(cut)
    first, at = 0, 0
    for piece in cut:
        if piece.kind is not None:
            first = at
            break
        at += len(piece.text)
    start = max(0, min(first - before, whole - length))
    if start:  # at the beginning of a word, if one begins before the first mark
        text = "".join(piece.text for piece in cut)
        start = next((at + 1 for at in range(start, first) if text[at].isspace()), start)
    kept: list[Piece] = [Piece("…")] if start else []
    at = 0
    for piece in cut:
        text = piece.text[max(0, start - at) : max(0, start + length - at)]
        if text:
            kept.append(piece._replace(text=text))
        at += len(piece.text)
    return [*kept, Piece("…")] if start + length < whole else kept


def _ruling_out(
    disqualifiers: Iterable[Mapping[str, Any]],
) -> Iterator[tuple[int, int, Kind, str]]:
    """Gather the places of disqualifiers; where several lie on each other, they are one."""
    spans = sorted(
        (span["start"], span["end"], one["code"].replace("_", " "))
        for one in disqualifiers
        for span in one.get("spans") or ()
        if span["column"] == NARRATIVE
    )
    while spans:
        start, end, code = spans.pop(0)
        codes = {code: None}
        while spans and spans[0][0] < end:
            _, other, code = spans.pop(0)
            end = max(end, other)
            codes[code] = None
        yield start, end, "rules-out", f"{SAYS['rules-out']}: {', '.join(codes)}"


def _overlaps(phrase: _Phrase, taken: Iterable[tuple[int, int]]) -> bool:
    return any(phrase.start < end and start < phrase.end for start, end in taken)


def _kind(phrase: _Phrase) -> Kind:
    if max(phrase.crisis, phrase.risk) <= 0:
        return "against"
    return "risk" if phrase.risk > phrase.crisis else "crisis"


def _phrases(explanation: Mapping[str, Any]) -> list[_Phrase]:
    """Gather the words that weigh something, those of one meaning as one phrase.

    "Wants to die" is told by its three words together, not by "to".
    """
    meant: list[list[int]] = []
    for start, end in sorted(_places(explanation.get("concepts") or ())):
        if meant and start < meant[-1][1]:
            meant[-1][1] = max(meant[-1][1], end)
        else:
            meant.append([start, end])
    sums = {(start, end): [0.0, 0.0] for start, end in meant}
    alone = []
    for word in explanation.get("words") or ():
        if word["column"] != NARRATIVE:
            continue
        inside = [place for place in sums if place[0] <= word["start"] and word["end"] <= place[1]]
        if inside:
            sums[inside[0]][0] += word[CRISIS]
            sums[inside[0]][1] += word[RISK]
        else:
            alone.append(_Phrase(word["start"], word["end"], word[CRISIS], word[RISK]))
    return sorted([*(_Phrase(*place, *both) for place, both in sums.items()), *alone])


def _places(parts: Iterable[Mapping[str, Any]]) -> Iterator[tuple[int, int]]:
    return ((part["start"], part["end"]) for part in parts if part["column"] == NARRATIVE)
