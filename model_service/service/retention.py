"""Retention by rule: what is erased when its time is over, and what is held.

    rules:
      - name: narratives
        kinds: [assessment, decision]
        days: 365
        unless_overridden: [weapon_or_violence]
      - name: outcomes
        kinds: [outcome]
        days: 1095
    holds: [2026-0012345]

The first rule that takes an entry counts. What is held goes by no rule.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from data.errors import InputError
from model_service.model.decision import OverrideReason
from model_service.service.log.erasure import Erasable, erasable
from model_service.service.log.reading import Reader
from model_service.service.log.store import LogStore

Held = Literal["assessment", "decision", "outcome", "mode"]
"""Kinds of entries that hold personal text."""


class RetentionError(InputError):
    """Rules that can't be used."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Rule(_Strict):
    """How long the personal text of some entries is kept."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,63}$")]
    kinds: Annotated[tuple[Held, ...], Field(min_length=1)]
    days: Annotated[int, Field(ge=1, le=36_525)]
    unless_overridden: tuple[OverrideReason, ...] = ()
    """Calls with a decision for one of these reasons are kept: somebody still has to look."""


class Rules(_Strict):
    """Rules in order, and the calls that are held."""

    rules: Annotated[tuple[Rule, ...], Field(min_length=1)]
    holds: tuple[str, ...] = ()


def load_rules(path: Path) -> Rules:
    """Read rules of retention.

    Raises
    ------
    RetentionError
        If the file can't be read, or says something that is no such rule.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        raise RetentionError(f"{path} can't be read: give a YAML file of rules") from None
    except yaml.YAMLError:
        raise RetentionError(f"{path} is no YAML: mend it") from None
    try:
        rules = Rules.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "the file"
        raise RetentionError(f"{path}: {place}: {first['msg']}") from None
    names = [rule.name for rule in rules.rules]
    if len(set(names)) < len(names):
        raise RetentionError(f"{path}: two rules have the same name; rename one")
    return rules


def due(
    store: LogStore, rules: Sequence[Rule], *, holds: Collection[str], at: datetime
) -> dict[str, list[Erasable]]:
    """List what is to be erased, by rule.

    Parameters
    ----------
    store : LogStore
    rules : sequence of Rule
    holds : collection of str
        Calls of which nothing is erased.
    at : datetime
        Now; an entry is due once it is older than its rule's days.

    Returns
    -------
    dict of str to list of Erasable
        Every rule's name, in order; an entry is in one list at most.

    Raises
    ------
    LogUnavailable
    """
    reader = Reader(store)
    held, taken = set(holds), set[int]()
    found: dict[str, list[Erasable]] = {}
    for rule in rules:
        before = at - timedelta(days=rule.days)
        review = set(rule.unless_overridden)
        found[rule.name] = [
            entry
            for entry in erasable(store, before=before, kinds=rule.kinds)
            if entry.seq not in taken
            and entry.call_id not in held
            and not (review and _overridden(reader, entry.call_id) & review)
        ]
        taken.update(entry.seq for entry in found[rule.name])
    return found


def _overridden(reader: Reader, call_id: str | None) -> set[str]:
    if call_id is None:
        return set()
    decisions = (one for one in reader.of_call(call_id) if one.kind == "decision")
    return {reason for one in decisions if (reason := one.content()["reason"]) is not None}
