"""The cookie of a session, and what a request that comes with one must show.

A browser sends the cookie with whatever any page makes it send to us. So it goes to no other site's
requests (`SameSite=Strict`), and a request that changes something must come from a page of ours:
by the browser's own word (`Sec-Fetch-Site`, or `Origin` in an old one), and with a header that no
form of another site can send.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.requests import HTTPConnection
from starlette.responses import Response

from model_service.service.problems import Problem

NAME = "crisiscall-session"
HEADER = "x-crisiscall-console"
"""The header that our pages send with every request."""

_SAFE = frozenset(["GET", "HEAD", "OPTIONS"])


def session_token(request: HTTPConnection) -> str | None:
    """Read the token of a request's session."""
    return request.cookies.get(_name(request))


def give_session(request: HTTPConnection, response: Response, token: str, seconds: float) -> None:
    """Put a session's token into the browser, where no script can read it."""
    response.set_cookie(
        _name(request),
        token,
        max_age=int(seconds),
        path="/",
        secure=_secure(request),
        httponly=True,
        samesite="strict",
    )


def take_session(request: HTTPConnection, response: Response) -> None:
    """Take the token out of the browser again."""
    response.delete_cookie(
        _name(request), path="/", secure=_secure(request), httponly=True, samesite="strict"
    )


def same_origin(request: HTTPConnection) -> None:
    """Refuse a request that changes something and comes from no page of ours.

    Raises
    ------
    Problem
        403
    """
    if request.scope.get("method") in _SAFE:
        return
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        ours = site == "same-origin"
    else:
        origin = urlsplit(request.headers.get("origin", "")).netloc
        ours = bool(origin) and origin == request.headers.get("host")
    if not ours or HEADER not in request.headers:
        raise Problem(
            403, "cross-site", "not allowed", "this did not come from a page of the console"
        )


def _secure(request: HTTPConnection) -> bool:
    return request.url.scheme in ("https", "wss")


def _name(request: HTTPConnection) -> str:
    # With this prefix a browser takes the cookie from no other host, and over TLS alone.
    return f"__Host-{NAME}" if _secure(request) else NAME
