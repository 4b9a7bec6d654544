"""The made-up city: where calls come from, when, in which language, and how they end.

`city.yaml` holds the figures and says which of them are known and which are our choice.
"""

from __future__ import annotations

import functools
import importlib.resources
import random as random_module
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import Field

from data.call import CallerRole, CallSource, Code, Language, Question, Words
from data.sources.synthetic.grammar import GrammarError
from data.sources.synthetic.library import Hours, Odds, Part, Weight, read_yaml
from data.sources.synthetic.weighted import Weighted

Draw = Callable[[], float]
Share = Annotated[float, Field(ge=0, le=1)]
Ending = Literal["crisis_risk", "crisis_calm", "other_risk", "other_calm"]

SAME = "same"
"""In `OutcomeShares.types`: the call keeps its initial type."""

_LAYOUT_SEED = 617  # places the premises; the city is the same for every seed of the calls


class NeighborhoodFile(Part):
    """A neighbourhood: its shares of calls, where it lies, what is spoken besides English."""

    other: Weight
    crisis: Weight
    latitude: Annotated[float, Field(ge=-90, le=90)]
    longitude: Annotated[float, Field(ge=-180, le=180)]
    spread: Annotated[float, Field(gt=0, lt=1)]
    languages: dict[Language, Share] = {}


class PremisesFile(Part):
    """Addresses, and how calls come back to them."""

    count: Annotated[int, Field(ge=1, le=999_999)]
    exponent: Weight
    troubled: Annotated[int, Field(ge=1)]
    troubled_exponent: Weight
    crisis_at_troubled: Share
    other_at_troubled: Share
    missing: Share


class PriorityFile(Part):
    """Priorities of the call types in which a pattern is found."""

    pattern: str
    weights: dict[Code, Weight]


class OutcomeShares(Part):
    """How calls of one truth end."""

    types: dict[Words, Weight]
    dispositions: dict[Words, Weight]
    weapon_found: Share
    violence_occurred: Share
    clinician: Share


class CityFile(Part):
    """`city.yaml` as it is written."""

    timezone: str
    neighborhoods: Annotated[dict[Words, NeighborhoodFile], Field(min_length=1)]
    hours: dict[Hours, Annotated[list[Weight], Field(min_length=24, max_length=24)]]
    weekdays: dict[str, Annotated[list[Weight], Field(min_length=7, max_length=7)]]
    sources: dict[CallSource, Weight]
    roles: dict[CallerRole, Weight]
    premises: PremisesFile
    same_types: dict[Words, list[Words]]
    general_types: dict[Words, Weight]
    crisis_type: Words
    crisis_typed: Share
    priorities: list[PriorityFile]
    answers: dict[Question, Odds]
    outcomes: dict[Ending, OutcomeShares]


@dataclass(frozen=True, slots=True)
class Premise:
    """An address by its pseudonym, and where it lies (degrees, WGS 84)."""

    premise_id: str
    latitude: float
    longitude: float


@dataclass(frozen=True, slots=True)
class Place:
    """Where an incident happens. A premise is missing where there is no address."""

    neighborhood: str
    premise_id: str | None
    latitude: float
    longitude: float


