"""Finding what a list of phrases names in a text, and how it was spoken of.

"She has a knife", "no knife", "any knives?", "he used to carry a knife", "if he had a knife", "he
might have a knife" and "her cousin far away has a knife" are different facts. Cues around a phrase
tell them apart; a list says which words are cues, and how far they reach.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib import resources
from typing import Literal, NamedTuple, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from data.document import DocumentError, first_mistake, read_document
from data.text import Token
from model_service.model.phrases import Automaton, PhraseError, Phrases, sequences

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


def _plain(token: Token) -> str:
    return token.text.replace("'", "") if "'" in token.text else token.text


class _Cue(NamedTuple):
    where: str
    kind: str
    first: int
    last: int


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
            [[s for phrase in phrases for s in sequences(phrase, sets)] for phrases in lists],
            sets,
            real_words,
            shorter=strict,
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
        raw: list[tuple[int, int, int]] = []
        exceptions: list[tuple[int, int, int]] = []
        absences: list[tuple[int, int, int]] = []
        cues: list[_Cue] = []
        words = [token.text if self._strict else _plain(token) for token in tokens]
        for group, first, last in self.automaton.find(words):
            if group >= 4 * n:
                cues.append(_Cue(*self._cues[group - 4 * n], first, last))
            elif group >= 3 * n:
                absences.append((group - 3 * n, first, last))
            elif group >= 2 * n:
                exceptions.append((group - 2 * n, first, last))
            else:
                raw.append((group, first, last))
        if not raw and not absences:
            return []
        parts = _sentences(text, tokens)
        # What ends with one sentence and begins with the next says nothing: "… emergency? Hold on".
        raw = [hit for hit in raw if parts[0][hit[1]] == parts[0][hit[2] - 1]]
        if self._strict:
            clauses = parts[1]
            exceptions = [hit for hit in exceptions if clauses[hit[1]] == clauses[hit[2] - 1]]
            raw = [hit for hit in raw if hit[0] < n or clauses[hit[1]] == clauses[hit[2] - 1]]
            # "Not sure, he has a knife": no cue reads over a comma.
            cues = [
                cue
                for cue in cues
                if clauses[cue.first] == clauses[cue.last - 1]
                or cue.where in ("yes", "no")
                or cue.kind == "supposed_far"
            ]
        exceptions += [
            (name, cue.first, cue.last)
            for cue in cues
            if cue.where == "figure"
            for name in range(n)
        ]
        if exceptions:
            raw = [hit for hit in raw if not _excepted(hit, exceptions)]
        hits = _undenied(_without_overlaps(raw), n)
        scene = _Scene(parts, hits, cues, self._scopes)
        lacking = [hit for hit in _without_overlaps(absences) if scene.lacks(*hit[1:])]
        found = [ConceptHit(self.names[name], "said", *words) for name, *words in lacking]
        hits = [hit for hit in hits if not _excepted((hit[0] % n, *hit[1:]), lacking)]
        for group, first, last in hits:
            if group >= n:
                found.append(ConceptHit(self.names[group - n], "denied", first, last))
                continue
            name = self.names[group]
            polarity = scene.polarity(name, first, last) if self._scoped[group] else "said"
            found.append(ConceptHit(name, polarity, first, last))
        return sorted(found, key=lambda hit: hit.last) if lacking else found


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
        parts: tuple[list[int], list[int], dict[int, bool]],
        hits: Sequence[tuple[int, int, int]],
        cues: Sequence[_Cue],
        scopes: Scopes,
    ) -> None:
        self.sentences, self.clauses, self.asks = parts
        self._scopes = scopes
        self._covered = {word for _, first, last in hits for word in range(first, last)}
        self._ends = {number: last for last, number in enumerate(self.sentences, 1)}
        self._by_last: dict[int, list[_Cue]] = {}
        self._by_first: dict[int, list[_Cue]] = {}
        self._around: dict[int, list[_Cue]] = {}
        self._turns = [cue for cue in cues if cue.where == "turn"]
        self._later: list[_Cue] = []
        self._over: dict[str, list[_Cue]] = {}
        plain = [cue for cue in cues if cue.where == "plain"]
        for cue in cues:
            # "don't" in "don't want to live" denies nothing.
            covered = self._covered.issuperset(range(cue.first, cue.last))
            if covered and cue.where not in ("present", "over"):
                continue
            if plain and any(p.first <= cue.first and cue.last <= p.last for p in plain):
                continue
            if cue.where == "around":
                self._around.setdefault(self.sentences[cue.first], []).append(cue)
            elif cue.where == "later":
                self._later.append(cue)
            elif cue.where == "over":
                self._over.setdefault(cue.kind, []).append(cue)
            else:
                self._by_last.setdefault(cue.last, []).append(cue)
                self._by_first.setdefault(cue.first, []).append(cue)

    def polarity(self, name: str, first: int, last: int) -> str:
        """Say how the words `[first, last)`, which name something, were spoken of."""
        near = self._before(first)
        if self._asks_shortly(self.sentences[first]) or self._tagged(last):
            near.add("question")
        if "question" in near:
            asks = self.asks.get(self.sentences[first])
            answer = self._answer(last)
            # "Is he armed. / No." A transcript may want its question mark, or all its marks.
            if answer is not None and (asks is not False or answer == "denied"):
                return answer
            if asks:
                return "asked"
        near |= self._after(last)
        near |= {
            cue.kind
            for cue in self._around.get(self.sentences[first], ())
            if not any(cue.last <= turn.first < first for turn in self._turns)
        }
        near |= self._taken_back(last)
        if any(
            first < cue.last and cue.first <= last + _TAKEN_BACK for cue in self._over.get(name, ())
        ):
            near.add("past")
        for one, other, polarity in _PAIRS:
            if one in near and other in near:
                return polarity
        return next((polarity for kind, polarity in _CUES.items() if kind in near), "said")

    def _taken_back(self, last: int) -> set[str]:
        """Name the kinds of cues that speak, later on, of the words before `last`."""
        return {cue.kind for cue in self._later if last <= cue.first <= last + _TAKEN_BACK}

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
        return self._ends[sentence] - self._ends.get(sentence - 1, 0) <= limit

    def _tagged(self, last: int) -> bool:
        """Tell whether a statement is asked back and answered no: "A knife, you said? / No"."""
        sentence = self.sentences[last - 1]
        end = self._ends[sentence]
        return (
            self.asks.get(sentence, False)
            and end - last <= _TAG
            and any(cue.where == "no" for cue in self._by_first.get(end, ()))
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
            if cue.last > first
        )
        scopes = self._scopes
        for end in range(first, max(0, first - _LOOK_BACK), -1):
            if self.sentences[end - 1] != self.sentences[first]:
                break
            cues = self._by_last.get(end, ())
            for cue in cues:
                if self.sentences[cue.first] != self.sentences[first]:
                    continue
                if cue.where == "asked":
                    if between <= scopes.reach["asked"]:
                        found.add("question")
                elif cue.where == "before":
                    kind = cue.kind
                    ended = broken
                    if kind in scopes.far:
                        ended = turned or (present and _CUES.get(kind) == "past")
                    same = kind not in scopes.bound or self.clauses[end - 1] == self.clauses[first]
                    # "weapons denied, off meds": it denies what stands before it.
                    taken = kind == "denied_list" and cue.first - 1 in self._covered
                    if same and not ended and not taken and between <= scopes.reach[kind]:
                        found.add(kind)
            for cue in cues:
                broken = broken or cue.where == "break"
                present = present or cue.where == "present"
                turned = turned or cue.where == "turn" or self._opens(cue)
            between += end - 1 not in self._covered
        return found

    def _opens(self, cue: _Cue) -> bool:
        """Tell whether a cue speaks of now and opens a clause: "…, he's"."""
        return (
            cue.where == "present"
            and cue.first > 0
            and self.clauses[cue.first - 1] != self.clauses[cue.first]
        )

    def _after(self, last: int) -> set[str]:
        """Name the kinds of cues that follow upon the word before `last`."""
        found: set[str] = set()
        reach = self._scopes.after_reach
        for first in range(last - 1, last + 1 + max(reach.values(), default=0)):
            if first >= self._ends[self.sentences[last - 1]]:
                break
            far = self.clauses[first] != self.clauses[last - 1]
            if far and self.clauses[first] == self.clauses[first - 1]:
                break  # a clause of its own, but for what it begins with
            cues = self._by_first.get(first, ())
            for cue in cues:
                if cue.where != "after" or cue.last <= last:
                    continue
                if far and cue.kind not in self._scopes.far:
                    continue
                if first - last <= reach.get(cue.kind, 0) and cue.last not in self._covered:
                    found.add(cue.kind)
            if any(cue.where in ("break", "turn") and cue.last > last for cue in cues):
                break
        return found

    def _answer(self, last: int) -> str | None:
        """Read the answer to a question that was asked in the words before `last`."""
        start = self._ends[self.sentences[last - 1]]
        places = [(start, 1)] if self.asks else [(start, 1), (last, _YES_NO_REACH)]
        for begin, reach in places:
            for first in range(begin, begin + reach):
                kinds = {cue.where for cue in self._by_first.get(first, ())}
                if "no" in kinds:
                    return "denied"
                if "yes" in kinds:
                    return "said"
        return None


def _excepted(hit: tuple[int, int, int], exceptions: Iterable[tuple[int, int, int]]) -> bool:
    """Tell whether words of a hit belong to something that only looks like it."""
    return any(
        group == hit[0] and first < hit[2] and hit[1] < last for group, first, last in exceptions
    )


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


def _undenied(hits: Sequence[tuple[int, int, int]], names: int) -> list[tuple[int, int, int]]:
    """Leave out what stands within a denial of the same name: "not violent" says no violence."""
    denials = [(group - names, first, last) for group, first, last in hits if group >= names]
    if not denials:
        return list(hits)
    return [hit for hit in hits if hit[0] >= names or not _excepted(hit, denials)]


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
    previous = ""
    for token in tokens:
        between = text[end : token.start]
        if between == ". " and previous in _ABBREVIATED:
            between = " "
        previous = token.text
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
