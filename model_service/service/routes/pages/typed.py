"""Type a call: assessed while one types, for training rooms and demonstrations."""

from __future__ import annotations

from typing import cast, get_args

from fastapi import Request
from starlette.responses import Response

from data.call import QUESTION_TEXTS, CallerRole
from model_service.model.decision import OVERRIDE_REASONS
from model_service.service.console.page import page_router, render
from model_service.service.loading import Releases

router = page_router()


@router.get("/type", name="type_a_call")
async def type_a_call(request: Request) -> Response:
    """Show the form."""
    release = cast(Releases, request.app.state.releases).current
    responses = [] if release is None else release.plan.responses
    return render(
        request,
        "typed.html",
        questions=QUESTION_TEXTS,
        caller_roles=[role for role in get_args(CallerRole) if role != "unknown"],
        override_reasons=OVERRIDE_REASONS,
        places=sorted({place for response in responses for place in response.places or ()}),
    )
