from __future__ import annotations

import asyncio
import hashlib
import json
from pathlib import Path

import apsw
import pytest

from model_service.service.log import DecisionLog, Draft, Entry, LogUnavailable, verify
from model_service.service.log.entry import GENESIS
from model_service.service.log.store import Store, prepare


def draft(number: int = 1, **more: object) -> Draft:
    given = {"call_id": f"C-{number}", "revision": 1, "assessment_id": f"A-{number}", **more}
    return Draft("assessment", "desk", {"n": number}, private={"call": b"words"}, **given)  # type: ignore[arg-type]


def store_at(path: Path) -> Store:
    return Store(path / "log.db")


def test_entries_are_chained_from_the_first_one_on(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    one, two = store.write([prepare(draft(1)), prepare(draft(2))])
    (three,) = store.write([prepare(draft(3))])
    assert [entry.seq for entry in (one, two, three)] == [1, 2, 3]
    assert (one.previous, two.previous, three.previous) == (GENESIS, one.digest, two.digest)
    assert store.head == (3, three.digest)
    store.close()
    assert verify(tmp_path / "log.db").head == (3, three.digest)


def test_the_digest_needs_nothing_but_the_standard_library(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    (entry,) = store.write([prepare(draft(1))])
    store.close()
    fields = entry._asdict()
    stated = fields.pop("digest")
    body = fields.pop("body")
    canonical = json.dumps(fields | {"body": None}, sort_keys=True, separators=(",", ":"))
    whole = canonical.replace('"body":null', f'"body":{body}')
    assert hashlib.sha256(whole.encode()).hexdigest() == stated
    assert json.dumps(json.loads(body), sort_keys=True, separators=(",", ":")) == body


def test_entries_that_come_together_are_written_together(tmp_path: Path) -> None:
    async def main() -> tuple[list[Entry], int]:
        store = store_at(tmp_path)
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


def test_a_client_that_went_away_leaves_its_entry(tmp_path: Path) -> None:
    async def main() -> int:
        log = DecisionLog(store_at(tmp_path))
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
@pytest.mark.parametrize("recursive", [False, True])
def test_the_log_is_append_only(tmp_path: Path, statement: str, recursive: bool) -> None:
    store = store_at(tmp_path)
    store.write([prepare(draft(1)), prepare(draft(2))])
    store.close()
    connection = apsw.Connection(str(tmp_path / "log.db"))
    connection.pragma("recursive_triggers", recursive)
    with pytest.raises(apsw.ConstraintError, match="append-only|erasure"):
        connection.execute(statement)
    connection.close()
    assert verify(tmp_path / "log.db").whole


def test_a_guard_that_was_dropped_comes_back(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    store.write([prepare(draft(1))])
    store.close()
    connection = apsw.Connection(str(tmp_path / "log.db"))
    connection.execute("DROP TRIGGER entries_no_delete")
    connection.close()
    store.probe()
    with pytest.raises(LogUnavailable), store.reading() as guarded:
        guarded.execute("DELETE FROM entries")
    store.close()


def test_a_revision_can_not_be_assessed_twice(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    store.write([prepare(draft(1))])
    with pytest.raises(LogUnavailable):
        store.write([prepare(draft(2)), prepare(draft(1))])
    assert store.head is not None and store.head[0] == 1
    (entry,) = store.write([prepare(draft(2))])
    assert entry.seq == 2
    store.close()


def test_two_writers_keep_one_chain(tmp_path: Path) -> None:
    one, two = store_at(tmp_path), store_at(tmp_path)
    for number in range(0, 10, 2):
        one.write([prepare(draft(number))])
        two.write([prepare(draft(number + 1))])
    one.close()
    two.close()
    assert verify(tmp_path / "log.db").entries == 10


def test_the_file_is_its_owners_alone(tmp_path: Path) -> None:
    store = store_at(tmp_path / "new" / "home")
    store.write([prepare(draft(1))])
    files = [file for file in (tmp_path / "new" / "home").rglob("*") if file.is_file()]
    assert {file.name for file in files} >= {"log.db", "record-keys.db", "log.key"}
    assert all(file.stat().st_mode & 0o077 == 0 for file in files)
    store.close()


def test_every_commit_is_synced(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    with store.reading() as connection:
        assert connection.pragma("journal_mode") == "wal"
        assert connection.pragma("synchronous") == 2
    store.close()


def test_another_file_is_not_taken_for_a_log(tmp_path: Path) -> None:
    connection = apsw.Connection(str(tmp_path / "log.db"))
    connection.execute("CREATE TABLE entries (seq)")
    connection.close()
    with pytest.raises(LogUnavailable, match="no decision log"):
        store_at(tmp_path).probe()
