"""What a mapping may say: the rules of its fields, outcomes and labels, checked.

`data/mappings/example.yaml` explains each key.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator
from typing import Annotated, Any, Literal, Self, get_args
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, model_validator

from data.call import Answer, CallerRole, CallSource, Known, Question
from data.cut import CutSettings
from data.known import known_at, sounds_later
from data.labelling import Duration, LabelRule, Part, Values


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (OSError, ValueError):  # ZoneInfoNotFoundError is a KeyError in name only
        raise ValueError("not a time zone of the IANA list, such as America/New_York") from None
    except KeyError:
        raise ValueError("not a time zone of the IANA list, such as America/New_York") from None
    return name


Zone = Annotated[str, AfterValidator(_zone)]


def _codec(name: str) -> str:
    try:
        return codecs.lookup(name).name
    except LookupError:
        raise ValueError("not an encoding that Python knows, such as utf-8 or cp1252") from None


class ColumnRule(Part):
    """A value from one column, or from several joined in their order."""

    column: str | None = None
    columns: Annotated[list[str] | None, Field(min_length=1)] = None
    missing: Values = []

    def read(self) -> tuple[str, ...]:
        """Name the columns that the rule reads."""
        return (self.column,) if self.column is not None else tuple(self.columns or ())


class TextRule(ColumnRule):
    """How a text, code, number or flag is made of a row."""

    constant: str | None = None
    row_number: bool = False
    separator: str = " / "
    replace: dict[str, str] = {}
    codes: dict[str, str] | None = None
    unlisted: Literal["reject", "missing", "keep"] = "reject"
    default: str | None = None
    pseudonym: bool = False
    prefix: str = ""
    cut: Annotated[int | None, Field(ge=1)] = None

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        given = [self.column is not None, self.columns is not None, self.constant is not None]
        if sum([*given, self.row_number]) != 1:
            raise ValueError("give exactly one of column, columns, constant, row_number: true")
        if self.codes is None and (self.default is not None or self.unlisted != "reject"):
            raise ValueError("default and unlisted speak of codes, and there are none")
        if self.default is not None and self.unlisted != "reject":
            raise ValueError("give default or unlisted, not both")
        return self


class TimeRule(ColumnRule):
    """How a time is read: several columns are joined by a space, formats are tried in order."""

    formats: Annotated[list[str], Field(min_length=1)] = ["iso"]
    ambiguous: Literal["earlier", "later", "reject"] = "earlier"
    nonexistent: Literal["forward", "reject"] = "reject"

    @model_validator(mode="after")
    def _has_column(self) -> Self:
        if (self.column is None) == (self.columns is None):
            raise ValueError("give exactly one of column, columns")
        return self


class RecordedRule(TimeRule):
    """When an outcome became known: a column, or a stated delay where there is none."""

    after_received: Duration | None = None

    @model_validator(mode="after")
    def _has_column(self) -> Self:
        given = (self.column is not None) + (self.columns is not None)
        if given > 1 or (given == 0 and self.after_received is None):
            raise ValueError("give column or columns, or after_received, or one with the other")
        return self


CUT_REMARKS = "$cut"
"""In a label rule: the remarks that the cut took from the narrative, as if they were a column."""


class NarrativeCut(CutSettings):
    """That narratives are cut at dispatch, and when that was."""

    dispatched_at: TimeRule | None = None


class CallRules(Part):
    """One rule per field of a `Call` that the export can tell."""

    call_id: TextRule
    received_at: TimeRule
    revision: TextRule | None = None
    narrative: TextRule | None = None
    call_type: TextRule | None = None
    call_source: TextRule | None = None
    priority: TextRule | None = None
    caller_role: TextRule | None = None
    language: TextRule | None = None
    neighborhood: TextRule | None = None
    latitude: TextRule | None = None
    longitude: TextRule | None = None
    premise_id: TextRule | None = None
    answers: dict[Question, TextRule] = {}

    @model_validator(mode="before")
    @classmethod
    def _refuse_later(cls, given: Any) -> Any:
        for name in given if isinstance(given, dict) else ():
            if name not in cls.model_fields and known_at(str(name)) is Known.AFTER_DISPATCH:
                raise ValueError(
                    f"{name} is known only after dispatch: it belongs to outcome or labels, "
                    "and can't be a field of a call"
                )
        return given

    def texts(self) -> dict[str, TextRule]:
        """Give the rules of the plain fields: all but `received_at` and `answers`."""
        rules = {name: getattr(self, name) for name in type(self).model_fields}
        return {name: rule for name, rule in rules.items() if isinstance(rule, TextRule)}


class OutcomeRules(Part):
    """One rule per field of an `Outcome` that the export can tell."""

    recorded_at: RecordedRule
    final_call_type: TextRule | None = None
    disposition: TextRule | None = None
    clinician_finding: TextRule | None = None
    weapon_found: TextRule | None = None
    violence_occurred: TextRule | None = None
    force_used: TextRule | None = None

    def texts(self) -> dict[str, TextRule]:
        """Give the rules of the plain fields: all but `recorded_at`."""
        rules = {name: getattr(self, name) for name in type(self).model_fields}
        return {name: rule for name, rule in rules.items() if isinstance(rule, TextRule)}


class GroupRules(Part):
    """What belongs together and must not be split."""

    incident_id: TextRule


_CHOICES: dict[str, tuple[str, ...]] = {
    "call_source": get_args(CallSource),
    "caller_role": get_args(CallerRole),
    "clinician_finding": ("crisis", "no_crisis"),
    **dict.fromkeys(("weapon_found", "violence_occurred", "force_used"), ("true", "false")),
}


class Mapping(Part):
    """An agency's export in the terms of `Call`, `Outcome` and labels."""

    agency: Annotated[str, Field(pattern=r"^[a-z0-9_]{1,40}$")]
    title: str
    source_page: str
    licence: str
    time_zone: Zone
    encoding: Annotated[str, AfterValidator(_codec)] = "utf-8"
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] = ","
    notes: list[str] = []
    known_at: dict[str, Known] = {}
    call: CallRules
    narrative_cut: NarrativeCut | None = None
    outcome: OutcomeRules | None = None
    groups: GroupRules | None = None
    labels: list[LabelRule] = []
    standard_labels: bool = False

    @property
    def before_dispatch(self) -> frozenset[str]:
        """Columns that a call's fields are made of."""
        rules: list[ColumnRule] = [*self.call.texts().values(), *self.call.answers.values()]
        return _columns([*rules, self.call.received_at])

    @property
    def after_dispatch(self) -> frozenset[str]:
        """Columns that outcomes and labels are made of."""
        rules: list[ColumnRule | LabelRule] = [*self.labels]
        if self.outcome is not None:
            rules += [*self.outcome.texts().values(), self.outcome.recorded_at]
        return _columns(rules)

    @property
    def columns(self) -> frozenset[str]:
        """Columns that a file must have."""
        more: list[ColumnRule] = [] if self.groups is None else [self.groups.incident_id]
        if self.narrative_cut is not None and self.narrative_cut.dispatched_at is not None:
            more.append(self.narrative_cut.dispatched_at)
        return (self.before_dispatch | self.after_dispatch | _columns(more)) - {CUT_REMARKS}

    @property
    def has_pseudonyms(self) -> bool:
        """Whether some value is replaced by a pseudonym."""
        groups = [] if self.groups is None else [self.groups.incident_id]
        outcome = [] if self.outcome is None else self.outcome.texts().values()
        rules = [*self.call.texts().values(), *self.call.answers.values(), *groups, *outcome]
        return any(rule.pseudonym for rule in rules)

    @model_validator(mode="after")
    def _check_whole(self) -> Self:
        both = sorted(self.before_dispatch & self.after_dispatch)
        if both:
            raise ValueError(
                f"the column {both[0]} feeds both the call and its outcome or label; "
                "what is learned after dispatch can't be known before"
            )
        later = sorted(c for c in self.before_dispatch if self._known(c) is Known.AFTER_DISPATCH)
        if later:
            stated = later[0] in self.known_at
            raise ValueError(
                f"the column {later[0]} is known only after dispatch, "
                + (
                    "as known_at states, and can't feed the call"
                    if stated
                    else "or is called so, and can't feed the call; if it is known before, state "
                    f"`known_at: {{{later[0]}: interview}}`"
                )
            )
        strangers = sorted(set(self.known_at) - self.columns)
        if strangers:
            raise ValueError(f"known_at speaks of {strangers[0]}, a column that no rule reads")
        if self.narrative_cut is not None and self.call.narrative is None:
            raise ValueError("narrative_cut: there is no call.narrative to cut")
        if CUT_REMARKS in self.after_dispatch and self.narrative_cut is None:
            raise ValueError(f"a label rule reads {CUT_REMARKS}, and there is no narrative_cut")
        if self.standard_labels and self.outcome is None:
            raise ValueError("standard_labels need an outcome to draw labels from")
        if self.labels and self.outcome is None:
            raise ValueError("labels need outcome.recorded_at: a label is as old as its outcome")
        if self.call.narrative is not None and self.call.narrative.cut is not None:
            raise ValueError("call.narrative can't be cut: a cut could lose the knife")
        for name, rule in self._choosing():
            allowed = _CHOICES.get(name, get_args(Answer))
            wrong = [v for v in _targets(rule) if v not in allowed]
            if wrong:
                raise ValueError(f"{name}: {wrong[0]!r} is not one of {', '.join(allowed)}")
        return self

    def _known(self, column: str) -> Known | None:
        if column in self.known_at:
            return self.known_at[column]
        return Known.AFTER_DISPATCH if sounds_later(column) else None

    def _choosing(self) -> Iterator[tuple[str, TextRule]]:
        fields = self.call.texts() | ({} if self.outcome is None else self.outcome.texts())
        yield from ((name, rule) for name, rule in fields.items() if name in _CHOICES)
        yield from ((f"call.answers.{name}", rule) for name, rule in self.call.answers.items())


def _columns(rules: Iterable[ColumnRule | LabelRule]) -> frozenset[str]:
    return frozenset(column for rule in rules for column in rule.read())


def _targets(rule: TextRule) -> list[str]:
    values = [*(rule.codes or {}).values(), rule.default, rule.constant]
    return [value for value in values if value is not None]
