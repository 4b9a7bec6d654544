"""A call as a page shows it: its latest assessment, what was decided, in words and marked text.

Made from the record that the interface gives to somebody at a desk (`Assessor.record`), so that
page and interface never differ, and what is withheld from a desk is not in it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any, NamedTuple

import orjson

from model_service.model.plan import PROTOCOL, ResponsePlan
from model_service.service.console import words
from model_service.service.console.evidence import CRISIS, NARRATIVE, RISK, Piece, pieces, snippet

MISSING = "(missing)"

ERASED = "What was said in this call was erased, and the reasons with it."


class Band(NamedTuple):
    """A probability in words; `share` is None where the band is not the model's."""

    target: str
    word: str
    share: str
    probability: float
    level: str


class Decided(NamedTuple):
    """A decision in words."""

    at: str
    actor: str
    action: str
    response: str
    team: str
    told: str
    revision: int
    note: str | None

    @property
    def done(self) -> str:
        """What was done, in a word."""
        return words.ACTIONS[self.action]


class Figure(NamedTuple):
    """What a word or a field weighs, in log-odds."""

    name: str
    crisis: float
    risk: float


@dataclass(frozen=True, slots=True)
class Question:
    """What to ask next, and what would follow."""

    code: str
    text: str
    why: str
    if_yes: str
    if_no: str
    share: int


@dataclass(frozen=True, slots=True)
class CallView:
    """What a page shows of a call."""

    key: str
    assessment_id: str
    call_id: str
    revision: int
    superseded: int | None
    at: str
    received: str
    about: tuple[str, ...]
    withheld: str | None
    response: str | None
    title: str
    police: bool | None
    abstained: bool
    bands: tuple[Band, ...]
    marked: tuple[Piece, ...]
    questions: tuple[Question, ...]
    choices: tuple[tuple[str, str], ...]
    decisions: tuple[Decided, ...]
    earlier: Decided | None
    erased: bool
    narrative: str
    reasons: tuple[str, ...]
    facts: tuple[str, ...]
    meanings: tuple[str, ...]
    figures: tuple[Figure, ...]
    sequence: int
    release: str

    @property
    def leading(self) -> Decided | None:
        """The decision that leads; None if nothing was decided on this revision."""
        return self.decisions[-1] if self.decisions else None

    @property
    def snippet(self) -> list[Piece]:
        """The stretch of the narrative that a row has room for."""
        return snippet(self.marked)


def key_of(call_id: str) -> str:
    """Make an element's id of a call's, which may hold anything."""
    return f"c-{hashlib.sha256(call_id.encode()).hexdigest()[:16]}"


def view(
    record: Mapping[str, Any], plan: ResponsePlan | None, earlier: Mapping[str, Any] | None = None
) -> CallView:
    """Make what a page shows of an assessment.

    Parameters
    ----------
    record : mapping
        As `Assessor.record` gives it.
    plan : ResponsePlan or None
        The one in force, which knows the names of responses and the time zone.
    earlier : mapping, optional
        The last decision on an earlier revision, as in a record.
    """
    found = orjson.loads(orjson.dumps(record))
    assessment, call = found["assessment"], found["call"] or {}
    zone = None if plan is None else plan.zone
    names = names_of(plan)
    narrative: str = call.get("narrative") or ""
    given = assessment["recommendation"] or {}
    explanation = assessment["explanation"]
    withheld = assessment["withheld"]
    later = found["superseded_by"]
    return CallView(
        key=key_of(assessment["call_id"]),
        assessment_id=assessment["assessment_id"],
        call_id=assessment["call_id"],
        revision=assessment["revision"],
        superseded=later and later["revision"],
        at=assessment["at"],
        received=clock(call.get("received_at") or assessment["at"], zone),
        about=_about(call),
        withheld=withheld,
        response=given.get("response"),
        title=words.WITHHELD[withheld] if withheld else given.get("name", ""),
        police=given.get("police"),
        abstained=given.get("abstained", False),
        bands=_bands(assessment["prediction"], given),
        marked=tuple(pieces(narrative, explanation, given.get("disqualifiers"))),
        questions=tuple(_question(one) for one in assessment["questions"] or ()),
        choices=tuple((name, names.get(name, name)) for name in assessment["plan"]["responses"]),
        decisions=tuple(_decided(one, names, zone) for one in found["decisions"]),
        earlier=None if earlier is None else _decided(earlier, names, zone),
        erased=found["call"] is None,
        narrative=narrative,
        reasons=_reasons(given, narrative),
        facts=tuple(
            words.known_by(fact, narrative)
            for fact in given.get("facts") or ()
            if fact["answer"] or fact["spans"]
        ),
        meanings=_meanings(explanation),
        figures=_figures(narrative, explanation),
        sequence=assessment["log"]["sequence"],
        release=assessment["model"]["release"],
    )


