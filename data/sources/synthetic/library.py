"""The families of calls and the lexicon they share: loaded from YAML, checked, linked.

The format is told in the head of `lexicon.yaml` and by the models below. Every error names the
file and the slot or template that is wrong.
"""

from __future__ import annotations

import functools
import importlib.resources
from collections.abc import Collection, Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from data.call import CallerRole, CallSource, Question, Words
from data.sources.synthetic.grammar import GrammarError, Parts, parse, slots_of
from data.sources.synthetic.styles import STYLES, Style
from data.sources.synthetic.written import leaves

Sex = Literal["m", "f"]
Age = Literal["child", "teen", "adult", "elder"]
Hours = Literal["flat", "day", "evening", "night", "school", "bar"]
SECOND = "o_"
"""Prefix of the slots of a call's second person."""

# Slots of the person that may stand where nobody else is spoken of (a caller's own age or name).
_NOT_OF_ANOTHER = frozenset({"age", "cad_age", "cad_race", "first_name", "sex"})

Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Weights = Annotated[dict[str, Weight], Field(min_length=1)]
Alternatives = Annotated[list[str], Field(min_length=1)]
Slots = dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")], Alternatives]


Model = TypeVar("Model", bound=BaseModel)


class Part(BaseModel):
    """A part of a file of the source: immutable, and nothing unknown comes in."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Odds(Part):
    """How often a protocol question is asked, and what is answered then.

    The weights of the three answers need not add up to one.
    """

    asked: Annotated[float, Field(ge=0, le=1)]
    yes: Weight = 0.0
    no: Weight = 0.0
    unknown: Weight = 0.0

    @model_validator(mode="after")
    def _check_sum(self) -> Odds:
        if self.asked and not self.yes + self.no + self.unknown:
            raise ValueError("is asked, but has no weight for yes, no or unknown")
        return self


class Subject(Part):
    """Whom a family's calls are about, where it is not anybody."""

    sex: Sex | None = None
    age: Annotated[list[Age], Field(min_length=1)] | None = None


class Scenario(Part):
    """What is true of every call of a family, whatever its words."""

    family: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=64)]
    crisis: bool
    risk: bool
    weight: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1.0
    call_types: dict[Words, Weight] = {}
    sources: dict[CallSource, Weight] = {}
    roles: dict[CallerRole, Weight] = {}
    hours: Hours = "flat"
    subject: Subject = Subject()
    answers: dict[Question, Odds] = {}


class FamilyFile(Scenario):
    """A family of calls as its file says it: one kind of event, told in many ways."""

    about: Annotated[str, Field(min_length=1)]
    call_types: Annotated[dict[Words, Weight], Field(min_length=1)]
    slots: Slots = {}
    spoken: Alternatives
    shorthand: Alternatives
    log: Alternatives


class QuestionWords(Part):
    """How a protocol question is put, and how it is answered."""

    ask: Alternatives
    ask_self: Alternatives
    yes: Alternatives
    no: Alternatives
    unknown: Alternatives
    shorthand: dict[Literal["yes", "no", "unknown"], Alternatives]


class Noise(Part):
    """Sentences that say nothing of either target."""

    spoken_start: Alternatives
    spoken_middle: Alternatives
    spoken_end: Alternatives
    shorthand: Alternatives
    log: Alternatives


class LanguageWords(Part):
    """A language other than English: its English name and fragments of it."""

    name: str
    fragments: Alternatives


class Interpreter(Part):
    """What is said and typed when a caller speaks little English."""

    spoken: Alternatives
    shorthand: Alternatives
    log: Alternatives


class LexiconFile(Part):
    """`lexicon.yaml` as it is written."""

    constant: list[str]
    of_the_caller: list[str]
    slots: Slots
    person: dict[Sex, Slots]
    ages: dict[Age, dict[Literal["any", "m", "f"], Slots]]
    questions: dict[Question, QuestionWords]
    noise: Noise
    languages: dict[str, LanguageWords]
    interpreter: Interpreter


