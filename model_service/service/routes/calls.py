"""A call's latest assessment, and its outcome."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from data.call import Outcome
from model_service.service.auth import signed_in
from model_service.service.bodies import read_record
from model_service.service.edge import CALL
from model_service.service.problems import FieldError, invalid
from model_service.service.routes.examples import OUTCOMES
from model_service.service.routes.parts import (
    IdempotencyKey,
    answer,
    assessor_of,
    body_of,
    problems,
)
from model_service.service.views import AssessmentRecord, OutcomeView

router = APIRouter(prefix="/v1/calls", tags=["calls"])

# `:path`, since a call's number may hold a slash.


@router.post(
    "/{call_id:path}/outcome",
    name="create_outcome",
    status_code=201,
    response_model=None,
    responses={
        201: {"model": OutcomeView, "description": "On record."},
        **problems(401, 403, 404, 413, 415, 422, 503),
    },
    openapi_extra=body_of(Outcome, **OUTCOMES),
)
async def create_outcome(
    request: Request, call_id: str, idempotency_key: IdempotencyKey = None
) -> Response:
    """Record what the world turned out to be; the last outcome of a call leads."""
    outcome = await read_record(request, Outcome)
    if outcome.call_id != call_id:
        raise invalid([FieldError("call_id", "not the call of the path")], what="outcome")
    request.scope[CALL] = call_id
    content = await assessor_of(request).learn(outcome, signed_in(request), key=idempotency_key)
    return answer(content, 201)


@router.get(
    "/{call_id:path}",
    name="read_call",
    response_model=None,
    responses={200: {"model": AssessmentRecord}, **problems(401, 403, 404, 503)},
)
async def read_call(request: Request, call_id: str) -> Response:
    """Read the assessment of a call's latest revision, the one that leads."""
    return answer(assessor_of(request).record_of_call(call_id, signed_in(request)))