def names_of(plan: ResponsePlan | None) -> dict[str, str]:
    """Tell what a plan calls its responses."""
    if plan is None:
        return {PROTOCOL: "Follow the centre's own protocol"}
    names = {response.id: response.name for response in plan.responses}
    return {**names, PROTOCOL: plan.protocol.name}


def clock(stamp: str, zone: tzinfo | None) -> str:
    """Tell the time of day of a moment, where the centre is."""
    return datetime.fromisoformat(stamp).astimezone(zone).strftime("%H:%M")


def _about(call: Mapping[str, Any]) -> tuple[str, ...]:
    role, language = call.get("caller_role"), call.get("language")
    parts = (
        call.get("call_type"),
        call.get("neighborhood"),
        role and role != "unknown" and f"caller: {role}",
        language and language != "en" and f"language: {language}",
    )
    return tuple(str(part) for part in parts if part)


def _bands(prediction: Mapping[str, float] | None, given: Mapping[str, Any]) -> tuple[Band, ...]:
    bands = given.get("bands")
    if prediction is None or bands is None:
        return ()
    raised = any(one["effect"] == "risk_high" for one in given.get("disqualifiers") or ())
    found = []
    for target, name in words.TARGETS.items():
        share = f"{words.share(prediction[target])} such calls"
        if raised and target == RISK:
            share = f"by what is known; the model alone: {words.share(prediction[target])}"
        level = bands[target]
        found.append(Band(name, words.BANDS[level], share, prediction[target], level))
    return tuple(found)


def _question(asked: Mapping[str, Any]) -> Question:
    return Question(
        asked["question"],
        asked["text"],
        asked["why"]["text"],
        asked["if_yes"]["name"],
        asked["if_no"]["name"],
        round(asked["change_probability"] * 100),
    )


def _decided(one: Mapping[str, Any], names: Mapping[str, str], zone: tzinfo | None) -> Decided:
    action = words.ACTIONS[one["action"]]
    team = names.get(one["response"], one["response"])
    why = f" ({words.spoken(one['reason'])})" if one["reason"] else ""
    return Decided(
        clock(one["at"], zone),
        one["actor"],
        one["action"],
        one["response"],
        team,
        f"{action}: {team}{why}",
        one["revision"],
        one["note"],
    )


def _reasons(given: Mapping[str, Any], narrative: str) -> tuple[str, ...]:
    """Tell the reasons, with the words that a disqualifier was found in beside it."""
    if not given:
        return ()
    if given["reasons"] is None:
        return (ERASED,)
    found = {
        f"disqualifier:{one['code']}": dict.fromkeys(
            words.quoted(span, narrative)
            for span in one.get("spans") or ()
            if span["column"] == NARRATIVE
        )
        for one in given["disqualifiers"]
    }
    return tuple(
        ": ".join(filter(None, [reason["text"], ", ".join(found.get(reason["code"], ()))]))
        for reason in given["reasons"]
    )


def _meanings(explanation: Mapping[str, Any] | None) -> tuple[str, ...]:
    """Tell what was found in the words and how it was spoken of, once each."""
    found = (
        words.spoken(one["concept"])
        + ("" if one["polarity"] == "said" else f" – {one['polarity']}")
        for one in (explanation or {}).get("concepts") or ()
        if one["column"] == NARRATIVE
    )
    return tuple(dict.fromkeys(found))


def _figures(narrative: str, explanation: Mapping[str, Any] | None) -> tuple[Figure, ...]:
    """List everything that the two probabilities are made of, what weighs most first."""
    if explanation is None:
        return ()
    spoken = [
        _figure(
            narrative[word["start"] : word["end"]]
            if word["column"] == NARRATIVE
            else f"a word of the {words.spoken(word['column'])}",
            word,
        )
        for word in explanation["words"]
    ]
    fields = [
        _figure(
            f"{words.spoken(field['field'])}: "
            f"{'not known' if field['value'] == MISSING else field['value']}",
            field,
        )
        for field in explanation["fields"]
    ]
    weighed = sorted(
        [*spoken, *fields], key=lambda figure: -max(abs(figure.crisis), abs(figure.risk))
    )
    return (
        *weighed,
        _figure("an average call without a word", explanation["baseline"]),
        _figure("sum", explanation["log_odds"]),
    )


def _figure(name: str, pair: Mapping[str, Any]) -> Figure:
    return Figure(name, pair[CRISIS], pair[RISK])
