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
from model_service.service.log.erasure import erasable, erase
from model_service.service.log.merkle import Range
from model_service.service.log.place import Place
from model_service.service.log.schema import GUARDS, SCHEMA
from model_service.service.log.snapshot import snapshot
from model_service.service.log.store import prepare
from tests.stores import open_store

KEY = Ed25519PrivateKey.from_private_bytes(b"the key of a log of the tests ..")
PUBLIC = KEY.public_key().public_bytes_raw().hex()
STRANGER = Ed25519PrivateKey.from_private_bytes(b"a key that signs for an attacker")

Row = tuple[Any, ...]

_SCHEMA = "SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY 1, 2"
SEQ, CALL, REVISION, PREVIOUS, DIGEST = 0, 3, 4, 8, 9

TABLES = {
    "entries": "SELECT * FROM entries ORDER BY seq",
    "texts": "SELECT * FROM private ORDER BY seq, name",
    "notes": "SELECT * FROM erased ORDER BY seq",
}
ERASED_EVERY = 20
"""An entry that erases the text of an earlier one comes after so many."""


@dataclass
class Rows:
    """What a log's tables hold."""

    entries: list[Row]
    texts: list[Row]
    notes: list[Row]
    schema: list[Row]

    @classmethod
    def read(cls, path: Path) -> Rows:
        connection = apsw.Connection(str(path))
        try:
            tables = {name: connection.execute(sql).fetchall() for name, sql in TABLES.items()}
            return cls(**tables, schema=connection.execute(_SCHEMA).fetchall())
        finally:
            connection.close()

    def copy(self) -> Rows:
        """Give others like them, to be changed."""
        return Rows(self.entries[:], self.texts[:], self.notes[:], self.schema)

    def write(self, path: Path) -> None:
        """Put them in the place of what is there; the guards stand again afterwards."""
        connection = apsw.Connection(str(path))
        connection.execute("PRAGMA journal_mode = off; PRAGMA synchronous = off")
        connection.execute("PRAGMA foreign_keys = off; BEGIN")
        for name in GUARDS:
            connection.execute(f"DROP TRIGGER {name}")
        connection.execute("DROP INDEX entries_unserved")  # it takes no body that is no JSON
        connection.execute("DELETE FROM erased; DELETE FROM private; DELETE FROM entries")
        tables = {"entries": self.entries, "private": self.texts, "erased": self.notes}
        for table, rows in tables.items():
            if rows:
                marks = ", ".join("?" * len(rows[0]))
                connection.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)
        with contextlib.suppress(apsw.SQLError):
            connection.execute("".join(GUARDS.values()) + SCHEMA)
        connection.execute("COMMIT")
        connection.close()

    def keep(self, wanted: Callable[[int], bool]) -> None:
        """Keep only entries of some numbers, with what belongs to them."""
        for rows in (self.entries, self.texts, self.notes):
            rows[:] = [row for row in rows if wanted(row[SEQ])]

    def renumber(self, number: Callable[[int], int]) -> None:
        """Give entries, and what belongs to them, other numbers."""
        for rows in (self.entries, self.texts, self.notes):
            rows[:] = sorted((number(row[SEQ]), *row[1:]) for row in rows)

    def recompute(self, start: int) -> None:
        """Make the chain anew from an entry on, as if nothing had happened."""
        previous = self.entries[start - 2][DIGEST] if start > 1 else GENESIS
        for place in range(start - 1, len(self.entries)):
            fields = (*self.entries[place][:PREVIOUS], previous)
            previous = digest(*fields)
            self.entries[place] = (*fields, previous)


def make_log(folder: Path, *, entries: int, every: int) -> Path:
    """Write a log of synthetic entries, and checkpoints of it into `folder / checkpoints`.

    The text of some entries is erased again; the keys of the others lie beside the log.
    """
    fill_log(folder / "log.db", folder, entries=entries, every=every)
    return folder / "log.db"


def fill_log(place: Place, folder: Path, *, entries: int, every: int) -> None:
    """Do so in any place."""
    store = open_store(place)
    chosen = random.Random(entries)
    for number in range(1, entries + 1):
        if number % ERASED_EVERY == 0:
            last = erasable(store, kinds=["assessment"])[-1]
            erase(store, [last], actor="desk", reason="request")
            continue
        call, assessment = f"C-{number}", f"0192-{chosen.getrandbits(64):016x}"
        private = {"call": f"words of {number} é 😀".encode(), "explanation": b'{"terms":[]}'}
        drafts = [
            Draft("assessment", "desk", {"n": number}, call, number % 3 + 1, assessment, private),
            Draft("decision", "night.desk", {"action": "accept"}, call, None, assessment),
            Draft("sign_in", "desk", {"role": "dispatcher"}),
        ]
        store.write([prepare(drafts[number % 3])])
    store.close()
    for made in checkpoints_of(place, every, KEY):
        checkpoint.write(folder / "checkpoints", made)


