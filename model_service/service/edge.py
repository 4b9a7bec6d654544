"""What every request passes: an id, the size of its body, safe headers, one log line.

Pure ASGI, since it is in the way of every call.
"""

from __future__ import annotations

import time
import uuid
from typing import Any

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from model_service.service.problems import REASON, REQUEST_ID, as_problem, render, too_large
from model_service.service.telemetry import whereabouts

ACTOR = "crisiscall.actor"
CALL = "crisiscall.call_id"
"""Where a route leaves, in the request's scope, what the log line should tell."""

_METHODS = frozenset(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])

SECURITY_HEADERS: dict[bytes, bytes] = {
    b"content-security-policy": b"default-src 'none'; frame-ancestors 'none'",
    b"x-content-type-options": b"nosniff",
    b"x-frame-options": b"DENY",
    b"referrer-policy": b"no-referrer",
    b"cache-control": b"no-store",
}
"""Set on every answer, unless the route has set its own."""


class Edge:
    """The outermost layer of the application.

    Parameters
    ----------
    app : ASGI application
    body_limit : int
        Bytes of the largest body that is read.
    """

    def __init__(self, app: ASGIApp, *, body_limit: int) -> None:
        self._app = app
        self._body_limit = body_limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request through."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        request_id = scope[REQUEST_ID] = str(uuid.uuid4())
        limit = self._body_limit
        status = 0
        received = 0

        async def limited() -> Message:
            nonlocal received
            message = await receive()
            if message["type"] == "http.request":
                received += len(message.get("body", b""))
                if received > limit:
                    raise too_large(limit)
            return message

        async def adorned(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = message.setdefault("headers", [])
                there = {name for name, _ in headers}
                headers.extend(pair for pair in SECURITY_HEADERS.items() if pair[0] not in there)
                headers.append((b"x-request-id", request_id.encode()))
            await send(message)

        where: dict[str, Any] = {}
        try:
            if _stated_length(scope) > limit:
                raise too_large(limit)
            await self._app(scope, limited, adorned)
        except Exception as error:
            if status == 0:
                response = render(scope, as_problem(error))
                await response(scope, receive, adorned)
            if status >= 500:
                where = whereabouts(error)
        finally:
            route = scope.get("route")
            log = structlog.get_logger()
            (log.error if status >= 500 else log.info)(
                "request",
                request_id=request_id,
                method=scope["method"] if scope["method"] in _METHODS else None,
                route=getattr(route, "path", None),
                status=status,
                ms=round((time.perf_counter() - started) * 1e3, 3),
                actor=scope.get(ACTOR),
                call_id=scope.get(CALL),
                problem=scope.get(REASON),
                **where,
            )


def _stated_length(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length":
            return int(value) if value.isdigit() else 0
    return 0
