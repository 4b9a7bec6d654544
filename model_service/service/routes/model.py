"""The release in force."""

from __future__ import annotations

from typing import cast

from fastapi import APIRouter, Request
from starlette.responses import Response

from model_service.service.loading import Releases
from model_service.service.problems import follow_protocol
from model_service.service.routes.parts import answer, problems
from model_service.service.views import ModelView

router = APIRouter(prefix="/v1/model", tags=["model"])


@router.get(
    "",
    name="read_model",
    response_model=None,
    responses={200: {"model": ModelView}, **problems(401, 403, 503)},
)
async def read_model(request: Request) -> Response:
    """Read which model and plan are in force, how the model was measured, and its card."""
    release = cast(Releases, request.app.state.releases).current
    if release is None:
        raise follow_protocol("no model is in force now")
    plan = release.plan.model_dump(mode="json", by_alias=True)
    return answer(
        {
            "release": release.name,
            "digest": release.digest,
            "plan": {**plan, "digest": release.plan_digest},
            "thresholds": {
                target: {"low": limits.low, "high": limits.high}
                for target, limits in release.thresholds.items()
            },
            "metrics": release.metrics,
            "card": release.card,
        }
    )
