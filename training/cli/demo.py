"""`crisiscall demo`: the main job from nothing, as `make run` does it.

It only calls the other verbs and the service's HTTP interface, as a user would.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import click
import httpx

from data.errors import InputError
from training.cli.options import home_option

CALLS = 30_000
SHOWN = 6
WAIT = 60.0


@click.command(epilog="Example: crisiscall demo --port 8000")
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8000, show_default=True)
@click.option("--calls", default=CALLS, show_default=True, help="Synthetic calls to train on.")
@click.option("--once", is_flag=True, help="Stop after the first calls instead of serving on.")
@home_option
def demo(host: str, port: int, calls: int, once: bool, home: Path) -> None:
    """Synthesise calls, train, serve, send a few calls and show the recommendations.

    What is there already is kept: a second run starts at once.
    """
    from model_service.model.release import ReleaseError
    from model_service.model.store import champion

    folder = home / "data" / "synthetic"
    _step(1, f"synthetic calls ({calls:,})")
    if (folder / "manifest.json").exists():
        _note(f"kept: {folder}")
    else:
        _verb("data", "synthesize", "--calls", str(calls), "--out", str(folder))
    _step(2, "training and release")
    try:
        _note(f"kept: {champion(home / 'releases')}")
    except ReleaseError:
        _verb(
            "train",
            "--data",
            str(folder),
            "--config",
            "synthetic",
            "--home",
            str(home),
            "--champion",
        )
    _step(3, "service")
    with _service(home, host, port) as base:
        user, password = _sign_in(home)
        _step(4, "first calls")
        _show(base, user, password)
        click.echo()
        click.echo(f"Console  {base}/       sign in as {user} with {password}")
        click.echo(f"API      {base}/docs   (a new password each time this runs)")
        click.echo("Trained on synthetic calls: not for operation.")
        if not once:
            click.echo("Stop with Ctrl-C.")
            with suppress(KeyboardInterrupt):
                signal.pause()


def _step(number: int, words: str) -> None:
    click.secho(f"[{number}/4] {words}", bold=True)


def _note(words: str) -> None:
    click.echo(f"      {words}")


def _verb(*arguments: str) -> str:
    """Run a verb of the command line; its progress goes to the terminal."""
    done = subprocess.run(
        [sys.executable, "-m", "training.cli", *arguments], stdout=subprocess.PIPE, text=True
    )
    if done.returncode != 0:
        raise SystemExit(done.returncode)
    for line in done.stdout.splitlines():
        _note(line)
    return done.stdout


@contextmanager
def _service(home: Path, host: str, port: int) -> Iterator[str]:
    """Start the service, wait until it is ready, and stop it at the end."""
    base = f"http://{host}:{port}"
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "training.cli",
            "serve",
            "--home",
            str(home),
            "--host",
            host,
            "--port",
            str(port),
            "--log-level",
            "warning",
        ]
    )
    try:
        until = time.monotonic() + WAIT
        while True:
            if process.poll() is not None:
                raise SystemExit(process.returncode or 2)
            with suppress(httpx.TransportError):
                if httpx.get(f"{base}/readyz").status_code == 200:
                    break
            if time.monotonic() > until:
                raise InputError(f"the service was not ready within {WAIT:.0f} s")
            time.sleep(0.1)
        _note(f"ready on {base}")
        yield base
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(10)
