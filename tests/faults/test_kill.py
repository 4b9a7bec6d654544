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
from model_service.service.log.reading import Reader
from model_service.service.log.store import Store
from tests.builders import a_call, add_users, make_champion, make_settings
from tests.faults.kills import CLIENTS, Home, LossyProcess, LyingProcess
from tests.harness import Process


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


def assert_all_there(path: Path, answered: list[dict[str, Any]]) -> None:
    result = verify(path)
    assert result.whole, result.fault
    store = Store(path)
    reader = Reader(store)
    for answer in answered:
        entry = reader.assessment(answer["assessment_id"])
        assert entry is not None
        assert (entry.seq, entry.digest) == (answer["log"]["sequence"], answer["log"]["digest"])
        assert set(reader.private(entry)) == {"call", "explanation", "grounds"}
    store.close()


@pytest.mark.parametrize("kind", [Process, LossyProcess])
def test_what_was_acknowledged_is_there_after_a_kill(tmp_path: Path, kind: type[Process]) -> None:
    """A short one of `make faults`: with a plain disk, and one that drops what was not synced."""
    home = Home.make(tmp_path)
    chance = random.Random(1)
    for _ in range(2):
        made = home.kill_once(kind, chance)
        assert made.unanswered and made.kept == 0
        entries, wrong = home.check()
        assert wrong == []
        assert entries >= len(home.acknowledged) >= CLIENTS
    assert {kind for kind, _, _ in home.acknowledged} == {"assessment", "decision", "outcome"}


def test_a_disk_whose_sync_lies_is_found_out(tmp_path: Path) -> None:
    """So the check above would tell, if anything were lost."""
    home = Home.make(tmp_path)
    home.kill_once(LyingProcess, random.Random(1))
    _, wrong = home.check()
    assert wrong


def test_killed_under_load(tmp_path: Path, password: str) -> None:
    answered: list[dict[str, Any]] = []
    for enough in (20, 60):
        process = Process(tmp_path)
        process.wait_ready()
        head = sign_in(process, password)

        def stop(count: int, process: Process = process, enough: int = enough) -> bool:
            if count >= enough and process.process.poll() is None:
                process.process.kill()  # the other clients wait for answers just now
            return False

        answered += asyncio.run(post_until(process, head, stop))
        process.wait()
        assert_all_there(tmp_path / "log.db", answered)
    assert len(answered) >= 80


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
