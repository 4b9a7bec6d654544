"""kill -9 and a disk that fills, of a real service under load: nothing acknowledged is lost."""

from __future__ import annotations

import asyncio
import contextlib
import random
import resource
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from model_service.service.log import verify
from model_service.service.log.place import Place
from model_service.service.log.reading import Reader
from model_service.service.postgres import PostgresURL
from tests.builders import a_call, add_users, make_champion, make_settings
from tests.faults.kills import CLIENTS, SERVER_WAYS, Home, LossyProcess, LyingProcess
from tests.harness import Process
from tests.stores import Server, open_store


@pytest.fixture
def password(tmp_path: Path) -> str:
    make_champion(tmp_path)
    return add_users(make_settings(tmp_path), {"desk": "dispatcher"})["desk"]


def sign_in(process: Process, password: str) -> dict[str, str]:
    form = {"username": "desk", "password": password}
    token = httpx.post(f"{process.url}/v1/token", data=form).json()["access_token"]
    return {"authorization": f"Bearer {token}"}


async def post_until(process: Process, head: dict[str, str], stop: Any) -> list[dict[str, Any]]:
    """Eight clients post until `stop`, or until the service is gone; returns what was answered."""
    answered: list[dict[str, Any]] = []

    async def client(name: int) -> None:
        async with httpx.AsyncClient(base_url=process.url, headers=head) as http:
            number = 0
            with contextlib.suppress(httpx.TransportError):
                while not stop(len(answered)):
                    number += 1
                    call = a_call(f"{process.port}-{name}-{number}")
                    answer = await http.post("/v1/assessments", json=call)
                    if answer.status_code == 201:
                        answered.append(answer.json())

    await asyncio.gather(*(client(name) for name in range(8)))
    return answered


def decisions_on(process: Process, assessed: dict[str, Any], head: dict[str, str]) -> Any:
    url = f"{process.url}/v1/assessments/{assessed['assessment_id']}"
    return httpx.get(url, headers=head).json()["decisions"]


def assert_all_there(place: Place, answered: list[dict[str, Any]]) -> None:
    result = verify(place)
    assert result.whole, result.fault
    store = open_store(place)
    reader = Reader(store)
    for answer in answered:
        entry = reader.assessment(answer["assessment_id"])
        assert entry is not None
        assert (entry.seq, entry.digest) == (answer["log"]["sequence"], answer["log"]["digest"])
        assert set(reader.private(entry)) == {"call", "explanation", "grounds"}
    store.close()


def killed(home: Home, kind: type[Process]) -> None:
    """Check that everything that was acknowledged before two kills is there after each."""
    chance = random.Random(1)
    for _ in range(2):
        made = home.kill_once(kind, chance)
        assert made.unanswered and made.kept == 0
        entries, wrong = home.check()
        assert wrong == []
        assert entries >= len(home.acknowledged) >= CLIENTS
    assert {kind for kind, _, _ in home.acknowledged} == {"assessment", "decision", "outcome"}


@pytest.mark.both_stores
def test_what_was_acknowledged_is_there_after_a_kill(
    tmp_path: Path, log: PostgresURL | None
) -> None:
    """A short one of `make faults`."""
    killed(Home.make(tmp_path, log=log), Process)


@pytest.mark.parametrize("way", SERVER_WAYS)
def test_decisions_are_taken_whatever_becomes_of_the_server(
    tmp_path: Path, own_server: Server, way: str
) -> None:
    log = own_server.database()
    home = Home.make(tmp_path, log=log)
    found = home.break_for(2.0, lambda _: SERVER_WAYS[way](own_server, log))
    assert {status for status, _ in found.assessed} == {503}
    assert {status for status, _ in found.decided} == {202}
    assert found.kept == len(found.decided) and found.lost == 0
    assert max(ms for _, ms in [*found.assessed, *found.decided]) < 2000
    assert home.check()[1] == []


def test_what_was_acknowledged_is_there_after_the_server_was_killed(
    tmp_path: Path, own_server: Server
) -> None:
    home = Home.make(tmp_path, log=own_server.database())
    made = home.kill_once(Process, random.Random(1), server=own_server)
    assert len(made.acknowledged) >= 2 * CLIENTS
    assert home.check()[1] == []


