"""Attacks on a stored log, below its guards: each tells which entry is the first bad one.

An attack gets the rows of a log and changes them as somebody would who owns the file. Some make all
later digests anew: nothing but checkpoints shows that. `attack_log.py` runs thousands of them.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apsw
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from model_service.service.log import Draft, checkpoint
from model_service.service.log.checkpoint import Checkpoint, Kept, gather, sign
from model_service.service.log.entry import GENESIS, digest
from model_service.service.log.merkle import Range
from model_service.service.log.schema import GUARDS, SCHEMA
from model_service.service.log.store import Store, prepare

KEY = Ed25519PrivateKey.from_private_bytes(b"the key of a log of the tests ..")
PUBLIC = KEY.public_key().public_bytes_raw().hex()
STRANGER = Ed25519PrivateKey.from_private_bytes(b"a key that signs for an attacker")

Row = tuple[Any, ...]

_SCHEMA = "SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY 1, 2"
SEQ, CALL, REVISION, PREVIOUS, DIGEST = 0, 3, 4, 8, 9


@dataclass
class Rows:
    """What a log's tables hold."""

    entries: list[Row]
    texts: list[Row]
    schema: list[Row]

    @classmethod
    def read(cls, path: Path) -> Rows:
        connection = apsw.Connection(str(path))
        try:
            return cls(
                connection.execute("SELECT * FROM entries ORDER BY seq").fetchall(),
                connection.execute("SELECT * FROM private ORDER BY seq, name").fetchall(),
                connection.execute(_SCHEMA).fetchall(),
            )
        finally:
            connection.close()

    def write(self, path: Path) -> None:
        """Put them in the place of what is there; the guards stand again afterwards."""
        connection = apsw.Connection(str(path))
        connection.execute("PRAGMA journal_mode = off; PRAGMA synchronous = off")
        connection.execute("PRAGMA foreign_keys = off; BEGIN")
        for name in GUARDS:
            connection.execute(f"DROP TRIGGER {name}")
        connection.execute("DROP INDEX entries_unserved")  # it takes no body that is no JSON
        connection.execute("DELETE FROM private; DELETE FROM entries")
        for table, rows in (("entries", self.entries), ("private", self.texts)):
            if rows:
                marks = ", ".join("?" * len(rows[0]))
                connection.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)
        with contextlib.suppress(apsw.SQLError):
            connection.execute("".join(GUARDS.values()) + SCHEMA)
        connection.execute("COMMIT")
        connection.close()

    def renumber(self, number: Callable[[int], int]) -> None:
        """Give entries, and the texts with them, other numbers."""
        for rows in (self.entries, self.texts):
            rows[:] = sorted((number(row[SEQ]), *row[1:]) for row in rows)

    def recompute(self, start: int) -> None:
        """Make the chain anew from an entry on, as if nothing had happened."""
        previous = self.entries[start - 2][DIGEST] if start > 1 else GENESIS
        for place in range(start - 1, len(self.entries)):
            fields = (*self.entries[place][:PREVIOUS], previous)
            previous = digest(*fields)
            self.entries[place] = (*fields, previous)


def make_log(folder: Path, *, entries: int, every: int) -> Path:
    """Write a log of synthetic entries, and checkpoints of it into `folder / checkpoints`."""
    path = folder / "log.db"
    store = Store(path)
    chosen = random.Random(entries)
    for number in range(1, entries + 1):
        call, assessment = f"C-{number}", f"0192-{chosen.getrandbits(64):016x}"
        private = {"call": f"words of {number} é 😀".encode(), "explanation": b'{"terms":[]}'}
        drafts = [
            Draft("assessment", "desk", {"n": number}, call, number % 3 + 1, assessment, private),
            Draft("decision", "night.desk", {"action": "accept"}, call, None, assessment),
            Draft("sign_in", "desk", {"role": "dispatcher"}),
        ]
        store.write([prepare(drafts[number % 3])])
    store.close()
    for made in checkpoints_of(path, every, KEY):
        checkpoint.write(folder / "checkpoints", made)
    return path


