"""Whether the log is whole: when that was found out last, and the last checkpoint."""

from __future__ import annotations

from typing import Any, cast

from fastapi import Request
from starlette.responses import Response

from model_service.service.auth import signed_in
from model_service.service.console.page import page_router, render
from model_service.service.log.checkpointer import Checkpointer
from model_service.service.routes.pages.reviewing import clock, reader_of, zone_of
from model_service.service.settings import Settings
from model_service.service.verifying import Verifier

router = page_router()


@router.get("/verification", name="verification")
async def verification(request: Request) -> Response:
    """Show what is known of the log as a whole."""
    return render(request, "verification.html", **_state(request))


@router.get("/verification/state", name="verification_state")
async def verification_state(request: Request) -> Response:
    """Tell it again: a part of the page, which it asks for while a verification is under way."""
    return render(request, "verified.html", **_state(request))


@router.post("/verification", name="verify_log")
async def verify_log(request: Request) -> Response:
    """Begin to verify the log; the service goes on."""
    _verifier(request).start(signed_in(request))
    return render(request, "verified.html", **_state(request))


def _state(request: Request) -> dict[str, Any]:
    verifier = _verifier(request)
    checkpoints = cast(Checkpointer, request.app.state.checkpoints)
    settings = cast(Settings, request.app.state.settings)
    newest = reader_of(request).newest()
    return {
        "running": verifier.running,
        "last": verifier.last(),
        "checkpoint": checkpoints.latest,
        "folder": settings.checkpoints_path,
        "entries": newest,
        "at": clock(zone_of(request)),
    }


def _verifier(request: Request) -> Verifier:
    return cast(Verifier, request.app.state.verifier)
