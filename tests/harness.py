"""A service in this process, and one in another, for the tests to talk to."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import httpx
import structlog

from model_service.service import telemetry
from model_service.service.accounts import ROLES, Accounts, Identity, Role
from model_service.service.app import create_app
from model_service.service.cookies import NAME
from model_service.service.loading import Releases
from model_service.service.log import DecisionLog
from model_service.service.log.erasure import Erased, erasable, erase
from model_service.service.log.place import Place
from model_service.service.opening import open_store
from model_service.service.sessions import Sessions
from model_service.service.settings import Settings
from tests import stores
from tests.builders import CHEAP, make_champion, make_settings

OURS = {"sec-fetch-site": "same-origin", "x-crisiscall-console": "1"}
"""What a browser sends with a request of a page of ours."""


class Service:
    """An application that was started in this process, spoken to as HTTP."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.app = create_app(settings)
        self.output = io.BytesIO()
        self.passwords: dict[str, str] = {}
        self._runner = asyncio.Runner()
        self._client = httpx.AsyncClient(
            transport=httpx.ASGITransport(self.app, raise_app_exceptions=False),
            base_url="http://test",
        )
        self._lifespan = self.app.router.lifespan_context(self.app)
        self._tokens: dict[str, str] = {}

    def start(self) -> None:
        """Add a user of every role, named as the role, and start."""
        accounts = Accounts(self.settings.accounts_path, hasher=CHEAP)
        self.passwords = {role: accounts.add(role, role) for role in ROLES}
        accounts.close()
        self._handlers = logging.root.handlers[:], logging.root.level
        telemetry.configure("info", self.output)
        logging.getLogger("httpx").setLevel("WARNING")  # the client's lines are not the service's
        self.run(self._lifespan.__aenter__())

    def stop(self) -> None:
        """Stop, and put the log lines back to where they were."""
        self.run(self._lifespan.__aexit__(None, None, None))
        self.run(self._client.aclose())
        self._runner.close()
        structlog.reset_defaults()
        logging.root.handlers[:], level = self._handlers
        logging.root.setLevel(level)

    def run(self, awaitable: Awaitable[Any]) -> Any:
        """Run something in the service's event loop."""

        async def wrapped() -> Any:
            return await awaitable

        return self._runner.run(wrapped())

    def gather(self, *requests: Awaitable[Any]) -> list[Any]:
        """Run several at once."""

        async def together() -> list[Any]:
            return await asyncio.gather(*requests)

        return self._runner.run(together())

    def token(self, role: str) -> str:
        """Give a good token of a role."""
        if role not in self._tokens:
            accounts: Accounts = self.app.state.accounts
            self._tokens[role], _ = accounts.issue(Identity(role, cast(Role, role)))
        return self._tokens[role]

    def cookie(self, role: str) -> str:
        """Give a good cookie of a role's session."""
        sessions: Sessions = self.app.state.sessions
        return f"{NAME}={sessions.open(Identity(role, cast(Role, role)))}"

    def send(
        self, method: str, path: str, *, role: str | None = "dispatcher", **more: Any
    ) -> Awaitable[httpx.Response]:
        """Make a request that still has to be run."""
        headers = dict(more.pop("headers", {}))
        if role is not None:
            headers.setdefault("authorization", f"Bearer {self.token(role)}")
        return self._client.request(method, path, headers=headers, **more)

    def request(self, method: str, path: str, **more: Any) -> httpx.Response:
        """Make a request and wait for its answer."""
        return cast(httpx.Response, self.run(self.send(method, path, **more)))

    def get(self, path: str, **more: Any) -> httpx.Response:
        return self.request("GET", path, **more)

    def post(self, path: str, **more: Any) -> httpx.Response:
        return self.request("POST", path, **more)

    def assess(self, call: dict[str, Any], **more: Any) -> httpx.Response:
        return self.post("/v1/assessments", json=call, **more)

    def erase(
        self, call_id: str | None = None, kinds: Sequence[str] | None = None, **more: Any
    ) -> Erased:
        """Erase text as another process does, while the service runs; returns what was erased."""
        store = open_store(self.settings, busy_timeout_ms=5000)
        try:
            found = erasable(store, call_id=call_id, kinds=kinds)
            return erase(store, found, **{"actor": "auditor", "reason": "request", **more})
        finally:
            store.close()

    def lines(self) -> list[dict[str, Any]]:
        """Read the log lines so far."""
        return [json.loads(line) for line in self.output.getvalue().splitlines()]

    @property
    def log(self) -> DecisionLog:
        return cast(DecisionLog, self.app.state.log)

    @property
    def releases(self) -> Releases:
        return cast(Releases, self.app.state.releases)


@contextlib.contextmanager
def running(home: Path, *, champion: bool = True, **settings: Any) -> Iterator[Service]:
    """Start a service on a home of its own."""
    if champion:
        make_champion(home)
    service = Service(make_settings(home, **settings))
    service.start()
    try:
        yield service
    finally:
        service.stop()


def assert_problem(response: httpx.Response, status: int) -> dict[str, Any]:
    """Check that an answer is a problem as RFC 9457 has it; returns it."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = response.json()
    assert problem.keys() - {"errors"} == {"type", "title", "status", "detail", "instance"}
    assert problem["status"] == status
    assert problem["instance"] == f"urn:uuid:{response.headers['x-request-id']}"
    return problem


class Process:
    """`crisiscall serve` in a process of its own."""

    entry = "from training.cli import main; main()"

    def __init__(
        self, home: Path, *arguments: str, port: int = 0, log: Place | None = None
    ) -> None:
        with socket.socket() as free:
            free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            free.bind(("127.0.0.1", port))
            self.port: int = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.home = home
        environment = {k: v for k, v in os.environ.items() if not k.startswith("CRISISCALL_")}
        if log is not None:
            environment |= stores.environment(home, log)
        self._errors = (home / "serve.err").open("ab")
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-c",
                self.entry,
                "serve",
                "--home",
                str(home),
                "--port",
                str(self.port),
                *arguments,
            ],
            stderr=self._errors,
            env=environment,
        )

    def wait_ready(self, seconds: float = 30) -> float:
        """Wait until it can assess; returns the seconds since it was started."""
        deadline = self.started + seconds
        while time.monotonic() < deadline:
            with contextlib.suppress(httpx.TransportError):
                if httpx.get(f"{self.url}/readyz").status_code == 200:
                    return time.monotonic() - self.started
            time.sleep(0.02)
        raise TimeoutError("the service did not become ready")

    def kill(self) -> None:
        """End it as a power cut would, as far as a process can tell."""
        self.process.send_signal(signal.SIGKILL)
        self.wait()

    def stop(self) -> int:
        """Ask it to stop; returns its exit code."""
        self.process.terminate()
        return self.wait()

    def wait(self) -> int:
        try:
            return self.process.wait(20)
        finally:
            self._errors.close()
