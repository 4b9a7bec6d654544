"""The automaton finds what the language of phrases means, and keeps no more than it may."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model_service.model import automaton as module
from model_service.model.automaton import MAX_WORDS, Automaton
from model_service.model.phrases import Choice, PhraseError, parse
from tests.model.reference import occurrences

SETS = {"gun": ("gun", "pistol"), "kin": ("son", "gun", "dau*")}
LABELS = ("a", "b", "gun", "sta*", "<gun>", "<kin>")
WORDS = ("a", "b", "gun", "pistol", "son", "daughter", "stab", "sta", "x")

pieces = st.recursive(
    st.sampled_from(LABELS) | st.sampled_from(["~1", "~2", "~3"]),
    lambda inner: st.lists(st.lists(inner, max_size=3).map(" ".join), min_size=1, max_size=3).map(
        lambda options: f"({'|'.join(options)})"
    ),
    max_leaves=6,
)
phrases = st.lists(pieces, min_size=1, max_size=4).map(" ".join)
texts = st.lists(st.sampled_from(WORDS), max_size=12)


def made(groups: list[list[str]], *, strict: bool) -> tuple[Automaton, list[list[Choice]]]:
    """Make an automaton of those of some phrases that it takes."""
    kept: list[list[Choice]] = []
    for group in groups:
        kept.append([])
        for phrase in group:
            choice = parse(phrase, SETS)
            try:
                Automaton([[choice]], SETS)
            except PhraseError:
                continue
            kept[-1].append(choice)
    return Automaton(kept, SETS, strict=strict), kept


@settings(max_examples=300)
@given(
    st.lists(st.lists(phrases, max_size=4), min_size=1, max_size=3), st.lists(texts), st.booleans()
)
def test_it_finds_what_the_language_means(
    groups: list[list[str]], read: list[list[str]], strict: bool
) -> None:
    automaton, kept = made(groups, strict=strict)
    for words in read:
        expected = occurrences(kept, words, SETS, shorter=strict)
        assert automaton.find(words) == expected
        assert automaton.find(words) == expected, "seen before"


@pytest.mark.parametrize(
    "phrase",
    ["", "(a|)", "~1 a", "(~2 a|b)", "a ~1", "(a (b|) ~1)", "a " * (MAX_WORDS + 1), "a ~9 ~9 b"],
)
def test_a_phrase_that_is_empty_too_long_or_ends_in_a_gap_is_refused(phrase: str) -> None:
    with pytest.raises(PhraseError):
        Automaton([[parse(phrase, SETS)]], SETS)


def test_what_is_kept_is_bounded_and_forgotten_without_harm(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    automaton, kept = made([["a ~3 b", "<kin> (a|b) ~2 gun", "sta* ~3 son"]], strict=True)
    monkeypatch.setattr(module, "MAX_STEPS", 5)
    monkeypatch.setattr(module, "MAX_KNOWN", 5)
    reading = [[WORDS[(n * k + k) % len(WORDS)] for k in range(1, 9)] for n in range(1, 40)]
    for words in reading:
        assert automaton.find(words) == occurrences(kept, words, SETS, shorter=True)
        assert automaton.steps <= 5 + MAX_WORDS * (len(words) + 1)