class City:
    """Draws places, times, languages and priorities.

    Parameters
    ----------
    file : CityFile
    """

    def __init__(self, file: CityFile) -> None:
        self.file = file
        self.timezone = ZoneInfo(file.timezone)
        self.general_types = Weighted.of(file.general_types)
        self._type_of = {other: name for name, same in file.same_types.items() for other in same}
        self.sources = Weighted.of(file.sources)
        self.roles = Weighted.of(file.roles)
        self._neighborhoods = {
            crisis: Weighted(
                list(file.neighborhoods),
                [place.crisis if crisis else place.other for place in file.neighborhoods.values()],
            )
            for crisis in (False, True)
        }
        self._languages = {
            name: Weighted(
                ["en", *place.languages],
                [max(0.0, 1 - sum(place.languages.values())), *place.languages.values()],
            )
            for name, place in file.neighborhoods.items()
        }
        self._hours = {name: Weighted(range(24), weights) for name, weights in file.hours.items()}
        self._priorities = [
            (re.compile(rule.pattern), Weighted.of(rule.weights)) for rule in file.priorities
        ]
        self.priority_of = functools.cache(self._priority_of)
        self._lay_out()

    def _lay_out(self) -> None:
        """Place the premises; ids are dealt out at random, so that a number tells nothing."""
        layout = random_module.Random(_LAYOUT_SEED)  # noqa: S311 - no secret
        premises = self.file.premises
        numbers = list(range(1, premises.count + premises.troubled + 1))
        layout.shuffle(numbers)
        names = list(self.file.neighborhoods)
        self._premises: dict[str, Weighted[Premise]] = {}
        self._troubled: dict[str, Weighted[Premise]] = {}
        for pool, count, exponent, share in (
            (self._premises, premises.count, premises.exponent, "other"),
            (self._troubled, premises.troubled, premises.troubled_exponent, "crisis"),
        ):
            weights = [getattr(self.file.neighborhoods[name], share) for name in names]
            for name, weight in zip(names, weights, strict=True):
                size = max(1, int(count * weight / sum(weights)))
                built = [self._premise(name, numbers.pop(), layout) for _ in range(size)]
                zipf = [rank**-exponent for rank in range(1, size + 1)]
                pool[name] = Weighted(built, zipf)

    def _premise(self, neighborhood: str, number: int, layout: random_module.Random) -> Premise:
        place = self.file.neighborhoods[neighborhood]
        return Premise(
            f"P{number:06d}",
            round(layout.gauss(place.latitude, place.spread), 4),
            round(layout.gauss(place.longitude, place.spread), 4),
        )

    def draw_place(self, crisis: bool, random: Draw) -> Place:
        """Draw where an incident happens.

        Parameters
        ----------
        crisis : bool
            Crises come from other neighbourhoods, and oftener from the same premises again.
        random : callable
            Draws a float in [0, 1).

        Returns
        -------
        Place
        """
        premises = self.file.premises
        neighborhood = self._neighborhoods[crisis].draw(random)
        troubled = premises.crisis_at_troubled if crisis else premises.other_at_troubled
        if random() < troubled:
            premise = self._troubled[neighborhood].draw(random)
        else:
            premise = self._premises[neighborhood].draw(random)
            if random() < premises.missing:
                # In the street: near some premise, at none.
                return Place(neighborhood, None, premise.latitude, premise.longitude)
        return Place(neighborhood, premise.premise_id, premise.latitude, premise.longitude)

    def draw_language(self, neighborhood: str, random: Draw) -> str:
        """Draw the language of a caller, as a BCP 47 tag."""
        return self._languages[neighborhood].draw(random)

    def days(self, first: datetime, count: int) -> Mapping[Hours, list[float]]:
        """Relative volume of each day of a period, by profile of hours.

        Parameters
        ----------
        first : datetime
            The period's first day.
        count : int
            Its length in days.
        """
        start = first.weekday()
        profiles = self.file.weekdays
        return {
            name: [profiles.get(name, profiles["default"])[(start + day) % 7]
                   for day in range(count)]
            for name in self.file.hours
        }  # fmt: skip

    def draw_time(self, day: datetime, hours: Hours, random: Draw) -> datetime:
        """Draw a time on a day, in the city's time zone."""
        noon = day.replace(hour=12, tzinfo=self.timezone)
        hour = self._hours[hours].draw(random)
        return noon + timedelta(hours=hour - 12, seconds=int(random() * 3600))

    def call_type(self, words: str) -> str:
        """Name a call type as this city's agency does."""
        return self._type_of.get(words, words)

    def draw_priority(self, call_type: str | None, random: Draw) -> str | None:
        """Draw the initial priority of a call type; missing for a call without a type."""
        if call_type is None:
            return None
        weights: Weighted[str] | None = self.priority_of(call_type)
        return weights.draw(random) if weights else None

    def _priority_of(self, call_type: str) -> Weighted[str] | None:
        upper = call_type.upper()
        return next((w for pattern, w in self._priorities if pattern.search(upper)), None)


def load_city(text: str) -> City:
    """Read a city from YAML.

    Raises
    ------
    GrammarError
        If the file is wrong.
    """
    file = read_yaml("city.yaml", text, CityFile)
    if "default" not in file.weekdays:
        raise GrammarError("city.yaml: weekdays: needs a profile named 'default'")
    return City(file)


@functools.cache
def shipped_city() -> City:
    """Load the city that comes with the project, once."""
    here = importlib.resources.files(__package__)
    return load_city(here.joinpath("city.yaml").read_text(encoding="utf-8"))
