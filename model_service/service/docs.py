"""OpenAPI and its page, without the internet.

The page's script and style come with `fastapi-offline`; the one script inside the page is named
by its digest in the content-security policy, and nothing may be loaded from elsewhere.
"""

from __future__ import annotations

import base64
import hashlib
import re
from importlib import resources
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema
from starlette.responses import HTMLResponse
from starlette.staticfiles import StaticFiles

from data.call import Call, Outcome
from model_service.model.decision import Decision
from model_service.service.auth import ACCESS, PUBLIC
from model_service.service.modes import ModeSwitch
from model_service.service.problems import ProblemDocument
from model_service.service.routes.parts import answer
from model_service.service.units import UnitReport

DOCS, OPENAPI, STATIC = "/docs", "/openapi.json", "/docs/static"

BODIES = (Call, Outcome, Decision, ModeSwitch, UnitReport, ProblemDocument)
"""What comes in as a body, and what an error looks like."""

_REFERENCE = "#/components/schemas/{model}"
_INLINE_SCRIPT = re.compile(r"<script>(.*?)</script>", re.DOTALL)


def add_docs(app: FastAPI) -> None:
    """Add the description of the API and the page that shows it."""
    page = get_swagger_ui_html(
        openapi_url=OPENAPI,
        title=app.title,
        swagger_js_url=f"{STATIC}/swagger-ui-bundle.js",
        swagger_css_url=f"{STATIC}/swagger-ui.css",
        swagger_favicon_url=f"{STATIC}/favicon.png",
        # `validatorUrl`: the page would otherwise show a badge from a server on the internet.
        swagger_ui_parameters={"validatorUrl": "none", "persistAuthorization": False},
    ).body
    policy = _policy(bytes(page).decode())

    async def docs() -> HTMLResponse:
        return HTMLResponse(bytes(page), headers={"Content-Security-Policy": policy})

    async def openapi() -> Any:
        return answer(_openapi(app))

    app.add_api_route(OPENAPI, openapi, name="openapi", include_in_schema=False)
    app.add_api_route(DOCS, docs, name="docs", include_in_schema=False)
    static = resources.files("fastapi_offline") / "static"
    app.mount(STATIC, StaticFiles(directory=str(static)), name="docs_static")
    app.openapi = lambda: _openapi(app)  # type: ignore[method-assign]


def _policy(page: str) -> str:
    digests = " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
        for script in _INLINE_SCRIPT.findall(page)
    )
    return (
        f"default-src 'none'; script-src 'self' {digests}; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    )


def _openapi(app: FastAPI) -> dict[str, Any]:
    if app.openapi_schema is None:
        document = get_openapi(
            title=app.title, version=app.version, description=app.description, routes=app.routes
        )
        # Bodies are read from their bytes, so that FastAPI does not know of them.
        _, schemas = models_json_schema(
            [(record, "validation") for record in BODIES],
            ref_template=_REFERENCE,
        )
        known = document.setdefault("components", {}).setdefault("schemas", {})
        known.update(schemas["$defs"])
        for methods in document["paths"].values():
            for operation in methods.values():
                if ACCESS.get(_name(app, operation["operationId"]), ()) is PUBLIC:
                    operation["security"] = []
        app.openapi_schema = document
    return app.openapi_schema


def _name(app: FastAPI, operation_id: str) -> str:
    # The operation's id is the route's name (`app.create_app`).
    return operation_id
