"""The one writer: a batch of entries is in the log whole, or not at all.

Nothing here waits for the event loop; `log.py` puts it under one. After an error the next attempt
starts afresh, so that a full disk or a lock heals by itself. `Store` keeps the log in a file,
`PostgresStore` in a server's database (`postgres.py`).
"""

from __future__ import annotations

import contextlib
import os
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import apsw

from model_service.service.database import empty_wal
from model_service.service.log import schema, scrub
from model_service.service.log.connection import Connection, Line, Unusable
from model_service.service.log.entry import GENESIS, Draft, Entry, canonical, digest, now, stamp
from model_service.service.log.file_line import FileLine
from model_service.service.log.keys import KEY_BYTES, KeysUnavailable, RecordKeys, keys_beside
from model_service.service.log.private import Sealed, lock, seal
from model_service.service.log.upgrade import upgrade

Head = tuple[int, str]
"""Sequence and digest of the last entry."""

SALT_BYTES = 16

_INSERT = "INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_INSERT_PRIVATE = "INSERT INTO private VALUES (?, ?, ?, ?)"
LAST = "SELECT seq, digest FROM entries ORDER BY seq DESC LIMIT 1"
"""Asks for the head."""

_ASSESSED = "SELECT call_id FROM entries WHERE kind = 'assessment' AND seq > ? AND call_id"
_USED = "SELECT idempotency FROM asked WHERE seq > ? AND idempotency"


class PrivateRow(NamedTuple):
    """A row of the table of personal text."""

    seq: int
    name: str
    nonce: bytes
    content: bytes


class LogUnavailable(Exception):
    """The log can't be written or read now; the message says why and holds nothing personal."""


class Overtaken(Exception):
    """Another process assessed the same calls, or used the same keys; nothing was written.

    Parameters
    ----------
    drafts : collection of int
        Places in the batch of the drafts that have to be made anew.
    """

    def __init__(self, drafts: Collection[int] = ()) -> None:
        super().__init__("another process has done the same meanwhile")
        self.drafts = frozenset(drafts)


class Prepared(NamedTuple):
    """A draft whose content is settled; only its place in the chain is open."""

    draft: Draft
    at: str
    body: str
    private: tuple[tuple[str, Sealed], ...]
    key: bytes


def prepare(draft: Draft) -> Prepared:
    """Settle a draft's time and bytes, so that no draft can spoil the batch it is written with.

    Every entry holds something that can't be guessed, or else whoever sees a digest of it, as in a
    checkpoint, could find out by trying who signed in when, or what was decided.
    """
    private = tuple((name, seal(text)) for name, text in draft.private.items())
    body = dict(draft.body)
    if private:
        body["private"] = {name: sealed.digest for name, sealed in private}
    else:
        body["salt"] = os.urandom(SALT_BYTES).hex()
    at = stamp(draft.at or now())
    return Prepared(draft, at, canonical(body).decode(), private, os.urandom(KEY_BYTES))


def chained(batch: Sequence[Prepared], head: Head) -> list[Entry]:
    """Give the drafts of a batch their places in the chain, after its last entry."""
    seq, previous = head
    entries = []
    for draft, at, body, *_ in batch:
        seq += 1
        about = (draft.kind, draft.call_id, draft.revision, draft.assessment_id)
        fields = (seq, at, *about, draft.actor, body, previous)
        entry = Entry(*fields, digest(*fields))
        previous = entry.digest
        entries.append(entry)
    return entries


def locked(
    entries: Sequence[Entry], batch: Sequence[Prepared]
) -> tuple[dict[int, list[PrivateRow]], list[tuple[int, str, bytes]]]:
    """Encrypt the personal text of a batch.

    Parameters
    ----------
    entries, batch : sequence of Entry, sequence of Prepared
        Side by side.

    Returns
    -------
    dict of int to list of PrivateRow
        Sequence of the entry → the rows of its text.
    list of (int, str, bytes)
        The keys, as `RecordKeys.put` takes them; to be kept before the text.
    """
    rows, keys = {}, []
    for entry, prepared in zip(entries, batch, strict=True):
        if prepared.private:
            keys.append((entry.seq, entry.digest, prepared.key))
            rows[entry.seq] = [
                PrivateRow(
                    entry.seq,
                    name,
                    *lock(prepared.key, text.salted, entry=entry.digest, name=name),
                )
                for name, text in prepared.private
            ]
    return rows, keys


