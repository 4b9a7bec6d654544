"""Whether the process is up, and whether it can do its work."""

from __future__ import annotations

from typing import cast

from fastapi import APIRouter, Request
from starlette.responses import Response

from model_service.service.problems import follow_protocol
from model_service.service.readiness import Readiness
from model_service.service.routes.parts import answer, problems
from model_service.service.views import HealthView, ReadyView

router = APIRouter(tags=["health"])


@router.get("/healthz", name="healthz", response_model=None, responses={200: {"model": HealthView}})
async def healthz() -> Response:
    """Say that the process is up."""
    return answer({"status": "ok"})


@router.get(
    "/readyz",
    name="readyz",
    response_model=None,
    responses={200: {"model": ReadyView}, **problems(503)},
)
async def readyz(request: Request) -> Response:
    """Say whether assessments can be made and recorded now, and if not, why."""
    readiness = cast(Readiness, request.app.state.readiness)
    reason = readiness.reason()
    if reason is not None:
        raise follow_protocol(reason)
    return answer({"status": "ready", **readiness.summary()})
