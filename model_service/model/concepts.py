"""Concepts: what callers and call-takers say of a crisis or a danger, as reviewed lists of phrases.

`concepts.yaml` holds the phrases. A phrase is matched word by word against the normalised text,
and every hit has a polarity: said plainly, denied, asked and left open, of the past, or supposed.
"She has a knife", "no knife", "any knives?" and "he used to carry a knife" are different facts.

All phrases become one automaton over words, whose states are built as texts call for them and
forgotten when there are too many; reading a text costs time linear in its words.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import resources
from threading import Lock
from typing import Annotated, Literal, NamedTuple, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from data.document import DocumentError, read_document
from data.errors import InputError
from data.text import Token, tokenize

Polarity = Literal["said", "denied", "asked", "past", "supposed"]
"""How a concept was spoken of."""

POLARITIES: tuple[Polarity, ...] = get_args(Polarity)

KINDS: dict[str, str] = {
    "said": "said",
    "denied": "denied",
    "asked": "open",
    "past": "open",
    "supposed": "open",
}
"""Polarity → what is counted apart; asked, past and supposed are too rare for that."""


PASSING_WORDS = 50
"""Words of a text by which what is everyday counts half."""


def strength(count: int, words: int, *, everyday: bool) -> float:
    """How much a concept counts that was found so many times: 1, 1.5, 1.75, … below 2.

    A long call repeats itself; the tenth gun says little more than the second. What is everyday
    fades with the length of the text: a car accident is what a line of ten words is about, and
    comes up in passing among four hundred. What tells a crisis or a danger does not fade.

    Parameters
    ----------
    count : int
    words : int
        Of the whole text.
    everyday : bool
        As the list says of the concept.

    Examples
    --------
    >>> strength(1, 400, everyday=False), strength(2, 50, everyday=True)
    (1.0, 0.75)
    """
    full = 2.0 - 2.0 * 0.5**count
    return full / (1.0 + words / PASSING_WORDS) if everyday else full


MAX_WORDS = 16
"""Words that one phrase may span."""

MAX_SEQUENCES = 400
"""Sequences that one line of the list may stand for, sets aside."""

MAX_STATES = 60_000
"""States that the automaton holds before it begins anew; bounds its memory."""

_ANY = "\0any"
_KIND_ORDER = tuple(dict.fromkeys(KINDS.values()))

Phrases = Annotated[tuple[str, ...], Field(strict=False)]


class ConceptError(InputError):
    """A list of concepts that can't be used."""


class ConceptHit(NamedTuple):
    """One phrase found: its concept, how it was spoken of, and its words `[first, last)`."""

    concept: str
    polarity: str
    first: int
    last: int


