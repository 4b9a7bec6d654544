"""How many units of each response are free, as it was reported, and until when that is believed.

Unknown is not free: a report that has gone stale counts for nothing. Reports are entries of the log
and are read from there, whichever process wrote them.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any

from pydantic import AwareDatetime, Field

from data.call import Record
from model_service.model.plan import ResponsePlan
from model_service.service.accounts import Identity
from model_service.service.log import DecisionLog, Draft
from model_service.service.log.entry import now, stamp
from model_service.service.log.reading import MAX_PAGE
from model_service.service.problems import FieldError, invalid, not_found

LONGEST = timedelta(hours=24)
"""A report may be believed no longer than this."""

RECENT = 1000
"""Reports that are read back at a start; older ones are stale, or no longer the last."""


class UnitReport(Record):
    """How many units of a response are free."""

    free: Annotated[int, Field(ge=0, description="Units that could be sent now.")]
    stale_at: Annotated[
        AwareDatetime,
        Field(description="From this time on nobody knows, which is not free; within 24 hours."),
    ]


class Units:
    """What is known of units.

    Parameters
    ----------
    log : DecisionLog
    """

    def __init__(self, log: DecisionLog) -> None:
        self._log = log
        self._reports: dict[str, dict[str, Any]] = {}
        self._after: int | None = None

    def free(self, plan: ResponsePlan, at: datetime) -> dict[str, int]:
        """Tell how many units are free, of the responses of a plan of which that is known.

        Raises
        ------
        LogUnavailable
            If the reports can't be read.
        """
        asked = [response.id for response in plan.responses if response.units is not None]
        if not asked:
            return {}
        known = self._known()
        return {
            name: known[name]["free"]
            for name in asked
            if name in known and stamp(at) < known[name]["stale_at"]
        }

    def view(self, plan: ResponsePlan) -> dict[str, Any]:
        """Tell what is known of every response of a plan that has units."""
        at = now()
        known, free = self._known(), self.free(plan, at)
        return {
            response.id: {
                "units": response.units,
                "free": free.get(response.id),
                "stale_at": known.get(response.id, {}).get("stale_at"),
            }
            for response in plan.responses
            if response.units is not None
        }

    async def report(
        self, plan: ResponsePlan, name: str, report: UnitReport, who: Identity
    ) -> None:
        """Take a report of a response's units, and record it.

        Raises
        ------
        Problem
            404 if the plan has no such response, 422 if it has no units, fewer than are said to
            be free, or the report is stale or would be believed for too long.
        LogUnavailable
            If it can't be recorded; it does not hold then.
        """
        response = next((r for r in plan.responses if r.id == name), None)
        if response is None:
            raise not_found("response of the plan")
        at = now()
        mistakes = []
        if response.units is None:
            mistakes.append(FieldError("free", "the plan states no units of this response"))
        elif report.free > response.units:
            mistakes.append(FieldError("free", f"the plan has {response.units} units"))
        if not at < report.stale_at <= at + LONGEST:
            mistakes.append(FieldError("stale_at", "must lie within the next 24 hours"))
        if mistakes:
            raise invalid(mistakes, what="report")
        body = {"response": name, "free": report.free, "stale_at": stamp(report.stale_at)}
        await self._log.append(Draft("units", who.name, body, at=at))

    def _known(self) -> dict[str, dict[str, Any]]:
        if self._after is None:
            recent = self._log.read.recent("units", RECENT)
            self._after = recent[-1].seq - 1 if recent else 0
        while new := self._log.read.page(after=self._after, limit=MAX_PAGE, kind="units"):
            for entry in new:
                body = entry.content()
                self._reports[body["response"]] = body
            self._after = new[-1].seq
        return self._reports
