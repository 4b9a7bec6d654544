"""Finding what a list names costs what the text is long, however it repeats itself."""

from __future__ import annotations

import sys
from types import FrameType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.call import MAX_NARRATIVE
from data.text import tokenize
from model_service.model.automaton import MAX_WORDS
from model_service.model.concepts import concepts_text, matcher
from model_service.model.matching import PhraseMatcher, _outside, _parts
from model_service.model.rules import RuleReader, parse_rules, rules_text

spans = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 9), st.integers(1, 4)).map(
        lambda each: (each[0], each[1], each[1] + each[2])
    )
)


@pytest.fixture(scope="module")
def readers() -> list[PhraseMatcher]:
    return [RuleReader(parse_rules(rules_text()))._matcher, matcher(concepts_text())]


def lines_run(using: PhraseMatcher, text: str) -> int:
    """Count the lines of Python that are run to read a text."""
    tokens = tokenize(text)
    using.find(text, tokens)  # so that no state is built the second time
    count = 0

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal count
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        using.find(text, tokens)
    finally:
        sys.settrace(before)
    return count


@pytest.mark.parametrize(
    "piece",
    [
        "no gun ",
        "any weapons ",
        "gun? no. ",
        "has a has a ",
        "i want to ",
        "on the news a knife ",
        "on the news but a knife ",
        "glue gun, a gun ",
        "she came out, no idea why she has a knife ",
        "unarmed knife turned out to be ",
    ],
)
def test_a_text_twice_as_long_is_at_most_twice_the_work(
    readers: list[PhraseMatcher], piece: str
) -> None:
    for using in readers:
        short, long = (
            (piece * size)[: size // 2] for size in (MAX_NARRATIVE // 4, MAX_NARRATIVE // 2)
        )
        assert lines_run(using, long) < 2.1 * lines_run(using, short)


def test_what_a_text_leaves_behind_is_bounded_by_its_words(readers: list[PhraseMatcher]) -> None:
    for using in readers:
        words = sorted(using.automaton.words)
        text = " ".join(words[n * 7919 % len(words)] for n in range(3000))[:MAX_NARRATIVE]
        tokens = tokenize(text)
        before = using.automaton.steps
        using.find(text, tokens)
        grown = using.automaton.steps - before
        assert 0 < grown <= (MAX_WORDS + 1) * (len(tokens) + 1)
        using.find(text, tokens)
        assert using.automaton.steps == before + grown


@given(spans, spans)
def test_what_overlaps_another_of_its_group_is_left_out(
    hits: list[tuple[int, int, int]], others: list[tuple[int, int, int]]
) -> None:
    expected = [
        hit
        for hit in hits
        if not any(g == hit[0] and first < hit[2] and hit[1] < last for g, first, last in others)
    ]
    assert _outside(hits, others) == expected


def test_a_text_is_divided_at_its_marks() -> None:
    text = "Mr. Poe, calm. Armed? no - he left / she stays, well-known.x"
    tokens = tokenize(text)
    parts = _parts(text, tokens)
    sentences: dict[int, list[str]] = {}
    for token, number in zip(tokens, parts.sentences, strict=True):
        sentences.setdefault(number, []).append(token.text)
    assert [" ".join(words) for words in sentences.values()] == [
        "mr poe calm",
        "armed",
        "no",
        "he left",
        "she stays well known x",
    ]
    assert parts.ends == [3, 4, 5, 7, 12]
    assert parts.asks == {0: False, 1: True, 2: False, 3: False, 4: False}
    assert parts.clauses == [0, 0, 1, 2, 3, 4, 4, 5, 5, 6, 6, 6]
