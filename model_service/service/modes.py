"""What the service may do now: the plan's mode, or less where somebody has switched it lower.

The plan's mode is a ceiling: a switch can lower what the service does and lift it back, never above
the plan. The switch is the log's last entry of its kind, so that it outlives a restart and another
release, and holds for every process that serves this log from its next request on. Whoever switches
lower is obeyed before the record is written, and stays obeyed where none can be; a switch that
allows more holds once it is on record.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from data.call import Record
from model_service.model.plan import MODES, Mode, ResponsePlan
from model_service.service.accounts import Identity
from model_service.service.log import DecisionLog, Draft, Entry
from model_service.service.views import NOTE


class ModeSwitch(Record):
    """What the service may do from now on."""

    mode: Annotated[
        Mode,
        Field(
            description="`off`: the model is not asked. `shadow`: scored and recorded, shown to "
            "nobody at a desk. `advisory`: shown, if the plan allows it."
        ),
    ]
    note: Annotated[
        str | None, StringConstraints(max_length=1000), Field(description="Why; optional.")
    ] = None


def lower(*modes: Mode | None) -> Mode:
    """Tell the mode that allows least; None allows everything.

    Examples
    --------
    >>> lower("advisory", None, "shadow"), lower(None)
    ('shadow', 'advisory')
    """
    return min((mode for mode in modes if mode is not None), key=MODES.index, default="advisory")


class Modes:
    """The mode in force.

    Parameters
    ----------
    log : DecisionLog
    """

    def __init__(self, log: DecisionLog) -> None:
        self._log = log
        self._switched: Entry | None = None
        self._pressed: Mode | None = None

    def now(self, plan: ResponsePlan | None) -> Mode:
        """Tell the mode in force under a plan.

        Raises
        ------
        LogUnavailable
            If the last switch can't be read.
        """
        self._switched = self._log.read.last("mode")
        switched = None if self._switched is None else self._switched.content()["mode"]
        return lower(None if plan is None else plan.mode, switched, self._pressed)

    @property
    def switched(self) -> Entry | None:
        """The last switch that is on record, once `now` has read it."""
        return self._switched

    async def switch(self, wanted: ModeSwitch, who: Identity) -> None:
        """Switch, and record it.

        Raises
        ------
        LogUnavailable
            If it can't be recorded; a lower mode is in force all the same, until the next switch
            or restart.
        """
        self._pressed = lower(self._pressed, wanted.mode)
        private = {} if wanted.note is None else {NOTE: wanted.note.encode()}
        await self._log.append(Draft("mode", who.name, {"mode": wanted.mode}, private=private))
        self._pressed = None
