"""Pages of the decision log."""

from __future__ import annotations

from typing import Annotated, Literal, cast

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from model_service.model.teams import UnservedReason
from model_service.service.log import DecisionLog, Kind
from model_service.service.log.reading import MAX_PAGE
from model_service.service.routes.parts import answer, problems
from model_service.service.views import LogPage, entry_view

router = APIRouter(prefix="/v1/log", tags=["log"])

LARGEST = 2**63 - 1


@router.get(
    "",
    name="read_log",
    response_model=None,
    responses={200: {"model": LogPage}, **problems(401, 403, 422, 503)},
)
async def read_log(
    request: Request,
    after: Annotated[int, Query(ge=0, le=LARGEST, description="Sequence to begin after.")] = 0,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 100,
    kind: Annotated[Kind | None, Query(description="Only entries of this kind.")] = None,
    unserved: Annotated[
        UnservedReason | Literal["any"] | None,
        Query(
            description="Only assessments in which a response fitted and could not be sent, for "
            "this reason or any."
        ),
    ] = None,
    response: Annotated[
        str | None, Query(max_length=64, description="With `unserved`: only this response.")
    ] = None,
) -> Response:
    """Read the log in order; pages stay as they are while entries arrive."""
    read = cast(DecisionLog, request.app.state.log).read
    if unserved is None:
        entries = read.page(after=after, limit=limit + 1, kind=kind)
    elif kind in (None, "assessment"):
        reason = None if unserved == "any" else unserved
        entries = read.unserved(after=after, limit=limit + 1, response=response, reason=reason)
    else:
        entries = []
    more = len(entries) > limit
    entries = entries[:limit]
    return answer(
        {
            "entries": [entry_view(entry) for entry in entries],
            "next": entries[-1].seq if more else None,
        }
    )
