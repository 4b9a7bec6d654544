"""A log of version 1, which kept personal text in the clear, becomes one of this version."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path
from typing import Any

import apsw
import pytest
from click.testing import CliRunner

from model_service.service.log import schema, verify
from model_service.service.log.entry import GENESIS, Entry, canonical, digest
from model_service.service.log.keys import KeysUnavailable, RecordKeys, keys_beside
from model_service.service.log.reading import Reader
from model_service.service.log.store import LogUnavailable, Store
from model_service.service.log.upgrade import _AT_ONCE
from tests.builders import a_call, make_champion
from tests.harness import running
from training.cli import cli

VERSION_1 = """
CREATE TABLE entries (
    seq           INTEGER PRIMARY KEY,
    at            TEXT NOT NULL,
    kind          TEXT NOT NULL,
    call_id       TEXT,
    revision      INTEGER,
    assessment_id TEXT,
    actor         TEXT NOT NULL,
    body          TEXT NOT NULL,
    previous      TEXT NOT NULL,
    digest        TEXT NOT NULL
) STRICT;
CREATE TABLE private (
    seq     INTEGER NOT NULL REFERENCES entries (seq),
    name    TEXT NOT NULL,
    salt    BLOB NOT NULL,
    content BLOB NOT NULL,
    PRIMARY KEY (seq, name)
) STRICT;
CREATE TABLE probe (id INTEGER PRIMARY KEY CHECK (id = 1), at TEXT) STRICT;
CREATE TRIGGER entries_append BEFORE INSERT ON entries
WHEN NEW.seq IS NOT (SELECT coalesce(max(seq), 0) + 1 FROM entries)
BEGIN SELECT raise(ABORT, 'the log is append-only'); END;
CREATE TRIGGER private_no_update BEFORE UPDATE ON private
BEGIN SELECT raise(ABORT, 'the log is append-only'); END;
"""

SAID = "the heron waits by the weir"


def version_1(path: Path, texts: list[dict[str, bytes]]) -> tuple[int, str]:
    """Write a log as version 1 did, one outcome for each set of texts; returns its head."""
    connection = apsw.Connection(str(path))
    connection.pragma("journal_mode", "wal")
    connection.execute(VERSION_1)
    connection.pragma("application_id", schema.APPLICATION_ID)
    connection.pragma("user_version", 1)
    previous = GENESIS
    with connection:
        for seq, private in enumerate(texts, 1):
            salted = {name: (os.urandom(32), text) for name, text in private.items()}
            body: dict[str, Any] = {}
            if private:
                body["private"] = {
                    name: hashlib.sha256(salt + text).hexdigest()
                    for name, (salt, text) in salted.items()
                }
            at = "2021-10-05T21:14:00.000Z"
            fields: Any = (seq, at, "outcome", f"C-{seq}", None, None, "desk")
            fields = (*fields, canonical(body).decode(), previous)
            previous = digest(*fields)
            connection.execute(
                "INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", (*fields, previous)
            )
            for name, (salt, text) in salted.items():
                connection.execute(
                    "INSERT INTO private VALUES (?, ?, ?, ?)", (seq, name, salt, text)
                )
    connection.close()
    return len(texts), previous


def some(count: int) -> list[dict[str, bytes]]:
    return [
        {} if n % 5 == 0 else {"outcome": f"{SAID} {n}".encode(), "note": b"n" * (n % 7)}
        for n in range(1, count + 1)
    ]


def bytes_in(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.rglob("*") if file.is_file())


@pytest.mark.parametrize("count", [0, 7, _AT_ONCE + 3])
def test_the_chain_stays_and_the_text_is_encrypted(tmp_path: Path, count: int) -> None:
    path = tmp_path / "log.db"
    texts = some(count)
    head = version_1(path, texts)
    assert (SAID.encode() in bytes_in(tmp_path)) == (count > 0)
    store = Store(path)
    store.probe()
    assert store.head == head
    reader = Reader(store)
    for seq, private in enumerate(texts, 1):
        entry = reader.entry(seq)
        assert entry is not None and reader.private(entry) == private
    store.close()
    assert SAID.encode() not in bytes_in(tmp_path)
    found = verify(path, keys=keys_beside(path), expected=head)
    assert found.whole and found.entries == count


def test_not_even_what_was_deleted_before_is_left(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    version_1(path, some(40))
    connection = apsw.Connection(str(path))
    connection.execute("DELETE FROM private WHERE seq IN (7, 8, 9)")
    connection.close()
    assert f"{SAID} 8".encode() in bytes_in(tmp_path)  # it is not wiped by version 1
    store = Store(path)
    store.probe()
    store.close()
    assert SAID.encode() not in bytes_in(tmp_path)
    found = verify(path).fault
    assert found is not None and (found.seq, found.what) == (7, "its text is missing")


def test_a_log_that_was_brought_up_is_guarded_like_any_other(tmp_path: Path) -> None:
    version_1(tmp_path / "log.db", some(7))
    Store(tmp_path / "log.db").probe()
    fresh = tmp_path / "fresh"
    Store(fresh / "log.db").probe()

    def objects(path: Path) -> set[tuple[str, str, str]]:
        rows = apsw.Connection(str(path)).execute("SELECT type, name, sql FROM sqlite_schema")
        return {(kind, name, (sql or "").replace('"', "")) for kind, name, sql in rows}

    assert objects(tmp_path / "log.db") == objects(fresh / "log.db")


def test_if_the_keys_can_not_be_kept_the_log_is_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "log.db"
    head = version_1(path, some(_AT_ONCE + 3))
    put, calls = RecordKeys.put, 0

    def failing(self: RecordKeys, keys: Any) -> None:
        nonlocal calls
        calls += 1
        if calls > 1:
            raise KeysUnavailable("planted")
        put(self, keys)

    monkeypatch.setattr(RecordKeys, "put", failing)
    with pytest.raises(LogUnavailable):
        Store(path).probe()
    monkeypatch.undo()
    connection = apsw.Connection(str(path))
    assert connection.pragma("user_version") == 1
    said = "SELECT content FROM private WHERE seq = 1 AND name = 'outcome'"
    assert connection.execute(said).get == f"{SAID} 1".encode()
    connection.close()
    store = Store(path)
    store.probe()
    store.close()
    assert verify(path, keys=keys_beside(path), expected=head).whole


def test_a_copy_of_version_1_is_not_read_but_told_what_to_do(tmp_path: Path) -> None:
    version_1(tmp_path / "log.db", some(7))
    for arguments in (["verify"], ["export", "--out", str(tmp_path / "x.jsonl")]):
        result = CliRunner().invoke(cli, ["log", *arguments, "--home", str(tmp_path)])
        assert "of version 1" in str(result.exception) and "started" in str(result.exception)


def test_a_service_goes_on_with_a_log_of_version_1(tmp_path: Path) -> None:
    """Its assessments still have the grounds of the recommendation in the chain."""
    made = tmp_path / "made"
    made.mkdir()
    with running(made) as service:
        old = service.assess(a_call(1)).json()
        given = service.log.read.assessment(old["assessment_id"])
        assert given is not None
        private = service.log.read.private(given)
    home = tmp_path / "home"
    home.mkdir()
    make_champion(home)
    shutil.rmtree(made)
    body = given.content()
    body["recommendation"] |= {
        name: old["recommendation"][name] for name in ("reasons", "disqualifiers")
    }
    body.pop("private")
    write_one(home / "log.db", given, body, {n: t for n, t in private.items() if n != "grounds"})
    with running(home, champion=False) as service:
        record = service.get(f"/v1/assessments/{old['assessment_id']}").json()
        assert record["call"]["narrative"] == a_call()["narrative"]
        of_old = {**old["recommendation"], "awaiting": None, "facts": None}
        assert record["assessment"]["recommendation"] == of_old
        for name in ("prediction", "explanation"):
            assert record["assessment"][name] == old[name]
        assert service.assess(a_call(2)).status_code == 201
        service.erase("C-1")
        record = service.get(f"/v1/assessments/{old['assessment_id']}").json()
        assert record["assessment"]["erased"]["reason"] == "request"
        assert verify(home / "log.db", keys=keys_beside(home / "log.db")).whole


def write_one(path: Path, entry: Entry, body: dict[str, Any], private: dict[str, bytes]) -> None:
    version_1(path, [])
    connection = apsw.Connection(str(path))
    salt = os.urandom(32)
    digests = {n: hashlib.sha256(salt + text).hexdigest() for n, text in private.items()}
    about = (entry.kind, entry.call_id, entry.revision, entry.assessment_id, entry.actor)
    fields: Any = (1, entry.at, *about, canonical({**body, "private": digests}).decode(), GENESIS)
    connection.execute(
        "INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", (*fields, digest(*fields))
    )
    for name, text in private.items():
        connection.execute("INSERT INTO private VALUES (1, ?, ?, ?)", (name, salt, text))
    connection.close()
