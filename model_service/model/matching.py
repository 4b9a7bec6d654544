"""Finding what a list of phrases names in a text, and how it was spoken of.

"She has a knife", "no knife", "any knives?", "he used to carry a knife", "if he had a knife", "he
might have a knife" and "her cousin far away has a knife" are different facts. Cues around a phrase
tell them apart; a list says which words are cues, and how far they reach.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib import resources
from itertools import accumulate
from typing import Literal, NamedTuple, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from data.document import DocumentError, first_mistake, read_document
from data.text import Token
from model_service.model.automaton import Automaton
from model_service.model.phrases import PhraseError, Phrases, parse

Polarity = Literal["said", "denied", "asked", "past", "other", "supposed", "possible"]
"""How a thing was spoken of: said plainly, denied, asked and left open, of the past, of another
place or person, supposed, or merely possible."""

POLARITIES: tuple[Polarity, ...] = get_args(Polarity)

_CUES: dict[str, Polarity] = {
    "denied": "denied",
    "denied_list": "denied",
    "past": "past",
    "past_list": "past",
    "past_far": "past",
    "other": "other",
    "other_far": "other",
    "asked": "asked",
    "supposed": "supposed",
    "supposed_far": "supposed",
    "possible": "possible",
    "possible_far": "possible",
}
"""Kind of cue → what it makes of a phrase. Where several reach it, the first here counts."""

_PAIRS: tuple[tuple[str, str, Polarity], ...] = (
    ("believed", "refuted", "supposed"),
    ("reported", "refused", "denied"),
    ("reported", "confirmed", "said"),
)
"""Two kinds of cues that say nothing alone and together make this of a phrase: "he thinks there is
a gun … nobody is there", "asked whether he had a knife, he said no"."""

_KINDS = _CUES.keys() | {kind for *pair, _ in _PAIRS for kind in pair}

_Cues = dict[str, Phrases]


class ConceptHit(NamedTuple):
    """One phrase found: its concept, how it was spoken of, and its words `[first, last)`."""

    concept: str
    polarity: str
    first: int
    last: int


