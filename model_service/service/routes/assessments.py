"""A call in, a recommendation and its record out; and what a person decides on it."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from data.call import Call
from model_service.model.decision import Decision
from model_service.service.auth import signed_in
from model_service.service.bodies import read_record
from model_service.service.edge import CALL
from model_service.service.routes.examples import CALLS, DECISIONS
from model_service.service.routes.parts import (
    IdempotencyKey,
    answer,
    assessor_of,
    body_of,
    problems,
)
from model_service.service.views import (
    AssessmentRecord,
    AssessmentView,
    DecisionView,
    KeptDecisionView,
)

router = APIRouter(prefix="/v1/assessments", tags=["assessments"])


@router.post(
    "",
    name="create_assessment",
    status_code=201,
    response_model=None,
    responses={
        201: {"model": AssessmentView, "description": "Assessed, and on record."},
        200: {"model": AssessmentView, "description": "Assessed before: the first answer again."},
        **problems(401, 403, 409, 413, 415, 422, 503),
    },
    openapi_extra=body_of(Call, **CALLS),
)
async def create_assessment(request: Request, idempotency_key: IdempotencyKey = None) -> Response:
    """Assess one revision of a call.

    The answer goes out after its record is on disk. Where the service is off, in shadow, or holds
    advice back on this call until a decision is in, the answer says so in `withheld`. A later
    revision of the same call leads; an earlier one that arrives late is assessed and recorded, and
    does not lead.
    """
    call = await read_record(request, Call)
    request.scope[CALL] = call.call_id
    content, new = await assessor_of(request).assess(call, signed_in(request), key=idempotency_key)
    return answer(content, 201 if new else 200)


@router.get(
    "/{assessment_id}",
    name="read_assessment",
    response_model=None,
    responses={200: {"model": AssessmentRecord}, **problems(401, 403, 404, 503)},
)
async def read_assessment(request: Request, assessment_id: str) -> Response:
    """Read an assessment: the call as it was, what was recommended, decided and learned."""
    return answer(assessor_of(request).record(assessment_id, signed_in(request)))


@router.post(
    "/{assessment_id}/decision",
    name="create_decision",
    status_code=201,
    response_model=None,
    responses={
        201: {"model": DecisionView, "description": "On record."},
        202: {
            "model": KeptDecisionView,
            "description": "The log can't be written: kept on disk, and recorded once it can be.",
        },
        **problems(401, 403, 404, 413, 415, 422, 503),
    },
    openapi_extra=body_of(Decision, **DECISIONS),
)
async def create_decision(
    request: Request, assessment_id: str, idempotency_key: IdempotencyKey = None
) -> Response:
    """Accept or override a recommendation, or commit to a response where none was shown.

    A person may decide again: the last decision leads, and none is erased. It is never refused
    because the model is down, nor because a later revision of the call has come in, nor because the
    log can't be written: then it is kept, and looked at when it is recorded. Only where it can't be
    kept either is the answer 503.
    """
    decision = await read_record(request, Decision)
    content, recorded = await assessor_of(request).decide(
        assessment_id, decision, signed_in(request), key=idempotency_key
    )
    if recorded:
        request.scope[CALL] = content["call_id"]
    return answer(content, 201 if recorded else 202)
