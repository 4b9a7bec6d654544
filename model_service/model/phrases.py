"""The language of phrases, and one automaton that finds all phrases of a list at once.

A phrase is matched word by word against the normalised text (`data.text`):

    word word    (a|b c) a choice    (a|) may be left out    stem* any word that begins so
    <set> any word of a named set    ~3 up to three words of any kind

All phrases become one automaton over words, whose states are built as texts call for them and
forgotten when there are too many; reading a text costs time linear in its words.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Annotated

from pydantic import Field

from data.errors import InputError
from data.text import tokenize
from model_service.model.spelling import Spelling

MAX_WORDS = 16
"""Words that one phrase may span."""

MAX_SEQUENCES = 400
"""Sequences that one line of a list may stand for, sets aside."""

MAX_STATES = 60_000
"""States that the automaton holds before it begins anew; bounds its memory."""

FEW = 8
"""Ways on from a place, up to which they are looked through one by one: most have one or two, and
that costs less than an intersection with a word's labels."""

ANY = "\0any"
"""The label of a gap: any word."""

Phrases = Annotated[tuple[str, ...], Field(strict=False)]


class PhraseError(InputError):
    """A phrase that can't be read."""


_PIECE = re.compile(r"\s*(?:([()|])|~(\d)|(<[a-z_]+>|[^\s()~<>|]+))")


def sequences(phrase: str, sets: Mapping[str, Phrases]) -> list[tuple[str, ...]]:
    """Spell out one line as sequences of labels: a word, `stem*`, `<set>`, a choice of words."""
    pieces: list[str | int] = []
    end = 0
    while phrase[end:].strip():
        piece = _PIECE.match(phrase, end)
        if piece is None:
            raise PhraseError(f"can't read {phrase!r}")
        mark, gap, word = piece.groups()
        if word:
            _check_word(word, phrase, sets)
        pieces.append(int(gap) if gap else mark or word)
        end = piece.end()
    found, rest = _choice(pieces, 0, sets)
    if rest != len(pieces):
        raise PhraseError(f"a bracket is not closed or not opened in {phrase!r}")
    if len(found) > MAX_SEQUENCES:
        raise PhraseError(f"{phrase!r} stands for {len(found)} sequences; split it")
    for sequence in found:
        if not sequence or len(sequence) > MAX_WORDS or ANY in (sequence[0], sequence[-1]):
            raise PhraseError(f"{phrase!r} is empty, too long or begins with a gap")
    return found


def _choice(
    pieces: Sequence[str | int], at: int, sets: Mapping[str, Phrases]
) -> tuple[list[tuple[str, ...]], int]:
    """Read `a b|c|` from `at` to the closing bracket or the end."""
    options: list[tuple[str, ...]] = []
    current: list[tuple[str, ...]] = [()]
    while at < len(pieces) and pieces[at] != ")":
        piece = pieces[at]
        at += 1
        if piece == "|":
            options += current
            current = [()]
            continue
        if isinstance(piece, int):
            following: list[tuple[str, ...]] = [(ANY,) * n for n in range(piece + 1)]
        elif piece == "(":
            following, at = _choice(pieces, at, sets)
            if at == len(pieces):
                raise PhraseError("a bracket is not closed in a phrase")
            at += 1
        else:
            following = [(piece,)]
        current = [left + right for left in current for right in following]
        if len(current) > 10 * MAX_SEQUENCES:
            raise PhraseError("a phrase stands for too many sequences; split it")
    options += current
    # Single words become one label: a sequence for each of them would be far too many.
    single = [words[0] for words in options if len(words) == 1 and words[0] != ANY]
    if len(single) > 1:
        options = [words for words in options if len(words) != 1 or words[0] == ANY]
        options.append((_label(single, sets),))
    return options, at


def _label(words: Sequence[str], sets: Mapping[str, Phrases]) -> str:
    """Name a choice of single words; `words_of` tells its words again."""
    spelt = {w for word in words for w in words_of(word, sets)}
    return "|".join(sorted(spelt))


def words_of(label: str, sets: Mapping[str, Phrases]) -> Sequence[str]:
    """Give the words that a label stands for."""
    return sets[label[1:-1]] if label.startswith("<") else label.split("|")


def _check_word(word: str, phrase: str, sets: Mapping[str, Phrases]) -> None:
    if word.startswith("<"):
        if word[1:-1] not in sets:
            raise PhraseError(f"unknown set {word} in {phrase!r}")
        return
    tokens = tokenize(word.rstrip("*"))
    if len(tokens) != 1 or tokens[0].text != word.rstrip("*"):
        raise PhraseError(f"{word!r} in {phrase!r} is not one word as texts are read")


@dataclass
class _Node:
    """A state of the non-deterministic automaton: a place in the tree of all phrases."""

    next: dict[str, int] = field(default_factory=dict)
    out: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _State:
    """A set of nodes, with what is found on reaching it; steps are filled in as texts need them."""

    nodes: frozenset[int]
    found: tuple[tuple[int, int], ...]
    steps: dict[int, _State]


