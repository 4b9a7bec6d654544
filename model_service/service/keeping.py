"""Decisions that are taken while the log can't be written: kept, and recorded in order after that.

A person has decided, whether or not it can be recorded now, and must not be told to decide again.
So the decision waits in a spool (`log.spool`) and goes into the log as soon as that can be written,
with the time at which it was taken. While one waits, those that come in wait behind it. A decision
that was kept is recorded once, whatever stops the service in between: its entry holds its own
idempotency key.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

import structlog
from pydantic import AwareDatetime, ValidationError

from data.call import Record
from model_service.model.decision import Decision
from model_service.service.accounts import Identity, Role
from model_service.service.ids import new_id
from model_service.service.log import LogUnavailable
from model_service.service.log.spool import Spool
from model_service.service.telemetry import whereabouts

EVERY = 1.0
"""Seconds between two attempts to record what waits."""


class KeptDecision(Record):
    """A decision as it waits."""

    id: str
    assessment_id: str
    decision: Decision
    actor: str
    role: Role
    at: AwareDatetime
    key: str | None = None

    @property
    def who(self) -> Identity:
        """Whose decision it is."""
        return Identity(self.actor, self.role)


class Keeping:
    """What waits, and its way into the log.

    Parameters
    ----------
    spool : Spool
    """

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._draining = asyncio.Lock()
        self.waiting = True
        """Whether a decision waits, or may: at the start nobody has looked yet."""

    def reserve(self) -> None:
        """Set room aside while all is well; tell the operator if it can't be done."""
        try:
            self._spool.reserve()
        except LogUnavailable as error:
            say: Any = structlog.get_logger()
            say.warning("decisions could not be kept if the log failed", reason=str(error))

    def keep(
        self, assessment_id: str, decision: Decision, who: Identity, at: datetime, key: str | None
    ) -> KeptDecision:
        """Keep a decision; it is on disk when this returns.

        Raises
        ------
        LogUnavailable
            If it can't be kept either.
        """
        kept = KeptDecision(
            id=new_id(at),
            assessment_id=assessment_id,
            decision=decision,
            actor=who.name,
            role=who.role,
            at=at,
            key=key,
        )
        self._spool.keep(kept.model_dump_json(exclude_none=True).encode())
        if not self.waiting:
            say: Any = structlog.get_logger()
            say.error("the log can't be written: decisions are kept until it can")
        self.waiting = True
        return kept

    async def drain(self, record: Callable[[KeptDecision], Awaitable[None]]) -> None:
        """Record what waits, the first one first.

        Parameters
        ----------
        record : callable
            Awaited with each; writes nothing a second time.

        Raises
        ------
        LogUnavailable
            What was not recorded waits on.
        """
        async with self._draining:
            n = 0
            while self.waiting:
                seen = self._spool.read()
                damaged = seen.damaged
                for text in seen.records:
                    try:
                        kept = KeptDecision.model_validate_json(text)
                    except ValidationError:  # of another version
                        damaged += 1
                        continue
                    await record(kept)
                    n += 1
                if self._spool.clear(seen._replace(damaged=damaged)):
                    self.waiting = False
                    _tell(n, damaged)

    async def watch(self, record: Callable[[KeptDecision], Awaitable[None]]) -> None:
        """Record what waits at intervals, until cancelled."""
        while True:
            await asyncio.sleep(EVERY)
            try:
                await self.drain(record)
            except LogUnavailable:
                continue
            except Exception as error:  # what waits must not wait for ever for one mistake
                say: Any = structlog.get_logger()
                say.error("decisions that were kept can't be recorded", **whereabouts(error))


def _tell(recorded: int, damaged: int) -> None:
    say: Any = structlog.get_logger()
    if recorded:
        say.info("decisions that were kept are in the log", n=recorded)
    if damaged:
        say.error("kept decisions that can't be read were put aside", n=damaged)
