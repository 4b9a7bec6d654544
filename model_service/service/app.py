"""The application, put together. Nothing happens at import."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from importlib.metadata import version
from typing import Any

import structlog
from fastapi import Depends, FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import Mount

from model_service.model.release import Release
from model_service.service.accounts import Accounts, AccountsUnavailable
from model_service.service.assessor import Assessor
from model_service.service.auth import ACCESS, PUBLIC, guard
from model_service.service.console.board import Board
from model_service.service.console.errors import handle
from model_service.service.console.hub import AnnouncedLog, Hub
from model_service.service.database import check_sqlite
from model_service.service.docs import add_docs
from model_service.service.edge import Edge
from model_service.service.holdback import HoldBack
from model_service.service.keeping import Keeping
from model_service.service.loading import Releases
from model_service.service.log import DecisionLog, Draft, LogUnavailable
from model_service.service.log.checkpointer import Checkpointer
from model_service.service.modes import Modes
from model_service.service.opening import open_spool, open_store
from model_service.service.premises import Premises
from model_service.service.readiness import Readiness
from model_service.service.routes import (
    assessments,
    calls,
    eido,
    health,
    log,
    mode,
    model,
    pages,
    tokens,
    units,
)
from model_service.service.sessions import Sessions
from model_service.service.settings import Settings
from model_service.service.units import Units
from model_service.service.verifying import Verifier

ROUTERS = (
    assessments.router,
    eido.router,
    calls.router,
    log.router,
    model.router,
    mode.router,
    units.router,
    tokens.router,
    health.router,
)

STOPPING_SECONDS = 5
"""How long the last checkpoint may take when the service stops."""

SERVICE = "service"
"""The actor of what nobody in particular did."""


def create_app(settings: Settings) -> FastAPI:
    """Put the application together; it opens its files when it is started.

    Parameters
    ----------
    settings : Settings

    Raises
    ------
    UnsafeSQLite
        If the SQLite library at hand can lose what was committed.
    RuntimeError
        If a route is not in the table of who may call what: the programmer's mistake.
    """
    check_sqlite()
    decisions = AnnouncedLog(open_store(settings))
    accounts = Accounts(
        settings.accounts_path,
        lifetime=settings.token_hours * 3600,
        cache_seconds=settings.token_cache_seconds,
        failures=settings.lockout_failures,
        window=settings.lockout_minutes * 60,
        busy_timeout_ms=settings.busy_timeout_ms,
    )

    checkpoints = Checkpointer(
        decisions,
        settings.checkpoints_path,
        settings.checkpoint_key_path,
        entries=settings.checkpoint_entries,
        seconds=settings.checkpoint_seconds,
    )
    premises = Premises(decisions)

    async def record(release: Release) -> None:
        body = {
            "model": {"release": release.name, "digest": release.digest, "signer": release.signer},
            "plan": {
                "plan": release.plan.plan,
                "version": release.plan.version,
                "digest": release.plan_digest,
                "mode": release.plan.mode,
            },
        }
        premises.follow(release.scorer.history)
        await decisions.append(Draft("release", SERVICE, body))

    releases = Releases(settings, record)

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await releases.check()
        _say_what_is_missing(decisions, accounts)
        keeping.reserve()
        with contextlib.suppress(LogUnavailable):
            await keeping.drain(assessor.record_kept)
        watching = [
            asyncio.create_task(releases.watch()),
            asyncio.create_task(keeping.watch(assessor.record_kept)),
            asyncio.create_task(hub.follow()),
        ]
        witnessing = asyncio.create_task(checkpoints.watch())
        try:
            yield
        finally:
            hub.close()
            for task in watching:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task
            await verifier.stop()
            await decisions.settled()
            checkpoints.stop()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(witnessing, STOPPING_SECONDS)
            decisions.close()
            accounts.close()

    app = FastAPI(
        title="crisiscall",
        version=version("crisiscall"),
        description=_DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,  # a redirect would repeat the path, whatever is in it
        dependencies=[Depends(guard)],
        generate_unique_id_function=_operation_id,
        middleware=[Middleware(Edge, body_limit=settings.body_limit)],
        exception_handlers={
            HTTPException: handle,
            RequestValidationError: handle,
            LogUnavailable: handle,
            AccountsUnavailable: handle,
        },
    )
    app.state.settings = settings
    app.state.log = decisions
    app.state.checkpoints = checkpoints
    app.state.verifier = verifier = Verifier(settings)
    app.state.accounts = accounts
    app.state.sessions = Sessions(
        accounts,
        lifetime=settings.session_hours * 3600,
        idle=settings.session_idle_minutes * 60,
        cache_seconds=settings.token_cache_seconds,
    )
    app.state.releases = releases
    app.state.modes = modes = Modes(decisions)
    app.state.units = reports = Units(decisions)
    keeping = Keeping(open_spool(settings))
    app.state.assessor = assessor = Assessor(
        decisions,
        releases,
        premises,
        modes=modes,
        units=reports,
        hold_back=HoldBack(settings.holdback_key_path),
        keeping=keeping,
    )
    app.state.board = board = Board(decisions, assessor, releases)
    app.state.hub = decisions.hub = hub = Hub(decisions, board)
    app.state.readiness = Readiness(decisions, accounts, releases)
    for router in ROUTERS:
        app.include_router(router)
    add_docs(app)
    pages.add_pages(app)
    _check_access(app)
    return app


def route_names(app: FastAPI) -> Iterator[str]:
    """Name every route and every mount of the application."""
    for router in (*ROUTERS, *pages.ROUTERS):
        for route in router.routes:
            yield str(getattr(route, "name", ""))
    for route in app.routes:
        if hasattr(route, "name"):
            yield str(route.name)


def _check_access(app: FastAPI) -> None:
    unknown = sorted(set(route_names(app)) - ACCESS.keys())
    if unknown:
        raise RuntimeError(f"who may call {', '.join(unknown)}? say so in auth.ACCESS")
    for route in app.routes:
        # Dependencies do not reach into a mount.
        if isinstance(route, Mount) and ACCESS[str(route.name)] is not PUBLIC:
            raise RuntimeError(f"{route.name} is a mount, which nothing guards")


def _operation_id(route: APIRoute) -> str:
    return route.name


def _say_what_is_missing(log: DecisionLog, accounts: Accounts) -> None:
    """Tell the operator at once what would otherwise show with the first call."""
    say: Any = structlog.get_logger()
    try:
        log.probe()
        if not accounts.users():
            say.warning("no users yet", hint="crisiscall users add NAME --role dispatcher")
    except (LogUnavailable, AccountsUnavailable) as error:
        say.error("not ready", reason=str(error))


_DESCRIPTION = """
Decision support for 911 centres that can send more than police.

A *prediction* is the model's: two calibrated probabilities. A *recommendation* is the response
plan's. A *decision* is a person's. An *outcome* is the world's, learned later. Each is on record
before its answer goes out; where no record can be kept, the answer is 503 `follow protocol`.

Errors are RFC 9457 `application/problem+json` and never repeat what was sent.
"""
