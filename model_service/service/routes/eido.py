"""NENA's EIDO: a call in, and the same document with the recommendation out."""

from __future__ import annotations

import json
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from model_service.service.auth import signed_in
from model_service.service.bodies import read_eido as read_body
from model_service.service.edge import CALL
from model_service.service.routes.examples import EIDOS
from model_service.service.routes.parts import JSON, IdempotencyKey, answer, assessor_of, problems
from model_service.service.views import EidoAssessmentView

router = APIRouter(prefix="/v1", tags=["eido"])

_SCHEMA: dict[str, Any] = {
    "type": "object",
    "title": "EIDO",
    "description": "An Emergency Incident Data Object as NENA-STA-021.1 has it (eidoVersion 1.0).",
    "required": [
        "$id",
        "lastUpdateTimeStamp",
        "updatedByAgencyReference",
        "eidoVersion",
        "issuingElementIdentification",
        "agencyComponent",
    ],
}


@router.post(
    "/eido",
    name="create_eido_assessment",
    status_code=201,
    response_model=None,
    responses={
        201: {"model": EidoAssessmentView, "description": "Assessed, and on record."},
        200: {
            "model": EidoAssessmentView,
            "description": "This very document was assessed before: the first answer again.",
        },
        **problems(401, 403, 409, 413, 415, 422, 503),
    },
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                JSON: {
                    "schema": _SCHEMA,
                    # As texts: a page of documentation would follow a `$ref` in an object.
                    "examples": {
                        name: {"value": json.dumps(value, indent=1)}
                        for name, value in EIDOS.items()
                    },
                }
            },
        }
    },
)
async def create_eido_assessment(
    request: Request, idempotency_key: IdempotencyKey = None
) -> Response:
    """Assess a call that comes in as an EIDO.

    The call is read from what was known before a unit was sent; the document is kept whole beside
    it. Each update of an incident is its next revision. One that is older than the latest which was
    assessed is refused, unless it was assessed itself. The limit of a body's size is that of every
    request: raise `CRISISCALL_BODY_LIMIT` where documents carry images.
    """
    call, document, body = await read_body(request)
    request.scope[CALL] = call.call_id
    content, new = await assessor_of(request).assess_eido(
        call, document, body, signed_in(request), key=idempotency_key
    )
    return answer(content, 201 if new else 200)


@router.get(
    "/assessments/{assessment_id}/eido",
    name="read_eido",
    response_model=None,
    responses={
        200: {"description": "An EIDO.", "content": {JSON: {"schema": _SCHEMA}}},
        **problems(401, 403, 404, 410, 503),
    },
)
async def read_eido(request: Request, assessment_id: str) -> Response:
    """Write an assessment as an EIDO: all that came in, and the recommendation as a note.

    The note is labelled as a machine's; a caution goes with it where the plan says so. Where advice
    is withheld from those at a desk, the document holds none, whoever asks. A call that did not
    come in as an EIDO gets a fresh one.
    """
    return Response(assessor_of(request).eido(assessment_id), media_type=JSON)