def checkpoints_of(place: Place, every: int, key: Ed25519PrivateKey) -> list[Checkpoint]:
    """Sign checkpoints of a log, and one at its end."""
    made, tree, digests = [], Range(), []
    with snapshot(place) as view:
        entries = view.execute(TABLES["entries"]).fetchall()
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
    """One bit of encrypted text or of its nonce."""
    return _change_a_text(chosen, rows, chosen.choice((2, 3)))


def flip_in_a_name(chosen: random.Random, rows: Rows) -> int:
    """One bit of the name of personal text."""
    return _change_a_text(chosen, rows, 1)


def _change_a_text(chosen: random.Random, rows: Rows, column: int) -> int:
    place = chosen.randrange(len(rows.texts))
    row = list(rows.texts[place])
    row[column] = flipped(chosen, row[column])
    rows.texts[place] = tuple(row)
    return int(row[SEQ])


def remove_a_text(chosen: random.Random, rows: Rows) -> int:
    """Personal text goes, and nothing tells of it."""
    return int(rows.texts.pop(chosen.randrange(len(rows.texts)))[SEQ])


def put_text_back(chosen: random.Random, rows: Rows) -> int:
    """Text comes back, or something like it, that was erased."""
    seq = chosen.choice(rows.notes)[SEQ]
    rows.texts = sorted([*rows.texts, (seq, *chosen.choice(rows.texts)[1:])])
    return int(seq)


def change_a_note(chosen: random.Random, rows: Rows) -> int:
    """The note of an erasure tells of another entry, or of another erasure, or is gone."""
    place = chosen.randrange(len(rows.notes))
    seq, by, destroyed = rows.notes.pop(place)
    what = chosen.choice(("seq", "by", "gone"))
    there = {row[SEQ] for row in rows.notes}
    if what == "gone":
        return int(seq)
    if what == "by":
        rows.notes.insert(place, (seq, flipped(chosen, by), destroyed))
        return int(seq)
    others = [row[SEQ] for row in rows.entries if row[SEQ] not in there | {seq}]
    other = chosen.choice(others)
    rows.notes.append((other, by, destroyed))
    return int(min(seq, other))


def remove(chosen: random.Random, rows: Rows) -> int:
    """An entry, or some in a row, leave a gap."""
    seq = _any_entry(chosen, rows)
    end = seq + chosen.randint(1, 3)
    rows.keep(lambda number: not seq <= number < end)
    return seq


def remove_and_renumber(chosen: random.Random, rows: Rows) -> int:
    """An entry goes and the later ones move up."""
    seq = _any_entry(chosen, rows)
    rows.keep(lambda number: number != seq)
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
    rows.keep(lambda number: number < seq)
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


SEALED = "a bit of encrypted text"
"""The attack that nobody sees without the record keys."""

ATTACKS: dict[str, Callable[[random.Random, Rows], int]] = {
    "a bit of an entry": flip_in_an_entry,
    SEALED: flip_in_a_text,
    "a bit of a text's name": flip_in_a_name,
    "personal text removed": remove_a_text,
    "erased text put back": put_text_back,
    "the note of an erasure": change_a_note,
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


def first_difference(path: Path, rows: Rows, *, sealed: bool = True) -> int | None:
    """Tell the first entry that a file does not hold as it was, reading it all and comparing it.

    None if every entry, text and note is there to the letter. Without `sealed`, what is encrypted
    is not compared.
    """
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    tables = [("entries", rows.entries), ("notes", rows.notes)]
    found = [_until(connection, TABLES[name], there) for name, there in tables]
    if sealed:
        found.append(_until(connection, TABLES["texts"], rows.texts))
    else:
        names = [row[:2] for row in rows.texts]
        found.append(_until(connection, TABLES["texts"].replace("*", "seq, name"), names))
    connection.close()
    return min((seq for seq in found if seq is not None), default=None)


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
                was, now = rows[read][SEQ], row[SEQ]
                before = rows[read - 1][SEQ] if read else 0
                return int(now if isinstance(now, int) and before < now < was else was)
            read += 1
    except (UnicodeDecodeError, apsw.Error):
        pass
    return int(rows[read][SEQ]) if read < len(rows) else None
