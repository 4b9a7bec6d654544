"""Who may do what: one table, and the dependency that enforces it.

Every route has a name in `ACCESS`; a route without one is refused when the application is put
together, so that nothing is open because somebody forgot it.
"""

from __future__ import annotations

from typing import Annotated, cast

from fastapi import Depends, Request
from fastapi.security import OAuth2PasswordBearer

from model_service.service.accounts import ROLES, Accounts, Identity, Role
from model_service.service.edge import ACTOR
from model_service.service.problems import Problem

PUBLIC = None
"""Anyone may call it, signed in or not."""

EVERYONE = cast(frozenset[Role], frozenset(ROLES))
"""Anyone who has signed in."""


def _roles(*names: Role) -> frozenset[Role]:
    return frozenset(names)


ACCESS: dict[str, frozenset[Role] | None] = {
    "create_assessment": _roles("dispatcher", "supervisor", "cad"),
    "read_assessment": _roles("dispatcher", "supervisor", "auditor"),
    "create_decision": _roles("dispatcher", "supervisor"),
    "create_outcome": _roles("dispatcher", "supervisor", "cad"),
    "read_call": _roles("dispatcher", "supervisor", "auditor"),
    "read_log": _roles("supervisor", "auditor", "administrator"),
    "read_model": EVERYONE,
    "sign_in": PUBLIC,
    "sign_out": EVERYONE,
    "healthz": PUBLIC,
    "readyz": PUBLIC,
    "openapi": PUBLIC,
    "docs": PUBLIC,
    "docs_static": PUBLIC,
}
"""Route name → the roles that may call it."""

NOBODY = Identity("", "dispatcher")
"""Stands for the caller of a public route; no route that needs somebody ever sees it."""

bearer = OAuth2PasswordBearer(
    tokenUrl="v1/token", auto_error=False, description="A token of POST /v1/token."
)


def accounts_of(request: Request) -> Accounts:
    """Give the application's users."""
    return cast(Accounts, request.app.state.accounts)


async def guard(request: Request, token: Annotated[str | None, Depends(bearer)]) -> Identity:
    """Let a request pass, or not.

    Raises
    ------
    Problem
        401 without a good token, 403 with one of a role that may not.
    """
    allowed = ACCESS[request.scope["route"].name]
    if allowed is PUBLIC:
        return NOBODY
    identity = accounts_of(request).identify(token) if token else None
    if identity is None:
        raise Problem(
            401,
            "not-signed-in",
            "not signed in",
            "sign in at POST /v1/token and send the token as `Authorization: Bearer …`",
            headers={"WWW-Authenticate": "Bearer"},
        )
    request.scope[ACTOR] = identity.name
    if identity.role not in allowed:
        raise Problem(403, "not-allowed", "not allowed", "this role may not do that")
    return identity


SignedIn = Annotated[Identity, Depends(guard)]
"""Who makes the request."""
