"""The text of a call: a family's story among what is said and typed in every call.

Around and between the turns of the story come generic sentences, scripted questions with the
answers that were drawn, and fragments of other languages; then errors of hearing or typing. All
of that is drawn alike for all families, whatever their truth.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from data.sources.synthetic.grammar import Scene, draw, expand, tidy
from data.sources.synthetic.library import Family, Lexicon
from data.sources.synthetic.noise import mishear, mistype, reword_log
from data.sources.synthetic.styles import Style

_TURN = " / "
_QUESTION = re.compile(
    r"\?\s*$|^(?:(?:okay|ok|alright|and|so|sir|ma'am),? )*"
    r"(?:what|where|who|when|why|how|which|is|are|do|does|did|has|have|any|can|could|was|will)\b",
    re.I,
)
_SENTENCES = re.compile(r"(?<=[.;])\s+")
_ACQUAINTANCE = re.compile(r"neighbor|roommate|friend\b|coworker|tenant|upstairs", re.I)
_IN_CARE = re.compile(r"student|client|resident|patient|guest|babysit", re.I)
_MAX_QUESTIONS = 3
_HANG_UP = 0.02
_EMPTY = 0.005


@dataclass(frozen=True, slots=True)
class Text:
    """A call's text in the pieces in which it came to be known, in order.

    Parameters
    ----------
    pieces : list of str
        At least one; an empty call has one empty piece.
    joiner : str
    about_another : bool
        The story speaks of somebody else than the caller.
    relation : str
        What the subject is to the caller, in the story's words; empty if not told.
    """

    pieces: list[str]
    joiner: str
    about_another: bool
    relation: str

    def until(self, count: int) -> str:
        """Join the first `count` pieces."""
        return self.joiner.join(piece for piece in self.pieces[:count] if piece)


def role_in(relation: str) -> str:
    """Name the caller's role that a relation implies.

    Examples
    --------
    >>> role_in("my son"), role_in("NEIGHBOR"), role_in("one of my students, he")
    ('family', 'bystander', 'staff')
    """
    if _IN_CARE.search(relation):
        return "staff"
    return "bystander" if _ACQUAINTANCE.search(relation) else "family"


def compose(
    family: Family,
    style: Style,
    scene: Scene,
    lexicon: Lexicon,
    *,
    answers: Mapping[str, str],
    language: str,
    stamp: str,
) -> Text:
    """Write the text of one call.

    Parameters
    ----------
    family : Family
    style : {"spoken", "shorthand", "log"}
    scene : Scene
        Its `bound` grows by what is drawn.
    lexicon : Lexicon
    answers : mapping of str to str
        Protocol question → answer; some of them come into the text.
    language : str
        The caller's language; one of the lexicon's, or any other for none of its fragments.
    stamp : str
        The time as a note shows it.

    Returns
    -------
    Text
    """
    random = scene.random
    templates = family.templates[style]
    story = tidy(draw(templates, scene))
    bound = scene.bound
    about_another = not lexicon.another.isdisjoint(bound)
    relation = bound.get("my_relation") or bound.get("cad_relation") or ""
    foreign = language in lexicon.fragments
    if foreign:
        bound["language_name"] = lexicon.language_names[language]
        bound["fragment"] = draw(lexicon.fragments[language], scene)
    generic = _Generic(scene, lexicon, about_another, language)
    if random() < _EMPTY:
        return Text([""], " ", about_another, relation)
    if family.written:
        told = story.split(_TURN) if style == "spoken" else [story]
    elif style == "spoken":
        told = _spoken(story, generic, answers, foreign)
    elif style == "shorthand":
        told = _shorthand(story, generic, answers, foreign)
    else:
        told = _log(story, generic, foreign)
    if style == "spoken":
        pieces, joiner = mishear(told, random)
    elif style == "shorthand":
        pieces, joiner = mistype(told, random, stamp=stamp)
    else:
        pieces, joiner = [reword_log(piece, random) for piece in told], " "
    return Text(pieces, joiner, about_another, relation)


class _Generic:
    """Draws generic sentences and questions that fit the story."""

    def __init__(self, scene: Scene, lexicon: Lexicon, about_another: bool, language: str) -> None:
        self.scene = scene
        self.lexicon = lexicon
        self.about_another = about_another
        self.language = language

    def sentence(self, place: str) -> str:
        """Draw a sentence of `Lexicon.noise`."""
        return self.sentences(place, 1)[0]

    def sentences(self, place: str, count: int) -> list[str]:
        """Draw sentences of `Lexicon.noise`, none of the same template twice."""
        alternatives = self.lexicon.noise[place][self.about_another]
        random, drawn = self.scene.random, set()
        texts = []
        for _ in range(count):
            index = int(random() * len(alternatives))
            if index not in drawn:
                drawn.add(index)
                texts.append(tidy(expand(alternatives[index], self.scene)))
        return texts

    def interpreter(self, style: Style) -> str:
        """Draw what is said or typed of a caller's language."""
        return tidy(draw(self.lexicon.interpreter[style], self.scene))

    def question(self, question: str, answer: str) -> str:
        """Draw a scripted question and its answer, as two turns."""
        words = self.lexicon.questions[question]
        if self.about_another:
            asked, answered = words.another, words.answer
        else:
            asked = words.caller if self.scene.random() < 0.6 else words.anybody
            answered = words.answer_anybody
        return f"{draw(asked, self.scene)} / {tidy(draw(answered[answer], self.scene))}"

    def note(self, question: str, answer: str) -> str:
        """Draw what is typed for the answer to a question."""
        return draw(self.lexicon.questions[question].shorthand[answer], self.scene)