@dataclass(frozen=True, slots=True)
class Family:
    """A family with its templates parsed and linked.

    `written` families hold whole calls (`data.sources.synthetic.written`): nothing is put around
    their texts, and no protocol answers are drawn that might contradict them.
    """

    file: Scenario
    templates: Mapping[Style, tuple[Parts, ...]]
    written: bool = False

    @property
    def name(self) -> str:
        """The family's name."""
        return self.file.family

    @property
    def stratum(self) -> tuple[bool, bool]:
        """The truth: (mental-health crisis, safety risk)."""
        return self.file.crisis, self.file.risk


@dataclass(frozen=True, slots=True)
class Asking:
    """A protocol question: of anybody, of a named other, of the caller; answers; shorthand."""

    anybody: tuple[Parts, ...]
    another: tuple[Parts, ...]
    caller: tuple[Parts, ...]
    answer: Mapping[str, tuple[Parts, ...]]
    answer_anybody: Mapping[str, tuple[Parts, ...]]
    shorthand: Mapping[str, tuple[Parts, ...]]


@dataclass(frozen=True, slots=True)
class Lexicon:
    """What all families share, linked.

    `noise` maps a place of it to two tuples of templates: those that speak of nobody, and all.
    `first` and `second` map (sex, age band) to the slots of a person; the slots of a second person
    begin with `SECOND`.
    """

    constant: frozenset[str]
    of_the_caller: frozenset[str]
    another: frozenset[str]
    first: Mapping[tuple[str, str], Mapping[str, tuple[Parts, ...]]]
    second: Mapping[tuple[str, str], Mapping[str, tuple[Parts, ...]]]
    questions: Mapping[str, Asking]
    noise: Mapping[str, tuple[tuple[Parts, ...], tuple[Parts, ...]]]
    fragments: Mapping[str, tuple[Parts, ...]]
    language_names: Mapping[str, str]
    interpreter: Mapping[str, tuple[Parts, ...]]


@dataclass(frozen=True, slots=True)
class Library:
    """The lexicon and all families, by name in alphabetical order."""

    lexicon: Lexicon
    families: Mapping[str, Family]


