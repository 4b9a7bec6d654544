from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apsw
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from model_service.service.log import DecisionLog, Draft, Entry, LogUnavailable, verify
from model_service.service.log.entry import GENESIS
from model_service.service.log.log import TURNS
from model_service.service.log.place import Place
from model_service.service.log.reading import Reader
from model_service.service.log.store import LogStore, Overtaken, Store, prepare
from tests.stores import open_store

pytestmark = pytest.mark.both_stores


def draft(number: int = 1, **more: object) -> Draft:
    given = {"call_id": f"C-{number}", "revision": 1, "assessment_id": f"A-{number}", **more}
    return Draft("assessment", "desk", {"n": number}, private={"call": b"words"}, **given)  # type: ignore[arg-type]


@pytest.fixture
def store(place: Place) -> Iterator[LogStore]:
    opened = open_store(place)
    yield opened
    opened.close()


def test_entries_are_chained_from_the_first_one_on(store: LogStore, place: Place) -> None:
    one, two = store.write([prepare(draft(1)), prepare(draft(2))])
    (three,) = store.write([prepare(draft(3))])
    assert [entry.seq for entry in (one, two, three)] == [1, 2, 3]
    assert (one.previous, two.previous, three.previous) == (GENESIS, one.digest, two.digest)
    assert store.head == (3, three.digest)
    assert verify(place).head == (3, three.digest)


def test_the_digest_needs_nothing_but_the_standard_library(store: LogStore) -> None:
    (entry,) = store.write([prepare(draft(1))])
    fields = entry._asdict()
    stated = fields.pop("digest")
    body = fields.pop("body")
    canonical = json.dumps(fields | {"body": None}, sort_keys=True, separators=(",", ":"))
    whole = canonical.replace('"body":null', f'"body":{body}')
    assert hashlib.sha256(whole.encode()).hexdigest() == stated
    assert json.dumps(json.loads(body), sort_keys=True, separators=(",", ":")) == body


def test_entries_that_come_together_are_written_together(store: LogStore) -> None:
    async def main() -> tuple[list[Entry], int]:
        batches = 0
        write = store.write

        def counted(batch: object) -> list[Entry]:
            nonlocal batches
            batches += 1
            return write(batch)  # type: ignore[arg-type]

        store.write = counted  # type: ignore[method-assign]
        log = DecisionLog(store)
        entries = await asyncio.gather(*(log.append(draft(n)) for n in range(20)))
        log.close()
        return list(entries), batches

    entries, batches = asyncio.run(main())
    assert [entry.seq for entry in entries] == list(range(1, 21))
    assert batches == 1


@pytest.mark.parametrize(("turns", "expected"), [(TURNS - 1, 1), (10 * TURNS, 5)])
def test_a_batch_waits_for_what_is_on_its_way_and_no_longer(
    store: LogStore, monkeypatch: pytest.MonkeyPatch, turns: int, expected: int
) -> None:
    batches = []
    write = store.write
    monkeypatch.setattr(store, "write", lambda batch: (batches.append(len(batch)), write(batch))[1])

    async def main() -> None:
        log = DecisionLog(store)

        async def late(number: int) -> None:
            for _ in range(number * turns):
                await asyncio.sleep(0)
            await log.append(draft(number))

        await asyncio.gather(*(late(number) for number in range(5)))
        log.close()

    asyncio.run(main())
    assert sum(batches) == 5
    assert len(batches) == expected


def test_a_client_that_went_away_leaves_its_entry(store: LogStore) -> None:
    async def main() -> int:
        log = DecisionLog(store)
        gone = asyncio.create_task(log.append(draft(1)))
        await asyncio.sleep(0)
        gone.cancel()
        other = await log.append(draft(2))
        log.close()
        return other.seq

    assert asyncio.run(main()) == 2


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE entries SET actor = 'x' WHERE seq = 1",
        "DELETE FROM entries WHERE seq = 2",
        "INSERT OR REPLACE INTO entries SELECT * FROM entries WHERE seq = 1",
        "REPLACE INTO entries SELECT 1, at, kind, call_id, revision, assessment_id, 'x', body,"
        " previous, digest FROM entries WHERE seq = 2",
        "INSERT INTO entries SELECT 9, at, kind, NULL, NULL, NULL, actor, body, digest, digest"
        " FROM entries WHERE seq = 2",
        "INSERT INTO entries SELECT NULL, at, kind, NULL, NULL, NULL, actor, body, digest, digest"
        " FROM entries WHERE seq = 2",
        "INSERT INTO entries SELECT 3, at, kind, NULL, NULL, NULL, actor, body, previous, digest"
        " FROM entries WHERE seq = 2",
        "INSERT OR REPLACE INTO entries SELECT 3, at, kind, call_id, revision, assessment_id,"
        " actor, body, digest, digest FROM entries WHERE seq = 2",
        "UPDATE OR REPLACE entries SET seq = 2 WHERE seq = 1",
        "UPDATE private SET content = x'00'",
        "INSERT OR REPLACE INTO private SELECT seq, name, nonce, x'00' FROM private WHERE seq = 1",
        "INSERT OR REPLACE INTO private SELECT seq, name, nonce, x'00' FROM private WHERE seq = 2",
        "INSERT INTO private VALUES (1, 'more', x'00', x'00')",
        "DELETE FROM private WHERE seq = 1",
        "INSERT INTO erased (seq, by) VALUES (1, 2)",
    ],
)
@pytest.mark.file_only
@pytest.mark.parametrize("recursive", [False, True])
def test_a_file_is_append_only(
    store: LogStore, place: Place, statement: str, recursive: bool
) -> None:
    store.write([prepare(draft(1)), prepare(draft(2))])
    store.close()
    connection = apsw.Connection(str(place))
    connection.pragma("recursive_triggers", recursive)
    with pytest.raises(apsw.ConstraintError, match="append-only|erasure"):
        connection.execute(statement)
    connection.close()
    assert verify(place).whole


