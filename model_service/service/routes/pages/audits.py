"""Reports on fairness, inside the console's frame."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import cast

from fastapi import Request
from starlette.responses import Response

from model_service.service.console.audits import POLICY as REPORT
from model_service.service.console.audits import read_file, report, reports
from model_service.service.console.page import POLICY, page_router, render
from model_service.service.problems import not_found
from model_service.service.routes.pages.reviewing import clock, zone_of
from model_service.service.settings import Settings

router = page_router()

FRAMING = f"{POLICY}; frame-src 'self'"
"""Of a page that shows a report in a frame."""


@router.get("/audits", name="audits")
async def audits(request: Request) -> Response:
    """List the reports."""
    found = await asyncio.to_thread(reports, _home(request))
    return render(request, "audits.html", reports=found, at=clock(zone_of(request)))


@router.get("/audits/{name}", name="audit")
async def audit(request: Request, name: str) -> Response:
    """Show a report."""
    found = await asyncio.to_thread(report, _home(request), name)
    if found is None:
        raise not_found("report")
    at = clock(zone_of(request))
    return render(request, "audit.html", policy=FRAMING, report=found, at=at)


@router.get("/audits/{name}/{file}", name="audit_file")
async def audit_file(request: Request, name: str, file: str) -> Response:
    """Give a file of a report as it is, with no leave to do anything."""
    found = await asyncio.to_thread(read_file, _home(request), name, file)
    if found is None:
        raise not_found("file of a report")
    content, kind = found
    headers = {"Content-Security-Policy": REPORT, "X-Frame-Options": "SAMEORIGIN"}
    return Response(content, media_type=kind, headers=headers)


def _home(request: Request) -> Path:
    return cast(Settings, request.app.state.settings).home
