"""One way to add a page.

A page, or a part of one that htmx asks for, is a route of a `page_router()` that returns
`render(request, "its_template.html", …)`. Its template extends `base.html` (a part does not), its
name stands in `auth.PAGES` with the roles that may see it, and a page that the navigation should
offer is in `routes.pages.NAVIGATION`. What goes wrong is told as a page too (`errors.py`).
"""

from __future__ import annotations

import contextlib
from typing import Any, NamedTuple, cast

from fastapi import APIRouter
from fastapi.routing import APIRoute
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse

from model_service.service.accounts import Identity, Role
from model_service.service.auth import ACCESS, PUBLIC, who_asks
from model_service.service.console import words
from model_service.service.loading import Releases
from model_service.service.log import LogUnavailable
from model_service.service.modes import Modes
from model_service.service.readiness import Readiness
from model_service.service.settings import Settings

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Nothing inline, nothing from elsewhere; forms are sent by script, so that none goes astray."""

ASKING = POLICY.replace("form-action 'none'", "form-action 'self'")
"""The same for a page whose form asks for another view of it, which needs no script."""


class Page(NamedTuple):
    """A page that the navigation offers to those who may see it."""

    name: str
    path: str
    title: str

    def open_to(self, role: Role) -> bool:
        """Say whether a role may see it."""
        allowed = ACCESS[self.name]
        return allowed is PUBLIC or role in allowed


class State(NamedTuple):
    """What is in force, as the head of every page tells it.

    `trouble` says why nothing can be assessed and recorded now, if nothing can. `mode` is None
    where it can't be read, `release` and the rest where no model is in force.
    """

    trouble: str | None
    mode: str | None
    release: str | None
    plan: str | None
    warning: str | None


class PageRoute(APIRoute):
    """A route whose errors are told as pages."""


def page_router() -> APIRouter:
    """Make a router for pages and parts of them."""
    return APIRouter(
        route_class=PageRoute, include_in_schema=False, default_response_class=HTMLResponse
    )


_environment = Environment(
    loader=PackageLoader("model_service.service.console"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_environment.filters["signed"] = words.signed


def template(name: str, **context: Any) -> str:
    """Fill a template without the frame of a page."""
    return _environment.get_template(name).render(context)


def render(
    request: Request, name: str, *, status: int = 200, policy: str = POLICY, **context: Any
) -> HTMLResponse:
    """Fill a template, with the frame that every page has, and answer with it.

    Parameters
    ----------
    request : Request
    name : str
        File of the template.
    status : int
    policy : str
        Content-security policy of the page.
    **context
        What the template asks for beyond the frame: `user`, `pages`, `here`, `place`, `state`
        and `lock_minutes` are there.
    """
    settings = cast(Settings, request.app.state.settings)
    user = who_asks(request)
    content = template(
        name,
        user=user,
        pages=pages_of(request, user),
        here=request.url.path,
        place=settings.place,
        state=state_of(request),
        lock_minutes=settings.lock_minutes,
        **context,
    )
    return HTMLResponse(content, status, headers={"Content-Security-Policy": policy})


def pages_of(request: Request, user: Identity | None) -> list[Page]:
    """List the pages that the navigation offers somebody."""
    pages = cast("tuple[Page, ...]", request.app.state.pages)
    return [] if user is None else [page for page in pages if page.open_to(user.role)]


def state_of(request: Request) -> State:
    """Tell what is in force now."""
    release = cast(Releases, request.app.state.releases).current
    plan = None if release is None else release.plan
    trouble = cast(Readiness, request.app.state.readiness).reason()
    mode = None
    with contextlib.suppress(LogUnavailable):
        mode = cast(Modes, request.app.state.modes).now(plan)
    if release is None or plan is None:
        return State(trouble, mode, None, None, None)
    warning = release.metrics.get("warning")
    return State(
        trouble, mode, release.name, f"{plan.plan} {plan.version}", warning and str(warning)
    )
