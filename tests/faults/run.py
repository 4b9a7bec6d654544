"""The long runs of the fault tests, told as tables: `make faults`, or one of them by name.

    python -m tests.faults.run                      all of them
    python -m tests.faults.run kills --times 200    kill -9 under load
    python -m tests.faults.run unsynced             the same on a disk that drops unsynced writes
    python -m tests.faults.run unavailable          a log that can't be written: what is answered
    python -m tests.faults.run server               a fifth of all that with the log on PostgreSQL

Exits with 1 if anything that was acknowledged is lost, or the chain does not verify.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click

from model_service.service.log import verify
from tests.builders import a_call
from tests.faults.faulty import WAYS, faulty
from tests.faults.kills import CLIENTS, REAL_WAYS, SERVER_WAYS, Home, LossyProcess
from tests.harness import Process, Service, running
from tests.stores import NO_POSTGRES, Server, serving

ALL = ("kills", "unsynced", "unavailable", "server")

Break = Callable[[Process, Any], Callable[[], None]]
"""Breaks the log of a process, which is at a place; returns what mends it."""

A_LOG = 20
"""Kills of one log; then another is begun, so that checking it all each time takes no hours."""


@click.command()
@click.argument("what", nargs=-1, type=click.Choice(ALL))
@click.option("--times", default=200, show_default=True, help="Kills.")
@click.option("--seed", default=1, show_default=True)
def main(what: tuple[str, ...], times: int, seed: int) -> None:
    """Run the long fault tests and print their tables."""
    what = what or ALL
    good = True
    if "kills" in what:
        good &= kills(f"kill -9, {CLIENTS} clients", Process, times, seed)
    if "unsynced" in what:
        good &= kills(
            f"kill -9, {CLIENTS} clients, unsynced writes lost", LossyProcess, times, seed
        )
    if "unavailable" in what:
        good &= unavailable()
        ways = {name: lambda process, _, way=way: way(process) for name, way in REAL_WAYS.items()}
        good &= desks(ways, None)
    if "server" in what:
        good &= on_a_server(max(times // 5, 1), seed)
    sys.exit(0 if good else 1)


def on_a_server(times: int, seed: int) -> bool:
    """Do it with the log on a PostgreSQL server, which is killed too."""
    with contextlib.ExitStack() as stack:
        try:
            server = stack.enter_context(serving())
        except Exception as error:
            click.echo(f"{NO_POSTGRES} ({type(error).__name__})", err=True)
            return False
        title = f"kill -9, {CLIENTS} clients, log on PostgreSQL"
        good = kills(title, Process, times, seed, server=server)
        title = f"kill -9 of the server and then of the service, {CLIENTS} clients"
        good &= kills(title, Process, max(times // 4, 1), seed, server=server, both=True)
        ways = {name: lambda _, log, way=way: way(server, log) for name, way in SERVER_WAYS.items()}
        return good & desks(ways, server)


def kills(
    title: str,
    kind: type[Process],
    times: int,
    seed: int,
    *,
    server: Server | None = None,
    both: bool = False,
) -> bool:
    """Kill a service again and again; everything is checked after each kill."""
    click.echo(f"### {title}\n")
    header("kills", "assessments", "decisions", "outcomes", "cut off", "entries", "lost", "chain")
    chance, total, good = random.Random(seed), [0] * 6, True
    for begin in range(0, times, A_LOG):
        with tempfile.TemporaryDirectory(prefix="crisiscall-faults-") as folder:
            home = Home.make(Path(folder), log=server and server.database())
            sums, bad, entries = [0] * 4, [], 0
            for number in range(begin, min(begin + A_LOG, times)):
                made = home.kill_once(kind, chance, server=server if both else None)
                counts = made.counts()
                sums[0] += counts["assessment"]
                sums[1] += counts["decision"]
                sums[2] += counts["outcome"]
                sums[3] += made.unanswered
                entries, wrong = home.check()
                bad += [f"kill {number + 1}: {what}" for what in wrong]
                click.echo(f"\r{number + 1} of {times}", nl=False, err=True)
            lost = sum("lost" in what for what in bad)
            click.echo("\r", nl=False, err=True)
            done = min(begin + A_LOG, times)
            row(f"{begin + 1}-{done}", *sums, entries, lost, "whole" if not bad else bad[0])
            total = [a + b for a, b in zip(total, [*sums, entries, lost], strict=True)]
            good &= not bad
    row(times, *total, "whole" if good else "not whole")
    click.echo()
    return good


def unavailable() -> bool:
    """Break a service's log in every way, and mend it; what was answered, and how soon."""
    click.echo("### The log can't be written\n")
    header(
        "what", "assess", "slowest", "decide", "slowest", "recorded after it was mended", "chain"
    )
    good = True
    for name, breaks in WAYS.items():
        with tempfile.TemporaryDirectory(prefix="crisiscall-faults-") as folder:
            good &= _broken(name, breaks, Path(folder))
    click.echo()
    return good


