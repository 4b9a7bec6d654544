"""How many units of each response are free."""

from __future__ import annotations

from typing import cast

from fastapi import APIRouter, Request
from starlette.responses import Response

from model_service.model.plan import ResponsePlan
from model_service.service.auth import signed_in
from model_service.service.bodies import read_record
from model_service.service.loading import Releases
from model_service.service.problems import follow_protocol
from model_service.service.routes.parts import answer, body_of, problems
from model_service.service.units import UnitReport, Units
from model_service.service.views import UnitsView

router = APIRouter(prefix="/v1/units", tags=["operation"])


@router.get(
    "",
    name="read_units",
    response_model=None,
    responses={200: {"model": dict[str, UnitsView]}, **problems(401, 403, 503)},
)
async def read_units(request: Request) -> Response:
    """Read what is known of the units of every response for which the plan states how many."""
    return answer(_units(request).view(_plan(request)))


@router.put(
    "/{response}",
    name="report_units",
    response_model=None,
    responses={
        200: {"model": dict[str, UnitsView], "description": "On record."},
        **problems(401, 403, 404, 413, 415, 422, 503),
    },
    openapi_extra=body_of(
        UnitReport, **{"one is free": {"free": 1, "stale_at": "2021-10-05T21:30:00-04:00"}}
    ),
)
async def report_units(request: Request, response: str) -> Response:
    """Report how many units of a response are free, and until when that may be believed.

    Unknown is not free: without a report that still holds, a response for which the plan states
    units is not recommended, and the entry says why.
    """
    report = await read_record(request, UnitReport)
    plan = _plan(request)
    await _units(request).report(plan, response, report, signed_in(request))
    return answer(_units(request).view(plan))


def _units(request: Request) -> Units:
    return cast(Units, request.app.state.units)


def _plan(request: Request) -> ResponsePlan:
    release = cast(Releases, request.app.state.releases).current
    if release is None:
        raise follow_protocol("no model is in force now")
    return release.plan
