"""The console's page and its static files; nothing of it comes from elsewhere."""

from __future__ import annotations

from typing import get_args

from fastapi import FastAPI
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse

from data.call import QUESTION_TEXTS, CallerRole
from model_service.model.decision import OVERRIDE_REASONS

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def _page() -> str:
    environment = Environment(
        loader=PackageLoader("model_service.service.console"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("console.html").render(
        questions=QUESTION_TEXTS,
        caller_roles=[role for role in get_args(CallerRole) if role != "unknown"],
        override_reasons=OVERRIDE_REASONS,
    )


def add_pages(app: FastAPI) -> None:
    """Add the console; the page is the same for everyone and is rendered once."""
    page = _page()

    async def console() -> HTMLResponse:
        return HTMLResponse(page, headers={"Content-Security-Policy": POLICY})

    app.add_api_route("/", console, name="console", include_in_schema=False)
