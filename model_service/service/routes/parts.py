"""What the routes share."""

from __future__ import annotations

from typing import Annotated, Any, cast

import orjson
from fastapi import Header, Request
from starlette.responses import Response

from model_service.service.assessor import Assessor
from model_service.service.problems import MEDIA_TYPE, ProblemDocument

JSON = "application/json"

IdempotencyKey = Annotated[
    str | None,
    Header(
        max_length=257,
        pattern=r'^("[ !#-\[\]-~]+"|[!#-\[\]-~]+)$',
        description="A key of the client's own making, another one for each request, best a UUID. "
        "Sent again with the same key, a request gets the answer of the first and leaves no second "
        "entry; another request with the same key is refused.",
    ),
]

_MEANINGS = {
    401: "not signed in",
    403: "the role may not do that",
    404: "there is no such thing",
    409: "the revision was assessed with another content",
    410: "it was erased",
    413: "the body is too large",
    415: "the body is not JSON",
    422: "the body or a parameter is not valid, or the Idempotency-Key came with another body",
    429: "too many failed sign-ins",
    503: "follow protocol: no recommendation can be given, or no record can be kept",
}


def answer(content: Any, status: int = 200) -> Response:
    """Write an answer as JSON."""
    return Response(orjson.dumps(content), status, media_type=JSON)


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Document the problems that a route may answer with."""
    schema = {"$ref": f"#/components/schemas/{ProblemDocument.__name__}"}
    return {
        status: {"description": _MEANINGS[status], "content": {MEDIA_TYPE: {"schema": schema}}}
        for status in statuses
    }


def body_of(record: type[Any], **examples: Any) -> dict[str, Any]:
    """Document a body that the route reads from its bytes."""
    schema = {"$ref": f"#/components/schemas/{record.__name__}"}
    content: dict[str, Any] = {"schema": schema}
    if examples:
        content["examples"] = {name: {"value": value} for name, value in examples.items()}
    return {"requestBody": {"required": True, "content": {JSON: content}}}


def assessor_of(request: Request) -> Assessor:
    """Give the application's assessor."""
    return cast(Assessor, request.app.state.assessor)