@pytest.mark.file_only
def test_a_guard_that_was_dropped_comes_back(store: LogStore, place: Place) -> None:
    store.write([prepare(draft(1))])
    store.close()
    connection = apsw.Connection(str(place))
    connection.execute("DROP TRIGGER entries_no_delete")
    connection.close()
    store.probe()
    with pytest.raises(LogUnavailable), store.reading() as guarded:
        guarded.execute("DELETE FROM entries")


def test_a_revision_can_not_be_assessed_twice(store: LogStore) -> None:
    store.write([prepare(draft(1))])
    with pytest.raises(LogUnavailable):
        store.write([prepare(draft(2)), prepare(draft(1))])
    assert store.head is not None and store.head[0] == 1
    (entry,) = store.write([prepare(draft(2))])
    assert entry.seq == 2


def test_two_writers_keep_one_chain(place: Place) -> None:
    one, two = open_store(place), open_store(place)
    for number in range(0, 10, 2):
        one.write([prepare(draft(number))])
        two.write([prepare(draft(number + 1))])
    one.close()
    two.close()
    assert verify(place).entries == 10


def test_the_file_is_its_owners_alone(tmp_path: Path) -> None:
    store = Store(tmp_path / "new" / "home" / "log.db")
    store.write([prepare(draft(1))])
    files = [file for file in (tmp_path / "new" / "home").rglob("*") if file.is_file()]
    assert {file.name for file in files} >= {"log.db", "record-keys.db", "log.key"}
    assert all(file.stat().st_mode & 0o077 == 0 for file in files)
    store.close()


@pytest.mark.file_only
def test_every_commit_is_synced(store: Store) -> None:
    with store.reading() as connection:
        assert connection.pragma("journal_mode") == "wal"
        assert connection.pragma("synchronous") == 2
        assert connection.pragma("recursive_triggers") == 1


def test_another_file_is_not_taken_for_a_log(tmp_path: Path) -> None:
    connection = apsw.Connection(str(tmp_path / "log.db"))
    connection.execute("CREATE TABLE entries (seq)")
    connection.close()
    with pytest.raises(LogUnavailable, match="no decision log"):
        Store(tmp_path / "log.db").probe()


@pytest.mark.file_only
def test_a_file_of_a_newer_program_is_refused(store: Store, place: Place) -> None:
    store.probe()
    with store.reading() as connection:
        connection.pragma("user_version", 3)
    store.close()
    with pytest.raises(LogUnavailable, match="newer: update this crisiscall"):
        store.probe()


def test_whoever_was_overtaken_is_told_and_the_others_are_written(place: Place) -> None:
    one, two = open_store(place), open_store(place)
    two.probe()
    one.write([prepare(draft(1)), prepare(draft(2))])
    late = [prepare(draft(3)), prepare(draft(2, revision=2, assessment_id="A-9"))]
    with pytest.raises(Overtaken) as caught:
        two.write(late)
    assert caught.value.drafts == {1}
    assert two.head == one.head  # it has looked now: what is made from here on counts
    entries = two.write(late)
    assert [entry.seq for entry in entries] == [3, 4]
    one.close()
    two.close()
    assert verify(place).entries == 4


def test_nobody_is_overtaken_by_other_calls_or_by_decisions(place: Place) -> None:
    one, two = open_store(place), open_store(place)
    two.probe()
    one.write([prepare(draft(1)), prepare(Draft("decision", "desk", {}, call_id="C-2"))])
    assert two.write([prepare(draft(2))])[0].seq == 3
    one.close()
    two.close()


def test_of_a_queue_only_what_was_overtaken_is_refused(place: Place) -> None:
    async def main() -> list[Entry | BaseException]:
        store, other = open_store(place), open_store(place)
        store.probe()
        log = DecisionLog(store)
        waiting = [asyncio.create_task(log.append(draft(n))) for n in range(1, 4)]
        other.write([prepare(draft(2, revision=7))])
        found = await asyncio.gather(*waiting, return_exceptions=True)
        log.close()
        other.close()
        return list(found)

    first, second, third = asyncio.run(main())
    assert isinstance(first, Entry) and isinstance(third, Entry)
    assert (first.seq, third.seq) == (2, 3)
    assert isinstance(second, Overtaken)


BODIES = st.dictionaries(
    st.text(st.characters(exclude_categories=["Cs"])),
    st.text(st.characters(exclude_categories=["Cs"])) | st.integers(-(2**53), 2**53),
    max_size=5,
)


@given(body=BODIES, private=st.binary(max_size=40))
@example(body={"\x00": "\x00 \\u0000 \\\\ \" ' \u2028 \U0010ffff"}, private=b"\x00\xff\\")
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_text_comes_back_as_it_was_written(
    store: LogStore, body: dict[str, Any], private: bytes
) -> None:
    missed = [{"response": "emt_clinician", "reason": "busy"}]
    whole = {**body, "recommendation": {"unserved": missed}}
    given = Draft("assessment", "desk", whole, private={"call": private})
    (entry,) = store.write([prepare(given)])
    read = Reader(store)
    found = read.entry(entry.seq)
    assert found == entry and found.content() == {**whole, "private": found.content()["private"]}
    assert read.private(found) == {"call": private}
    assert read.unserved(after=entry.seq - 1, response="emt_clinician", reason="busy") == [found]
    assert read.unserved(after=entry.seq - 1, response="other") == []
