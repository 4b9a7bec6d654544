"""Checkpoints that a running service takes, and what it answers for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from model_service import log_verifier
from model_service.service.app import create_app
from model_service.service.log import DecisionLog, Draft, checkpoint, verify
from model_service.service.log.checkpoint import Kept, gather, latest, parse
from model_service.service.log.checkpointer import Checkpointer
from model_service.service.log.entry import Entry, digest
from model_service.service.log.place import Place
from model_service.service.log.proof import check
from model_service.service.log.snapshot import snapshot
from tests.builders import a_call, make_champion
from tests.clock import Clock
from tests.harness import Service, assert_problem, running
from tests.stores import execute, open_store

pytestmark = pytest.mark.both_stores


async def until(condition: Callable[[], Any]) -> None:
    """Wait for something to become true."""
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.01)


def refusals(service: Service) -> list[dict[str, Any]]:
    """Log lines that say why no checkpoint is taken."""
    return [line for line in service.lines() if line["event"] == "no checkpoint"]


def take(service: Service) -> checkpoint.Checkpoint:
    """Have a checkpoint taken now; returns it."""
    service.run(service.app.state.checkpoints.check(final=True))
    found: checkpoint.Checkpoint = service.app.state.checkpoints.latest
    return found


def kept_of(service: Service) -> Kept:
    key = service.settings.checkpoint_key_path.with_suffix(".pub").read_text().strip()
    return gather([service.settings.checkpoints_path], {key})


def test_a_service_takes_one_at_its_start_and_one_at_its_end(tmp_path: Path) -> None:
    make_champion(tmp_path)
    with running(tmp_path, champion=False) as service:
        service.run(until(lambda: service.app.state.checkpoints.latest is not None))
        # Of one entry: that the release came into force.
        assert service.app.state.checkpoints.latest.size == 1
        service.assess(a_call())
        service.assess(a_call(2))
    kept = kept_of(service)
    assert [one.size for one in kept.checkpoints] == [1, 3]
    assert service.settings.checkpoint_key_path.stat().st_mode & 0o777 == 0o600
    found = verify(service.settings.log_path, kept=kept)
    assert (found.whole, found.covered) == (True, 3)
    app = create_app(service.settings)

    async def again() -> None:
        async with app.router.lifespan_context(app):
            await until(lambda: app.state.checkpoints.latest is not None)
            await until(lambda: app.state.checkpoints.latest.size == 4)

    asyncio.run(again())
    assert verify(service.settings.log_path, kept=kept_of(service)).covered == 4


@pytest.fixture
def grown(place: Place) -> Any:
    made = DecisionLog(open_store(place))
    yield made
    made.close()


def a_checkpointer(log: DecisionLog, folder: Path, clock: Clock, **more: Any) -> Checkpointer:
    settings = {"entries": 10, "seconds": 60.0, **more}
    return Checkpointer(log, folder / "kept", folder / "checkpoint.key", clock=clock, **settings)


async def append(log: DecisionLog, count: int) -> None:
    await asyncio.gather(*(log.append(Draft("outcome", "desk", {"n": n})) for n in range(count)))


def test_it_is_due_after_so_many_entries_or_so_long(grown: DecisionLog, tmp_path: Path) -> None:
    clock = Clock(0.0)
    taker = a_checkpointer(grown, tmp_path, clock)
    sizes = []

    async def go() -> None:
        for count, seconds in ((0, 0), (3, 0), (9, 0), (1, 0), (0, 61), (2, 0), (0, 59), (0, 2)):
            await append(grown, count)
            clock.now += seconds
            await taker.check()
            sizes.append(taker.latest.size if taker.latest else 0)

    asyncio.run(go())
    # At first at once; then after 10 more; nothing new, none; then when 60 seconds are over.
    assert sizes == [0, 3, 3, 13, 13, 15, 15, 15]
    assert [file.name for file in sorted((tmp_path / "kept").iterdir())] == [
        "000000000003.json",
        "000000000013.json",
        "000000000015.json",
    ]


def test_it_needs_no_entry_twice_and_none_of_before_its_blocks(
    grown: DecisionLog, place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[int, int]] = []
    digests = grown.read.digests

    def counted(*, after: int, limit: int) -> list[bytes]:
        asked.append((after, limit))
        return digests(after=after, limit=limit)

    monkeypatch.setattr(grown.read, "digests", counted)
    taker = a_checkpointer(grown, tmp_path, Clock(0.0))

    async def go() -> None:
        await append(grown, 1500)
        await taker.check()
        asked.clear()
        await append(grown, 10)
        await taker.check()

    asyncio.run(go())
    assert taker.latest is not None and taker.latest.size == 1510
    assert min(after for after, _ in asked) >= 1280
    assert verify(place, kept=Kept((taker.latest,))).covered == 1510


def made_anew(place: Place) -> list[str]:
    """Let somebody else be the actor of entry 5, and digest all from there on anew."""
    with snapshot(place) as view:
        entries = [Entry(*row) for row in view.execute("SELECT * FROM entries ORDER BY seq")]
    entries[4] = entries[4]._replace(actor="somebody else")
    previous, statements = entries[4].previous, []
    for entry in entries[4:]:
        made = digest(*entry._replace(previous=previous)[:-1])
        statements.append(
            f"UPDATE entries SET actor = '{entry.actor}', previous = '{previous}',"
            f" digest = '{made}' WHERE seq = {entry.seq}"
        )
        previous = made
    return statements


@pytest.mark.parametrize("cut", [True, False])
def test_it_signs_no_second_story(tmp_path: Path, place: Place, cut: bool) -> None:
    clock = Clock(0.0)

    async def first() -> None:
        log = DecisionLog(open_store(place))
        taker = a_checkpointer(log, tmp_path, clock)
        await append(log, 12)
        await taker.check()
        log.close()

    asyncio.run(first())
    if cut:
        execute(place, "DELETE FROM entries WHERE seq > 10")
    else:
        execute(place, *made_anew(place))

    async def second() -> Checkpointer:
        log = DecisionLog(open_store(place))
        taker = a_checkpointer(log, tmp_path, clock)
        for _ in range(2):
            await append(log, 1)  # calls go on
            await taker.check(final=True)
        log.close()
        return taker

    taker = asyncio.run(second())
    assert taker.latest is None
    assert [file.name for file in (tmp_path / "kept").iterdir()] == ["000000000012.json"]


def test_a_folder_that_can_not_be_written_hinders_no_call(tmp_path: Path) -> None:
    (tmp_path / "checkpoints").write_text("a file")
    with running(tmp_path) as service:
        assert service.assess(a_call()).status_code == 201
        service.run(until(lambda: refusals(service)))
        assert [line["level"] for line in refusals(service)] == ["error"]
        assert_problem(service.get("/v1/log/checkpoint"), 404)
        (tmp_path / "checkpoints").unlink()
        assert take(service).size == 2


def test_anyone_may_have_a_checkpoint_and_see_that_the_log_only_grew(service: Service) -> None:
    service.run(service.app.state.checkpoints.check(final=True))
    service.assess(a_call())
    old = take(service)
    for number in range(2, 7):
        service.assess(a_call(number))
    new = take(service)
    answer = service.get("/v1/log/checkpoint", role=None)
    assert answer.status_code == 200
    assert parse(answer.content) == new == latest(service.settings.checkpoints_path)
    earlier = service.get(f"/v1/log/checkpoint?size={old.size}", role=None)
    assert parse(earlier.content) == old
    grown = service.get(f"/v1/log/consistency?from={old.size}&to={new.size}", role=None)
    said = check(grown.content, [old, new])
    assert said == f"the log of {new.size} entries begins with the {old.size} that it had before"
    for path in (
        f"/v1/log/checkpoint?size={new.size + 1}",
        "/v1/log/checkpoint?size=4611686018427387904",
        f"/v1/log/consistency?from=1&to={new.size + 1}",
        f"/v1/log/consistency?from={new.size}&to=1",
    ):
        assert_problem(service.get(path, role=None), 404)
    for path in (
        "/v1/log/checkpoint?size=0",
        "/v1/log/checkpoint?size=x",
        "/v1/log/consistency?from=1",
        "/v1/log/consistency?from=0&to=1",
    ):
        problem = assert_problem(service.get(path, role=None), 422)
        assert problem["errors"][0]["path"] in ("size", "from", "to")


def test_an_entry_is_proved_to_who_holds_a_checkpoint(service: Service) -> None:
    assessed = service.assess(a_call()).json()
    for number in range(2, 5):
        service.assess(a_call(number))
    held = take(service)
    service.assess(a_call(9))
    seq, digest = assessed["log"]["sequence"], assessed["log"]["digest"]
    answer = service.get(f"/v1/log/{seq}/proof", role="auditor")
    assert answer.status_code == 200
    assert check(answer.content, [held]) == f"entry {seq}:{digest} is in the log of 5 entries"
    other = log_verifier.read_checkpoint(held.content(), {bytes.fromhex(held.key)})
    assert digest in log_verifier.verify_proof(answer.json(), [other])
    text = a_call()["narrative"]
    assert text not in answer.text and orjson.loads(answer.json()["entry"])["actor"] == "dispatcher"
    by_size = service.get(f"/v1/log/{seq}/proof?size={seq}", role="auditor").json()
    assert (by_size["size"], by_size["path"][:1]) == (seq, by_size["path"])
    for path in (f"/v1/log/{seq}/proof?size=1", "/v1/log/6/proof", "/v1/log/3/proof?size=99"):
        assert_problem(service.get(path, role="auditor"), 404)
    problem = assert_problem(service.get("/v1/log/0/proof", role="auditor"), 422)
    assert problem["errors"][0]["path"] == "seq"


def test_a_damaged_earlier_file_is_not_handed_out(service: Service) -> None:
    old = take(service)
    service.assess(a_call())
    take(service)
    file = service.settings.checkpoints_path / checkpoint.name_of(old.size)
    file.unlink()
    file.write_bytes(b"{}")
    assert_problem(service.get(f"/v1/log/checkpoint?size={old.size}", role=None), 404)


def test_nobody_can_try_out_who_signed_in_when(service: Service) -> None:
    """Every entry holds something that can't be guessed, since its digest may be seen."""
    form = {"username": "dispatcher", "password": service.passwords["dispatcher"]}
    service.post("/v1/token", data=form, role=None)
    assessed = service.assess(a_call()).json()["assessment_id"]
    service.post(f"/v1/assessments/{assessed}/decision", json={"action": "accept"})
    service.request("PUT", "/v1/mode", json={"mode": "off"}, role="supervisor")
    entries = service.log.read.page()
    assert {entry.kind for entry in entries} > {"release", "sign_in", "mode", "decision"}
    for entry in entries:
        body = entry.content()
        assert body.get("private") or len(body["salt"]) == 32, entry.kind


def test_two_processes_on_one_log_share_a_folder(tmp_path: Path, place: Place) -> None:
    clock = Clock(0.0)

    async def go() -> tuple[Checkpointer, Checkpointer]:
        logs = [DecisionLog(open_store(place)) for _ in range(2)]
        one, other = (a_checkpointer(log, tmp_path, clock) for log in logs)
        logs[1].probe()  # before the other one writes
        await append(logs[0], 3)
        await one.check(final=True)
        await other.check(final=True)
        assert other.latest == one.latest
        await asyncio.gather(*(append(log, 3) for log in logs))
        await asyncio.gather(one.check(final=True), other.check(final=True))
        await append(logs[0], 1)
        await append(logs[1], 1)
        await other.check(final=True)
        await append(logs[0], 1)
        await one.check(final=True)
        for log in logs:
            log.close()
        return one, other

    one, other = asyncio.run(go())
    assert one.latest is not None and other.latest is not None
    assert (one.latest.size, other.latest.size) == (12, 11)
    assert one.latest.key == other.latest.key
    kept = gather([tmp_path / "kept"], {one.latest.key})
    assert [checkpoint.size for checkpoint in kept.checkpoints][-2:] == [11, 12]
    assert verify(place, kept=kept).covered == 12