class Part(BaseModel):
    """A part of a list: strict and closed, so that a slip of the pen is a mistake."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class Phrased(Part):
    """One thing that phrases say.

    Parameters
    ----------
    about : str
        What a hit means, for a reader.
    phrases : tuple of str
        In the language of `model_service.model.phrases`.
    denials : tuple of str
        Phrases that deny it as they stand ("denies SI").
    exceptions : tuple of str
        Phrases that look like it and are not ("glue gun"); what overlaps one is no hit.
    over : tuple of str
        Phrases that say it is over ("she came out by herself"); what was said before one is past.
    absences : tuple of str
        Phrases that say it where they are asked and answered no ("Is he breathing? / No").
    scoped : bool
        Whether polarity is looked for; off where a phrase can't be denied ("barricaded himself").
    """

    about: str
    phrases: Phrases = Field(min_length=1)
    denials: Phrases = ()
    exceptions: Phrases = ()
    over: Phrases = ()
    absences: Phrases = ()
    scoped: bool = True


class Scopes(Part):
    """Words that turn a phrase into its denial, a question, the past or a supposition.

    Parameters
    ----------
    reach : dict
        Kind of cue → how many words may stand between a cue and the phrase after it.
    bound : tuple of str
        Kinds whose cues before a phrase reach no further than their clause: "no weapons, calm".
    before : dict
        Kind → cues that stand before a phrase, within its sentence.
    after : dict
        Kind → cues that follow a phrase.
    after_reach : dict
        Kind → how many words may stand between a phrase and a cue that follows it, within the
        clause; a kind that is not named here follows at once.
    around : dict
        Kind → cues that turn every phrase of their sentence ("on the news"), but for what a word
        of `turns` parts from them.
    later : dict
        Kind → cues that take back what was said before them, across sentences ("turned out to
        be").
    breaks : tuple of str
        Words that end the reach of what stands before them.
    far : tuple of str
        Kinds that open a whole sentence ("as a kid", "asks what to do if"): only a word of
        `turns` ends the reach of their cues.
    turns : tuple of str
        Words that come back to here and now ("but", "today").
    present : tuple of str
        Words that do so after an opening of the past, and after others where they begin a clause
        ("he's", "has").
    plain : tuple of str
        Phrases in which a cue is none ("won't stop", "no idea why").
    figures : tuple of str
        Figures of speech and names, whatever they look like ("under the gun", "flu shot"): what
        overlaps one is no hit.
    questions, yes, no : tuple of str
        Openings that make a sentence a question; openings of an answer.
    short_question : int
        Words up to which a sentence that ends in a question mark asks without such an opening
        ("Knife?").
    """

    reach: dict[str, int]
    bound: Phrases = ("denied",)
    before: _Cues
    after: _Cues
    after_reach: dict[str, int] = {}
    around: _Cues = {}
    later: _Cues = {}
    breaks: Phrases
    far: Phrases = ()
    turns: Phrases = ()
    present: Phrases = ()
    plain: Phrases = ()
    figures: Phrases = ()
    questions: Phrases
    yes: Phrases
    no: Phrases
    short_question: int = Field(default=0, ge=0)

    @field_validator("before", "after", "around", "later")
    @classmethod
    def _known(cls, cues: _Cues) -> _Cues:
        for kind in cues:
            if kind not in _KINDS:
                raise ValueError(
                    f"{kind!r} is no kind of cue; kinds are {', '.join(sorted(_KINDS))}"
                )
        return cues

    def polarities(self) -> set[str]:
        """Name what these cues can make of a phrase."""
        cues = (*self.before, *self.after, *self.around, *self.later)
        return {_CUES[kind] for kind in cues if kind in _CUES} | {
            polarity for first, second, polarity in _PAIRS if {first, second} <= {*cues}
        }


class PhraseList(Part):
    """What every list holds beside what it names.

    `real_words` are words of the language that are no slip of a listed word; without any, a word
    must be spelt as it is listed.
    """

    version: int
    sets: dict[str, Phrases]
    scopes: Scopes
    real_words: Phrases = ()


L = TypeVar("L", bound=PhraseList)


def read_list(text: str, kind: type[L], *, what: str, error: type[PhraseError]) -> L:
    """Read a list from YAML.

    Parameters
    ----------
    text : str
    kind : type
        Of the list.
    what : str
        How messages call it.
    error : type
        Raised if it can't be used; the message says where.
    """
    try:
        return kind.model_validate(read_document(text, quick=True))
    except DocumentError as fault:
        raise error(f"{what}: {fault}") from None
    except ValidationError as fault:
        raise error(f"{what}: {first_mistake(fault, 'the list')}") from None


def shipped_list(name: str) -> str:
    """Read a list that the project ships, with the real words of its language, as text."""
    here = resources.files("model_service.model")
    return "".join((here / f"{part}.yaml").read_text("utf-8") for part in (name, "real_words"))


_MARK = re.compile(r"[.?!;\n,/|-]")
_HARD = re.compile(r"[.?!;\n]|\s[/|-]\s")
_LOOK_BACK = 24
"""Words before a phrase in which cues are looked for; bounds the time that a phrase costs."""

_TAKEN_BACK = 24
"""Words after a phrase in which it may be taken back."""

_TAG = 3
"""Words that may follow a phrase in a statement that is asked back ("he's got a knife, right?")."""

_ABBREVIATED = frozenset(["mr", "mrs", "ms", "sgt", "rev"])
"""Words whose full stop ends no sentence."""

_YES_NO_REACH = 3
"""Words within which an answer must begin to be one where a text has no punctuation."""


_NEAR = frozenset(["before", "after", "around", "asked", "break", "turn", "present"])
"""Cues that turn what stands in their own sentence."""


_BEHIND = frozenset(["before", "asked", "break", "turn", "present"])
_AHEAD = frozenset(["after", "break", "turn", "present", "yes", "no"])
"""Cues that are looked for by their last word, and those that are by their first."""

_Cue = tuple[str, str, int, int]
"""Where a cue stands, its kind, its words `[first, last)`. No class: a text has some twenty."""


class _Parts(NamedTuple):
    """What a text is divided into.

    Parameters
    ----------
    sentences, clauses : list of int
        The number of each word's sentence, and that of its clause.
    ends : list of int
        The end of each sentence: its last word and one more.
    asks : dict of int to bool
        Sentence → whether it ends as a question; empty for a text without a question mark.
    """

    sentences: list[int]
    clauses: list[int]
    ends: list[int]
    asks: dict[int, bool]


class PhraseMatcher:
    """Finds what a list names in texts.

    Parameters
    ----------
    listed : mapping of str to Phrased
    sets : mapping of str to tuple of str
    scopes : Scopes
    real_words : sequence of str
        Words that are no slip of a listed one; see `model_service.model.spelling`.
    strict : bool
        Miss nothing for want of a mark: a phrase counts that is the end of a longer one which
        reaches over the end of a sentence, denials and exceptions must stand within a clause
        ("black cap, gun in hand" is no cap gun), and "door's" is "doors" or "door".

    Attributes
    ----------
    names : tuple of str
        Of what is listed, in the order of the list.
    automaton : Automaton

    Raises
    ------
    PhraseError
        If a phrase can't be read.
    """

    def __init__(
        self,
        listed: Mapping[str, Phrased],
        sets: Mapping[str, Phrases],
        scopes: Scopes,
        real_words: Sequence[str] = (),
        *,
        strict: bool = False,
    ) -> None:
        self._strict = strict
        self.names = tuple(listed)
        self._scoped = [entry.scoped for entry in listed.values()]
        # Groups of the automaton: phrases, their denials, their exceptions, absences, the cues.
        cues = dict(_cues(scopes))
        cues |= {("over", name): entry.over for name, entry in listed.items() if entry.over}
        self._cues = tuple(cues)
        lists = [entry.phrases for entry in listed.values()]
        lists += [entry.denials for entry in listed.values()]
        lists += [entry.exceptions for entry in listed.values()]
        lists += [entry.absences for entry in listed.values()]
        lists += cues.values()
        self.automaton = Automaton(
            # One at a time: so many trees at once keep the garbage collector busy.
            [(parse(phrase, sets) for phrase in phrases) for phrases in lists],
            sets,
            real_words,
            strict=strict,
        )
        self._scopes = scopes

    def find(self, text: str, tokens: Sequence[Token]) -> list[ConceptHit]:
        """Find all that the list names in a text, with its polarity.

        Parameters
        ----------
        text : str
            The original, for its punctuation.
        tokens : sequence of Token
            What `data.text.tokenize` made of it.

        Returns
        -------
        list of ConceptHit
            In the order of their last words; hits of one name do not overlap.
        """
        n = len(self.names)
        found = self.automaton.find([token.text for token in tokens])
        raw = [(group, last - words, last) for last, group, words in found if group < 2 * n]
        absences = [
            (group - 3 * n, last - words, last)
            for last, group, words in found
            if 3 * n <= group < 4 * n
        ]
        if not raw and not absences:
            return []
        exceptions = [
            (group - 2 * n, last - words, last)
            for last, group, words in found
            if 2 * n <= group < 3 * n
        ]
        cues = [
            (*self._cues[group - 4 * n], last - words, last)
            for last, group, words in found
            if group >= 4 * n
        ]
        parts = _parts(text, tokens)
        # What ends with one sentence and begins with the next says nothing: "… emergency? Hold on".
        sentences, clauses = parts.sentences, parts.clauses
        raw = [hit for hit in raw if sentences[hit[1]] == sentences[hit[2] - 1]]
        if self._strict:
            exceptions = [hit for hit in exceptions if clauses[hit[1]] == clauses[hit[2] - 1]]
            raw = [hit for hit in raw if hit[0] < n or clauses[hit[1]] == clauses[hit[2] - 1]]
            # "Not sure, he has a knife": no cue reads over a comma.
            cues = [
                cue
                for cue in cues
                if clauses[cue[2]] == clauses[cue[3] - 1]
                or cue[0] in ("yes", "no")
                or cue[1] == "supposed_far"
            ]
        exceptions += [
            (name, first, last)
            for where, _, first, last in cues
            if where == "figure"
            for name in range(n)
        ]
        if exceptions:
            raw = _outside(raw, exceptions)
        hits = _undenied(_without_overlaps(raw), n)
        scene = _Scene(parts, hits, absences, cues, self._scopes)
        lacking = [hit for hit in _without_overlaps(absences) if scene.lacks(*hit[1:])]
        made = [ConceptHit(self.names[name], "said", *words) for name, *words in lacking]
        if lacking:
            both = [(name + k, first, last) for name, first, last in lacking for k in (0, n)]
            hits = _outside(hits, both)
        for group, first, last in hits:
            if group >= n:
                made.append(ConceptHit(self.names[group - n], "denied", first, last))
                continue
            name = self.names[group]
            polarity = scene.polarity(name, first, last) if self._scoped[group] else "said"
            made.append(ConceptHit(name, polarity, first, last))
        return sorted(made, key=lambda hit: hit.last) if lacking else made


def _cues(scopes: Scopes) -> Iterator[tuple[tuple[str, str], Phrases]]:
    """Name every list of cues by where its cues stand, and by what they make of a phrase."""
    for where in ("before", "after", "around", "later"):
        for kind, phrases in getattr(scopes, where).items():
            yield (where, kind), phrases
    others = {
        "break": scopes.breaks,
        "turn": scopes.turns,
        "present": scopes.present,
        "plain": scopes.plain,
        "figure": scopes.figures,
        "asked": scopes.questions,
        "yes": scopes.yes,
        "no": scopes.no,
    }
    for where, phrases in others.items():
        yield (where, ""), phrases


class _Scene:
    """The cues of one text around its hits, looked up by place."""

    def __init__(
        self,
        parts: _Parts,
        hits: Sequence[_Found],
        absences: Sequence[_Found],
        cues: Sequence[_Cue],
        scopes: Scopes,
    ) -> None:
        self.sentences, self.clauses, self._ends, self.asks = parts
        self._scopes = scopes
        self._furthest = max(scopes.after_reach.values(), default=0)
        self._covered = {word for _, first, last in hits for word in range(first, last)}
        self._by_last: dict[int, list[_Cue]] = {}
        self._by_first: dict[int, list[_Cue]] = {}
        # Sentence → kind → where the last of its cues ends: no other reaches where that does not.
        self._around: dict[int, dict[str, int]] = {}
        self._turns: list[int] = []
        self._later: dict[str, list[int]] = {}
        over: dict[str, list[tuple[int, int]]] = {}
        covered, sentences = self._covered, self.sentences
        with_hits = {sentences[first] for _, first, _ in (*hits, *absences)}
        plain = _Spans(cue[2:] for cue in cues if cue[0] == "plain")
        for cue in cues:
            where, kind, first, last = cue
            if (
                where in _NEAR
                and sentences[first] not in with_hits
                and sentences[last - 1] not in with_hits
            ):
                continue
            if where == "turn":
                self._turns.append(first)
            # "don't" in "don't want to live" denies nothing.
            if (
                where not in ("present", "over")
                and first in covered
                and covered.issuperset(range(first, last))
            ):
                continue
            if plain.furthest(first + 1) >= last:
                continue
            if where in _BEHIND:
                self._by_last.setdefault(last, []).append(cue)
            if where in _AHEAD:
                self._by_first.setdefault(first, []).append(cue)
            elif where == "around":
                self._around.setdefault(sentences[first], {})[kind] = last
            elif where == "later":
                self._later.setdefault(kind, []).append(first)
            elif where == "over":
                over.setdefault(kind, []).append((first, last))
        for places in (self._turns, *self._later.values()):
            places.sort()
        self._over = {name: _Spans(found) for name, found in over.items()}

    def polarity(self, name: str, first: int, last: int) -> str:
        """Say how the words `[first, last)`, which name something, were spoken of."""
        near = self._before(first)
        sentence = self.sentences[first]
        if self.asks and (self._asks_shortly(sentence) or self._tagged(last)):
            near.add("question")
        if "question" in near:
            asks = self.asks.get(sentence)
            answer = self._answer(last)
            # "Is he armed. / No." A transcript may want its question mark, or all its marks.
            if answer is not None and (asks is not False or answer == "denied"):
                return answer
            if asks:
                return "asked"
        near |= self._after(last)
        for kind, end in self._around.get(sentence, {}).items():
            if not _within(self._turns, end, first):
                near.add(kind)
        near |= self._taken_back(last)
        over = self._over.get(name)
        if over is not None and over.furthest(last + _TAKEN_BACK + 1) > first:
            near.add("past")
        if not near:
            return "said"
        for one, other, polarity in _PAIRS:
            if one in near and other in near:
                return polarity
        return next((polarity for kind, polarity in _CUES.items() if kind in near), "said")

    def _taken_back(self, last: int) -> set[str]:
        """Name the kinds of cues that speak, later on, of the words before `last`."""
        return {
            kind
            for kind, places in self._later.items()
            if _within(places, last, last + _TAKEN_BACK + 1)
        }

    def lacks(self, first: int, last: int) -> bool:
        """Tell whether the words `[first, last)` are asked for and answered no."""
        sentence = self.sentences[first]
        if sentence != self.sentences[last - 1]:
            return False
        if self.asks.get(sentence):
            return self._answer(last) == "denied"
        return "reported" in self._before(first) and "refused" in self._taken_back(last)

    def _asks_shortly(self, sentence: int) -> bool:
        """Tell whether a sentence is a short question."""
        limit = self._scopes.short_question
        if not limit or not self.asks.get(sentence):
            return False
        begin = self._ends[sentence - 1] if sentence else 0
        return self._ends[sentence] - begin <= limit

    def _tagged(self, last: int) -> bool:
        """Tell whether a statement is asked back and answered no: "A knife, you said? / No"."""
        sentence = self.sentences[last - 1]
        end = self._ends[sentence]
        return (
            self.asks.get(sentence, False)
            and end - last <= _TAG
            and any(cue[0] == "no" for cue in self._by_first.get(end, ()))
        )

    def _before(self, first: int) -> set[str]:
        """Name the kinds of cues that reach the word `first` from before it."""
        found: set[str] = set()
        between = 0
        broken = present = False
        turned = any(
            self._opens(cue)
            for begin in (first - 1, first)
            for cue in self._by_first.get(begin, ())
            if cue[3] > first
        )
        scopes, sentences, clauses, covered = (
            self._scopes,
            self.sentences,
            self.clauses,
            self._covered,
        )
        for end in range(first, max(0, first - _LOOK_BACK), -1):
            if sentences[end - 1] != sentences[first]:
                break
            cues = self._by_last.get(end, ())
            for where, kind, begin, _ in cues:
                if sentences[begin] != sentences[first]:
                    continue
                if where == "asked":
                    if between <= scopes.reach["asked"]:
                        found.add("question")
                elif where == "before":
                    ended = broken
                    if kind in scopes.far:
                        ended = turned or (present and _CUES.get(kind) == "past")
                    same = kind not in scopes.bound or clauses[end - 1] == clauses[first]
                    # "weapons denied, off meds": it denies what stands before it.
                    taken = kind == "denied_list" and begin - 1 in covered
                    if same and not ended and not taken and between <= scopes.reach[kind]:
                        found.add(kind)
            for cue in cues:
                broken = broken or cue[0] == "break"
                present = present or cue[0] == "present"
                turned = turned or cue[0] == "turn" or self._opens(cue)
            between += end - 1 not in covered
        return found

    def _opens(self, cue: _Cue) -> bool:
        """Tell whether a cue speaks of now and opens a clause: "…, he's"."""
        where, _, first, _ = cue
        return where == "present" and first > 0 and self.clauses[first - 1] != self.clauses[first]

    def _after(self, last: int) -> set[str]:
        """Name the kinds of cues that follow upon the word before `last`."""
        found: set[str] = set()
        reach = self._scopes.after_reach
        for first in range(last - 1, last + 1 + self._furthest):
            if first >= self._ends[self.sentences[last - 1]]:
                break
            far = self.clauses[first] != self.clauses[last - 1]
            if far and self.clauses[first] == self.clauses[first - 1]:
                break  # a clause of its own, but for what it begins with
            cues = self._by_first.get(first, ())
            for where, kind, _, end in cues:
                if where != "after" or end <= last or (far and kind not in self._scopes.far):
                    continue
                if first - last <= reach.get(kind, 0) and end not in self._covered:
                    found.add(kind)
            if any(cue[0] in ("break", "turn") and cue[3] > last for cue in cues):
                break
        return found

    def _answer(self, last: int) -> str | None:
        """Read the answer to a question that was asked in the words before `last`."""
        start = self._ends[self.sentences[last - 1]]
        places = [(start, 1)] if self.asks else [(start, 1), (last, _YES_NO_REACH)]
        for begin, reach in places:
            for first in range(begin, begin + reach):
                answers = {where for where, _, _, _ in self._by_first.get(first, ())}
                if "no" in answers:
                    return "denied"
                if "yes" in answers:
                    return "said"
        return None


class _Spans:
    """Runs of words `[first, last)`: how far those reach that begin before a word."""

    def __init__(self, spans: Iterable[tuple[int, int]]) -> None:
        ordered = sorted(spans)
        self._firsts = [first for first, _ in ordered]
        self._reach = list(accumulate((last for _, last in ordered), max))

    def furthest(self, before: int) -> int:
        """Give the furthest end of those that begin before a word; 0 where none does."""
        at = bisect_left(self._firsts, before)
        return self._reach[at - 1] if at else 0


def _within(places: Sequence[int], first: int, end: int) -> bool:
    """Tell whether one of some places, in ascending order, lies in `[first, end)`."""
    at = bisect_left(places, first)
    return at < len(places) and places[at] < end


_Found = tuple[int, int, int]
"""A group, and the words `[first, last)` in which it was found."""


def _outside(hits: Sequence[_Found], others: Iterable[_Found]) -> list[_Found]:
    """Leave out the hits of which a word belongs to another thing of the same group."""
    by_group: dict[int, list[tuple[int, int]]] = {}
    for group, first, last in others:
        by_group.setdefault(group, []).append((first, last))
    spans = {group: _Spans(found) for group, found in by_group.items()}
    return [hit for hit in hits if hit[0] not in spans or spans[hit[0]].furthest(hit[2]) <= hit[1]]


def _without_overlaps(raw: Sequence[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    """Join overlapping occurrences of one name into one."""
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


def _undenied(hits: Sequence[_Found], names: int) -> list[_Found]:
    """Leave out what stands within a denial of the same name: "not violent" says no violence."""
    denials = [(group - names, first, last) for group, first, last in hits if group >= names]
    return _outside(hits, denials) if denials else list(hits)


def _parts(text: str, tokens: Sequence[Token]) -> _Parts:
    """Divide a text into sentences and clauses, and tell which sentences end as a question."""
    starts = [token.start for token in tokens]
    parts = _Parts([], [], [], {})
    sentences, clauses, ends, asks = parts
    clause = 0
    marks = "?" in text
    # The words before which a mark stands; all others go on as the one before them.
    parted = {bisect_right(starts, mark.start()) for mark in _MARK.finditer(text)}
    for at in sorted(parted - {len(tokens)}):
        between = text[tokens[at - 1].end if at else 0 : starts[at]]
        if at and between == ". " and tokens[at - 1].text in _ABBREVIATED:
            continue
        hard = at and len(between) > 1 and _HARD.search(between)
        if not hard and "," not in between:
            continue
        sentences += [len(ends)] * (at - len(sentences))
        clauses += [clause] * (at - len(clauses))
        clause += 1
        if hard:
            if marks:
                asks[len(ends)] = "?" in between
            ends.append(at)
    sentences += [len(ends)] * (len(tokens) - len(sentences))
    clauses += [clause] * (len(tokens) - len(clauses))
    if marks:
        asks[len(ends)] = "?" in text[tokens[-1].end :]
    ends.append(len(tokens))
    return parts
