"""The console's pages and their parts; `console/page.py` says how one is added.

queue.py         the dispatcher's calls as they come
typed.py         a call that is typed
supervisor.py    figures of a period
log.py           the log with its filters
record.py        everything about one call, to print; one assessment recomputed
verification.py  whether the log is whole
audits.py        reports on fairness
session.py       signing in and out, the lock
common.py        what every role has: help, and what is in force
"""

from __future__ import annotations

from importlib import resources

from fastapi import FastAPI
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from model_service.service.console.page import Page
from model_service.service.routes.pages import (
    audits,
    common,
    log,
    queue,
    record,
    session,
    supervisor,
    typed,
    verification,
)

ROUTERS = (
    queue.router,
    typed.router,
    supervisor.router,
    log.router,
    record.router,
    verification.router,
    audits.router,
    session.router,
    common.router,
)

NAVIGATION = (
    Page("queue", "/", "Queue"),
    Page("type_a_call", "/type", "Type a call"),
    Page("supervisor", "/supervisor", "Supervision"),
    Page("log_page", "/log", "Log"),
    Page("verification", "/verification", "Verification"),
    Page("audits", "/audits", "Fairness"),
    Page("help", "/help", "Help"),
)
"""Pages in the order in which the navigation offers them; the first is where one lands."""


class _Static(StaticFiles):
    """Files that a browser may keep, if it asks each time whether they are still good."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers.setdefault("Cache-Control", "no-cache")
        return response


def add_pages(app: FastAPI) -> None:
    """Add the console to the application."""
    app.state.pages = NAVIGATION
    for router in ROUTERS:
        app.include_router(router)
    static = resources.files("model_service.service.console") / "static"
    app.mount("/static", _Static(directory=str(static)), name="console_static")
