"""Marks in a narrative: whole, in order, on the right words, the right way."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from model_service.service.console.evidence import Piece, pieces, snippet

TEXTS = st.text(max_size=300)


def word(start: int, end: int, crisis: float, risk: float, **more: Any) -> dict[str, Any]:
    return {
        "column": "narrative",
        "start": start,
        "end": end,
        "mental_health_crisis": crisis,
        "safety_risk": risk,
        **more,
    }


@st.composite
def explained(draw: st.DrawFn) -> tuple[str, dict[str, Any], list[dict[str, Any]]]:
    """A narrative with words, concepts and disqualifiers somewhere in it."""
    text = draw(TEXTS)
    places = st.tuples(st.integers(0, len(text)), st.integers(0, len(text))).map(sorted)
    weights = st.floats(-5, 5)
    words = [
        word(start, end, draw(weights), draw(weights))
        for start, end in draw(st.lists(places, max_size=6))
    ]
    concepts = [
        word(start, end, 0, 0, concept="c", polarity="said")
        for start, end in draw(st.lists(places, max_size=3))
    ]
    spans = [
        {"column": "narrative", "start": start, "end": end, "polarity": "said"}
        for start, end in draw(st.lists(places, max_size=3))
    ]
    return text, {"words": words, "concepts": concepts}, [{"code": "weapon", "spans": spans}]


@given(explained())
def test_the_pieces_are_the_narrative(case: tuple[str, Any, Any]) -> None:
    text, explanation, disqualifiers = case
    cut = pieces(text, explanation, disqualifiers)
    assert "".join(piece.text for piece in cut) == text
    assert all(piece.text for piece in cut)
    assert all((piece.kind is None) == (not piece.says) for piece in cut)


@given(explained(), st.integers(1, 60), st.integers(0, 20))
def test_a_snippet_is_a_stretch_of_it(case: tuple[str, Any, Any], length: int, before: int) -> None:
    text, explanation, disqualifiers = case
    cut = pieces(text, explanation, disqualifiers)
    kept = snippet(cut, length, before)
    words = "".join(piece.text for piece in kept if piece != Piece("…"))
    assert words in text
    assert len(words) <= length
    assert len(words) == len(text) or len(words) >= length - before
    first = next((piece.text for piece in cut if piece.kind), None)
    if first is not None and length > before:
        assert any(piece.kind and first.startswith(piece.text) for piece in kept)


def test_which_way_a_word_points() -> None:
    text = "one two three four"
    words = [word(0, 3, 2, 1), word(4, 7, 1, 2), word(8, 13, -2, -1), word(14, 18, 0.1, 0.1)]
    marked = [
        (piece.text, piece.kind) for piece in pieces(text, {"words": words}, []) if piece.kind
    ]
    assert marked == [("one", "crisis"), ("two", "risk"), ("three", "against")]


def test_a_meaning_is_one_phrase_and_a_disqualifier_stands_apart() -> None:
    text = "he wants to die, has a knife"
    explanation = {
        "words": [word(3, 8, 1, 0), word(9, 11, 0, 0), word(12, 15, 1, 0), word(23, 28, 0, 9)],
        "concepts": [word(3, 15, 2, 0)],
    }
    spans = [{"column": "narrative", "start": 23, "end": 28, "polarity": "said"}]
    cut = pieces(text, explanation, [{"code": "weapon", "spans": spans}])
    assert [(piece.text, piece.kind) for piece in cut] == [
        ("he ", None),
        ("wants to die", "crisis"),
        (", has a ", None),
        ("knife", "rules-out"),
    ]
    assert cut[-1].says == "rules a response out: weapon"


def test_disqualifiers_on_each_other_are_one_mark() -> None:
    text = "he threw a plate at the wall"
    spans = [{"column": "narrative", "start": 3, "end": end} for end in (16, 28)]
    found = [{"code": "weapon", "spans": spans[:1]}, {"code": "violence", "spans": spans[1:]}]
    (_, mark) = pieces(text, None, found)
    assert (mark.text, mark.kind) == ("threw a plate at the wall", "rules-out")
    assert mark.says == "rules a response out: weapon, violence"


def test_a_snippet_begins_with_a_word() -> None:
    cut = pieces("the yard is full of people " * 9 + "knife", {"words": [word(243, 248, 0, 3)]}, [])
    kept = snippet(cut, 60, 20)
    assert kept[0] == Piece("…")
    assert kept[1].text.split()[0] in ("is", "full", "of", "yard", "people", "the")


def test_without_an_explanation_nothing_is_marked() -> None:
    assert pieces("hearing voices", None, None) == [Piece("hearing voices")]
    assert pieces("", None, None) == []
