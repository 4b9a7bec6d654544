"""The cases as they stand in the YAML files, checked, and each made into calls."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from typing import Annotated, Any, ClassVar, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter, model_validator

from data.call import Call, Target
from data.document import read_document
from model_service.model.plan import Band

Kind = Literal["must_have", "invariance", "direction"]

KINDS: tuple[Kind, ...] = get_args(Kind)

USUAL: dict[str, Any] = {
    "call_id": "case",
    "received_at": "2025-06-03T14:00:00-04:00",
    "call_source": "911",
    "language": "en",
    "neighborhood": "Roxbury",
}
"""What a case does not say of a call: an afternoon where both of Boston's teams serve."""

BLANK = "___"

Move = Literal["rise", "fall", "not_rise", "not_move_up"]

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=40)]
"""Short and plain, since reports show it; never words of the call."""

Said = Annotated[str, StringConstraints(min_length=1)]
Fields = Said | dict[str, Any]
"""A narrative, or the fields of a call."""


class _Part(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, hide_input_in_errors=True)


class Expectation(_Part):
    """What a plain call must get, in the release's own bands."""

    mental_health_crisis: Annotated[tuple[Band, ...] | None, Field(strict=False)] = None
    safety_risk: Annotated[tuple[Band, ...] | None, Field(strict=False)] = None
    never_without_police: bool = Field(
        False, description="No team without police may be recommended."
    )


class PlainGroup(_Part):
    """Plain calls of one sort."""

    group: Name
    expect: Expectation
    calls: Annotated[dict[Name, Fields], Field(min_length=1)]


class Base(_Part):
    """One call, and others that mean the same.

    Where `text` is given, `first` and `then` are what fills its blank, `___`.
    """

    truth: Literal["crisis", "risk", "both", "neither"]
    style: Literal["spoken", "cad", "log"]
    text: Said | None = None
    first: str | dict[str, Any]
    then: Annotated[dict[Name, str | dict[str, Any]], Field(min_length=1)]

    @model_validator(mode="after")
    def _check_blank(self) -> Base:
        said = [self.first, *self.then.values()]
        if self.text is not None and (
            self.text.count(BLANK) != 1 or any(isinstance(x, dict) for x in said)
        ):
            raise ValueError(f"text must hold one {BLANK}, and first and then what fills it")
        return self

    def filled(self, said: str | dict[str, Any]) -> str | dict[str, Any]:
        """Put words into the blank, if there is one."""
        if self.text is None or isinstance(said, dict):
            return said
        return self.text.replace(BLANK, said).strip()


class SameGroup(_Part):
    """Pairs that differ in one way that must make no difference."""

    group: Name
    bases: Annotated[dict[Name, Base], Field(min_length=1)]


class Pair(_Part):
    """One call, and what became of it."""

    first: Fields
    then: Fields


class MoveGroup(_Part):
    """Pairs in which the same sort of thing is added or changed."""

    group: Name
    target: Target
    must: Move
    pairs: Annotated[dict[Name, Pair], Field(min_length=1)]


@dataclass(frozen=True)
class PlainCase:
    """A plain call and what it must get."""

    kind: ClassVar[Kind] = "must_have"
    group: str
    id: str
    call: Call
    expect: Expectation

    @property
    def calls(self) -> tuple[Call, ...]:
        """The calls of the case."""
        return (self.call,)


@dataclass(frozen=True)
class _TwoCalls:
    group: str
    id: str
    first: Call
    then: Call

    @property
    def calls(self) -> tuple[Call, ...]:
        """The calls of the case."""
        return (self.first, self.then)


@dataclass(frozen=True)
class SameCase(_TwoCalls):
    """Two calls that mean the same; what they are about and how they are written."""

    kind: ClassVar[Kind] = "invariance"
    truth: str
    style: str


@dataclass(frozen=True)
class MoveCase(_TwoCalls):
    """Two calls, and what must become of a target from the first to the other."""

    kind: ClassVar[Kind] = "direction"
    target: Target
    must: Move


Case = PlainCase | SameCase | MoveCase
"""One case; its `id` is unique within its kind and holds nothing of the call."""


def read_cases() -> list[Case]:
    """Read the cases that the project ships.

    Raises
    ------
    pydantic.ValidationError, data.document.DocumentError
        If a file is not as it should be; the project's tests read them all.
    """
    cases: list[Case] = [
        *_plain(TypeAdapter(list[PlainGroup]).validate_python(_document("must_have"))),
        *_same(TypeAdapter(list[SameGroup]).validate_python(_document("invariance"))),
        *_moves(TypeAdapter(list[MoveGroup]).validate_python(_document("direction"))),
    ]
    named = {(case.kind, case.id) for case in cases}
    if len(named) < len(cases):
        raise ValueError("two cases have the same name")
    return cases


def _document(kind: Kind) -> Any:
    folder = resources.files("training.behaviour")
    return read_document((folder / f"{kind}.yaml").read_text(encoding="utf-8"))


def _call(said: str | dict[str, Any]) -> Call:
    fields = {"narrative": said} if isinstance(said, str) else said
    return Call.model_validate_json(json.dumps({**USUAL, **fields}))


def _plain(groups: list[PlainGroup]) -> Iterator[PlainCase]:
    for part in groups:
        for name, said in part.calls.items():
            yield PlainCase(part.group, f"{part.group}/{name}", _call(said), part.expect)


def _same(groups: list[SameGroup]) -> Iterator[SameCase]:
    for part in groups:
        for name, base in part.bases.items():
            first = _call(base.filled(base.first))
            for variant, said in base.then.items():
                case = f"{part.group}/{name}/{variant}"
                then = _call(base.filled(said))
                yield SameCase(part.group, case, first, then, base.truth, base.style)


def _moves(groups: list[MoveGroup]) -> Iterator[MoveCase]:
    for part in groups:
        for name, pair in part.pairs.items():
            case = f"{part.group}/{name}"
            first, then = _call(pair.first), _call(pair.then)
            yield MoveCase(part.group, case, first, then, part.target, part.must)
