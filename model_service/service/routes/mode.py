"""What the service may do now: off, shadow, advisory."""

from __future__ import annotations

from typing import cast

from fastapi import APIRouter, Request
from starlette.responses import Response

from model_service.service.auth import signed_in
from model_service.service.bodies import read_record
from model_service.service.loading import Releases
from model_service.service.log import DecisionLog
from model_service.service.log.private import Broken
from model_service.service.modes import Modes, ModeSwitch
from model_service.service.problems import follow_protocol
from model_service.service.routes.parts import answer, body_of, problems
from model_service.service.views import ModeView, mode_view

router = APIRouter(prefix="/v1/mode", tags=["operation"])


@router.get(
    "",
    name="read_mode",
    response_model=None,
    responses={200: {"model": ModeView}, **problems(401, 403, 503)},
)
async def read_mode(request: Request) -> Response:
    """Read what the service may do now, and who switched it last."""
    return _now(request)


@router.put(
    "",
    name="switch_mode",
    response_model=None,
    responses={
        200: {"model": ModeView, "description": "In force, and on record."},
        **problems(401, 403, 413, 415, 422, 503),
    },
    openapi_extra=body_of(
        ModeSwitch,
        **{"the kill switch": {"mode": "off", "note": "unexpected answers since 14:00"}},
    ),
)
async def switch_mode(request: Request) -> Response:
    """Switch what the service may do, from the next request on.

    The plan's own mode stays the ceiling. Less than before is in force even where the answer is
    503, for lack of a record: then until the next switch or restart.
    """
    wanted = await read_record(request, ModeSwitch)
    await cast(Modes, request.app.state.modes).switch(wanted, signed_in(request))
    return _now(request)


def _now(request: Request) -> Response:
    modes = cast(Modes, request.app.state.modes)
    release = cast(Releases, request.app.state.releases).current
    plan = None if release is None else release.plan
    mode, switched = modes.now(plan), modes.switched
    read = cast(DecisionLog, request.app.state.log).read
    private: dict[str, bytes] = {}
    erasure = None
    if switched is not None:
        try:
            private = read.private(switched)
        except Broken:
            raise follow_protocol("the record does not fit its digest in the log") from None
        erasure = read.erased(switched, private)
    return answer(mode_view(mode, plan, switched, private, erasure))
