"""Everything about one call, on one page that can be printed; and one assessment recomputed.

The page comes without what is personal: what was said, notes, the outcome. Whoever wants to read
that asks for it, and that it was read goes on record before it is shown.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any, cast

from fastapi import Request
from starlette.responses import Response

from data.call import QUESTION_TEXTS
from model_service.service.auth import ACCESS, signed_in
from model_service.service.console.calls import names_of
from model_service.service.console.comparing import VERDICTS, shown
from model_service.service.console.page import page_router, render
from model_service.service.console.recording import happenings
from model_service.service.console.words import BANDS
from model_service.service.ids import is_id
from model_service.service.log import DecisionLog, Draft, Entry
from model_service.service.log.private import Broken
from model_service.service.log.replay import Shelf, compare
from model_service.service.problems import follow_protocol, not_found
from model_service.service.routes.pages.reviewing import clock, plan_of, reader_of, zone_of
from model_service.service.routes.parts import assessor_of
from model_service.service.settings import Settings

router = page_router()


@router.get("/records/{assessment_id}", name="call_record")
async def call_record(request: Request, assessment_id: str) -> Response:
    """Show the record of the call that an assessment is of, without what is personal."""
    entry = _assessment(request, assessment_id)
    return render(request, "record.html", **_record(request, entry, said=False))


@router.post("/records/{assessment_id}/words", name="read_words")
async def read_words(request: Request, assessment_id: str) -> Response:
    """Put on record that somebody reads what was said, and show it: a part of the page."""
    entry = _assessment(request, assessment_id)
    log = cast(DecisionLog, request.app.state.log)
    body = {"filters": "", "format": "page"}
    await log.append(Draft("narratives_read", signed_in(request).name, body, call_id=entry.call_id))
    return render(request, "record_body.html", **_record(request, entry, said=True))


@router.get("/records/{assessment_id}/replay", name="replay")
async def replay(request: Request, assessment_id: str) -> Response:
    """Recompute an assessment from its record and its release, and show both side by side."""
    entry = _assessment(request, assessment_id)
    reader = reader_of(request)
    try:
        private = reader.private(entry)
    except Broken:
        raise _does_not_fit() from None
    erased = reader.erased(entry, private) is not None
    # In a thread: a release that is not in force any more has to be read from disk.
    compared = await asyncio.to_thread(compare, entry, private, _shelf(request), erased=erased)
    return render(
        request,
        "replay.html",
        entry=entry,
        compared=compared,
        verdict=VERDICTS[compared.verdict],
        parts=shown(compared),
        at=clock(zone_of(request)),
    )


def _assessment(request: Request, assessment_id: str) -> Entry:
    found = reader_of(request).assessment(assessment_id) if is_id(assessment_id) else None
    if found is None:
        raise not_found("assessment")
    return found


def _record(request: Request, entry: Entry, *, said: bool) -> dict[str, Any]:
    who = signed_in(request)
    try:
        found = happenings(
            reader_of(request),
            assessor_of(request),
            str(entry.call_id),
            who,
            names_of(plan_of(request)),
            said=said,
        )
    except Broken:
        raise _does_not_fit() from None
    zone = zone_of(request)
    return {
        "call_id": entry.call_id,
        "assessment_id": entry.assessment_id,
        "happenings": found,
        "said": said,
        "replays": who.role in (ACCESS["replay"] or ()),
        "questions": QUESTION_TEXTS,
        "bands": BANDS,
        "at": clock(zone),
        "zone": str(zone),
        "reader": who.name,
        "now": datetime.now(UTC),
    }


def _does_not_fit() -> Exception:
    return follow_protocol("a record does not fit its digest: verify the log")


def _shelf(request: Request) -> Shelf:
    """Give the releases at hand now; one that came in meanwhile is among them."""
    settings = cast(Settings, request.app.state.settings)
    return Shelf([settings.home / "releases", settings.release_path.parent])
