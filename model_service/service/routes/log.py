"""Pages of the decision log, its checkpoints and its proofs."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, cast

from fastapi import APIRouter, Depends, Query, Request
from fastapi import Path as PathParameter
from pydantic import AfterValidator, StringConstraints
from starlette.responses import Response

from model_service.model.decision import OverrideReason
from model_service.model.teams import UnservedReason
from model_service.service.asking import TIMES, WORDS, DecisionAsked
from model_service.service.auth import READS_CALLS, signed_in
from model_service.service.log import DecisionLog, Entry, Kind
from model_service.service.log.checkpointer import Checkpointer
from model_service.service.log.filters import Filters
from model_service.service.log.private import Broken
from model_service.service.log.reading import MAX_PAGE, Reader
from model_service.service.problems import (
    FieldError,
    Problem,
    follow_protocol,
    invalid,
    not_found,
)
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


def _utc(moment: datetime) -> datetime:
    try:
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except OverflowError:
        raise ValueError("no such time") from None


def _word(name: str) -> Any:
    """Describe a query parameter that can be given several times."""
    return Query(description=f"{WORDS[name]} Repeat it to let any of several through.")


Moment = Annotated[datetime, AfterValidator(_utc)]
Word = Annotated[str, StringConstraints(max_length=200)]


def filters_of(
    since: Annotated[Moment | None, Query(description=TIMES["since"])] = None,
    until: Annotated[Moment | None, Query(description=TIMES["until"])] = None,
    neighborhood: Annotated[list[Word], _word("neighborhood")] = [],  # noqa: B006
    recommendation: Annotated[list[Word], _word("recommendation")] = [],  # noqa: B006
    decision: Annotated[list[DecisionAsked], _word("decision")] = [],  # noqa: B006
    reason: Annotated[list[OverrideReason], _word("reason")] = [],  # noqa: B006
    actor: Annotated[list[Word], _word("actor")] = [],  # noqa: B006
    release: Annotated[list[Word], _word("release")] = [],  # noqa: B006
) -> Filters:
    """Take the filters from the query."""
    return Filters(
        since=since,
        until=until,
        neighborhood=tuple(neighborhood),
        recommendation=tuple(recommendation),
        decision=tuple(decision),
        reason=tuple(reason),
        actor=tuple(actor),
        release=tuple(release),
    )


@router.get(
    "",
    name="read_log",
    response_model=None,
    responses={200: {"model": LogPage}, **problems(401, 403, 422, 503)},
)
async def read_log(
    request: Request,
    filters: Annotated[Filters, Depends(filters_of)],
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
    """Read the log in order; pages stay as they are while entries arrive.

    A page that is filtered looks at some thousand entries and no more, so that nobody at a desk
    waits for it: it may be short, or empty. Go on with `next` until that is null. The neighbourhood
    is personal text, which is decrypted for it: roles that may not read calls can't ask for it.
    """
    if filters.neighborhood and signed_in(request).role not in READS_CALLS:
        raise Problem(403, "not-allowed", "not allowed", "this role may not ask where calls are")
    read = cast(DecisionLog, request.app.state.log).read
    after_next: int | None
    if filters != Filters():
        if unserved is not None:
            raise invalid([FieldError("unserved", "not with other filters")], what="request")
        try:
            entries, after_next = filters.page(read, after=after, limit=limit, kind=kind)
        except Broken:
            raise follow_protocol("a record does not fit its digest in the log") from None
    else:
        entries = _page(read, after, limit + 1, kind, unserved, response)
        after_next = entries[limit - 1].seq if len(entries) > limit else None
    return answer({"entries": [entry_view(entry) for entry in entries[:limit]], "next": after_next})


def _page(
    read: Reader,
    after: int,
    limit: int,
    kind: Kind | None,
    unserved: UnservedReason | Literal["any"] | None,
    response: str | None,
) -> list[Entry]:
    if unserved is None:
        return read.page(after=after, limit=limit, kind=kind)
    if kind not in (None, "assessment"):
        return []
    reason = None if unserved == "any" else unserved
    return read.unserved(after=after, limit=limit, response=response, reason=reason)


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
