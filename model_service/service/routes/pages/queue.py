"""The dispatcher's queue: calls as they come and as their notes grow."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Annotated, Any, cast

from fastapi import Header, Query, Request
from markupsafe import Markup
from starlette.responses import Response, StreamingResponse

from model_service.model.decision import OVERRIDE_REASONS
from model_service.service.auth import signed_in, still_signed_in
from model_service.service.console.board import Board, Row
from model_service.service.console.hub import BEAT, Hub
from model_service.service.console.page import page_router, render

router = page_router()

FIRST = 25
"""Rows that come with the page; the rest comes when somebody looks for it."""

MORE = 50

LARGEST = 2**63 - 1
Number = Annotated[int | None, Query(ge=0, le=LARGEST)]


@router.get("/", name="queue")
async def queue(request: Request) -> Response:
    """Show the calls, the newest first."""
    seen, rows = _hub(request).seen, _board(request).rows(FIRST + 1)
    return render(
        request,
        "queue.html",
        seen=seen,
        override_reasons=OVERRIDE_REASONS,
        **_cut(rows, FIRST),
    )


@router.get("/queue/rows", name="queue_rows")
async def rows(request: Request, before: Number = None) -> Response:
    """Give rows alone: all anew, or those of earlier calls."""
    seen = _hub(request).seen
    found = _board(request).rows(MORE + 1, before)
    return render(request, "rows.html", seen=seen, **_cut(found, MORE))


@router.get("/queue/events", name="queue_events")
async def events(
    request: Request,
    after: Number = None,
    stay: bool = True,
    last_event_id: Annotated[int | None, Header(ge=0, le=LARGEST)] = None,
) -> Response:
    """Tell what happens (server-sent events), from where a console has come to.

    With `stay=false` the answer ends with what there is to tell now.
    """
    hub = _hub(request)
    hub.seen  # noqa: B018 - where the log can't be read, the answer is 503 and no broken line
    known = after if last_event_id is None else last_event_id

    async def told() -> AsyncIterator[bytes]:
        look = time.monotonic() + BEAT
        async for event in hub.listen(known, stay=stay):
            yield event
            if time.monotonic() >= look:
                look += BEAT
                if not still_signed_in(request):
                    return

    return StreamingResponse(told(), media_type="text/event-stream")


@router.get("/calls/{assessment_id}", name="call_detail")
async def call_detail(request: Request, assessment_id: str) -> Response:
    """Show everything about one assessment of a call: a part of a page."""
    call = _board(request).assessment(assessment_id, signed_in(request))
    return render(request, "detail.html", call=call)


def _cut(rows: list[Row], limit: int) -> dict[str, Any]:
    more = rows[limit - 1].order if len(rows) > limit else None
    return {"rows": [Markup(row.html) for row in rows[:limit]], "more": more}


def _hub(request: Request) -> Hub:
    return cast(Hub, request.app.state.hub)


def _board(request: Request) -> Board:
    return cast(Board, request.app.state.board)
