"""Which teams of a plan take a call, and what keeps each of them from it.

The call's place and time, the units that are free and what is known of its facts decide here;
the model has no say beyond the bands.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Literal, NamedTuple

from data.call import TARGETS, Answer, Call
from model_service.model.plan import PROTOCOL, Band, Response, ResponsePlan

UnservedReason = Literal[
    "not_started",
    "ended",
    "out_of_hours",
    "out_of_area",
    "place_unknown",
    "busy",
    "units_unknown",
]
"""Why a team that fits can't be sent."""

Free = Mapping[str, int]
"""Response → how many of its units are free, of the responses of which that is known."""

Bands = tuple[Band, Band]
"""The bands of a call, in the order of `TARGETS`."""


Known = tuple[Answer, ...]
"""What is known of the facts that a plan needs, in the order of its `needed`."""


class Unserved(NamedTuple):
    """A response that fits the call but can't be sent, and why."""

    response: str
    reason: UnservedReason


class Awaiting(NamedTuple):
    """A response that fits and can be sent, were it known that a fact is a no."""

    response: str
    fact: str


class Choice(NamedTuple):
    """What a plan chooses.

    Parameters
    ----------
    response : Response or None
        None for the centre's own protocol.
    stands_in : bool
        It does not fit itself, and is sent since none that does can be.
    unserved : tuple of Unserved
        Responses that fit better, or as well, and can't be sent.
    awaiting : tuple of Awaiting
        Responses that fit better, or as well, but for facts that are not known to be a no.
    """

    response: Response | None
    stands_in: bool
    unserved: tuple[Unserved, ...]
    awaiting: tuple[Awaiting, ...]

    @property
    def sends(self) -> str:
        """Id of what is chosen."""
        return PROTOCOL if self.response is None else self.response.id


class Teams:
    """The teams of a plan, as they stand to one call; everything is found out once.

    Parameters
    ----------
    plan : ResponsePlan
    call : Call
    free : mapping of str to int, optional
        Free units; a response that is not in it is not known to have any. None: units are not
        asked for, as with calls of the past.
    """

    def __init__(self, plan: ResponsePlan, call: Call, free: Free | None = None) -> None:
        self.plan = plan
        self.call = call
        self._local = call.received_at.astimezone(plan.zone)
        self._free = free
        self._obstacles: dict[str, UnservedReason | None] = {}
        self._choices: dict[tuple[Bands, Known], Choice] = {}

    def obstacle(self, response: Response) -> UnservedReason | None:
        """Say why a team can't be sent to the call, if it can't."""
        if response.id not in self._obstacles:
            self._obstacles[response.id] = obstacle(
                self.plan, response, self.call, self._local, self._free
            )
        return self._obstacles[response.id]

    def choose(self, bands: Bands, known: Known) -> Choice:
        """Choose by the plan's order.

        The first response that takes the bands, can be sent and lacks no fact. Where some take
        them and none can be sent, it is what the plan names for that.

        Parameters
        ----------
        bands : (band, band)
        known : tuple of {"yes", "no", "unknown"}
        """
        made = self._choices.get((bands, known))
        if made is None:
            made = self._choices[bands, known] = self._choose(bands, known)
        return made

    def _choose(self, bands: Bands, known: Known) -> Choice:
        unserved: list[Unserved] = []
        awaiting: list[Awaiting] = []
        by_target = dict(zip(TARGETS, bands, strict=True))
        value = dict(zip(self.plan.needed, known, strict=True))
        for response in self.plan.responses:
            lacking = [fact for fact in response.needs if value[fact] != "no"]
            if not response.takes(by_target) or any(value[fact] == "yes" for fact in lacking):
                continue
            why = self.obstacle(response)
            if why is not None:
                unserved.append(Unserved(response.id, why))
            elif lacking:
                awaiting += [Awaiting(response.id, fact) for fact in lacking]
            else:
                return Choice(response, False, tuple(unserved), tuple(awaiting))
        instead = self.plan.stand_in if unserved else None
        if instead is not None and (
            self.obstacle(instead) or any(value[fact] != "no" for fact in instead.needs)
        ):
            instead = None
        return Choice(instead, instead is not None, tuple(unserved), tuple(awaiting))


def obstacle(
    plan: ResponsePlan, response: Response, call: Call, local: datetime, free: Free | None
) -> UnservedReason | None:
    """Say why a team can't be sent to a call, if it can't.

    Parameters
    ----------
    plan : ResponsePlan
    response : Response
        One of the plan's.
    call : Call
    local : datetime
        The call's time in the plan's time zone.
    free : mapping of str to int, optional
    """
    if response.since is None or local.date() < response.since:
        return "not_started"
    if response.until is not None and local.date() > response.until:
        return "ended"
    if not plan.on_duty(response, local):
        return "out_of_hours"
    served = plan.serves(response, call)
    if not served:
        return "place_unknown" if served is None else "out_of_area"
    if response.units is None or free is None:
        return None
    units = free.get(response.id)
    if units is None:
        return "units_unknown"
    return None if units > 0 else "busy"
