"""One automaton that finds all phrases of a list at once.

From every word of a text the phrases are followed that begin there, all of them in one walk: a
state is the set of places that the words read so far may have led to. States, and the steps between
them, are made as texts call for them and kept. Since a state knows nothing of what lies before its
first word, few are needed, and a new text seldom needs a new one.

No phrase spans more than `MAX_WORDS` words, so reading a text takes time linear in its words. What
is kept is forgotten when it is too much.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from model_service.model.phrases import Choice, PhraseError, Phrases
from model_service.model.spelling import Spelling

MAX_WORDS = 16
"""Words that one phrase may span."""

MAX_STEPS = 500_000
"""Steps that are kept; with the states that they lead to, some 300 bytes each."""

MAX_KNOWN = 200_000
"""Words of which it is kept what they are."""

ANY = "~"
"""What a gap asks for: every word is one."""

Places = frozenset[int]

_END: Places = frozenset([-1])
"""What comes after the last word of a text."""


class Automaton:
    """All phrases of a list at once.

    Parameters
    ----------
    groups : sequence of iterables of Choice
        The phrases, as `phrases.parse` reads them; `find` tells which group one is of.
    sets : mapping of str to words
    real_words : iterable of str
        Words of the language that are no slip of a listed one; without any, slips are not looked
        for.
    strict : bool
        Give every occurrence, and tell "door's" from "doors" where the one is not listed. Else only
        the longest is given of those of a group that end at the same word.

    Raises
    ------
    PhraseError
        If a phrase is empty, too long, or begins or ends with a gap.

    Attributes
    ----------
    ends : frozenset of int
        Places at which a phrase has been read: those of a group are its number.
    gaps : frozenset of int
        Places that take any word.
    steps : int
        How many steps between states are kept.
    """

    def __init__(
        self,
        groups: Sequence[Iterable[Choice]],
        sets: Mapping[str, Phrases],
        real_words: Iterable[str] = (),
        *,
        strict: bool = False,
    ) -> None:
        self._strict = strict
        # A place asks for a word, and leads to the places after it; the first ones are the ends of
        # the groups. Equal places are one, so phrases share what they end with.
        self.ends = frozenset(range(len(groups)))
        self._labels: list[frozenset[str]] = [frozenset()] * len(groups)
        self._after: list[Places] = [frozenset()] * len(groups)
        self._longest = [0] * len(groups)
        self._places: dict[tuple[frozenset[str], Places], int] = {}
        starts = {
            place
            for end, phrases in enumerate(groups)
            for phrase in phrases
            for place in self._begin(phrase, frozenset([end]), whole=True)
        }
        self._starts = frozenset(starts)
        self._places.clear()
        asking: dict[str, list[int]] = {ANY: []}
        for place, labels in enumerate(self._labels):
            for label in labels:
                asking.setdefault(label, []).append(place)
        self.gaps = frozenset(asking.pop(ANY))
        self._words = _Words(asking, sets, real_words, strict)
        self._reset()

    @property
    def words(self) -> frozenset[str]:
        """Words of which some phrase is made; stems are not among them."""
        return frozenset(self._words.members)

    def knows(self, word: str) -> bool:
        """Say whether a word is one of some phrase, or begins with a stem of one."""
        return self._words.knows(word)

    def find(self, words: Sequence[str]) -> list[tuple[int, int, int]]:
        """Find all phrases in a text.

        Parameters
        ----------
        words : sequence of str

        Returns
        -------
        list of (int, int, int)
            Of every occurrence, in ascending order: the number of words up to its end, its group,
            and how many words it spans.
        """
        if self.steps > MAX_STEPS:
            self._reset()
        if len(self._words) > MAX_KNOWN:
            self._words.clear()
        kinds = [*map(self._words.__getitem__, words), _END]
        found: list[tuple[int, int, int]] = []
        for before, state in enumerate(map(self._start.__getitem__, kinds)):
            last = before
            while state is not None:
                last += 1
                if state.found:
                    for group in state.found:
                        found.append((last, group, last - before))
                    if not state.waiting:
                        break
                state = state[kinds[last]]
        found.sort()
        if self._strict:
            return found
        return [(*end, length) for end, length in {each[:2]: each[2] for each in found}.items()]

    def beyond(self, places: Places) -> Places:
        """Give the places that those given lead to."""
        after = self._after
        return frozenset().union(*[after[place] for place in places])

    def state(self, places: Places) -> _State | None:
        """Give the state of a set of places; None where it is empty: nothing more is found."""
        if not places:
            return None
        known = self._states.get(places)
        if known is None:
            known = self._states[places] = _State(self, places)
        return known

    def _reset(self) -> None:
        self.steps = 0
        self._states: dict[Places, _State] = {}
        self._start = _State(self, self._starts)

    def _begin(self, choice: Choice, after: Places, *, whole: bool = False) -> set[int]:
        """Give the places at which a choice begins that leads to those of `after`."""
        places: set[int] = set()
        single: set[str] = set()
        for option in choice:
            if len(option) == 1 and isinstance(option[0], str):
                single.add(option[0])
                continue
            reached = after
            for piece in reversed(option):
                if isinstance(piece, str):
                    reached = frozenset([self._place(frozenset([piece]), reached)])
                elif isinstance(piece, int):
                    gap = reached
                    for _ in range(piece):
                        gap = reached | {self._place(frozenset([ANY]), gap)}
                    reached = gap
                else:
                    reached = frozenset(self._begin(piece, reached))
            places |= reached
        if single:
            places.add(self._place(frozenset(single), after))
        if whole and any(place in self.ends or ANY in self._labels[place] for place in places):
            raise PhraseError("a phrase is empty or begins with a gap")
        return places

    def _place(self, labels: frozenset[str], after: Places) -> int:
        place = self._places.get((labels, after))
        if place is None:
            place = self._places[labels, after] = len(self._labels)
            longest = 1 + max(self._longest[following] for following in after)
            if longest > MAX_WORDS:
                raise PhraseError(f"a phrase spans more than {MAX_WORDS} words")
            if ANY in labels and not after.isdisjoint(self.ends):
                raise PhraseError("a phrase ends with a gap")
            self._labels.append(labels)
            self._after.append(after)
            self._longest.append(longest)
        return place


class _State(dict[Places, "_State | None"]):
    """A set of places; holds, by what the next word is, the state that follows.

    Parameters
    ----------
    automaton : Automaton
    places : frozenset of int

    Attributes
    ----------
    found : tuple of int
        Groups whose phrases end here.
    waiting : frozenset of int
        Places that ask for another word.
    """

    __slots__ = ("_anyway", "_automaton", "_otherwise", "found", "waiting")

    def __init__(self, automaton: Automaton, places: Places) -> None:
        self._automaton = automaton
        ends = places & automaton.ends
        self.found = tuple(sorted(ends))
        self.waiting = places - ends if ends else places
        self._anyway: Places | None = None

    def __missing__(self, kind: Places) -> _State | None:
        automaton = self._automaton
        if self._anyway is None:
            self._anyway = automaton.beyond(self.waiting & automaton.gaps)
            self._otherwise = automaton.state(self._anyway)
        asked = self.waiting & kind
        if asked:
            following = automaton.state(self._anyway | automaton.beyond(asked))
        else:
            following = None if kind is _END else self._otherwise
        automaton.steps += 1
        self[kind] = following
        return following


class _Words(dict[str, Places]):
    """What each word is: the places that ask for it, gaps aside; looked up once per word.

    Parameters
    ----------
    asking : mapping of str to list of int
        Word, `stem*` or `<set>` → places that ask for it.
    sets : mapping of str to words
    real_words : iterable of str
    strict : bool
    """

    def __init__(
        self,
        asking: Mapping[str, Sequence[int]],
        sets: Mapping[str, Phrases],
        real_words: Iterable[str],
        strict: bool,
    ) -> None:
        super().__init__()
        self._asking = asking
        self.members: dict[str, set[str]] = {}
        self._stems: dict[str, set[str]] = {}
        for label in asking:
            for word in sets[label[1:-1]] if label.startswith("<") else (label,):
                target = self._stems if word.endswith("*") else self.members
                target.setdefault(word.rstrip("*"), set()).add(label)
        self._stem_lengths = sorted({len(stem) for stem in self._stems})
        real = frozenset(real_words)
        self._spelling = Spelling(self.members, real) if real else None
        self._strict = strict
        self._same: dict[frozenset[str], Places] = {}

    def knows(self, word: str) -> bool:
        """Say whether a word is listed, or begins with a listed stem."""
        return word in self.members or any(word[:n] in self._stems for n in self._stem_lengths)

    def __missing__(self, word: str) -> Places:
        whole = word.replace("'", "")
        labels = self._labels(whole)
        # "Her foot's gone": the foot is; "he's" stays what it is listed as.
        if self._strict and word.endswith("'s") and not self.knows(whole):
            labels |= self._labels(word[:-2])
        key = frozenset(labels)
        places = self._same.get(key)
        if places is None:
            places = self._same[key] = frozenset().union(*[self._asking[label] for label in key])
        self[word] = places
        return places

    def _labels(self, word: str) -> set[str]:
        labels = set(self.members.get(word, ()))
        for length in self._stem_lengths:
            if length > len(word):
                break
            labels |= self._stems.get(word[:length], set())
        if not labels and self._spelling is not None:
            labels.update(*(self.members[meant] for meant in self._spelling.meant(word)))
        return labels
