"""The supervisor's page: what came in during a period, and what became of it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Annotated, cast

from fastapi import Query, Request
from starlette.responses import Response

from model_service.service.console.calls import names_of
from model_service.service.console.drift import read_lights
from model_service.service.console.figures import figures_of
from model_service.service.console.links import log_url
from model_service.service.console.page import ASKING, page_router, render, state_of
from model_service.service.console.period import NAMES, Period, period_of
from model_service.service.console.tally import MOST, tally
from model_service.service.console.telling import UNSERVED, duration
from model_service.service.loading import Releases
from model_service.service.log import Entry
from model_service.service.log.entry import stamp
from model_service.service.log.reading import Reader
from model_service.service.routes.pages.reviewing import clock, plan_of, reader_of, zone_of
from model_service.service.settings import Settings

router = page_router()

STARTS = 200
"""Entries of the log that tell of a release in force, which are looked back on."""

SWITCHES = 50

Text = Annotated[str | None, Query(max_length=40)]


@router.get("/supervisor", name="supervisor")
async def supervisor(
    request: Request, period: Text = None, since: Text = None, until: Text = None
) -> Response:
    """Show the figures of a period."""
    settings = cast(Settings, request.app.state.settings)
    zone = zone_of(request)
    asked = period_of(
        period,
        since,
        until,
        now=datetime.now(UTC),
        zone=zone,
        shifts=settings.shift_starts,
    )
    names = names_of(plan_of(request))
    reader = reader_of(request)
    found = await tally(reader, asked)
    # In a thread: counting holds nothing that others wait for.
    figures = await asyncio.to_thread(figures_of, found, asked, names, UNSERVED)
    lights, no_lights = await asyncio.to_thread(read_lights, settings.home)
    return render(
        request,
        "supervisor.html",
        policy=ASKING,
        period=asked,
        periods=NAMES,
        figures=figures,
        found=found,
        most=MOST,
        lights=lights,
        no_lights=no_lights,
        in_force=state_of(request),
        since=_in_force_since(request, reader),
        switches=_switches(reader, asked),
        switches_url=log_url(asked.since, asked.until, kind="mode"),
        releases_url=log_url(kind="release"),
        at=clock(zone),
        local=lambda at: at.astimezone(zone).strftime("%Y-%m-%dT%H:%M"),
        duration=duration,
    )


def _in_force_since(request: Request, reader: Reader) -> str | None:
    """Tell since when the release is in force; a start of the service changes nothing."""
    release = cast(Releases, request.app.state.releases).current
    since = None
    for entry in reader.recent("release", STARTS):
        if release is None or entry.content()["model"]["digest"] != release.digest:
            break
        since = entry.at
    return since


def _switches(reader: Reader, period: Period) -> list[Entry]:
    after, end = reader.span(period.since, period.until)
    return reader.back(
        end + 1,
        after,
        limit=SWITCHES,
        kind="mode",
        since=stamp(period.since),
        until=stamp(period.until),
    )