def checkpoints_of(path: Path, every: int, key: Ed25519PrivateKey) -> list[Checkpoint]:
    """Sign checkpoints of a log, and one at its end."""
    made, tree, digests = [], Range(), []
    entries = Rows.read(path).entries
    for row in entries:
        tree.append(bytes.fromhex(row[DIGEST]))
        digests.append(row[DIGEST])
        if tree.size % every == 0 or tree.size == len(entries):
            made.append(
                sign(
                    key,
                    size=tree.size,
                    root=tree.root().hex(),
                    head=row[DIGEST],
                    digests=digests,
                    time="2026-11-24T12:00:00.000Z",
                )
            )
            digests = []
    return made


def kept_in(folder: Path) -> Kept:
    """Read the checkpoints of a log that `make_log` wrote."""
    return gather([folder / "checkpoints"], {PUBLIC})


# --- attacks on rows -------------------------------------------------------------------------


def flipped(chosen: random.Random, value: Any) -> Any:
    """Change one bit of a value; of none, make one."""
    if value is None:
        return "x"
    if isinstance(value, int):
        return value ^ 1 << chosen.randrange(16)
    while True:
        content = bytearray(value.encode() if isinstance(value, str) else value)
        content[chosen.randrange(len(content))] ^= 1 << chosen.randrange(8)
        if isinstance(value, bytes):
            return bytes(content)
        try:
            return content.decode()
        except UnicodeDecodeError:
            continue


def _any_entry(chosen: random.Random, rows: Rows) -> int:
    return chosen.randint(1, len(rows.entries))


def _change(chosen: random.Random, rows: Rows, columns: range) -> int:
    seq, column = _any_entry(chosen, rows), chosen.choice(columns)
    row = list(rows.entries[seq - 1])
    empty = row[column] is None and column == REVISION
    row[column] = chosen.randrange(9) if empty else flipped(chosen, row[column])
    rows.entries[seq - 1] = tuple(row)
    return seq


def flip_in_an_entry(chosen: random.Random, rows: Rows) -> int:
    """One bit of one field, the digests among them."""
    return _change(chosen, rows, range(1, 10))


def flip_in_a_text(chosen: random.Random, rows: Rows) -> int:
    """One bit of personal text, of its salt, or of its name."""
    place, column = chosen.randrange(len(rows.texts)), chosen.choice((1, 2, 3))
    row = list(rows.texts[place])
    row[column] = flipped(chosen, row[column])
    rows.texts[place] = tuple(row)
    return int(row[SEQ])


def remove_a_text(chosen: random.Random, rows: Rows) -> int:
    """Personal text goes, and nothing tells of it."""
    return int(rows.texts.pop(chosen.randrange(len(rows.texts)))[SEQ])


def remove(chosen: random.Random, rows: Rows) -> int:
    """An entry, or some in a row, leave a gap."""
    seq = _any_entry(chosen, rows)
    end = seq + chosen.randint(1, 3)
    for table in (rows.entries, rows.texts):
        table[:] = [row for row in table if not seq <= row[SEQ] < end]
    return seq


def remove_and_renumber(chosen: random.Random, rows: Rows) -> int:
    """An entry goes and the later ones move up."""
    seq = _any_entry(chosen, rows)
    for table in (rows.entries, rows.texts):
        table[:] = [row for row in table if row[SEQ] != seq]
    rows.renumber(lambda number: number - (number > seq))
    return seq


