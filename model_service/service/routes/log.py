"""Pages of the decision log, its checkpoints and its proofs."""

from __future__ import annotations

import asyncio
from typing import Annotated, Literal, cast

from fastapi import APIRouter, Query, Request
from fastapi import Path as PathParameter
from starlette.responses import Response

from model_service.model.teams import UnservedReason
from model_service.service.log import DecisionLog, Kind
from model_service.service.log.checkpointer import Checkpointer
from model_service.service.log.reading import MAX_PAGE
from model_service.service.problems import not_found
from model_service.service.routes.parts import JSON, answer, problems
from model_service.service.views import (
    CheckpointView,
    ConsistencyView,
    InclusionView,
    LogPage,
    entry_view,
)

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


@router.get(
    "/checkpoint",
    name="read_checkpoint",
    response_model=None,
    responses={200: {"model": CheckpointView}, **problems(404, 422)},
)
async def read_checkpoint(
    request: Request,
    size: Annotated[
        int | None,
        Query(ge=1, le=LARGEST, description="Number of entries; the latest one if not given."),
    ] = None,
) -> Response:
    """Read the latest signed checkpoint of the log, or an earlier one.

    Whoever keeps it can tell later whether the log still begins with the same entries. It holds
    nothing personal, and anyone may ask for it.
    """
    checkpoints = _checkpoints(request)
    found = checkpoints.latest
    if size is not None:  # in a thread: the folder may be on another machine's disk
        found = await asyncio.to_thread(checkpoints.of_size, size)
    if found is None:
        raise not_found("checkpoint")
    return Response(found.content(), media_type=JSON)


@router.get(
    "/consistency",
    name="read_consistency",
    response_model=None,
    responses={200: {"model": ConsistencyView}, **problems(404, 422, 503)},
)
async def read_consistency(
    request: Request,
    old: Annotated[int, Query(alias="from", ge=1, le=LARGEST, description="Entries then.")],
    new: Annotated[int, Query(alias="to", ge=1, le=LARGEST, description="Entries later.")],
) -> Response:
    """Prove that the log of one checkpoint begins with all entries of an earlier one.

    The proof is hashes alone, and anyone may ask for it.
    """
    proof = _checkpoints(request).prove_growth(old, new)
    if proof is None:
        raise not_found("log of so many entries in a checkpoint")
    return answer(proof)


@router.get(
    "/{seq}/proof",
    name="read_proof",
    response_model=None,
    responses={200: {"model": InclusionView}, **problems(401, 403, 404, 422, 503)},
)
async def read_proof(
    request: Request,
    seq: Annotated[int, PathParameter(ge=1, le=LARGEST, description="Number of the entry.")],
    size: Annotated[
        int | None,
        Query(ge=1, le=LARGEST, description="Of the checkpoint; the latest one if not given."),
    ] = None,
) -> Response:
    """Prove that an entry is in the log, to somebody who holds only a checkpoint."""
    proof = _checkpoints(request).prove_entry(seq, size)
    if proof is None:
        raise not_found("entry in a checkpoint")
    return answer(proof)


def _checkpoints(request: Request) -> Checkpointer:
    return cast(Checkpointer, request.app.state.checkpoints)