def _few(scene: Scene, mean: float, most: int) -> int:
    """Draw a geometric number."""
    count = 0
    while count < most and scene.random() * (1 + mean) < mean:
        count += 1
    return count


def _asked(scene: Scene, answers: Mapping[str, str], share: float) -> list[tuple[str, str]]:
    random = scene.random
    return [item for item in answers.items() if random() < share][:_MAX_QUESTIONS]


def _spoken(story: str, generic: _Generic, answers: Mapping[str, str], foreign: bool) -> list[str]:
    scene, random, bound = generic.scene, generic.scene.random, generic.scene.bound
    opened = "ct_opening" in bound
    ended = "closing" in bound or "hang_up" in bound
    turns = [turn for turn in story.strip(" /").split(_TURN) if turn]
    inserts = generic.sentences("spoken_middle", _few(scene, 1.8, 9))
    inserts += [generic.question(*item) for item in _asked(scene, answers, 0.5)]
    if foreign:
        fragments = generic.lexicon.fragments[generic.language]
        inserts += [tidy(draw(fragments, scene)) for _ in range(_few(scene, 1.0, 4))]
    # A question stays next to its answer: nothing comes in after a turn that asks.
    gaps = [n for n in range(1, len(turns) + 1) if not _QUESTION.search(turns[n - 1])]
    after: dict[int, list[str]] = {}
    for insert in inserts:
        gap = gaps[int(random() * len(gaps))] if gaps else len(turns)
        after.setdefault(gap, []).extend(insert.split(_TURN))
    result = []
    if not opened and random() < 0.65:
        result += generic.sentence("spoken_start").split(_TURN)
    if foreign and random() < 0.75:
        result += generic.interpreter("spoken").split(_TURN)
    for number, turn in enumerate(turns, 1):
        result.append(turn)
        result += after.get(number, ())
    if not ended and random() < 0.55:
        result += generic.sentence("spoken_end").split(_TURN)
    result = [turn for turn in result if turn]
    if random() < _HANG_UP:
        return result[: 1 + int(random() * 2)]
    return result


def _shorthand(
    story: str, generic: _Generic, answers: Mapping[str, str], foreign: bool
) -> list[str]:
    scene, random = generic.scene, generic.scene.random
    notes = [note.rstrip(". ;") for note in _SENTENCES.split(story)]
    inserts = generic.sentences("shorthand", _few(scene, 1.5, 7))
    inserts += [generic.note(*item) for item in _asked(scene, answers, 0.5)]
    if foreign:
        inserts.append(generic.interpreter("shorthand"))
    for insert in inserts:
        notes.insert(int(random() * (len(notes) + 1)), insert.rstrip(". ;"))
    return [note for note in notes if note] or [""]


def _log(story: str, generic: _Generic, foreign: bool) -> list[str]:
    pieces = [story]
    if generic.scene.random() < 0.35:
        pieces.append(generic.sentence("log"))
    if foreign and generic.scene.random() < 0.5:
        pieces.append(generic.interpreter("log"))
    return [piece for piece in pieces if piece] or [""]
