"""Who may do what: one table, and the dependency that enforces it.

Who somebody is, is told by a token in the request's head (`POST /v1/token`: programs) or by the
session in a cookie (`POST /session`: the console); both come from the same users. Every route has
a name in `ACCESS`; a route without one is refused when the application is put together, so that
nothing is open because somebody forgot it.
"""

from __future__ import annotations

from typing import cast

from fastapi import Request
from fastapi.security import OAuth2PasswordBearer
from starlette.requests import HTTPConnection

from model_service.service.accounts import ROLES, Accounts, Identity, Role
from model_service.service.cookies import same_origin, session_token
from model_service.service.edge import ACTOR
from model_service.service.problems import Problem
from model_service.service.sessions import Sessions

PUBLIC = None
"""Anyone may call it, signed in or not."""

EVERYONE = cast(frozenset[Role], frozenset(ROLES))
"""Anyone who has signed in."""


def _roles(*names: Role) -> frozenset[Role]:
    return frozenset(names)


READS_CALLS = _roles("dispatcher", "supervisor", "auditor")
"""Roles that may read what was said in calls, and where they are from."""

DECIDES = _roles("dispatcher", "supervisor")
"""Roles that sit at a desk."""

Access = dict[str, frozenset[Role] | None]

INTERFACE: Access = {
    "create_assessment": _roles("dispatcher", "supervisor", "cad"),
    "create_eido_assessment": _roles("dispatcher", "supervisor", "cad"),
    "read_eido": _roles("dispatcher", "supervisor", "cad", "auditor"),
    "read_assessment": READS_CALLS,
    "create_decision": DECIDES,
    "create_outcome": _roles("dispatcher", "supervisor", "cad"),
    "read_call": READS_CALLS,
    "read_log": _roles("supervisor", "auditor", "administrator"),
    "read_proof": _roles("supervisor", "auditor", "administrator"),
    # Nothing but counts, times and hashes of what can't be guessed: whoever keeps them from outside
    # is who can tell later that the log was changed.
    "read_checkpoint": PUBLIC,
    "read_consistency": PUBLIC,
    "read_model": EVERYONE,
    "read_mode": EVERYONE,
    "switch_mode": _roles("supervisor", "administrator"),
    "read_units": EVERYONE,
    "report_units": _roles("supervisor", "cad"),
    "sign_in": PUBLIC,
    "sign_out": EVERYONE,
    "healthz": PUBLIC,
    "readyz": PUBLIC,
    "openapi": PUBLIC,
    "docs": PUBLIC,
    "docs_static": PUBLIC,
}
"""The interface for programs: route name → the roles that may call it."""

PAGES: Access = {
    "queue": DECIDES,
    "queue_rows": DECIDES,
    "queue_events": DECIDES,
    "type_a_call": DECIDES,
    "call_detail": READS_CALLS,
    "supervisor": _roles("supervisor"),
    "log_page": _roles("supervisor", "auditor"),
    "call_record": _roles("supervisor", "auditor"),
    "read_words": _roles("supervisor", "auditor"),
    "replay": _roles("auditor"),
    "verification": _roles("auditor"),
    "verification_state": _roles("auditor"),
    "verify_log": _roles("auditor"),
    "audits": _roles("auditor"),
    "audit": _roles("auditor"),
    "audit_file": _roles("auditor"),
    "help": EVERYONE,
    "state": EVERYONE,
    "sign_in_page": PUBLIC,
    "open_session": PUBLIC,
    "close_session": EVERYONE,
    "console_static": PUBLIC,
}
"""The console's pages and their parts, likewise; the navigation offers what is in here."""

ACCESS: Access = {**INTERFACE, **PAGES}
"""Who may call what."""

PASSIVE = frozenset(["state", "queue_events", "queue_rows", "verification_state"])
"""What a page asks for by itself, which is no sign that anybody sits there."""

IDENTITY = "crisiscall.identity"
"""Where the guard leaves, in the request's scope, who makes the request."""


def accounts_of(request: HTTPConnection) -> Accounts:
    """Give the application's users."""
    return cast(Accounts, request.app.state.accounts)


def sessions_of(request: HTTPConnection) -> Sessions:
    """Give the application's sessions."""
    return cast(Sessions, request.app.state.sessions)


class Guard(OAuth2PasswordBearer):
    """Lets a request pass, or not; the application depends on it as a whole."""

    async def __call__(self, request: HTTPConnection) -> str | None:
        """Check the token or the session of a request against the table.

        Raises
        ------
        Problem
            401 without a good one, 403 with one of a role that may not, or if a request that
            changes something comes with a cookie and not from a page of ours.
        """
        name = request.scope["route"].name
        allowed = ACCESS[name]
        if allowed is PUBLIC:
            return None
        token = await super().__call__(request)
        if token:
            identity = accounts_of(request).identify(token)
        elif token := session_token(request):
            same_origin(request)
            identity = sessions_of(request).identify(token, use=name not in PASSIVE)
        else:
            identity = None
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
        request.scope[IDENTITY] = identity
        return token


guard = Guard(tokenUrl="v1/token", auto_error=False, description="A token of POST /v1/token.")


def still_signed_in(request: HTTPConnection) -> bool:
    """Say whether who made a request, which takes long, could make it now again."""
    token = session_token(request)
    if request.headers.get("authorization", "").lower().startswith("bearer "):
        return accounts_of(request).identify(request.headers["authorization"][7:]) is not None
    return token is not None and sessions_of(request).identify(token, use=False) is not None


def signed_in(request: Request) -> Identity:
    """Tell who makes a request that the guard has let pass."""
    return cast(Identity, request.scope[IDENTITY])


def who_asks(request: Request) -> Identity | None:
    """Tell who makes a request, also one that anybody may make, if that can be told."""
    found: Identity | None = request.scope.get(IDENTITY)
    if found is None and (token := session_token(request)):
        found = sessions_of(request).identify(token, use=False)
    return found
