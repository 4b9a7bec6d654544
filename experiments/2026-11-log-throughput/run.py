"""What the decision log costs: requests a second with it on SQLite, on PostgreSQL, and without it.

Run from the project's root, after `crisiscall train`, on an otherwise idle machine:

    python experiments/2026-11-log-throughput/run.py
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import platform
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import orjson
import uvloop
from scipy import stats

from data.frame import to_records
from data.sources.synthetic import synthesize
from model_service.service.log import verify
from model_service.service.log.place import Place
from tests.stores import environment, serving

HERE = Path(__file__).parent
CLIENTS = 32
REQUESTS = 960
ROUNDS = 15
OFF, SQLITE, POSTGRES = "no log", "SQLite", "PostgreSQL"


class Client(asyncio.Protocol):
    """One connection that sends a request as soon as the last one is answered."""

    def __init__(self, requests: Iterator[bytes], done: asyncio.Future[None]) -> None:
        self._requests = requests
        self._done = done
        self._got = b""

    def connection_made(self, transport: Any) -> None:
        """Send the first request."""
        self._transport = transport
        self._next()

    def data_received(self, data: bytes) -> None:
        """Take a part of an answer."""
        self._got += data
        head, end, body = self._got.partition(b"\r\n\r\n")
        if not end:
            return
        length = int(re.search(rb"(?i)content-length: (\d+)", head)[1])  # type: ignore[index]
        if len(body) >= length:
            if not head.startswith(b"HTTP/1.1 201"):
                self._done.set_exception(RuntimeError(head.decode()))
                self._transport.close()
                return
            self._got = b""
            self._next()

    def _next(self) -> None:
        request = next(self._requests, None)
        if request is None:
            self._transport.close()
            self._done.set_result(None)
        else:
            self._transport.write(request)


class Service:
    """A service in a process of its own."""

    def __init__(self, name: str, command: list[str], home: Path, log: Place) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        given = {
            **os.environ,
            **environment(home, log),
            "CRISISCALL_ACCOUNTS": str(home / "accounts.db"),
            "CRISISCALL_CHECKPOINTS": str(home / name / "checkpoints"),
            "CRISISCALL_CHECKPOINT_KEY": str(home / "checkpoint.key"),
            "CRISISCALL_KEPT_DECISIONS": str(home / name / "kept-decisions"),
            "CRISISCALL_TOKEN_HOURS": "24",
        }
        whole = [part.format(port=self.port) for part in command]
        self.process = subprocess.Popen(whole, env=given)
        self._token = ""

    def wait(self, password: str) -> None:
        """Wait until it is ready, and sign in."""
        with httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=30) as client:
            for _ in range(1200):  # a busy machine takes its time
                with contextlib.suppress(httpx.TransportError):
                    if client.get("/readyz").status_code == 200:
                        break
                time.sleep(0.1)
            form = {"username": "bench", "password": password}
            self._token = client.post("/v1/token", data=form).json()["access_token"]

    def rate(self, calls: list[dict[str, Any]], mark: str) -> float:
        """Send calls by all clients at once; returns requests a second."""
        head = (
            f"POST /v1/assessments HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {self._token}"
            "\r\nContent-Type: application/json\r\nContent-Length: "
        )
        requests = []
        for number, call in enumerate(calls):
            body = orjson.dumps({**call, "call_id": f"{mark}-{number}"})
            requests.append(f"{head}{len(body)}\r\n\r\n".encode() + body)

        async def send() -> float:
            loop = asyncio.get_running_loop()
            waiting = iter(requests)
            done = [loop.create_future() for _ in range(CLIENTS)]
            began = time.perf_counter()
            for one in done:
                await loop.create_connection(
                    lambda one=one: Client(waiting, one), "127.0.0.1", self.port
                )
            await asyncio.gather(*done)
            return len(requests) / (time.perf_counter() - began)

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(send())


def machine() -> str:
    """Say what machine this is, in words."""
    model = "unknown processor"
    with contextlib.suppress(OSError):
        found = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
        model = found[1] if found else model
    return (
        f"{os.cpu_count()} cores of {model}, {platform.system()}, Python "
        f"{platform.python_version()}"
    )


def sync_seconds(folder: Path) -> float:
    """Measure how long the disk takes to sync a small write: the median of 200, in seconds."""
    took = []
    with (folder / "sync").open("wb") as file:
        for _ in range(200):
            file.write(b"x" * 4096)
            file.flush()
            began = time.perf_counter()
            os.fdatasync(file.fileno())
            took.append(time.perf_counter() - began)
    return float(np.median(took))


def interval(logs: np.ndarray[Any, Any]) -> str:
    """Write a ratio with its 95 % interval (Student's t on logarithms, over rounds)."""
    half = stats.sem(logs) * stats.t.ppf(0.975, len(logs) - 1)
    low, middle, high = np.exp([logs.mean() - half, logs.mean(), logs.mean() + half])
    return f"{middle:.2f} ({low:.2f} to {high:.2f})"


def measure(home: Path, rounds: int) -> tuple[dict[str, list[float]], dict[str, str]]:
    """Run the three services beside each other and load one after the other, round by round."""
    calls = list(to_records(synthesize(REQUESTS, seed=9).calls))[:REQUESTS]
    for call in calls:
        call["revision"] = 1
    serve = [sys.executable, "-m", "training.cli", "serve", "--home", str(home)]
    serve += ["--port", "{port}", "--log-level", "error"]
    rates: dict[str, list[float]] = {OFF: [], SQLITE: [], POSTGRES: []}
    with contextlib.ExitStack() as stack:
        work = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=home)))
        server = stack.enter_context(serving())
        places = {SQLITE: work / "log.db", POSTGRES: server.database()}
        accounts = {**os.environ, "CRISISCALL_ACCOUNTS": str(work / "accounts.db")}
        add = ["users", "add", "bench", "--role", "cad", "--home", str(home)]
        password = subprocess.run(
            [sys.executable, "-m", "training.cli", *add],
            check=True,
            capture_output=True,
            text=True,
            env=accounts,
        ).stdout.strip()
        without = [sys.executable, str(HERE / "nolog.py"), str(home), "{port}"]
        services = {
            OFF: Service("off", without, work, work / "none.db"),
            SQLITE: Service("sqlite", serve, work, places[SQLITE]),
            POSTGRES: Service("postgres", serve, work, places[POSTGRES]),
        }
        for service in services.values():
            stack.callback(service.process.wait)
            stack.callback(service.process.terminate)
        for service in services.values():
            service.wait(password)
            service.rate(calls[: REQUESTS // 4], "warm")
        order = np.random.default_rng(9)
        for number in range(rounds):
            for name in order.permutation(list(services)):
                rates[name].append(services[name].rate(calls, f"r{number}"))
        facts = {
            "synced": f"{sync_seconds(work) * 1e3:.2f} ms",
            **{name: f"{verify(place).entries:,}" for name, place in places.items()},
        }
        shutil.rmtree(work / "none", ignore_errors=True)
    return rates, facts


def main() -> None:
    """Measure, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--home", default=Path("var"), type=Path)
    parser.add_argument("--rounds", default=ROUNDS, type=int)
    given = parser.parse_args()
    load = [os.getloadavg()[0]]
    rates, facts = measure(given.home, given.rounds)
    load.append(os.getloadavg()[0])
    logs = {name: np.log(values) for name, values in rates.items()}
    rows = "".join(
        f"| {label} | {np.median(rates[name]):,.0f} | "
        f"{'' if name == OFF else interval(logs[name] - logs[OFF])} |\n"
        for name, label in (
            (OFF, "switched off"),
            (SQLITE, "SQLite, `synchronous=FULL`"),
            (POSTGRES, "PostgreSQL on the same machine, `synchronous_commit=on`"),
        )
    )
    (HERE / "results.md").write_text(
        "<!-- Written by run.py; do not edit. -->\n# Results\n\n"
        f"{machine()}; load average {load[0]:.1f} when the run began, {load[1]:.1f} when it ended. "
        f"{CLIENTS} clients, {given.rounds} rounds of {REQUESTS:,} requests to each service in "
        f"random order; the disk synced 4 KiB in {facts['synced']} (median).\n\n"
        "| decision log | requests/s (median) | share of switched off (95 % interval) |\n"
        "|---|--:|--:|\n"
        f"{rows}\n"
        f"After the run both logs verified whole: {facts[SQLITE]} entries in SQLite, "
        f"{facts[POSTGRES]} in PostgreSQL.\n",
        encoding="utf-8",
    )
    print((HERE / "results.md").read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
