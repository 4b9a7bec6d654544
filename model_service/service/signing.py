"""Signing in and out, on record, whichever way somebody comes: with a token or in the console."""

from __future__ import annotations

from typing import Any, Literal, cast

from fastapi import Request

from model_service.service.accounts import Identity, LockedOut, SignInBusy
from model_service.service.auth import accounts_of
from model_service.service.edge import ACTOR
from model_service.service.log import DecisionLog, Draft
from model_service.service.problems import Problem, follow_protocol, unsupported

FORM = "application/x-www-form-urlencoded"

Way = Literal["token", "console"]
"""How somebody comes: as a program does, or in a browser."""


async def form_only(request: Request) -> None:
    """Refuse a sign-in that is no form: a password is read from nowhere else.

    Raises
    ------
    Problem
        415
    """
    if request.headers.get("content-type", "").split(";")[0].strip().lower() != FORM:
        raise unsupported(FORM)


async def sign_in(request: Request, name: str, password: str, way: Way) -> Identity:
    """Check a password and record that somebody signed in.

    Raises
    ------
    Problem
        401 if it does not fit, 429 after too many failures, 503 if too many wait.
    LogUnavailable
        If it can't be recorded.
    """
    try:
        who = await accounts_of(request).sign_in(name, password)
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
    await _record(request, "sign_in", who, {"way": way})
    return who


async def sign_out(request: Request, who: Identity, way: Way, **more: Any) -> None:
    """Record that somebody signed out.

    Raises
    ------
    LogUnavailable
    """
    await _record(request, "sign_out", who, {"way": way, **more})


async def _record(
    request: Request, kind: Literal["sign_in", "sign_out"], who: Identity, more: dict[str, Any]
) -> None:
    log = cast(DecisionLog, request.app.state.log)
    await log.append(Draft(kind, who.name, {"role": who.role, **more}))