class _Loader(getattr(yaml, "CBaseLoader", yaml.BaseLoader)):  # type: ignore[misc]
    """YAML with plain text only: `yes` stays a word; a key that comes twice is an error."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Hashable, Any]:
        seen = set()
        for key, _ in node.value:
            if key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key '{key.value}' comes twice", key.start_mark
                )
            seen.add(key.value)
        mapping: dict[Hashable, Any] = super().construct_mapping(node, deep)
        return mapping


def read_yaml(name: str, text: str, model: type[Model]) -> Model:
    """Parse and validate one YAML file of the source.

    Parameters
    ----------
    name : str
        The file's name, for the error.
    text : str
        The file's text.
    model : type of pydantic.BaseModel

    Returns
    -------
    model

    Raises
    ------
    GrammarError
        One line with the file, the place and what is wrong there.
    """
    try:
        return model.model_validate(yaml.load(text, _Loader))  # noqa: S506 - builds text only
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "is not YAML"
        raise GrammarError(f"{name}{where}: {problem}") from None
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(str(step) for step in first["loc"] if step != "[key]")
        raise GrammarError(f"{name}: {place or 'the file'}: {first['msg']}") from None


class _Linker:
    """Parses the texts of one file and links their slots."""

    def __init__(self, file: str, person: Collection[str], outer: Mapping[str, tuple[Parts, ...]]):
        self.file = file
        self.person = frozenset(person)
        self.outer = outer
        self.local: dict[str, tuple[Parts, ...]] = {}

    def add(self, slots: Slots) -> dict[str, tuple[Parts, ...]]:
        """Parse and link the slots of the file, which may refer to each other."""
        self.local = {
            name: self.parse(texts, f"slot '{name}'", link=False) for name, texts in slots.items()
        }
        for name, alternatives in self.local.items():
            for number, parts in enumerate(alternatives, 1):
                self.link(parts, f"slot '{name}', alternative {number}")
        self._check_circles()
        return self.local

    def parse(self, texts: Iterable[str], place: str, *, link: bool = True) -> tuple[Parts, ...]:
        """Parse texts and, unless told otherwise, link them."""
        parsed = []
        for number, text in enumerate(texts, 1):
            where = f"{place}, alternative {number}"
            try:
                parts = parse(text)
            except GrammarError as error:
                raise GrammarError(f"{self.file}: {where}: {error}") from None
            if link:
                self.link(parts, where)
            parsed.append(parts)
        return tuple(parsed)

    def link(self, parts: Parts, where: str) -> None:
        """Give every slot of a template its alternatives."""
        for slot in slots_of(parts):
            if slot.key in self.local:
                slot.alternatives = self.local[slot.key]
                if self.outer:  # a family's own slot must not be mistaken for a shared one
                    slot.key = "." + slot.key
            elif slot.key in self.outer:
                slot.alternatives = self.outer[slot.key]
            elif slot.key not in self.person:
                raise GrammarError(
                    f"{self.file}: {where}: there is no slot '{slot.key}'; "
                    "write it under slots, or take one of lexicon.yaml"
                )

    def _check_circles(self) -> None:
        done: set[str] = set()

        def visit(name: str, path: tuple[str, ...]) -> None:
            if name in path:
                circle = " > ".join([*path[path.index(name) :], name])
                raise GrammarError(f"{self.file}: slots refer to each other in a circle: {circle}")
            if name in done or name not in self.local:
                return
            for parts in self.local[name]:
                for slot in slots_of(parts):
                    if slot.alternatives is self.local.get(slot.key.lstrip(".")):
                        visit(slot.key.lstrip("."), (*path, name))
            done.add(name)

        for name in self.local:
            visit(name, ())


def _persons(
    file: LexiconFile, name: str
) -> tuple[dict[tuple[str, str], dict[str, Alternatives]], frozenset[str]]:
    """Merge what depends on age and sex into one table per (sex, age band)."""
    tables: dict[tuple[str, str], dict[str, Alternatives]] = {
        (sex, age): {**of_sex, **of_age.get("any", {}), **of_age.get(sex, {})}
        for sex, of_sex in file.person.items()
        for age, of_age in file.ages.items()
    }
    names = set().union(*tables.values())
    for (sex, age), table in tables.items():
        if lacking := sorted(names - set(table)):
            raise GrammarError(f"{name}: no '{lacking[0]}' for a person of {age}, {sex}")
    return tables, frozenset(names)


def _another(parts: Parts, another: Collection[str]) -> bool:
    """Whether a template, or an alternative of one of its slots, speaks of the subject."""
    for slot in slots_of(parts):
        if slot.alternatives is None:
            if slot.key in another:
                return True
        elif any(_another(inner, another) for inner in slot.alternatives):
            return True
    return False


def _link_lexicon(file: LexiconFile, name: str) -> tuple[Lexicon, dict[str, tuple[Parts, ...]]]:
    tables, of_person = _persons(file, name)
    person = of_person | {SECOND + slot for slot in of_person}
    linker = _Linker(name, person, {})
    # The words of a language come from the engine, call by call, as if they were a person's.
    linker.person = person | {"fragment", "language_name"}
    shared = linker.add(file.slots)
    another = frozenset(of_person - _NOT_OF_ANOTHER)

    def second(table: Mapping[str, Alternatives]) -> dict[str, tuple[Parts, ...]]:
        result = {}
        for slot, texts in table.items():
            alternatives = linker.parse(texts, f"person slot '{slot}'")
            for parts in alternatives:
                for inner in slots_of(parts):
                    if inner.key in of_person:
                        inner.key = SECOND + inner.key
            result[SECOND + slot] = alternatives
        return result

    lasting = frozenset(file.constant) | linker.person

    def generic(texts: Iterable[str], place: str) -> tuple[Parts, ...]:
        # Many generic sentences come into one call: what need not last is drawn anew in each.
        every = linker.parse(texts, place)
        for parts in every:
            for slot in slots_of(parts):
                slot.fresh = slot.fresh or slot.key not in lasting
        return every

    def both(texts: Iterable[str], place: str) -> tuple[tuple[Parts, ...], tuple[Parts, ...]]:
        every = generic(texts, place)
        of_nobody = tuple(parts for parts in every if not _another(parts, another))
        if not of_nobody:
            raise GrammarError(f"{name}: {place}: needs a text that speaks of nobody")
        return of_nobody, every

    questions: dict[str, Asking] = {}
    for question, words in file.questions.items():
        anybody, every = both(words.ask, f"questions.{question}.ask")
        answers = {
            answer: both(getattr(words, answer), f"questions.{question}.{answer}")
            for answer in ("yes", "no", "unknown")
        }
        questions[question] = Asking(
            anybody=anybody,
            another=every,
            caller=generic(words.ask_self, f"questions.{question}.ask_self"),
            answer={answer: of[1] for answer, of in answers.items()},
            answer_anybody={answer: of[0] for answer, of in answers.items()},
            shorthand={
                answer: generic(texts, f"questions.{question}.shorthand.{answer}")
                for answer, texts in words.shorthand.items()
            },
        )
    lexicon = Lexicon(
        constant=frozenset(file.constant),
        of_the_caller=frozenset(file.of_the_caller),
        another=another,
        first={
            key: {
                slot: linker.parse(texts, f"person slot '{slot}'") for slot, texts in table.items()
            }
            for key, table in tables.items()
        },
        second={key: second(table) for key, table in tables.items()},
        questions=questions,
        noise={
            place: both(getattr(file.noise, place), f"noise.{place}")
            for place in type(file.noise).model_fields
        },
        fragments={
            code: linker.parse(words.fragments, f"languages.{code}")
            for code, words in file.languages.items()
        },
        language_names={code: words.name for code, words in file.languages.items()},
        interpreter={
            style: generic(getattr(file.interpreter, style), f"interpreter.{style}")
            for style in STYLES
        },
    )
    return lexicon, shared


def load(
    families: Mapping[str, str], lexicon: str, written: Mapping[str, str] | None = None
) -> Library:
    """Load, check and link families, written calls and their lexicon.

    Parameters
    ----------
    families : mapping of str to str
        File name → YAML.
    lexicon : str
        YAML of the lexicon.
    written : mapping of str to str, optional
        File name → lines of whole calls.

    Returns
    -------
    Library

    Raises
    ------
    GrammarError
        If a file is wrong, a family's name is not its file's, or there is no family.
    """
    name = "lexicon.yaml"
    shared_words, shared = _link_lexicon(read_yaml(name, lexicon, LexiconFile), name)
    persons = frozenset(next(iter(shared_words.first.values())))
    person = persons | {SECOND + slot for slot in persons}
    linked = {}
    for path in sorted(families):
        file = read_yaml(f"families/{path}", families[path], FamilyFile)
        if path != f"{file.family}.yaml":
            raise GrammarError(f"families/{path}: family: is '{file.family}', not the file's name")
        linker = _Linker(f"families/{path}", person, shared)
        linker.add(file.slots)
        templates = {style: linker.parse(getattr(file, style), style) for style in STYLES}
        linked[file.family] = Family(file, templates)
    if not linked:
        raise GrammarError("there are no families of calls; add YAML files under families/")
    for path in sorted(written or {}):
        linker = _Linker(f"written/{path}", person, shared)
        for leaf in leaves(path, (written or {})[path]):
            scenario = Scenario(
                family=leaf.name, crisis=leaf.crisis, risk=leaf.risk, weight=len(leaf.texts)
            )
            linked[leaf.name] = Family(
                scenario,
                {style: linker.parse(texts, leaf.name) for style, texts in leaf.by_style().items()},
                written=True,
            )
    return Library(shared_words, linked)


@functools.cache
def shipped() -> Library:
    """Load the families and the lexicon that come with the project, once.

    Raises
    ------
    GrammarError
        As `load` does.
    """
    here = importlib.resources.files(__package__)
    families = {
        file.name: file.read_text(encoding="utf-8")
        for file in here.joinpath("families").iterdir()
        if file.name.endswith(".yaml")
    }
    written = {
        file.name: file.read_text(encoding="utf-8")
        for file in here.joinpath("written").iterdir()
        if file.name.endswith(".tsv")
    }
    return load(families, here.joinpath("lexicon.yaml").read_text(encoding="utf-8"), written)
