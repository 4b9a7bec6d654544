"""RFC 9457 errors that never echo what was sent.

A problem says what is wrong and where, in words of this project: no input, no path of a file, no
name that came with the request.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, NamedTuple

import orjson
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from data.call import QUESTIONS
from model_service.service.accounts import AccountsUnavailable
from model_service.service.asking import TIMES, WORDS
from model_service.service.log import LogUnavailable

MEDIA_TYPE = "application/problem+json"
FOLLOW_PROTOCOL = "follow protocol"
REQUEST_ID = "crisiscall.request_id"
REASON = "crisiscall.reason"
"""Where a request's scope holds its id, and what went wrong in words for the log line."""

_TYPE = "urn:crisiscall:problem:"
_UNKNOWN = "*"


class FieldError(NamedTuple):
    """One mistake: where, and what is wrong there."""

    path: str
    message: str


class Problem(HTTPException):
    """An error that the client is told about.

    Parameters
    ----------
    status : int
    code : str
        Ends the problem's `type`.
    title : str
        The same for every problem of the code.
    detail : str
        What to do about it.
    errors : sequence of FieldError
    headers : mapping, optional
    """

    def __init__(
        self,
        status: int,
        code: str,
        title: str,
        detail: str,
        *,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(status, detail, headers)
        self.code = code
        self.title = title
        self.errors = errors


class ProblemError(BaseModel):
    """One mistake of a request."""

    path: str = Field(description="Field, dotted; `*` stands for a name that is not known.")
    message: str


class ProblemDocument(BaseModel):
    """An error as RFC 9457 has it; it never repeats what was sent."""

    model_config = ConfigDict(title="Problem")

    type: str
    title: str
    status: int
    detail: str
    instance: str = Field(description="The request's id, as in X-Request-ID, as a URN.")
    errors: list[ProblemError] | None = Field(None, description="The mistakes, if any.")


def follow_protocol(detail: str) -> Problem:
    """Make the 503 that says: this software can't help now, do what you would do without it."""
    return Problem(503, "follow-protocol", FOLLOW_PROTOCOL, detail, headers={"Retry-After": "1"})


def not_found(what: str) -> Problem:
    """Make the 404 for a thing that is not there."""
    return Problem(404, "not-found", "not found", f"there is no such {what}")


def gone(what: str) -> Problem:
    """Make the 410 for what was erased."""
    return Problem(410, "erased", "erased", f"{what} was erased, and nobody can bring it back")


def conflict(detail: str) -> Problem:
    """Make the 409."""
    return Problem(409, "conflict", "conflict", detail)


def too_large(limit: int) -> Problem:
    """Make the 413. The connection is closed: the rest of the body is not worth reading."""
    return Problem(
        413,
        "too-large",
        "body too large",
        f"a request body is at most {limit} bytes",
        headers={"Connection": "close"},
    )


def unsupported(expected: str) -> Problem:
    """Make the 415."""
    return Problem(415, "unsupported-media-type", "unsupported media type", f"send {expected}")


def invalid(errors: Sequence[FieldError], *, what: str) -> Problem:
    """Make the 422 with its list of mistakes."""
    return Problem(422, "invalid", "invalid request", f"not a valid {what}", errors=errors)


def invalid_record(error: ValidationError, record: type[BaseModel], *, what: str) -> Problem:
    """Turn what pydantic says of a record into a 422.

    Only names that the record itself has are repeated; a key that somebody made up could be
    anything, and is shown as `*`.
    """
    known = frozenset(record.model_fields) | frozenset(QUESTIONS)
    return invalid(
        field_errors(
            error.errors(include_url=False, include_context=False, include_input=False), known
        ),
        what=what,
    )


def field_errors(errors: Iterable[Any], known: frozenset[str]) -> list[FieldError]:
    """List mistakes by path, with nothing in them that is not known."""
    found: dict[FieldError, None] = {}
    for error in errors:
        parts = [str(part) for part in error["loc"] if part != "[key]"]
        path = ".".join(part if part in known else _UNKNOWN for part in parts)
        message = str(error["msg"])
        if error["type"] == "extra_forbidden" or error["loc"][-1:] == ("[key]",):
            message = "not a known name"
        found[FieldError(path, message)] = None
    return list(found)


def render(scope: Scope, problem: Problem) -> Response:
    """Write a problem as a response."""
    document: dict[str, Any] = {
        "type": _TYPE + problem.code,
        "title": problem.title,
        "status": problem.status_code,
        "detail": problem.detail,
        "instance": f"urn:uuid:{scope.get(REQUEST_ID, '')}",
    }
    if problem.errors:
        document["errors"] = [error._asdict() for error in problem.errors]
    return Response(
        orjson.dumps(document), problem.status_code, problem.headers, media_type=MEDIA_TYPE
    )


def as_problem(error: Exception) -> Problem:
    """Find the problem that stands for an error."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, LogUnavailable):
        return follow_protocol("no record can be kept now, so no recommendation is given")
    if isinstance(error, AccountsUnavailable):
        return follow_protocol("nobody can be recognised now, so no recommendation is given")
    if isinstance(error, RequestValidationError):
        known = frozenset(
            [
                "after",
                "limit",
                "kind",
                "unserved",
                "response",
                "size",
                "seq",
                "from",
                "to",
                *TIMES,
                *WORDS,
                "username",
                "password",
                "grant_type",
                "scope",
                "idempotency-key",
            ]
        )
        errors = [{**e, "loc": e["loc"][1:]} for e in error.errors()]
        return invalid(field_errors(errors, known), what="request")
    if isinstance(error, HTTPException):
        phrase = HTTPStatus(error.status_code).phrase.lower()
        return Problem(
            error.status_code, phrase.replace(" ", "-"), phrase, phrase, headers=error.headers
        )
    return Problem(
        500, "internal", "internal error", "something went wrong here; follow protocol meanwhile"
    )


async def handle(request: Request, error: Exception) -> Response:
    """Answer with the problem that stands for an error."""
    problem = as_problem(error)
    unavailable = isinstance(error, LogUnavailable | AccountsUnavailable)
    request.scope[REASON] = str(error) if unavailable else problem.code
    return render(request.scope, problem)
