"""A service under load that is killed, and started, and killed again; and what is there after."""

from __future__ import annotations

import asyncio
import contextlib
import random
import resource
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from data.errors import InputError
from model_service.service.log import verify
from model_service.service.log.place import Place
from model_service.service.log.reading import Reader
from model_service.service.log.session import Session
from model_service.service.postgres import PostgresURL
from tests.builders import a_call, add_users, make_champion, make_settings
from tests.faults.faulty import away, locked
from tests.harness import Process
from tests.stores import Server, keys_of, open_store

CLIENTS = 8
TEXTS = {
    "assessment": {"call", "explanation", "grounds"},
    "decision": {"note"},
    "outcome": {"outcome"},
}
OVERRIDE = {
    "action": "override",
    "response": "protocol",
    "reason": "other",
    "note": "the heron waits by the weir",
}


class LossyProcess(Process):
    """A service all of whose databases lie on a file system that loses what was not synced."""

    entry = (
        "import os; from tests.faults.lossy import install;"
        "kept = install(os.getpid()); from training.cli import main; main()"
    )


class LyingProcess(Process):
    """The same, with a sync that does nothing."""

    entry = LossyProcess.entry.replace("os.getpid()", "0, early=0.0, lies=True")


@dataclass
class Round:
    """What was acknowledged before a kill, and what was under way."""

    acknowledged: list[tuple[str, int, str]] = field(default_factory=list)
    kept: int = 0
    unanswered: int = 0

    def counts(self) -> Counter[str]:
        return Counter(kind for kind, _, _ in self.acknowledged)


@dataclass
class Home:
    """A home with a release and a user, and everything that its service ever acknowledged."""

    path: Path
    password: str
    log: PostgresURL | None = None
    acknowledged: list[tuple[str, int, str]] = field(default_factory=list)

    @classmethod
    def make(cls, path: Path, *, log: PostgresURL | None = None) -> Home:
        path.mkdir(parents=True, exist_ok=True)
        make_champion(path)
        return cls(path, add_users(make_settings(path), {"desk": "dispatcher"})["desk"], log)

    @property
    def place(self) -> Place:
        """Where the log is."""
        return self.log or self.path / "log.db"

    def kill_once(
        self, kind: type[Process], chance: random.Random, *, server: Server | None = None
    ) -> Round:
        """Start a service, put it under load and kill it at some moment.

        Before that the log's server is killed, if one is given, and started again.
        """
        process = kind(self.path, log=self.log)
        try:
            process.wait_ready(60)
            head, seconds = self.sign_in(process), chance.uniform(0.02, 0.8)
            made = asyncio.run(_load(process, head, seconds, server))
        finally:
            process.process.kill()
            process.wait()
        self.acknowledged += made.acknowledged
        return made

    def check(self) -> tuple[int, list[str]]:
        """Count the entries, and say what is wrong with the log; nothing, it is hoped."""
        keys = keys_of(self.place)
        try:
            found = verify(self.place, keys=keys)
        except InputError as error:  # not even a log any more
            return 0, [str(error)]
        finally:
            keys.close()
        wrong = [] if found.fault is None else [f"entry {found.fault.seq}: {found.fault.what}"]
        store = open_store(self.place)
        reader = Reader(store)
        with contextlib.closing(store):
            for kind, seq, digest in self.acknowledged:
                entry = reader.entry(seq)
                if entry is None or (entry.kind, entry.digest) != (kind, digest):
                    wrong.append(f"lost: {kind} {seq}")
                elif set(reader.private(entry)) != TEXTS[kind]:
                    wrong.append(f"lost: a text of {kind} {seq}")
        return found.entries, wrong

    def break_for(self, seconds: float, breaks: Callable[[Process], Callable[[], None]]) -> Broken:
        """Break the log of a service that several desks use, and mend it after some seconds."""
        process = Process(self.path, log=self.log)
        try:
            process.wait_ready(60)
            head = self.sign_in(process)
            url = f"{process.url}/v1/assessments"
            made = [httpx.post(url, json=a_call(n), headers=head).json() for n in range(CLIENTS)]
            mend = breaks(process)
            found = Broken()
            until = time.monotonic() + seconds
            with ThreadPoolExecutor(CLIENTS) as threads:
                desks = [threads.submit(_desk, process, head, one, found, until) for one in made]
                for desk in desks:
                    desk.result()
            mend()
            found.wait_recorded(process, head, made)
        finally:
            process.stop()
        return found

    def sign_in(self, process: Process) -> dict[str, str]:
        form = {"username": "desk", "password": self.password}
        token = httpx.post(f"{process.url}/v1/token", data=form).json()["access_token"]
        return {"authorization": f"Bearer {token}"}


@dataclass
class Broken:
    """What was answered while the log could not be written: status and milliseconds."""

    assessed: list[tuple[int, float]] = field(default_factory=list)
    decided: list[tuple[int, float]] = field(default_factory=list)
    times: set[tuple[str, str]] = field(default_factory=set)
    lost: int = 0

    @property
    def kept(self) -> int:
        return len(self.times)

    def wait_recorded(
        self, process: Process, head: dict[str, str], made: list[dict[str, Any]]
    ) -> None:
        """Wait until every decision that was kept is on record; count those that are not."""
        until = time.monotonic() + 30
        while True:
            there = set()
            for one in made:
                url = f"{process.url}/v1/assessments/{one['assessment_id']}"
                answer = httpx.get(url, headers=head).json()  # perhaps that it can't be read yet
                decisions = answer.get("decisions", ())
                there |= {(one["assessment_id"], decision["at"]) for decision in decisions}
            self.lost = len(self.times - there)
            if not self.lost or time.monotonic() > until:
                return
            time.sleep(0.2)


