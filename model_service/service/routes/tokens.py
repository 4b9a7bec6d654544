"""Signing in and out."""

from __future__ import annotations

from typing import Annotated, cast

from fastapi import APIRouter, Depends, Request
from fastapi.security import OAuth2PasswordRequestForm
from starlette.responses import Response

from model_service.service.accounts import LockedOut, SignInBusy
from model_service.service.auth import accounts_of, guard, signed_in
from model_service.service.edge import ACTOR
from model_service.service.log import DecisionLog, Draft
from model_service.service.problems import Problem, follow_protocol, unsupported
from model_service.service.routes.parts import answer, problems
from model_service.service.views import TokenView

router = APIRouter(prefix="/v1/token", tags=["token"])

FORM = "application/x-www-form-urlencoded"


async def _form_only(request: Request) -> None:
    if request.headers.get("content-type", "").split(";")[0].strip().lower() != FORM:
        raise unsupported(FORM)


@router.post(
    "",
    name="sign_in",
    response_model=None,
    responses={200: {"model": TokenView}, **problems(401, 413, 415, 422, 429, 503)},
    dependencies=[Depends(_form_only)],
)
async def sign_in(
    request: Request, form: Annotated[OAuth2PasswordRequestForm, Depends()]
) -> Response:
    """Sign in with name and password (OAuth 2.0 password form) for the length of a shift."""
    accounts = accounts_of(request)
    try:
        who = await accounts.sign_in(form.username, form.password)
    except LockedOut as locked:
        raise Problem(
            429,
            "locked",
            "locked",
            "too many failed sign-ins of this name; wait, or ask an administrator for a reset",
            headers={"Retry-After": str(locked.seconds)},
        ) from None
    except SignInBusy:
        raise follow_protocol("too many sign-ins wait; try again in a moment") from None
    if who is None:
        raise Problem(
            401,
            "not-signed-in",
            "not signed in",
            "name and password do not fit, or the user is disabled",
            headers={"WWW-Authenticate": "Bearer"},
        )
    request.scope[ACTOR] = who.name
    log = cast(DecisionLog, request.app.state.log)
    await log.append(Draft("sign_in", who.name, {"role": who.role}))
    token, seconds = accounts.issue(who)
    return answer(
        {
            "access_token": token,
            "token_type": "bearer",
            "expires_in": int(seconds),
            "role": who.role,
        }
    )


@router.delete(
    "",
    name="sign_out",
    status_code=204,
    response_model=None,
    responses={204: {"description": "Signed out."}, **problems(401, 503)},
)
async def sign_out(request: Request, token: Annotated[str, Depends(guard)]) -> Response:
    """Sign out: the token that was sent is worth nothing from now on."""
    who = signed_in(request)
    accounts_of(request).revoke(token)
    log = cast(DecisionLog, request.app.state.log)
    await log.append(Draft("sign_out", who.name, {"role": who.role}))
    return Response(status_code=204)
