from __future__ import annotations

import random
from pathlib import Path

import orjson
import pytest

from data.errors import InputError
from model_service.service.log import Draft, verify
from model_service.service.log.entry import Entry, digest
from model_service.service.log.place import Place
from model_service.service.log.snapshot import snapshot
from model_service.service.log.store import prepare
from tests.stores import execute, keys_of, open_store

COUNT = 30


pytestmark = pytest.mark.both_stores


@pytest.fixture
def path(place: Place) -> Place:
    store = open_store(place)
    for number in range(1, COUNT + 1):
        private = {"call": f"words {number}".encode(), "explanation": b"{}"}
        store.write(
            [prepare(Draft("outcome", "desk", {"n": number}, f"C-{number}", private=private))]
        )
    store.close()
    return place


def fault(path: Place) -> tuple[int, str] | None:
    found = verify(path, keys=keys_of(path)).fault
    return None if found is None else (found.seq, found.what)


def test_a_whole_log_verifies(path: Place) -> None:
    for keys in (None, keys_of(path)):
        result = verify(path, keys=keys)
        assert result.whole
        assert result.entries == result.head[0] == COUNT


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("UPDATE entries SET actor = 'other' WHERE seq = 7", (7, "changed")),
        ("UPDATE entries SET body = replace(body, '7', '8') WHERE seq = 7", (7, "changed")),
        ("UPDATE entries SET at = '2000-01-01T00:00:00.000Z' WHERE seq = 1", (1, "changed")),
        ("UPDATE entries SET call_id = NULL WHERE seq = 7", (7, "changed")),
        ("DELETE FROM private WHERE seq = 7; DELETE FROM entries WHERE seq = 7", (7, "missing")),
        ("DELETE FROM private WHERE seq = 1; DELETE FROM entries WHERE seq = 1", (1, "missing")),
        ("UPDATE entries SET seq = -5 WHERE seq = 7", (1, "out of place")),
        (
            "UPDATE entries SET seq = 100 WHERE seq = 7; UPDATE entries SET seq = 7 WHERE seq = 8;"
            "UPDATE entries SET seq = 8 WHERE seq = 100",
            (7, "does not follow the entry before it"),
        ),
        (
            "INSERT INTO entries SELECT 31, at, kind, call_id, revision, assessment_id, actor,"
            " body, digest, digest FROM entries WHERE seq = 30",
            (31, "changed"),
        ),
        ("UPDATE private SET content = x'00' WHERE seq = 7", (7, "its text was changed")),
        ("UPDATE private SET nonce = x'00' WHERE seq = 7", (7, "its text was changed")),
        (
            "DELETE FROM private WHERE seq = 7 AND name = 'call'",
            (7, "its text is missing"),
        ),
        (
            "INSERT INTO private VALUES (7, 'more', x'00', x'00')",
            (7, "has text that it does not name"),
        ),
        ("INSERT INTO private VALUES (99, 'more', x'00', x'00')", (99, "text of no entry")),
        (
            "INSERT INTO private VALUES (0, 'more', x'00', x'00')",
            (1, "there is text of no entry before it"),
        ),
    ],
)
def test_the_first_bad_entry_is_named(
    path: Place, statement: str, expected: tuple[int, str]
) -> None:
    execute(path, statement)
    assert fault(path) == expected


def test_random_changes_are_all_found(path: Place) -> None:
    seeded = random.Random(911)
    columns = ["at", "kind", "call_id", "actor", "body", "previous", "digest"]
    for _ in range(60):
        seq, column = seeded.randint(1, COUNT), seeded.choice(columns)
        with snapshot(path) as connection:
            sql = f"SELECT {column} FROM entries WHERE seq = ?"
            (text,) = connection.execute(sql, (seq,)).fetchone()
        at = seeded.randrange(len(text))
        other = chr((ord(text[at]) - 32 + seeded.randint(1, 94)) % 95 + 32)
        changed = text[:at] + other + text[at + 1 :]
        statements = [
            f"UPDATE entries SET {column} = '{{}}' WHERE seq = {seq}".replace(
                "{}", written.replace("'", "''")
            )
            for written in (changed, text)
        ]
        execute(path, statements[0])
        found = fault(path)
        assert found is not None and found[0] == seq
        execute(path, statements[1])
    assert fault(path) is None


def test_a_tail_that_was_cut_off_shows_against_an_answer(path: Place) -> None:
    head = verify(path).head
    execute(path, "DELETE FROM private WHERE seq > 20", "DELETE FROM entries WHERE seq > 20")
    assert verify(path).whole  # the log alone can't tell
    found = verify(path, expected=head).fault
    assert found is not None and (found.seq, found.what) == (21, "missing")


def test_a_chain_that_was_made_anew_shows_against_an_answer(path: Place) -> None:
    head = verify(path).head
    with snapshot(path) as connection:
        rows = [Entry(*row) for row in connection.execute("SELECT * FROM entries ORDER BY seq")]
    previous, statements = rows[9].previous, []
    for entry in rows[9:]:
        body = entry.body
        if entry.seq == 10:
            body = orjson.dumps(
                {**orjson.loads(body), "n": 0}, option=orjson.OPT_SORT_KEYS
            ).decode()
        made = digest(
            entry.seq,
            entry.at,
            entry.kind,
            entry.call_id,
            entry.revision,
            entry.assessment_id,
            entry.actor,
            body,
            previous,
        )
        statements.append(
            f"UPDATE entries SET body = '{body}', previous = '{previous}', digest = '{made}'"
            f" WHERE seq = {entry.seq}"
        )
        previous = made
    execute(path, *statements)
    assert verify(path).whole
    found = verify(path, expected=head).fault
    assert found is not None and found.what == "not the entry that was expected"


@pytest.mark.file_only
@pytest.mark.parametrize("content", [None, b"", b"not a database" * 100])
def test_what_is_no_log_is_refused(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "other.db"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(InputError):
        verify(file)


def test_a_log_is_verified_while_it_is_written(place: Place) -> None:
    store = open_store(place)
    store.write([prepare(Draft("outcome", "desk", {}))])
    assert verify(place).entries == 1
    store.write([prepare(Draft("outcome", "desk", {}))])
    assert verify(place).entries == 2
    store.close()