def _desk(
    process: Process, head: dict[str, str], mine: dict[str, Any], found: Broken, until: float
) -> None:
    with httpx.Client(base_url=process.url, headers=head, timeout=30) as http:
        number = 0
        while time.monotonic() < until:
            number += 1
            call = a_call(f"{mine['call_id']}-{number}")
            path = f"/v1/assessments/{mine['assessment_id']}/decision"
            for where, body, answers in (
                ("/v1/assessments", call, found.assessed),
                (path, OVERRIDE, found.decided),
            ):
                begun = time.perf_counter()
                answer = http.post(where, json=body)
                answers.append((answer.status_code, (time.perf_counter() - begun) * 1e3))
                if answer.status_code == 202:
                    found.times.add((mine["assessment_id"], answer.json()["at"]))


def _full(process: Process) -> Callable[[], None]:
    """Let no file of a process grow any more, as on a full disk."""
    size = (process.home / "log.db-wal").stat().st_size
    unlimited = resource.prlimit(process.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(process.process.pid, resource.RLIMIT_FSIZE, (size, unlimited[1]))

    def free() -> None:
        resource.prlimit(process.process.pid, resource.RLIMIT_FSIZE, unlimited)

    return free


REAL_WAYS: dict[str, Callable[[Process], Callable[[], None]]] = {
    "disk full": _full,
    "log gone": lambda process: away(process.home / "log.db"),
    "log locked": lambda process: locked(process.home / "log.db"),
    "keys locked": lambda process: locked(process.home / "record-keys.db"),
}
"""What may become of the log of a service in a process of its own → how to do it, which returns
what mends it."""


def _killed(server: Server, log: PostgresURL) -> Callable[[], None]:
    server.kill()
    return server.restart


def _refusing(server: Server, log: PostgresURL) -> Callable[[], None]:
    """Let a server take nobody in any more."""
    cut = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{log.database}'"
    server.run(f"ALTER DATABASE {log.database} ALLOW_CONNECTIONS false", cut)
    return lambda: server.run(f"ALTER DATABASE {log.database} ALLOW_CONNECTIONS true")


def _hanging(server: Server, log: PostgresURL) -> Callable[[], None]:
    """Stop a server and those of its processes that serve a log, so that nothing is answered."""
    import psutil

    first = psutil.Process(server.pid)
    stopped = [first, *first.children(recursive=True)]
    for process in stopped:
        process.suspend()

    def go_on() -> None:
        for process in stopped:
            process.resume()

    return go_on


def _locked(server: Server, log: PostgresURL) -> Callable[[], None]:
    """Hold the lock that everybody takes who appends."""
    session = Session(server.owner(log), seconds=30)
    session.run("BEGIN")
    session.execute("SELECT * FROM lock_head()").fetchall()
    return session.close


SERVER_WAYS: dict[str, Callable[[Server, PostgresURL], Callable[[], None]]] = {
    "server killed": _killed,
    "server refuses": _refusing,
    "server hangs": _hanging,
    "log locked": _locked,
}
"""What may become of a log on a server of its own → how to do it, which returns what mends it."""


async def _load(
    process: Process, head: dict[str, str], seconds: float, server: Server | None
) -> Round:
    """Assess, decide and learn from several desks at once until the service is killed."""
    made = Round()

    async def post(http: httpx.AsyncClient, path: str, body: Any, kind: str) -> Any:
        made.unanswered += 1
        answer = await http.post(path, json=body)
        made.unanswered -= 1
        if answer.status_code == 202:
            made.kept += 1
        if answer.status_code != 201:
            return None
        content = answer.json()
        made.acknowledged.append((kind, content["log"]["sequence"], content["log"]["digest"]))
        return content

    async def desk(name: int) -> None:
        async with httpx.AsyncClient(base_url=process.url, headers=head, timeout=30) as http:
            number = 0
            with contextlib.suppress(httpx.TransportError):
                while True:
                    number += 1
                    call = a_call(f"{process.port}-{process.process.pid}-{name}-{number}")
                    assessed = await post(http, "/v1/assessments", call, "assessment")
                    if assessed is None:
                        continue
                    path = f"/v1/assessments/{assessed['assessment_id']}/decision"
                    await post(http, path, OVERRIDE, "decision")
                    told = {"call_id": call["call_id"], "recorded_at": "2021-10-06T00:00:00Z"}
                    await post(http, f"/v1/calls/{call['call_id']}/outcome", told, "outcome")

    async def more() -> None:
        enough = len(made.acknowledged) + CLIENTS
        while len(made.acknowledged) < enough:  # at work, whatever the machine
            await asyncio.sleep(0.005)

    async def kill() -> None:
        await more()
        await asyncio.sleep(seconds)
        if server is not None:
            await asyncio.to_thread(server.kill)
            await asyncio.sleep(seconds)
            await asyncio.to_thread(server.restart)
            await more()
        process.process.kill()

    await asyncio.gather(kill(), *(desk(name) for name in range(CLIENTS)))
    return made
