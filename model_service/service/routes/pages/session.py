"""Signing in to the console and out of it, and the lock.

Locking ends the session, and unlocking opens another: whoever finds a locked console finds no
session in it, and the page keeps what was typed.
"""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import Depends, Form, Request
from starlette.responses import RedirectResponse, Response

from model_service.service.auth import guard, sessions_of, signed_in, who_asks
from model_service.service.console.page import page_router, pages_of, render
from model_service.service.cookies import give_session, same_origin, take_session
from model_service.service.problems import Problem
from model_service.service.routes.parts import answer
from model_service.service.signing import form_only, sign_in, sign_out

router = page_router()


@router.get("/sign-in", name="sign_in_page")
async def sign_in_page(request: Request) -> Response:
    """Show where one signs in; whoever has goes on to the first page of their role."""
    pages = pages_of(request, who_asks(request))
    return RedirectResponse(pages[0].path, 303) if pages else render(request, "sign_in.html")


@router.post(
    "/session", name="open_session", dependencies=[Depends(same_origin), Depends(form_only)]
)
async def open_session(
    request: Request, username: Annotated[str, Form()], password: Annotated[str, Form()]
) -> Response:
    """Open a session: its token goes into a cookie, and the answer says where to go on."""
    who = await sign_in(request, username, password, "console")
    sessions = sessions_of(request)
    response = answer({"name": who.name, "home": pages_of(request, who)[0].path})
    give_session(request, response, sessions.open(who), sessions.lifetime)
    return response


@router.delete("/session", name="close_session")
async def close_session(
    request: Request,
    token: Annotated[str, Depends(guard)],
    why: Literal["signed_out", "locked"] = "signed_out",
) -> Response:
    """End the session: its token is worth nothing from now on."""
    who = signed_in(request)
    if "authorization" in request.headers:
        raise Problem(400, "bad-request", "bad request", "a token ends at DELETE /v1/token")
    sessions_of(request).close(token)
    response = Response(status_code=204)
    take_session(request, response)
    await sign_out(request, who, "console", why=why)
    return response
