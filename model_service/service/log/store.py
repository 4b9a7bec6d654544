"""The one writer: a batch of entries is in the log whole, or not at all.

Nothing here waits for the event loop; `log.py` puts it under one. After an error the next attempt
starts afresh, so that a full disk or a lock heals by itself.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import apsw

from model_service.service.database import BRIEF_MS, connect, identity
from model_service.service.log import schema, scrub
from model_service.service.log.entry import GENESIS, Draft, Entry, canonical, digest, now, stamp
from model_service.service.log.keys import KEY_BYTES, KeysUnavailable, RecordKeys, keys_beside
from model_service.service.log.private import Sealed, lock, seal
from model_service.service.log.upgrade import upgrade

_PASSING = (apsw.BusyError, apsw.FullError, apsw.IOError, apsw.ReadOnlyError)
_PATIENCE = 5.0  # seconds; then the file is opened anew, for its device may have been

Head = tuple[int, str]
"""Sequence and digest of the last entry."""

_INSERT = "INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_INSERT_PRIVATE = "INSERT INTO private VALUES (?, ?, ?, ?)"
SALT_BYTES = 16
_HEAD = "SELECT seq, digest FROM entries ORDER BY seq DESC LIMIT 1"


class LogUnavailable(Exception):
    """The log can't be written or read now; the message says why and holds nothing personal."""


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


class Store:
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
        self.keys = keys or keys_beside(path)
        self._busy_timeout_ms = busy_timeout_ms
        self._vfs = vfs
        self._files = (path, path.with_name(f"{path.name}-wal"))
        self._connection: apsw.Connection | None = None
        self._identity: object = None
        self._head: Head | None = None
        self._failing_since = 0.0
        self.failed: str | None = None

    @property
    def head(self) -> Head | None:
        """The last entry that was acknowledged or found at opening; None before any opening."""
        return self._head

    def write(self, batch: Sequence[Prepared]) -> list[Entry]:
        """Append a batch in one transaction and wait until it is on disk.

        The place in the chain is taken from the file inside the transaction, so that the chain
        holds even if another process has written meanwhile.

        Raises
        ------
        LogUnavailable
            Nothing of the batch is in the log, as far as anyone was told.
        """
        with self._guarded() as connection:
            connection.execute("BEGIN IMMEDIATE")
            seq, previous = connection.execute(_HEAD).get or (0, GENESIS)
            entries, private, keys = [], [], []
            for draft, at, body, sealed, key in batch:
                seq += 1
                about = (draft.kind, draft.call_id, draft.revision, draft.assessment_id)
                fields = (seq, at, *about, draft.actor, body, previous)
                entry = Entry(*fields, digest(*fields))
                previous = entry.digest
                entries.append(entry)
                private.append(
                    [
                        (seq, name, *lock(key, text.salted, entry=entry.digest, name=name))
                        for name, text in sealed
                    ]
                )
                if sealed:
                    keys.append((seq, entry.digest, key))
            self.keys.put(keys)  # on disk before the text that can't be read without them
            for entry, rows in zip(entries, private, strict=True):
                connection.execute(_INSERT, entry)
                for row in rows:
                    connection.execute(_INSERT_PRIVATE, row)
                if entry.kind == "erasure":
                    scrub.delete(connection, entry)
            connection.execute("COMMIT")
        self._head = (seq, previous)
        self._heal()
        return entries

    def probe(self) -> None:
        """Find out whether an entry could be written now.

        After a failure something is really written, beside the log: a full disk can't be seen
        otherwise.

        Raises
        ------
        LogUnavailable
        """
        with self._guarded() as connection:
            self.keys.probe()
            connection.execute("BEGIN IMMEDIATE")
            if self.failed is not None:
                connection.execute("INSERT OR REPLACE INTO probe VALUES (1, ?)", (stamp(now()),))
            connection.execute("COMMIT")
        self._heal()

    def reading(self) -> contextlib.AbstractContextManager[apsw.Connection]:
        """Give the connection for reading; inside, errors of SQLite become `LogUnavailable`."""
        return self._guarded()

    def close(self) -> None:
        """Let go of the file; the next use opens it again."""
        self.keys.close()
        connection, self._connection = self._connection, None
        if connection is not None:
            # Closing moves entries from the WAL into the file, which may fail as writing did;
            # they are safe where they are.
            with contextlib.suppress(apsw.Error, OSError):
                connection.close(force=True)

    @contextlib.contextmanager
    def _guarded(self) -> Iterator[apsw.Connection]:
        try:
            yield self._open()
        except BaseException as error:
            self._recover(error)
            if isinstance(error, LogUnavailable):
                self._fail(str(error))
            elif isinstance(error, KeysUnavailable):
                self._fail(str(error))
                raise LogUnavailable(self.failed) from error
            elif isinstance(error, apsw.Error | OSError):
                kind = type(error).__name__.removesuffix("Error").lower() or "system error"
                self._fail(f"the decision log can't be used ({kind})")
                raise LogUnavailable(self.failed) from error
            raise

    def _fail(self, reason: str) -> None:
        if self.failed is None:
            self._failing_since = time.monotonic()
        self.failed = reason
        self._set_patience()

    def _heal(self) -> None:
        if self.failed is not None:
            self.failed = None
            self._set_patience()

    def _set_patience(self) -> None:
        if self._connection is not None:
            self._connection.set_busy_timeout(self._patience_ms)

    @property
    def _patience_ms(self) -> int:
        wait = self._busy_timeout_ms
        return wait if self.failed is None else min(wait, BRIEF_MS)

    def _recover(self, error: BaseException) -> None:
        """Roll back, and keep the connection if what went wrong may pass.

        Had the commit reached the WAL and only its sync failed, a new connection would find the
        batch there and take it for committed; this one rolls back, and its next commit overwrites
        it.
        """
        if self._connection is None:
            return
        try:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        except apsw.Error:
            self.close()
            return
        lasting = self.failed is not None and time.monotonic() - self._failing_since > _PATIENCE
        if lasting or not isinstance(error, _PASSING):
            self.close()

    def _open(self) -> apsw.Connection:
        if self._connection is not None:
            # A file that was moved or deleted under us would go on taking entries that nobody
            # could ever find again.
            if identity(*self._files) == self._identity:
                return self._connection
            self.close()
        connection = connect(
            self.path,
            busy_timeout_ms=self._patience_ms,
            create=self._head is None,  # once there was a log, a new one must not take its place
            vfs=self._vfs,
        )
        try:
            self._check(connection)
        except BaseException:
            connection.close(force=True)
            raise
        self._connection = connection
        self._identity = identity(*self._files)
        return connection

    def _check(self, connection: apsw.Connection) -> None:
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
        else:
            raise LogUnavailable("the file is no decision log of this version")
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
        if self._head is None:
            self._head = connection.execute(_HEAD).get or (0, GENESIS)
        elif self._head[0]:
            there = connection.execute("SELECT digest FROM entries WHERE seq = ?", self._head[:1])
            if there.get != self._head[1]:
                raise LogUnavailable("the decision log was replaced by another one")
