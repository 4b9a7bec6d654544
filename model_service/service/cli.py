"""`crisiscall serve` and `crisiscall users`."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from model_service.service.accounts import ROLES, Accounts
from model_service.service.database import check_sqlite
from model_service.service.settings import Settings, SettingsError, load_settings
from model_service.service.telemetry import LEVELS

F = TypeVar("F", bound=Callable[..., Any])

GRACE_SECONDS = 5
"""Requests that are under way get this long when the service is stopped."""


def home_option(command: F) -> F:
    """Add `--home`: the folder of everything that the service keeps."""
    return click.option(
        "--home",
        type=click.Path(path_type=Path, file_okay=False),
        help="Folder of everything that the service keeps.  [default: var]",
    )(command)


@click.command(
    epilog="""\b
Examples:
  crisiscall serve
  crisiscall serve --port 9000 --home /srv/crisiscall
  kill -HUP PID      look for a new release now (it is done each second anyway)

Every setting can also come from the environment: CRISISCALL_HOME, CRISISCALL_PORT, …
"""
)
@click.option("--host", help="Address to listen on.  [default: 127.0.0.1]")
@click.option("--port", type=click.IntRange(0, 65535), help="0: any free one.  [default: 8000]")
@home_option
@click.option("--log-level", type=click.Choice(list(LEVELS)), help="[default: info]")
def serve(host: str | None, port: int | None, home: Path | None, log_level: str | None) -> None:
    """Start the service: the API, and its documentation under /docs.

    It listens on this machine alone unless told otherwise; put a proxy with TLS before it. It
    stays up without a release, and says `follow protocol` until there is one.
    """
    settings = load_settings(host=host, port=port, home=home, log_level=log_level)
    sockets = [_listen(settings.host, settings.port)]

    import uvicorn

    from model_service.service import telemetry
    from model_service.service.app import create_app

    telemetry.configure(settings.log_level)
    app = create_app(settings)

    class Server(uvicorn.Server):
        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            app.state.hub.close()  # or else the consoles' lines would hold it up
            await super().shutdown(sockets)

    server = Server(
        uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=False,
            timeout_graceful_shutdown=GRACE_SECONDS,
            lifespan="on",
            ws="none",
        )
    )

    async def run() -> None:
        if hasattr(signal, "SIGHUP"):
            with contextlib.suppress(NotImplementedError):
                asyncio.get_running_loop().add_signal_handler(
                    signal.SIGHUP, app.state.releases.wake
                )
        await server.serve(sockets=sockets)

    address, bound, *_ = sockets[0].getsockname()
    shown = f"[{address}]" if ":" in address else address
    click.echo(f"crisiscall: http://{shown}:{bound} (API at /docs, stop with Ctrl-C)", err=True)
    with contextlib.suppress(KeyboardInterrupt), asyncio.Runner(loop_factory=_loop()) as runner:
        runner.run(run())
    if not server.started:
        sys.exit(1)


def _loop() -> Callable[[], asyncio.AbstractEventLoop]:
    try:
        import uvloop
    except ImportError:  # there is none for Windows
        return asyncio.new_event_loop
    return uvloop.new_event_loop


def _listen(host: str, port: int) -> socket.socket:
    listening: socket.socket | None = None
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listening = socket.socket(family, kind, protocol)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(2048)
        listening.setblocking(False)
    except OSError as error:
        if listening is not None:
            listening.close()
        reason = (error.strerror or "no such address").lower()
        raise SettingsError(
            f"can't listen on {host} port {port} ({reason}): choose another with --port"
        ) from None
    return listening


@click.group(
    epilog="""\b
Examples:
  crisiscall users add night.desk --role dispatcher
  crisiscall users list
"""
)
def users() -> None:
    """Add, list, disable and reset the people who may sign in.

    What changes here holds for a running service within seconds.
    """


def _open(home: Path | None) -> Accounts:
    check_sqlite()
    settings: Settings = load_settings(home=home)
    return Accounts(
        settings.accounts_path,
        failures=settings.lockout_failures,
        window=settings.lockout_minutes * 60,
    )


@users.command("add", epilog="\b\nExample:\n  crisiscall users add night.desk --role dispatcher\n")
@click.argument("name")
@click.option("--role", type=click.Choice(ROLES), required=True, help="What the user may do.")
@home_option
def add(name: str, role: str, home: Path | None) -> None:
    """Add a user; prints a password, once, on standard output."""
    with contextlib.closing(_open(home)) as accounts:
        password = accounts.add(name, role)
    click.echo(f"crisiscall: added {name} as {role}; the password is shown only now:", err=True)
    click.echo(password)


@users.command("list", epilog="\b\nExample:\n  crisiscall users list --home /srv/crisiscall\n")
@home_option
def list_users(home: Path | None) -> None:
    """List the users: name, role, and whether they can sign in."""
    with contextlib.closing(_open(home)) as accounts:
        for user in accounts.users():
            state = "disabled" if user.disabled else "locked" if user.locked else "active"
            click.echo(f"{user.name}\t{user.role}\t{state}")


@users.command("disable", epilog="\b\nExample:\n  crisiscall users disable night.desk\n")
@click.argument("name")
@home_option
def disable(name: str, home: Path | None) -> None:
    """Shut a user out and end all their sessions."""
    with contextlib.closing(_open(home)) as accounts:
        accounts.disable(name)
    click.echo(f"crisiscall: disabled {name}; `crisiscall users reset` lifts that", err=True)


@users.command("reset", epilog="\b\nExample:\n  crisiscall users reset night.desk\n")
@click.argument("name")
@home_option
def reset(name: str, home: Path | None) -> None:
    """Give a user a new password, and lift a lock or a disabling; prints it, once."""
    with contextlib.closing(_open(home)) as accounts:
        password = accounts.reset(name)
    click.echo(f"crisiscall: reset {name}; the password is shown only now:", err=True)
    click.echo(password)