def refuse_overtaken(connection: Connection, batch: Sequence[Prepared], since: int) -> None:
    """Refuse what another process has made of a batch meanwhile.

    That is assessments of calls that were assessed, and requests whose idempotency key was used.

    Parameters
    ----------
    connection : Connection
        In the transaction in which the batch is to be written.
    batch : sequence of Prepared
    since : int
        Sequence of the last entry that this process has seen.

    Raises
    ------
    Overtaken
    """
    calls = [draft.call_id for draft, *_ in batch if draft.kind == "assessment"]
    keys = [draft.body["idempotency"] for draft, *_ in batch if "idempotency" in draft.body]
    assessed = _among(connection, _ASSESSED, since, calls)
    used = _among(connection, _USED, since, keys)
    places = [
        place
        for place, (draft, *_) in enumerate(batch)
        if (draft.kind == "assessment" and draft.call_id in assessed)
        or draft.body.get("idempotency") in used
    ]
    if places:
        raise Overtaken(places)


def _among(connection: Connection, sql: str, since: int, asked: Sequence[Any]) -> set[Any]:
    if not asked:
        return set()
    rows = connection.execute(sql + f" IN ({', '.join('?' * len(asked))})", (since, *asked))
    return {found for (found,) in rows}


class LogStore(ABC):
    """What keeps the log.

    Parameters
    ----------
    keys : RecordKeys
        Keys of the personal text.
    line : Line
        To where it is kept.

    Attributes
    ----------
    keys : RecordKeys
    failed : str or None
        Why the last attempt failed, if it did.
    """

    def __init__(self, keys: RecordKeys, line: Line) -> None:
        self.keys = keys
        self.failed: str | None = None
        self._line = line
        self._head: Head | None = None

    @property
    def head(self) -> Head | None:
        """The last entry that was acknowledged or found at opening; None before any opening."""
        return self._head

    def write(self, batch: Sequence[Prepared]) -> list[Entry]:
        """Append a batch in one transaction and wait until it is on disk.

        The place in the chain is taken within the transaction, so that the chain holds even if
        another process has written meanwhile.

        Raises
        ------
        Overtaken
            Nothing of the batch is in the log: another process has done some of it.
        LogUnavailable
            Nothing of the batch is in the log, as far as anyone was told.
        """
        with self._guarded(), self._line.writing() as connection:
            head = self._place(connection)
            if self._head is not None and head != self._head:  # another process has written
                since, self._head = self._head[0], head
                refuse_overtaken(connection, batch, since)
            entries = chained(batch, head)
            rows, keys = locked(entries, batch)
            self.keys.put(keys)  # on disk before the text that can't be read without them
            self._insert(connection, entries, rows)
            for entry in entries:
                if entry.kind == "erasure":
                    scrub.delete(connection, entry)
        self._head = (entries[-1].seq, entries[-1].digest) if entries else head
        self.failed = None
        return entries

    def finish(self) -> bool:
        """Destroy the keys of what is on record as erased.

        Returns
        -------
        bool
            Whether nothing is left in write-ahead logs that could be emptied.

        Raises
        ------
        LogUnavailable
        """
        with self.reading() as connection:
            return scrub.finish(connection, self.keys)

    def probe(self) -> None:
        """Find out whether an entry could be written now.

        After a failure something is really written, beside the log: a full disk can't be seen
        otherwise.

        Raises
        ------
        LogUnavailable
        """
        with self._guarded(), self._line.writing() as connection:
            self._place(connection)
            self.keys.probe()
            if self.failed is not None:
                self._try(connection)
        self.failed = None

    @contextlib.contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give the connection for reading; inside, its errors become `LogUnavailable`."""
        with self._guarded(), self._line.open() as connection:
            yield connection

    def close(self) -> None:
        """Let go of the log; the next use opens it again."""
        self.keys.close()
        self._line.close()

    def _place(self, connection: Connection) -> Head:
        """Give the last entry, in a transaction in which no other process appends."""
        row = connection.execute(LAST).fetchone()
        return (0, GENESIS) if row is None else (row[0], row[1])

    @abstractmethod
    def _insert(
        self,
        connection: Connection,
        entries: Sequence[Entry],
        rows: Mapping[int, Sequence[PrivateRow]],
    ) -> None:
        """Add entries, each before its rows of personal text."""

    @abstractmethod
    def _try(self, connection: Connection) -> None:
        """Write something beside the log."""

    def _compare(self, connection: Connection) -> None:
        """Find out, on a new connection, that what was acknowledged is still there."""
        if self._head is None:
            row = connection.execute(LAST).fetchone()
            self._head = (0, GENESIS) if row is None else (row[0], row[1])
        elif self._head[0]:
            sql = "SELECT digest FROM entries WHERE seq = ?"
            row = connection.execute(sql, self._head[:1]).fetchone()
            if row is None or row[0] != self._head[1]:
                raise LogUnavailable("the decision log was replaced by another one")

    @contextlib.contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            yield
        except LogUnavailable as error:
            self.failed = str(error)
            raise
        except KeysUnavailable as error:
            self.failed = str(error)
            raise LogUnavailable(self.failed) from error
        except Unusable as error:
            self.failed = f"the decision log can't be used ({error})"
            raise LogUnavailable(self.failed) from error


class Store(LogStore):
    """The log's file.

    Parameters
    ----------
    path : Path
    busy_timeout_ms : int
        How long to wait for another process's lock.
    vfs : str, optional
        Name of a SQLite file-system layer; the tests put faults there.
    keys : RecordKeys, optional
        Keys of the personal text; those that lie beside the log if not given.
    """

    def __init__(
        self,
        path: Path,
        *,
        busy_timeout_ms: int = 500,
        vfs: str | None = None,
        keys: RecordKeys | None = None,
    ) -> None:
        self.path = path
        self.file = FileLine(path, busy_timeout_ms=busy_timeout_ms, look=self._look, vfs=vfs)
        super().__init__(keys or keys_beside(path), self.file)

    def finish(self) -> bool:
        """Destroy the keys of what is on record as erased, and empty the write-ahead logs."""
        scrubbed = super().finish()
        with self._guarded(), self.file.open() as connection:
            return empty_wal(connection) and scrubbed

    def _insert(
        self,
        connection: Connection,
        entries: Sequence[Entry],
        rows: Mapping[int, Sequence[PrivateRow]],
    ) -> None:
        for entry in entries:
            connection.execute(_INSERT, entry)
            for row in rows.get(entry.seq, ()):
                connection.execute(_INSERT_PRIVATE, row)

    def _try(self, connection: Connection) -> None:
        connection.execute("INSERT OR REPLACE INTO probe VALUES (1, ?)", (stamp(now()),))

    def _look(self, connection: apsw.Connection) -> None:
        written = (connection.pragma("application_id"), connection.pragma("user_version"))
        if written == (schema.APPLICATION_ID, 1):
            upgrade(connection, self.keys)
            written = (schema.APPLICATION_ID, schema.VERSION)
        if written == (0, 0) and connection.execute("SELECT 1 FROM sqlite_schema").get is None:
            with connection:
                connection.execute(schema.SCHEMA)
                connection.pragma("application_id", schema.APPLICATION_ID)
                connection.pragma("user_version", schema.VERSION)
        elif written == (schema.APPLICATION_ID, schema.VERSION):
            connection.execute(schema.SCHEMA)  # puts back a guard that somebody dropped
        elif written[0] == schema.APPLICATION_ID:
            raise LogUnavailable("the decision log's schema is newer: update this crisiscall")
        else:
            raise LogUnavailable("the file is no decision log")
        some = connection.execute("SELECT 1 FROM private LIMIT 1").get
        if some is not None and not self.keys.there():
            raise LogUnavailable(
                "the record keys of the log are not there: put back record-keys.db, or say in "
                "CRISISCALL_RECORD_KEYS where they are"
            )
        scrub.finish(connection, self.keys)
        # What a crash left in the WAL may never have been synced; nothing is appended after it
        # before it is.
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        self._compare(connection)