def test_what_was_acknowledged_is_there_though_unsynced_writes_are_lost(tmp_path: Path) -> None:
    killed(Home.make(tmp_path), LossyProcess)


def test_a_disk_whose_sync_lies_is_found_out(tmp_path: Path) -> None:
    """So the check above would tell, if anything were lost."""
    home = Home.make(tmp_path)
    home.kill_once(LyingProcess, random.Random(1))
    _, wrong = home.check()
    assert wrong


@pytest.mark.both_stores
def test_killed_under_load(
    tmp_path: Path, password: str, log: PostgresURL | None, place: Place
) -> None:
    answered: list[dict[str, Any]] = []
    for enough in (20, 60):
        process = Process(tmp_path, log=log)
        process.wait_ready()
        head = sign_in(process, password)

        def stop(count: int, process: Process = process, enough: int = enough) -> bool:
            if count >= enough and process.process.poll() is None:
                process.process.kill()  # the other clients wait for answers just now
            return False

        answered += asyncio.run(post_until(process, head, stop))
        process.wait()
        assert_all_there(place, answered)
    assert len(answered) >= 80


def test_one_of_two_is_killed_and_the_other_goes_on(
    tmp_path: Path, password: str, postgres: Server
) -> None:
    place = postgres.database()
    pair = [Process(tmp_path, log=place) for _ in range(2)]
    for process in pair:
        process.wait_ready()
    head = sign_in(pair[0], password)
    answered: list[tuple[int, dict[str, Any]]] = []

    async def client(number: int) -> None:
        async with httpx.AsyncClient(base_url=pair[number].url, headers=head) as http:
            with contextlib.suppress(httpx.TransportError):
                for call in range(60):  # the same calls, at the same time, to both
                    answer = await http.post("/v1/assessments", json=a_call(call))
                    assert answer.status_code in (200, 201), answer.text
                    answered.append((number, answer.json()))
                    if number == 1 and call == 30:
                        pair[1].process.kill()

    async def clients() -> None:
        await asyncio.gather(*(client(number) for number in (0, 1, 0, 1)))

    asyncio.run(clients())
    pair[1].wait()
    pair[0].stop()
    assert {number for number, _ in answered} == {0, 1}
    assert_all_there(place, [answer for _, answer in answered])
    by_call: dict[str, set[str]] = {}
    for _, answer in answered:
        by_call.setdefault(answer["call_id"], set()).add(answer["assessment_id"])
    assert len(by_call) == 60
    assert all(len(ids) == 1 for ids in by_call.values())


def test_a_disk_that_fills_and_is_freed(tmp_path: Path, password: str) -> None:
    process = Process(tmp_path)
    try:
        process.wait_ready()
        head = sign_in(process, password)
        before = asyncio.run(post_until(process, head, lambda count: count >= 30))
        size = (tmp_path / "log.db-wal").stat().st_size
        unlimited = resource.prlimit(process.process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(process.process.pid, resource.RLIMIT_FSIZE, (size, unlimited[1]))
        url = f"{process.url}/v1/assessments"
        refused = [httpx.post(url, json=a_call(f"full-{n}"), headers=head) for n in range(3)]
        assert [answer.status_code for answer in refused[1:]] == [503, 503]
        assert refused[-1].json()["title"] == "follow protocol"
        assert httpx.get(f"{process.url}/healthz").status_code == 200
        path = f"{url}/{before[0]['assessment_id']}/decision"
        decided = httpx.post(path, json={"action": "accept"}, headers=head)
        assert decided.status_code == 202  # there was room set aside for it
        resource.prlimit(process.process.pid, resource.RLIMIT_FSIZE, unlimited)
        after = httpx.post(url, json=a_call("freed"), headers=head)
        assert after.status_code == 201
        until = time.monotonic() + 20
        while not (there := decisions_on(process, before[0], head)) and time.monotonic() < until:
            time.sleep(0.1)
        assert [one["at"] for one in there] == [decided.json()["at"]]
    finally:
        process.stop()
    assert_all_there(tmp_path / "log.db", [*before, after.json()])