class Automaton:
    """All sequences at once: `find` yields (group, first, last) of every occurrence.

    Of occurrences of a group that end at the same word, the longest one is given.

    Parameters
    ----------
    groups : sequence of iterables of sequences
    sets : mapping of str to words
    real_words : iterable of str
        Words of the language that are no slip of a listed one; without any, slips are not looked
        for.
    shorter : bool
        Give the shorter occurrences too: the longest may reach over the end of a sentence.
    """

    def __init__(
        self,
        groups: Sequence[Iterable[tuple[str, ...]]],
        sets: Mapping[str, Phrases],
        real_words: Iterable[str] = (),
        *,
        shorter: bool = False,
    ) -> None:
        self._shorter = shorter
        self._nodes = [_Node()]
        self._depths: list[int] = [0]
        for number, group in enumerate(groups):
            for sequence in group:
                self._add(sequence, number)
        self._ends = frozenset(place for place, node in enumerate(self._nodes) if node.out)
        used = {label for node in self._nodes for label in node.next}
        members: dict[str, set[str]] = {}
        stems: dict[str, set[str]] = {}
        for label in used - {ANY}:
            for word in words_of(label, sets):
                target = stems if word.endswith("*") else members
                target.setdefault(word.rstrip("*"), set()).add(label)
        self._members = {word: frozenset(labels) for word, labels in members.items()}
        self._stems = {stem: frozenset(labels) for stem, labels in stems.items()}
        self._stem_lengths = sorted({len(stem) for stem in stems})
        real = frozenset(real_words)
        self._spelling = Spelling(members, real) if real else None
        self._kinds: dict[frozenset[str], int] = {}
        self._kind_labels: list[frozenset[str]] = []
        self._word_kinds: dict[str, int] = {}
        self._growing = Lock()
        self._reset()

    @property
    def words(self) -> frozenset[str]:
        """Words of which some sequence is made; stems are not among them."""
        return frozenset(self._members)

    def knows(self, word: str) -> bool:
        """Say whether a word is one of some sequence, or begins with a stem of one."""
        return word in self._members or any(word[:n] in self._stems for n in self._stem_lengths)

    def _add(self, sequence: tuple[str, ...], group: int) -> None:
        place = 0
        for label in sequence:
            node = self._nodes[place]
            if label not in node.next:
                node.next[label] = len(self._nodes)
                self._nodes.append(_Node())
                self._depths.append(self._depths[place] + 1)
            place = node.next[label]
        if group not in self._nodes[place].out:
            self._nodes[place].out.append(group)

    def _reset(self) -> None:
        self._states: dict[frozenset[int], _State] = {}
        self._start = self._state(frozenset([0]))

    def _state(self, nodes: frozenset[int]) -> _State:
        known = self._states.get(nodes)
        if known is None:
            ends = {
                (group, self._depths[place])
                for place in nodes & self._ends
                for group in self._nodes[place].out
            }
            # Sorted by depth within a group, so the last one stands.
            found = tuple(sorted(ends) if self._shorter else sorted(dict(sorted(ends)).items()))
            known = self._states[nodes] = _State(nodes, found, {})
        return known

    def _labels(self, word: str) -> set[str]:
        labels = set(self._members.get(word, ()))
        for length in self._stem_lengths:
            if length > len(word):
                break
            labels |= self._stems.get(word[:length], frozenset())
        if not labels and self._spelling is not None:
            labels.update(*(self._members[meant] for meant in self._spelling.meant(word)))
        return labels

    def _kind(self, word: str) -> int:
        whole = word.replace("'", "")
        labels = self._labels(whole)
        # "Her foot's gone": the foot is; "he's" stays what it is listed as.
        if word.endswith("'s") and not self.knows(whole):
            labels |= self._labels(word[:-2])
        kind = self._kinds.setdefault(frozenset(labels), len(self._kinds))
        if kind == len(self._kind_labels):
            self._kind_labels.append(frozenset(labels))
        if len(self._word_kinds) > 200_000:
            self._word_kinds.clear()
        self._word_kinds[word] = kind
        return kind

    def _step(self, state: _State, kind: int) -> _State:
        labels = {*self._kind_labels[kind], ANY}
        reached = {0}
        nodes = self._nodes
        for place in state.nodes:
            following = nodes[place].next
            if len(following) > FEW:
                reached.update([following[label] for label in following.keys() & labels])
            else:
                for label, way in following.items():
                    if label in labels:
                        reached.add(way)
        if len(self._states) >= MAX_STATES:
            self._reset()
        state.steps[kind] = there = self._state(frozenset(reached))
        return there

    def find(self, words: Sequence[str]) -> Iterator[tuple[int, int, int]]:
        """Yield (group, first, last) in the order of `last`."""
        kinds = self._word_kinds
        state = self._start
        for last, word in enumerate(words, 1):
            kind = kinds.get(word)
            if kind is None:
                with self._growing:
                    kind = self._kind(word)
            following = state.steps.get(kind)
            if following is None:
                with self._growing:
                    following = self._step(state, kind)
            state = following
            if state.found:
                for group, depth in state.found:
                    yield group, last - depth, last
