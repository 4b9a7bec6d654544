"""`synthesize`: a data set of invented calls whose truth is known.

What is known, and what is our choice:

- A centre codes 1-3% of its calls as mental-health calls, and several times that are such calls by
  content. The default `crisis_share` of 12% is richer, so that a model has enough crises to learn
  from in minutes. A model trained on it must be calibrated on a centre's own calls.
- Detroit's 39,055 calls typed mental, 2017-2021: not violent 30%, violent and unarmed 55%, violent
  and armed 15%. New York's B-HEARD found 61% ineligible for a team without police. Both count more
  than a risk that the call itself tells of: past violence, police already there, a type chosen in
  caution, nobody free to assess. `CRISIS_RISK` is therefore 45%: less than either, and still far
  from rare.
- `OTHER_RISK`, 12% of the other calls, is our choice: fights, robberies, threats and weapons among
  accidents, illness, noise and alarms.
"""

from __future__ import annotations

import math
import random as random_module
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pandas as pd

from data.call import ANSWER_PREFIX, QUESTIONS, TARGETS
from data.dataset import GROUP_DTYPES, OUTCOME_DTYPES, Dataset
from data.errors import InputError
from data.frame import DTYPES
from data.labels import DTYPES as LABEL_DTYPES
from data.sources.synthetic.city import City, Place, shipped_city
from data.sources.synthetic.grammar import Parts, Scene
from data.sources.synthetic.library import Family, Hours, Library, Odds, shipped
from data.sources.synthetic.narrative import Text, compose, role_in
from data.sources.synthetic.outcomes import Endings, delay
from data.sources.synthetic.roles import ROLES, SHARES, Role, begins, roles_of
from data.sources.synthetic.styles import STYLES, Style
from data.sources.synthetic.weighted import Weighted

VERSION = "2"
"""Of the generator; the same arguments give the same calls only within one version."""

CRISIS_RISK = 0.45
OTHER_RISK = 0.12

WRITTEN = 0.5
"""Share of the incidents that are told in words written out whole, in place of the grammar's."""

STYLE_SHARES: dict[Style, float] = {"spoken": 0.45, "shorthand": 0.45, "log": 0.10}
"""Of the grammar's calls; a written call has the style that it was written in."""

CALLERS: dict[int, float] = {1: 0.92, 2: 0.06, 3: 0.02}
"""Calls about one incident → share of incidents."""
REVISIONS: dict[int, float] = {1: 0.72, 2: 0.18, 3: 0.10}
"""Revisions of a call → share of calls; a text of too few pieces has fewer."""
AGES = {"adult": 0.8, "teen": 0.1, "elder": 0.1}

OWN_TYPE, GENERAL_TYPE = 0.74, 0.18  # the rest of the calls have no initial type
OWN_SOURCE = 0.88
ANSWERS_KEPT = 0.70  # share of calls in which the answers are recorded as fields
ANSWER_KEPT = 0.85
ANSWER_WRONG = 0.05
LANGUAGE_KNOWN = 0.85
ROLE_KNOWN = 0.9
MIN_DAYS = 10

Progress = Callable[[Iterable[Any], str, int], Iterable[Any]]


_STRATA = tuple((crisis, risk) for crisis in (False, True) for risk in (False, True))


class SynthesisError(InputError):
    """The arguments of `synthesize` do not fit together."""


@dataclass(slots=True)
class _Incident:
    """What all calls about one incident share."""

    number: int
    family: Family
    at: datetime
    place: Place
    language: str
    persons: dict[str, tuple[Parts, ...]]
    style: Style
    bound: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class _Part:
    """A part of the period: the share of it that ends here, its days, its families by truth."""

    until: float
    days: dict[Hours, Weighted[int]]
    families: dict[tuple[bool, bool], Weighted[Family]]


@dataclass(slots=True)
class _Made:
    """A call before it has a number: its revisions, outcome and labels."""

    order: tuple[datetime, int, int]
    revisions: list[dict[str, Any]]
    outcome: dict[str, Any] | None
    labels: list[dict[str, Any]]
    group: dict[str, Any]