class _Part(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class Given(_Part):
    """How likely each target is in a call of which only one concept is known, as judged."""

    crisis: float = Field(gt=0, lt=1)
    risk: float = Field(gt=0, lt=1)


class Concept(_Part):
    """One concept: what it means and the phrases that say it.

    Parameters
    ----------
    about : str
        What a hit means, for a reader.
    given : Given
        What the list's author holds it to mean before a single call was counted.
    phrases : tuple of str
        `word word`, `(a|b)` a choice, `(a|)` an optional word, `stem*` any ending, `<set>` any of
        a named set, `~3` up to three words of any kind in between.
    denials : tuple of str
        Phrases that deny the concept as they stand ("denies SI").
    scoped : bool
        Whether polarity is looked for; off where a phrase can't be denied ("barricaded himself").
    everyday : bool
        Whether it speaks of an everyday matter, which a long call may mention in passing.
    """

    about: str
    given: Given
    phrases: Phrases = Field(min_length=1)
    denials: Phrases = ()
    scoped: bool = True
    everyday: bool = False


class Scopes(_Part):
    """Words that turn a phrase into its denial, a question, the past or a supposition.

    The cues of a kind are looked for in up to so many words before a phrase (`reach`), within its
    sentence; `after` lists cues that follow it at once.
    """

    reach: dict[str, int]
    before: dict[str, Phrases]
    after: dict[str, Phrases]
    breaks: Phrases = Field(description="Words that end the reach of what stands before them.")
    questions: Phrases = Field(description="Openings that make a sentence a question.")
    yes: Phrases = Field(description="Openings of an answer that affirms what was asked.")
    no: Phrases = Field(description="Openings of an answer that denies what was asked.")


class ConceptList(_Part):
    """The whole list, as `concepts.yaml` holds it."""

    version: int
    sets: dict[str, Phrases]
    scopes: Scopes
    concepts: dict[str, Concept]


# --- phrases into sequences of word classes -------------------------------------------------------

_PIECE = re.compile(r"\s*(?:([()|])|~(\d)|(<[a-z_]+>|[^\s()~<>|]+))")


def _sequences(phrase: str, sets: Mapping[str, Phrases]) -> list[tuple[str, ...]]:
    """Spell out one line as sequences of labels: a word, `stem*`, `<set>`, a choice of words."""
    pieces: list[str | int] = []
    end = 0
    while phrase[end:].strip():
        piece = _PIECE.match(phrase, end)
        if piece is None:
            raise ConceptError(f"concepts: can't read {phrase!r}")
        mark, gap, word = piece.groups()
        if word:
            _check_word(word, phrase, sets)
        pieces.append(int(gap) if gap else mark or word)
        end = piece.end()
    found, rest = _choice(pieces, 0, sets)
    if rest != len(pieces):
        raise ConceptError(f"concepts: a bracket is not closed or not opened in {phrase!r}")
    if len(found) > MAX_SEQUENCES:
        raise ConceptError(f"concepts: {phrase!r} stands for {len(found)} sequences; split it")
    for sequence in found:
        if not sequence or len(sequence) > MAX_WORDS or _ANY in (sequence[0], sequence[-1]):
            raise ConceptError(f"concepts: {phrase!r} is empty, too long or begins with a gap")
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
            following: list[tuple[str, ...]] = [(_ANY,) * n for n in range(piece + 1)]
        elif piece == "(":
            following, at = _choice(pieces, at, sets)
            if at == len(pieces):
                raise ConceptError("concepts: a bracket is not closed in a phrase")
            at += 1
        else:
            following = [(piece,)]
        current = [left + right for left in current for right in following]
        if len(current) > 10 * MAX_SEQUENCES:
            raise ConceptError("concepts: a phrase stands for too many sequences; split it")
    options += current
    # Single words become one label: a sequence for each of them would be far too many.
    single = [words[0] for words in options if len(words) == 1 and words[0] != _ANY]
    if len(single) > 1:
        options = [words for words in options if len(words) != 1 or words[0] == _ANY]
        options.append((_label(single, sets),))
    return options, at


def _label(words: Sequence[str], sets: Mapping[str, Phrases]) -> str:
    """Name a choice of single words; `_words` tells its words again."""
    spelt = {w for word in words for w in _words(word, sets)}
    return "|".join(sorted(spelt))


def _words(label: str, sets: Mapping[str, Phrases]) -> Sequence[str]:
    return sets[label[1:-1]] if label.startswith("<") else label.split("|")


def _check_word(word: str, phrase: str, sets: Mapping[str, Phrases]) -> None:
    if word.startswith("<"):
        if word[1:-1] not in sets:
            raise ConceptError(f"concepts: unknown set {word} in {phrase!r}")
        return
    tokens = tokenize(word.rstrip("*"))
    if len(tokens) != 1 or tokens[0].text != word.rstrip("*"):
        raise ConceptError(f"concepts: {word!r} in {phrase!r} is not one word as texts are read")


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


class _Automaton:
    """All sequences at once: `find` yields (group, first, last) of every occurrence.

    Of two occurrences of a group that end at the same word, the longer one is given.
    """

    def __init__(self, groups: Sequence[Iterable[tuple[str, ...]]], sets: Mapping[str, Phrases]):
        self._nodes = [_Node()]
        self._depths: list[int] = [0]
        for number, sequences in enumerate(groups):
            for sequence in sequences:
                self._add(sequence, number)
        used = {label for node in self._nodes for label in node.next}
        members: dict[str, set[str]] = {}
        stems: dict[str, set[str]] = {}
        for label in used - {_ANY}:
            for word in _words(label, sets):
                target = stems if word.endswith("*") else members
                target.setdefault(word.rstrip("*"), set()).add(label)
        self._members = {word: frozenset(labels) for word, labels in members.items()}
        self._stems = {stem: frozenset(labels) for stem, labels in stems.items()}
        self._stem_lengths = sorted({len(stem) for stem in stems})
        self._kinds: dict[frozenset[str], int] = {}
        self._kind_labels: list[frozenset[str]] = []
        self._word_kinds: dict[str, int] = {}
        self._growing = Lock()
        self._reset()

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
            longest: dict[int, int] = {}
            for place in nodes:
                for group in self._nodes[place].out:
                    longest[group] = max(self._depths[place], longest.get(group, 0))
            found = tuple(sorted(longest.items()))
            known = self._states[nodes] = _State(nodes, found, {})
        return known

    def _kind(self, word: str) -> int:
        labels = set(self._members.get(word, ()))
        for length in self._stem_lengths:
            if length > len(word):
                break
            labels |= self._stems.get(word[:length], frozenset())
        kind = self._kinds.setdefault(frozenset(labels), len(self._kinds))
        if kind == len(self._kind_labels):
            self._kind_labels.append(frozenset(labels))
        if len(self._word_kinds) > 200_000:
            self._word_kinds.clear()
        self._word_kinds[word] = kind
        return kind

    def _step(self, state: _State, kind: int) -> _State:
        labels = (*self._kind_labels[kind], _ANY)
        reached = {0}
        for place in state.nodes:
            following = self._nodes[place].next
            reached.update(following[label] for label in labels if label in following)
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


# --- reading a text -------------------------------------------------------------------------------

_HARD = re.compile(r"[.?!;\n]|\s[/|-]\s")
_LOOK_BACK = 24
"""Words before a phrase in which cues are looked for; bounds the time that a phrase costs."""

_YES_NO_REACH = 3
"""Words within which an answer must begin to be one where a text has no punctuation."""


def _plain(token: Token) -> str:
    return token.text.replace("'", "") if "'" in token.text else token.text


@dataclass(frozen=True, slots=True)
class _Cue:
    kind: str
    first: int
    last: int


class ConceptMatcher:
    """Finds the concepts of a list in texts.

    Parameters
    ----------
    concepts : ConceptList

    Attributes
    ----------
    names : tuple of str
        Of the concepts, in the order of the list.
    columns : tuple of (str, str)
        (concept, kind) of every figure that is counted: the columns of the features.
    given : tuple of (float, float)
        The prior judgement of each concept, crisis and risk.
    everyday : frozenset of str
        Names of the concepts that are everyday matters.
    """

    def __init__(self, concepts: ConceptList) -> None:
        self.names = tuple(concepts.concepts)
        self.columns = tuple((name, kind) for name in self.names for kind in _KIND_ORDER)
        self.given = tuple((c.given.crisis, c.given.risk) for c in concepts.concepts.values())
        self.everyday = frozenset(n for n, c in concepts.concepts.items() if c.everyday)
        self._scoped = [concept.scoped for concept in concepts.concepts.values()]
        scopes = concepts.scopes
        # Groups of the automaton: the concepts, their denials, the cues.
        groups: list[list[tuple[str, ...]]] = [
            [s for phrase in concept.phrases for s in _sequences(phrase, concepts.sets)]
            for concept in concepts.concepts.values()
        ]
        groups += [
            [s for phrase in concept.denials for s in _sequences(phrase, concepts.sets)]
            for concept in concepts.concepts.values()
        ]
        self._cues = [f"before {kind}" for kind in scopes.before]
        self._cues += [f"after {kind}" for kind in scopes.after]
        self._cues += ["break", "asked", "yes", "no"]
        cues = [*scopes.before.values(), *scopes.after.values()]
        cues += [scopes.breaks, scopes.questions, scopes.yes, scopes.no]
        groups += [[s for phrase in p for s in _sequences(phrase, concepts.sets)] for p in cues]
        self._automaton = _Automaton(groups, concepts.sets)
        self._reach = scopes.reach

    def find(self, text: str, tokens: Sequence[Token]) -> list[ConceptHit]:
        """Find every concept in a text, with its polarity.

        Parameters
        ----------
        text : str
            The original, for its punctuation.
        tokens : sequence of Token
            What `data.text.tokenize` made of it.

        Returns
        -------
        list of ConceptHit
            In the order of their last words; hits of one concept do not overlap.
        """
        n = len(self.names)
        raw: list[tuple[int, int, int]] = []
        cues: list[_Cue] = []
        for group, first, last in self._automaton.find([_plain(token) for token in tokens]):
            if group >= 2 * n:
                cues.append(_Cue(self._cues[group - 2 * n], first, last))
            else:
                raw.append((group, first, last))
        if not raw:
            return []
        parts = _sentences(text, tokens)
        # What ends with one sentence and begins with the next says nothing: "… emergency? Hold on".
        raw = [hit for hit in raw if parts[0][hit[1]] == parts[0][hit[2] - 1]]
        hits = _without_overlaps(raw)
        scene = _Scene(parts, hits, cues)
        found: list[ConceptHit] = []
        for group, first, last in hits:
            if group >= n:
                found.append(ConceptHit(self.names[group - n], "denied", first, last))
                continue
            polarity = self._polarity(first, last, scene) if self._scoped[group] else "said"
            found.append(ConceptHit(self.names[group], polarity, first, last))
        return found

    def _polarity(self, first: int, last: int, scene: _Scene) -> str:
        near = scene.before(first, self._reach)
        if "asked" in near and scene.asks.get(scene.sentences[first]) is not False:
            answer = scene.answer(last)
            if answer is not None:
                return answer
            if scene.asks.get(scene.sentences[first]):
                return "asked"
        after = scene.after(last)
        if near & {"before denied", "before denied_list"} or "after denied" in after:
            return "denied"
        if "before past" in near or "after past" in after:
            return "past"
        return "supposed" if "before supposed" in near else "said"


class _Scene:
    """The cues of one text around its hits, looked up by place."""

    def __init__(
        self,
        parts: tuple[list[int], list[int], dict[int, bool]],
        hits: Sequence[tuple[int, int, int]],
        cues: Sequence[_Cue],
    ) -> None:
        self.sentences, self.clauses, self.asks = parts
        self._covered = {word for _, first, last in hits for word in range(first, last)}
        self._ends = {number: last for last, number in enumerate(self.sentences, 1)}
        self._by_last: dict[int, list[_Cue]] = {}
        self._by_first: dict[int, list[_Cue]] = {}
        for cue in cues:
            # "don't" in "don't want to live" denies nothing.
            if not self._covered.issuperset(range(cue.first, cue.last)):
                self._by_last.setdefault(cue.last, []).append(cue)
                self._by_first.setdefault(cue.first, []).append(cue)

    def before(self, first: int, reach: Mapping[str, int]) -> set[str]:
        """Name the cues that reach the word `first` from before it."""
        found: set[str] = set()
        between = 0
        broken = False
        for end in range(first, max(0, first - _LOOK_BACK), -1):
            if self.sentences[end - 1] != self.sentences[first]:
                break
            for cue in self._by_last.get(end, ()):
                if self.sentences[cue.first] != self.sentences[first]:
                    continue
                if cue.kind == "asked":
                    if between <= reach["asked"]:
                        found.add("asked")
                elif cue.kind.startswith("before ") and not broken:
                    kind = cue.kind.removeprefix("before ")
                    # "no weapons, calm": a bare "no" ends with its clause.
                    same = kind != "denied" or self.clauses[end - 1] == self.clauses[first]
                    # "weapons denied, off meds": it denies what stands before it.
                    taken = kind == "denied_list" and cue.first - 1 in self._covered
                    if same and not taken and between <= reach[kind]:
                        found.add(cue.kind)
            broken = broken or any(c.kind == "break" for c in self._by_last.get(end, ()))
            between += end - 1 not in self._covered
        return found

    def after(self, last: int) -> set[str]:
        """Name the cues that follow at once upon the word before `last`."""
        return {
            cue.kind
            for cue in self._by_first.get(last, ())
            if cue.kind.startswith("after ")
            and self.clauses[last] == self.clauses[last - 1]
            and cue.last not in self._covered
        }

    def answer(self, last: int) -> str | None:
        """Read the answer to a question that was asked in the words before `last`."""
        start = self._ends[self.sentences[last - 1]]
        for begin, reach in ((start, 1), (last, _YES_NO_REACH)):
            for first in range(begin, begin + reach):
                kinds = {cue.kind for cue in self._by_first.get(first, ())}
                if "no" in kinds:
                    return "denied"
                if "yes" in kinds:
                    return "said"
        return None


def _without_overlaps(raw: Sequence[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    """Join overlapping occurrences of one concept into one."""
    ends: dict[int, int] = {}
    hits: list[tuple[int, int, int]] = []
    for group, first, last in raw:
        at = ends.get(group)
        if at is not None and hits[at][2] > first:
            hits[at] = (group, min(hits[at][1], first), max(hits[at][2], last))
        else:
            ends[group] = len(hits)
            hits.append((group, first, last))
    return hits


def _sentences(text: str, tokens: Sequence[Token]) -> tuple[list[int], list[int], dict[int, bool]]:
    """Give sentences and clauses numbers; tell which sentences end as a question.

    A text without any question mark says nothing of its questions.
    """
    clauses: list[int] = []
    clause = 0
    numbers: list[int] = []
    number = 0
    asks: dict[int, bool] = {}
    marks = "?" in text
    end = 0
    for token in tokens:
        between = text[end : token.start]
        if numbers and len(between) > 1 and _HARD.search(between):
            if marks:
                asks[number] = "?" in between
            number += 1
            clause += 1
        elif "," in between:
            clause += 1
        numbers.append(number)
        clauses.append(clause)
        end = max(end, token.end)
    if marks:
        asks[number] = "?" in text[end:]
    return numbers, clauses, asks


def parse_concepts(text: str) -> ConceptList:
    """Read a list of concepts from YAML.

    Raises
    ------
    ConceptError
        If it can't be used; the message says where.
    """
    try:
        return ConceptList.model_validate(read_document(text))
    except DocumentError as error:
        raise ConceptError(f"concepts: {error}") from None
    except ValidationError as error:
        first = error.errors()[0]
        path = ".".join(str(part) for part in first["loc"])
        raise ConceptError(f"concepts: {path}: {first['msg']}") from None


def concepts_text() -> str:
    """Read the list that the project ships, as text."""
    return (resources.files("model_service.model") / "concepts.yaml").read_text(encoding="utf-8")


@lru_cache(maxsize=4)
def matcher(text: str) -> ConceptMatcher:
    """Make the matcher of a list given as YAML; the same text gives the same matcher."""
    return ConceptMatcher(parse_concepts(text))