def _broken(name: str, breaks: Any, folder: Path) -> bool:
    with running(folder) as service, faulty(service.log._store):
        made = [service.assess(a_call(number)).json() for number in range(20)]
        mend = breaks(service)
        assessed = list(_timed(service, "/v1/assessments", [a_call(f"r-{n}") for n in range(20)]))
        decided = []
        for one in made:
            path = f"/v1/assessments/{one['assessment_id']}/decision"
            decided += _timed(service, path, [{"action": "accept"}])
        mend()
        mended = time.monotonic()
        there: list[str | None] = []
        while len(there) < 20 and time.monotonic() < mended + 30:
            service.run(asyncio.sleep(0.05))
            there = [entry.assessment_id for entry in service.log.read.page(kind="decision")]
        took = time.monotonic() - mended
        in_order = there == [one["assessment_id"] for one in made]
        service.log.close()
        whole = verify(service.settings.log_path).whole
    row(
        name,
        _statuses(assessed),
        f"{max(ms for _, ms in assessed):.0f} ms",
        _statuses(decided),
        f"{max(ms for _, ms in decided):.0f} ms (median {_median(decided):.1f})",
        f"{len(there)} of 20, {'in order' if in_order else 'not in order'}, {took:.1f} s",
        "whole" if whole else "not whole",
    )
    refused = all(status == 503 and ms < 2000 for status, ms in assessed)
    kept = all(status == 202 and ms < 2000 for status, ms in decided)
    return refused and kept and in_order and whole


def desks(ways: dict[str, Break], server: Server | None) -> bool:
    """Eight desks at a real service while its log is locked, gone or full: how long they wait."""
    click.echo(f"### {CLIENTS} desks at once\n")
    header("what", "assess", "slowest", "decide", "slowest", "kept", "lost", "chain")
    good = True
    for name, breaks in ways.items():
        with tempfile.TemporaryDirectory(prefix="crisiscall-faults-") as folder:
            log = server and server.database()
            home = Home.make(Path(folder), log=log)
            found = home.break_for(5.0, lambda process: breaks(process, log))  # noqa: B023
            wrong = home.check()[1]
        row(
            name,
            _statuses(found.assessed),
            f"{max(ms for _, ms in found.assessed):.0f} ms",
            _statuses(found.decided),
            f"{max(ms for _, ms in found.decided):.0f} ms",
            found.kept,
            found.lost,
            "whole" if not wrong else wrong[0],
        )
        answers = [*found.assessed, *found.decided]
        good &= not wrong and not found.lost and all(ms < 2000 for _, ms in answers)
    click.echo()
    return good


def _timed(service: Service, path: str, bodies: list[Any]) -> Iterator[tuple[int, float]]:
    for body in bodies:
        begun = time.perf_counter()
        answer = service.post(path, json=body)
        yield answer.status_code, (time.perf_counter() - begun) * 1e3


def _statuses(answers: list[tuple[int, float]]) -> str:
    return ", ".join(str(status) for status in sorted({status for status, _ in answers}))


def _median(answers: list[tuple[int, float]]) -> float:
    return statistics.median(ms for _, ms in answers)


def header(*names: str) -> None:
    row(*names)
    row(*("---" for _ in names))


def row(*cells: Any) -> None:
    told = (f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in cells)
    click.echo("| " + " | ".join(told) + " |")


if __name__ == "__main__":
    main()
