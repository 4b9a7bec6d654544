"""What the pages share that look back: names, times where the centre is, the log."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, tzinfo
from typing import cast

from fastapi import Request

from model_service.model.plan import ResponsePlan
from model_service.service.loading import Releases
from model_service.service.log import DecisionLog
from model_service.service.log.reading import Reader


def plan_of(request: Request) -> ResponsePlan | None:
    """Give the plan in force, if one is."""
    release = cast(Releases, request.app.state.releases).current
    return None if release is None else release.plan


def zone_of(request: Request) -> tzinfo:
    """Tell the centre's time zone: that of the plan in force, or UTC where none is."""
    plan = plan_of(request)
    return UTC if plan is None else plan.zone


def reader_of(request: Request) -> Reader:
    """Give the application's log, to read from."""
    return cast(DecisionLog, request.app.state.log).read


def clock(zone: tzinfo) -> Callable[[str | datetime], str]:
    """Make what tells a moment where the centre is, to the second."""

    def told(at: str | datetime) -> str:
        read = datetime.fromisoformat(at) if isinstance(at, str) else at
        return read.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S")

    return told