def synthesize(
    n_calls: int,
    *,
    seed: int = 0,
    start: date = date(2025, 1, 1),
    days: int = 365,
    label_noise: float = 0.0,
    missing_labels: float = 0.1,
    crisis_share: float = 0.12,
    progress: Progress | None = None,
    library: Library | None = None,
) -> Dataset:
    """Make calls with their outcomes, labels and groups.

    Train families occur over the whole period, validation families only after 60% of it, test
    families only in its last fifth (`data.sources.synthetic.roles`); a temporal split purged by
    family therefore tests on families that training has never seen.

    Parameters
    ----------
    n_calls : int
        Number of calls; the rows are more, as some calls come in two or three revisions.
    seed : int
        The same arguments give the same data set, byte for byte.
    start : datetime.date
        First day, in the city's time zone.
    days : int
        Length of the period; at least 10.
    label_noise : float
        Share of labels that say the opposite of the truth, to try the audit of labels on; none of a
        test family's do. A fiftieth of them wrong is every seventh label of a crisis.
    missing_labels : float
        Share of labels that are left out.
    crisis_share : float
        Share of incidents that are mental-health crises.
    progress : callable, optional
        `progress(items, what, total)` yields the items and shows how far they are.
    library : Library, optional
        Families and lexicon; those that come with the project if not given.

    Returns
    -------
    Dataset
        Calls in order of time. A family is in `groups`, its role in the manifest under `families`.

    Raises
    ------
    SynthesisError
        If an argument is out of range, or no family has the truth that is asked for.
    GrammarError
        If a family or the lexicon is wrong.

    Examples
    --------
    >>> dataset = synthesize(50, seed=1)
    >>> dataset.calls["call_id"].nunique(), dataset.manifest["source"]
    (50, 'synthetic')
    """
    if n_calls < 1:
        raise SynthesisError("the number of calls must be at least 1")
    if days < MIN_DAYS:
        raise SynthesisError(f"the period must have at least {MIN_DAYS} days")
    for name, share in (
        ("label_noise", label_noise),
        ("missing_labels", missing_labels),
        ("crisis_share", crisis_share),
    ):
        if not 0 <= share <= 1:
            raise SynthesisError(f"{name} must lie between 0 and 1")
    library = library or shipped()
    maker = _Maker(
        library,
        shipped_city(),
        seed=seed,
        start=start,
        days=days,
        label_noise=label_noise,
        missing_labels=missing_labels,
        crisis_share=crisis_share,
    )
    calls: Iterable[_Made] = maker.calls(n_calls)
    if progress is not None:
        calls = progress(calls, "inventing calls", n_calls)
    made = sorted(calls, key=lambda call: call.order)
    manifest = {
        "source": "synthetic",
        "generator_version": VERSION,
        "seed": seed,
        "parameters": {
            "n_calls": n_calls,
            "start": start.isoformat(),
            "days": days,
            "label_noise": label_noise,
            "missing_labels": missing_labels,
            "crisis_share": crisis_share,
            "crisis_risk_share": CRISIS_RISK,
            "other_risk_share": OTHER_RISK,
            "written_share": WRITTEN,
        },
        "roles_from": {
            role: (start + timedelta(maker.day_at(begins(role)))).isoformat() for role in ROLES
        },
        "families": {
            family.name: {
                "role": maker.roles[family.name],
                "crisis": family.file.crisis,
                "risk": family.file.risk,
            }
            for family in library.families.values()
        },
    }
    return _dataset(made, manifest)