def insert(chosen: random.Random, rows: Rows) -> int:
    """An entry that fits the one before it comes in; the later ones move down."""
    seq = _any_entry(chosen, rows)
    rows.renumber(lambda number: number + (number >= seq))
    model = rows.entries[seq - 1]
    previous = rows.entries[seq - 2][DIGEST] if seq > 1 else GENESIS
    fields = (seq, *model[1:CALL], "C-made-up", None, None, "desk", '{"made":"up"}', previous)
    rows.entries.insert(seq - 1, (*fields, digest(*fields)))
    return seq


def swap(chosen: random.Random, rows: Rows) -> int:
    """Two entries change places."""
    one, other = sorted(chosen.sample(range(1, len(rows.entries) + 1), 2))
    places = {one: other, other: one}
    rows.renumber(lambda number: places.get(number, number))
    return one


def move(chosen: random.Random, rows: Rows) -> int:
    """An entry moves to another place, and those between make room."""
    seq, to = chosen.sample(range(1, len(rows.entries) + 1), 2)

    def number(n: int) -> int:
        if n == seq:
            return to
        return n - (seq < n <= to) + (to <= n < seq)

    rows.renumber(number)
    return min(seq, to)


def cut_the_tail(chosen: random.Random, rows: Rows) -> int:
    """All entries from one on are gone."""
    seq = _any_entry(chosen, rows)
    for table in (rows.entries, rows.texts):
        table[:] = [row for row in table if row[SEQ] < seq]
    return seq


def _made_anew(attack: Callable[[random.Random, Rows], int]) -> Callable[..., int]:
    def attacked(chosen: random.Random, rows: Rows) -> int:
        seq = attack(chosen, rows)
        rows.recompute(seq)
        return seq

    return attacked


def change_a_field(chosen: random.Random, rows: Rows) -> int:
    """One bit of a field other than the digests."""
    return _change(chosen, rows, range(1, PREVIOUS))


ATTACKS: dict[str, Callable[[random.Random, Rows], int]] = {
    "a bit of an entry": flip_in_an_entry,
    "a bit of personal text": flip_in_a_text,
    "personal text removed": remove_a_text,
    "entries removed": remove,
    "an entry removed, later ones renumbered": remove_and_renumber,
    "an entry inserted": insert,
    "two entries swapped": swap,
    "an entry moved": move,
    "the tail cut off": cut_the_tail,
    "a bit of an entry, later digests made anew": _made_anew(change_a_field),
    "an entry removed, later digests made anew": _made_anew(remove_and_renumber),
    "an entry inserted, later digests made anew": _made_anew(insert),
    "two entries swapped, later digests made anew": _made_anew(swap),
    "an entry moved, later digests made anew": _made_anew(move),
}
"""Attack on the rows → what does it; it returns the first bad entry."""


# --- attacks on bytes ------------------------------------------------------------------------


def first_difference(path: Path, rows: Rows) -> int | None:
    """Tell the first entry that a file does not hold as it was, reading it all and comparing it.

    None if every entry and text is there to the letter.
    """
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    entries = _until(connection, "SELECT * FROM entries ORDER BY seq", rows.entries)
    texts = _until(connection, "SELECT * FROM private ORDER BY seq", rows.texts)
    connection.close()
    found = [seq for seq in (entries, texts) if seq is not None]
    return min(found, default=None)


def damaged(path: Path, rows: Rows) -> bool:
    """Say whether a guard, a table's form or an index is not as it was, by SQLite's own check."""
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        schema = connection.execute(_SCHEMA).fetchall()
        return schema != rows.schema or connection.execute("PRAGMA integrity_check").get != "ok"
    except (UnicodeDecodeError, apsw.Error):
        return True
    finally:
        connection.close()


def _until(connection: apsw.Connection, sql: str, rows: list[Row]) -> int | None:
    read = 0
    try:
        for row in connection.execute(sql):
            if read == len(rows):
                return int(row[SEQ])
            if row != rows[read]:
                return int(rows[read][SEQ])
            read += 1
    except (UnicodeDecodeError, apsw.Error):
        pass
    return int(rows[read][SEQ]) if read < len(rows) else None
