"""`crisiscall demo`: the main job from nothing, as `make run` does it.

It only calls the other verbs and the service's HTTP interface, as a user would.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import httpx

from data.errors import InputError
from training.cli.feeding import Caller, feed
from training.cli.options import home_option

CALLS = 30_000
WAIT = 60.0
PACE = 8.0
AT_ONCE = 6
USERS = {
    "demo": "dispatcher",
    "demo.supervisor": "supervisor",
    "demo.auditor": "auditor",
    "demo.cad": "cad",
}
"""Who signs in; the last one sends the calls."""

FIRST_CALLS: tuple[dict[str, object], ...] = (
    {
        "narrative": "My brother hasn't slept in four days, he keeps saying the radio is talking "
        "to him and he's pacing and crying. He's not violent, no weapons, he just needs help.",
        "call_type": "CHECK WELFARE",
        "caller_role": "family",
        "neighborhood": "Dorchester",
        "answers": {"weapon": "no", "violence": "no"},
    },
    {
        "narrative": "RP STATES SON OFF MEDS, BREAKING DISHES, HOLDING KITCHEN KNIFE, YELLING AT "
        "VOICES. RP LOCKED IN BATHROOM",
        "call_type": "DISTURBANCE",
        "caller_role": "family",
        "neighborhood": "Roxbury",
        "answers": {"weapon": "yes"},
    },
    {
        "narrative": "Older man on the bench is confused and sweating, slurring his words, he has "
        "a diabetic bracelet on. He got a little combative when we tried to sit him up.",
        "call_type": "SICK PERSON",
        "caller_role": "bystander",
        "neighborhood": "Downtown",
    },
    {
        "narrative": "Two guys fighting outside the bar, one of them has a bottle, people are "
        "screaming.",
        "call_type": "FIGHT",
        "caller_role": "bystander",
        "neighborhood": "South Boston",
    },
    {"narrative": "", "neighborhood": "Mattapan"},
)
"""Invented calls; nobody in them is real."""


@click.command(epilog="Example: crisiscall demo --port 8000")
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8000, show_default=True)
@click.option("--calls", default=CALLS, show_default=True, help="Synthetic calls to train on.")
@click.option(
    "--pace",
    default=PACE,
    show_default=True,
    type=click.FloatRange(min=0),
    help="Seconds between two calls that come to the queue; 0 sends none.",
)
@click.option("--once", is_flag=True, help="Stop after the first calls instead of serving on.")
@home_option
def demo(host: str, port: int, calls: int, pace: float, once: bool, home: Path) -> None:
    """Synthesise calls, train, serve, show a few recommendations, and fill the queue.

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
    passwords = {name: _password(home, name, role) for name, role in USERS.items()}
    with _service(home, host, port) as base:
        _step(4, "first calls")
        _show(base, "demo", passwords["demo"])
        _tell(base, passwords, pace)
        if not once:
            with suppress(KeyboardInterrupt):
                _go_on(base, passwords["demo.cad"], pace)


def _tell(base: str, passwords: dict[str, str], pace: float) -> None:
    """Print where one signs in, as whom, and what there is to see."""
    click.echo()
    click.secho(f"Console  {base}/", bold=True, nl=False)
    click.echo(f"   a queue that a call comes to every {pace:g} s" if pace else "")
    for name, role in USERS.items():
        if role != "cad":
            click.echo(f"         {role:<10}  sign in as {name} with {passwords[name]}")
    click.echo(f"API      {base}/docs   (new passwords each time this runs)")
    click.echo("Trained on synthetic calls: not for operation. Stop with Ctrl-C.")


def _go_on(base: str, password: str, pace: float) -> None:
    """Send calls, or none, until interrupted."""
    if pace:
        feed(Caller(base, "demo.cad", password).send, pace=pace, at_once=AT_ONCE)
    while True:
        time.sleep(60)


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


def _password(home: Path, name: str, role: str) -> str:
    """Give one of the demonstration's users a fresh password, the only one that works."""
    known = _users(home, "list").splitlines()
    if any(line.split("\t")[0] == name for line in known):
        return _users(home, "reset", name).strip()
    return _users(home, "add", name, "--role", role).strip()


def _users(home: Path, *arguments: str) -> str:
    """Run `crisiscall users`; passwords come on its standard output and go nowhere else."""
    command = [sys.executable, "-m", "training.cli", "users", *arguments, "--home", str(home)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise InputError(done.stderr.strip().removeprefix("crisiscall: "))
    return done.stdout


def _show(base: str, user: str, password: str) -> None:
    """Send the first calls as a CAD system would, and print what is recommended."""
    with httpx.Client(base_url=base, timeout=10) as client:
        token = client.post("/v1/token", data={"username": user, "password": password})
        token.raise_for_status()
        client.headers["Authorization"] = f"Bearer {token.json()['access_token']}"
        stamp = datetime.now(UTC)
        for number, call in enumerate(FIRST_CALLS, 1):
            answer = client.post(
                "/v1/assessments",
                json={
                    "call_id": f"DEMO-{stamp:%Y%m%d%H%M%S}-{number}",
                    "received_at": stamp.isoformat(),
                    **call,
                },
            )
            answer.raise_for_status()
            _print_assessment(call, answer.json())


def _print_assessment(call: dict[str, object], assessment: dict[str, Any]) -> None:
    prediction, recommendation = assessment["prediction"], assessment["recommendation"]
    narrative = str(call["narrative"]) or "(nothing said yet)"
    click.echo(f"      “{narrative[:72]}{'…' if len(narrative) > 72 else ''}”")
    if assessment["withheld"] is not None:
        click.secho(f"      → not shown ({assessment['withheld']})", fg="yellow")
        return
    if recommendation["abstained"]:
        figures = "no prediction"
    else:
        figures = (
            f"crisis {prediction['mental_health_crisis']:.0%}, "
            f"safety risk {prediction['safety_risk']:.0%}"
        )
    click.secho(f"      → {recommendation['name']}  ({figures})", fg="green")
    reasons = "; ".join(reason["text"] for reason in recommendation["reasons"])
    click.echo(f"        {reasons}; log entry {assessment['log']['sequence']}")