class _Maker:
    """Draws incidents and the calls about them."""

    def __init__(
        self,
        library: Library,
        city: City,
        *,
        seed: int,
        start: date,
        days: int,
        label_noise: float,
        missing_labels: float,
        crisis_share: float,
    ) -> None:
        self._random = random_module.Random(seed).random  # noqa: S311 - no secret
        self._lexicon = library.lexicon
        self._city = city
        self._start = datetime(start.year, start.month, start.day)
        self._days = days
        self._label_noise = label_noise
        self._missing_labels = missing_labels
        self._endings = Endings(city.file.outcomes)
        self.roles = roles_of(library.families.values())
        self._lasting = (library.lexicon.constant - library.lexicon.of_the_caller) | {
            "first_name",
            "age",
            "cad_age",
            "cad_race",
        }
        self._strata = Weighted.of(
            {
                (True, True): crisis_share * CRISIS_RISK,
                (True, False): crisis_share * (1 - CRISIS_RISK),
                (False, True): (1 - crisis_share) * OTHER_RISK,
                (False, False): (1 - crisis_share) * (1 - OTHER_RISK),
            }
        )
        self._callers = Weighted.of(CALLERS)
        self._revisions = Weighted.of(REVISIONS)
        self._ages = Weighted.of(AGES)
        self._own = {family.name: _Own(family, city) for family in library.families.values()}
        self._persons: dict[tuple[str, ...], dict[str, tuple[Parts, ...]]] = {}
        self._parts = self._by_time(
            [
                family
                for family in library.families.values()
                if 0 < crisis_share < 1 or family.file.crisis == bool(crisis_share)
            ],
            {(crisis, risk) for crisis, risk in _STRATA if crisis_share != (0 if crisis else 1)},
        )

    def _by_time(
        self, families: Sequence[Family], strata: Iterable[tuple[bool, bool]]
    ) -> list[_Part]:
        """For each part of the period, its days and the families that occur in it."""
        parts: list[_Part] = []
        begin = 0
        for share, by_role in SHARES:
            end = self.day_at(share)
            volume = self._city.days(self._start + timedelta(begin), end - begin)
            part = _Part(
                share,
                {hours: Weighted(range(begin, end), of_day) for hours, of_day in volume.items()},
                {},
            )
            for stratum in sorted(strata):
                here = [family for family in families if family.stratum == stratum]
                weights = _weights(here, self.roles, by_role)
                if not any(weights):
                    crisis, risk = (str(truth).lower() for truth in stratum)
                    raise SynthesisError(
                        f"no train family has crisis: {crisis} and risk: {risk}; add one"
                    )
                part.families[stratum] = Weighted(here, weights)
            parts.append(part)
            begin = end
        return parts

    def day_at(self, share: float) -> int:
        """Give the number, from 0, of the first whole day after a share of the period."""
        return math.ceil(share * self._days - 1e-9)

    def calls(self, count: int) -> Iterator[_Made]:
        """Draw incidents until there are `count` calls."""
        made, number = 0, 0
        while made < count:
            number += 1
            incident = self._incident(number)
            for caller in range(min(self._callers.draw(self._random), count - made)):
                yield self._call(incident, caller)
                made += 1

    def _incident(self, number: int) -> _Incident:
        random = self._random
        stratum = self._strata.draw(random)
        when = random()
        part = next((part for part in self._parts if when < part.until), self._parts[-1])
        family = part.families[stratum].draw(random)
        hours = family.file.hours
        day = self._start + timedelta(part.days[hours].draw(random))
        at = self._city.draw_time(day, hours, random).astimezone(UTC)
        place = self._city.draw_place(stratum[0], random)
        return _Incident(
            number=number,
            family=family,
            at=at,
            place=place,
            language=self._city.draw_language(place.neighborhood, random),
            persons=self._draw_persons(family),
            style=self._own[family.name].styles.draw(random),
        )

    def _draw_persons(self, family: Family) -> dict[str, tuple[Parts, ...]]:
        """Draw the sex and age band of both persons of a call; look up the slots that agree."""
        random = self._random
        subject = family.file.subject
        ages = subject.age
        key = (
            subject.sex or ("m" if random() < 0.53 else "f"),
            ages[int(random() * len(ages))] if ages else self._ages.draw(random),
            "m" if random() < 0.5 else "f",
            self._ages.draw(random),
        )
        if key not in self._persons:
            first, second = self._lexicon.first[key[:2]], self._lexicon.second[key[2:]]
            self._persons[key] = {**first, **second}
        return self._persons[key]

    def _call(self, incident: _Incident, caller: int) -> _Made:
        random = self._random
        family, own = incident.family, self._own[incident.family.name]
        received = incident.at
        if caller:  # somebody else calls about the same, minutes later, in other words
            received += timedelta(seconds=int(30 + 690 * random()))
        local = received.astimezone(self._city.timezone)
        answers = own.draw_answers(random)
        scene = Scene(random, incident.persons, dict(incident.bound))
        text = compose(
            family,
            incident.style,
            scene,
            self._lexicon,
            answers=answers,
            language=incident.language,
            stamp=f"{local.hour:02}:{local.minute:02}",
        )
        if not caller:
            incident.bound = {k: v for k, v in scene.bound.items() if k in self._lasting}
        call_type = own.draw_type(random)
        place = incident.place
        language_known = random() < LANGUAGE_KNOWN
        record: dict[str, Any] = {
            "received_at": received,
            "call_source": own.draw_source(random),
            "caller_role": own.draw_role(text, incident.style, random),
            "language": incident.language if language_known else None,
            "neighborhood": place.neighborhood,
            "latitude": place.latitude,
            "longitude": place.longitude,
            "premise_id": place.premise_id,
        }
        outcome = self._endings.draw(
            crisis=family.file.crisis,
            risk=family.file.risk,
            call_type=call_type,
            received_at=received,
            random=random,
        )
        return _Made(
            order=(received, incident.number, caller),
            revisions=self._revise(record, text, call_type, _recorded(answers, random)),
            outcome=outcome,
            labels=self._label(family, outcome["recorded_at"] if outcome else None, received),
            group={
                "incident_id": f"I{incident.number:07d}",
                "family": family.name,
                "style": incident.style,
            },
        )

    def _revise(
        self,
        record: dict[str, Any],
        text: Text,
        call_type: str | None,
        answers: dict[str, str],
    ) -> list[dict[str, Any]]:
        """Cut a call into revisions; an early one may lack the telling detail and the type."""
        random = self._random
        count = self._revisions.draw(random)
        pieces = len(text.pieces)
        count = min(count, pieces)
        ends = sorted({1 + int(random() * (pieces - 1)) for _ in range(count - 1)}) + [pieces]
        early_type = call_type if random() < 0.5 else self._city.general_types.draw(random)
        priority = self._city.draw_priority(call_type, random)
        early_priority = (
            priority if early_type == call_type else self._city.draw_priority(early_type, random)
        )
        asked = list(answers.items())
        revisions = []
        for number, end in enumerate(ends, 1):
            last = number == len(ends)
            known = asked if last else asked[: len(asked) * end // pieces]
            revisions.append(
                {
                    **record,
                    "revision": number,
                    "narrative": text.until(end),
                    "call_type": call_type if last else early_type,
                    "priority": priority if last else early_priority,
                    **{ANSWER_PREFIX + question: answer for question, answer in known},
                }
            )
        return revisions

    def _label(
        self, family: Family, recorded: datetime | None, received: datetime
    ) -> list[dict[str, Any]]:
        """Label a call with its truth: a share wrong (never a test family's), a share missing."""
        random = self._random
        as_of = recorded or received + delay(random)
        noise = 0.0 if self.roles[family.name] == "test" else self._label_noise
        labels = []
        for target, truth in zip(TARGETS, family.stratum, strict=True):
            wrong, missing = random() < noise, random() < self._missing_labels
            if not missing:
                labels.append(
                    {
                        "target": target,
                        "value": truth != wrong,
                        "source": "scenario",
                        "as_of": as_of,
                        "confidence": round(1 - self._label_noise, 6),
                    }
                )
        return labels


class _Own:
    """What a family says of its calls' metadata, mixed with what is usual in the city."""

    def __init__(self, family: Family, city: City) -> None:
        file = family.file
        self._city = city
        self._crisis = file.crisis
        self.styles = Weighted.of(
            {style: len(family.templates.get(style, ())) for style in STYLES}
            if family.written
            else STYLE_SHARES
        )
        self._types = (
            Weighted(
                [city.call_type(words) for words in file.call_types],
                list(file.call_types.values()),
            )
            if file.call_types
            else None
        )
        self._sources = Weighted.of(file.sources) if file.sources else city.sources
        roles = file.roles or city.file.roles
        self._roles = Weighted.of(roles)
        others = {role: weight for role, weight in roles.items() if role != "self"}
        self._others = Weighted.of(others) if any(others.values()) else self._roles
        self._may_be_self = roles.get("self", 0) > 0
        self._odds: list[tuple[str, float, Weighted[str]]] = []
        usual = {} if family.written else city.file.answers
        for question in QUESTIONS:
            odds = {**usual, **file.answers}.get(question)  # type: ignore[call-overload]
            if odds is not None and odds.asked:
                self._odds.append((question, odds.asked, _answers(odds)))

    def draw_type(self, random: Callable[[], float]) -> str | None:
        """Draw the initial type: that of a crisis, the family's, a general one, or none."""
        if self._crisis and random() < self._city.file.crisis_typed:
            return self._city.file.crisis_type
        kind = random()
        if kind < OWN_TYPE:
            return self._types.draw(random) if self._types else None
        return self._city.general_types.draw(random) if kind < OWN_TYPE + GENERAL_TYPE else None

    def draw_source(self, random: Callable[[], float]) -> str:
        """Draw the way the call came in."""
        return (self._sources if random() < OWN_SOURCE else self._city.sources).draw(random)

    def draw_role(self, text: Text, style: Style, random: Callable[[], float]) -> str:
        """Draw who calls, such that it fits what the text says of it."""
        known, sure = random() < ROLE_KNOWN, random() < 0.85
        if not known:
            return "unknown"
        if text.relation:
            return role_in(text.relation)
        if style == "spoken":
            if text.about_another:
                return self._others.draw(random)
            if self._may_be_self and sure:
                return "self"
        return self._roles.draw(random)

    def draw_answers(self, random: Callable[[], float]) -> dict[str, str]:
        """Draw which protocol questions are asked, and their answers."""
        return {
            question: answers.draw(random)
            for question, asked, answers in self._odds
            if random() < asked
        }


def _answers(odds: Odds) -> Weighted[str]:
    return Weighted.of({"yes": odds.yes, "no": odds.no, "unknown": odds.unknown})


def _recorded(answers: dict[str, str], random: Callable[[], float]) -> dict[str, str]:
    """Reduce the answers that were given to those that got into the record, some of them wrong."""
    if random() >= ANSWERS_KEPT:
        return {}
    kept = {}
    for question, answer in answers.items():
        if random() < ANSWER_KEPT:
            wrong = random() < ANSWER_WRONG
            kept[question] = ("yes", "no", "unknown")[int(random() * 3)] if wrong else answer
    return kept


def _weights(
    families: Sequence[Family], roles: Mapping[str, Role], by_role: Mapping[Role, float]
) -> list[float]:
    """Weigh families such that each role gets its share, and in it the written ones theirs."""
    total: dict[tuple[Role, bool], float] = {}
    for family in families:
        kind = roles[family.name], family.written
        total[kind] = total.get(kind, 0.0) + family.file.weight
    weights = []
    for family in families:
        role = roles[family.name]
        both = {(role, True), (role, False)} <= total.keys()
        share = (WRITTEN if family.written else 1 - WRITTEN) if both else 1.0
        share *= by_role.get(role, 0.0)
        weights.append(share * family.file.weight / total[role, family.written])
    return weights


def _dataset(made: Sequence[_Made], manifest: dict[str, Any]) -> Dataset:
    """Give the calls numbers in order of time, and lay them out as tables."""
    tables: tuple[list[dict[str, Any]], ...] = ([], [], [], [])
    rows, outcomes, labels, groups = tables
    for number, call in enumerate(made, 1):
        call_id = {"call_id": f"C{number:08d}"}
        rows += [call_id | revision for revision in call.revisions]
        outcomes += [call_id | call.outcome] if call.outcome else []
        labels += [call_id | label for label in call.labels]
        groups.append(call_id | call.group)
    return Dataset(
        calls=_table(rows, DTYPES),
        outcomes=_table(outcomes, OUTCOME_DTYPES),
        labels=_table(labels, LABEL_DTYPES),
        groups=_table(groups, GROUP_DTYPES),
        manifest=manifest,
    )


def _table(records: list[dict[str, Any]], columns: Iterable[str]) -> pd.DataFrame:
    return pd.DataFrame({name: [record.get(name) for record in records] for name in columns})
