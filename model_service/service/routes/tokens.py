"""Signing in and out with a token, as programs do."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.security import OAuth2PasswordRequestForm
from starlette.responses import Response

from model_service.service.auth import accounts_of, guard, signed_in
from model_service.service.routes.parts import answer, problems
from model_service.service.signing import form_only
from model_service.service.signing import sign_in as signing_in
from model_service.service.signing import sign_out as signing_out
from model_service.service.views import TokenView

router = APIRouter(prefix="/v1/token", tags=["token"])


@router.post(
    "",
    name="sign_in",
    response_model=None,
    responses={200: {"model": TokenView}, **problems(401, 413, 415, 422, 429, 503)},
    dependencies=[Depends(form_only)],
)
async def sign_in(
    request: Request, form: Annotated[OAuth2PasswordRequestForm, Depends()]
) -> Response:
    """Sign in with name and password (OAuth 2.0 password form) for the length of a shift."""
    who = await signing_in(request, form.username, form.password, "token")
    token, seconds = accounts_of(request).issue(who)
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
    accounts_of(request).revoke(token)
    await signing_out(request, signed_in(request), "token")
    return Response(status_code=204)
