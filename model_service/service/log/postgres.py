"""The log in a PostgreSQL database, to which several processes and hosts append.

The place in the chain is taken within the transaction, under an advisory lock that all writers
take: the service's role may add rows and nothing else, not even lock one. The tables are made by
`crisiscall log migrate`, as their owner; here it is only checked that they are as they should be.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

import orjson

from model_service.service.log import scrub
from model_service.service.log.entry import GENESIS, Entry
from model_service.service.log.keys import KeysUnavailable, RecordKeys
from model_service.service.log.session import BEGIN, UNDEFINED, Line, ServerError, Session
from model_service.service.log.store import (
    Head,
    LogUnavailable,
    Prepared,
    chained,
    locked,
    refuse_overtaken,
)
from model_service.service.postgres import PostgresURL

REVISION = "0002"
"""The schema that this program reads and writes, as `migrations/` numbers them."""

VERSION_TABLE = "log_version"

GUARDED = {
    "entries_append",
    "entries_no_change",
    "entries_no_truncate",
    "private_append",
    "private_no_change",
    "private_no_delete",
    "private_no_truncate",
    "erased_append",
    "erased_no_change",
    "erased_no_delete",
    "erased_no_truncate",
}
"""Triggers without which nothing is written."""

_VERSION = f"SELECT version_num FROM {VERSION_TABLE}"
_STATE = """
SELECT current_setting('server_encoding') <> 'UTF8', current_setting('fsync') <> 'on',
    (SELECT string_agg(tgname, ' ') FROM pg_trigger
     WHERE tgenabled IN ('O', 'A')
         AND tgrelid IN ('entries'::regclass, 'private'::regclass, 'erased'::regclass)),
    has_table_privilege('entries', 'UPDATE') OR has_table_privilege('entries', 'DELETE')
        OR has_table_privilege('entries', 'TRUNCATE')
"""
_MAY_ERASE = (
    "SELECT has_table_privilege('private', 'DELETE')"
    " AND has_column_privilege('erased', 'destroyed', 'UPDATE')"
)

_LOCK = "SELECT seq, digest FROM lock_head()"
_LAST = "SELECT seq, digest FROM entries ORDER BY seq DESC LIMIT 1"
# One statement for a batch of any size. JSON carries every text as it is: a body's escapes are
# escaped once more, and its bytes come out of it as they went in.
_INSERT = (
    "INSERT INTO entries SELECT * FROM json_to_recordset(?::json) AS new (seq bigint, at text,"
    " kind text, call_id text, revision bigint, assessment_id text, actor text, body text,"
    " previous text, digest text) ORDER BY seq"
)
_INSERT_PRIVATE = (
    "INSERT INTO private SELECT seq, name, decode(nonce, 'hex'), decode(content, 'hex')"
    " FROM json_to_recordset(?::json) AS new (seq bigint, name text, nonce text, content text)"
)
_LAST_TEXTS = (
    "SELECT seq, digest FROM entries"
    " WHERE seq IN (SELECT DISTINCT seq FROM private ORDER BY seq DESC LIMIT 100)"
)
_PROBE = "SELECT pg_logical_emit_message(true, 'crisiscall', 'probe')"


class PostgresStore:
    """The log's database.

    Parameters
    ----------
    url : PostgresURL
    keys : RecordKeys
        Keys of the personal text, where every process that writes to this log finds them.
    busy_timeout_ms : int
        How long to wait for another process's lock.
    """

    def __init__(self, url: PostgresURL, keys: RecordKeys, *, busy_timeout_ms: int = 500) -> None:
        self.keys = keys
        self._line = Line(url, busy_timeout_ms=busy_timeout_ms, look=self._look)
        self._head: Head | None = None
        self.failed: str | None = None

    @property
    def head(self) -> Head | None:
        """The last entry that was acknowledged or found at opening; None before any opening."""
        return self._head

    def write(self, batch: Sequence[Prepared]) -> list[Entry]:
        """Append a batch in one transaction and wait until it is on the server's disk.

        Raises
        ------
        Overtaken
            Nothing of the batch is in the log: another process has done some of it.
        LogUnavailable
            Nothing of the batch is in the log, as far as anyone was told.
        """
        with self._guarded() as session:
            session.run(BEGIN)
            head = self._lock(session)
            if self._head is not None and head != self._head:  # another process has written
                since, self._head = self._head[0], head
                refuse_overtaken(session, batch, since)
            entries = chained(batch, head)
            rows, keys = locked(entries, batch)
            self.keys.put(keys)  # on disk before the text that can't be read without them
            session.execute(_INSERT, (_json([entry._asdict() for entry in entries]),))
            private = [
                {**row._asdict(), "nonce": row.nonce.hex(), "content": row.content.hex()}
                for of_entry in rows.values()
                for row in of_entry
            ]
            if private:
                session.execute(_INSERT_PRIVATE, (_json(private),))
            for entry in entries:
                if entry.kind == "erasure":
                    scrub.delete(session, entry)
            session.run("COMMIT")
        self._head = (entries[-1].seq, entries[-1].digest) if entries else head
        self.failed = None
        return entries

    def finish(self) -> bool:
        """Destroy the keys of what is on record as erased.

        The server overwrites in its own time what was deleted (VACUUM, the WAL's recycling).

        Raises
        ------
        LogUnavailable
        """
        with self._guarded() as session:
            return scrub.finish(session, self.keys)

    def probe(self) -> None:
        """Find out whether an entry could be written now.

        After a failure something is really written, into the server's own log: a full disk can't
        be seen otherwise.

        Raises
        ------
        LogUnavailable
        """
        with self._guarded() as session:
            self.keys.probe()
            session.run(BEGIN)
            self._lock(session)
            if self.failed is not None:
                session.execute(_PROBE)
            session.run("COMMIT")
        self.failed = None

    def reading(self) -> contextlib.AbstractContextManager[Session]:
        """Give the connection for reading; inside, the server's errors become `LogUnavailable`."""
        return self._guarded()

    def close(self) -> None:
        """Let go of the connection; the next use makes another one."""
        self.keys.close()
        self._line.close()

    @staticmethod
    def _lock(session: Session) -> Head:
        row = session.execute(_LOCK).fetchone()
        return (0, GENESIS) if row is None else (row[0], row[1])

    @contextlib.contextmanager
    def _guarded(self) -> Iterator[Session]:
        try:
            with self._line.open() as session:
                yield session
        except LogUnavailable as error:
            self.failed = str(error)
            raise
        except KeysUnavailable as error:
            self.failed = str(error)
            raise LogUnavailable(self.failed) from error
        except ServerError as error:
            self.failed = f"the decision log can't be used ({error})"
            raise LogUnavailable(self.failed) from error

    def _look(self, session: Session) -> None:
        """Look at a new connection before it is used."""
        check_version(session)
        _check_state(session)
        self._compare(session)
        self._check_keys(session)
        ((may_erase,),) = session.execute(_MAY_ERASE)
        if may_erase:  # what was broken off is finished by whoever may
            scrub.finish(session, self.keys)

    def _check_keys(self, session: Session) -> None:
        """Refuse keys of another log: what is written with them nobody else could read."""
        texts = set(session.execute(_LAST_TEXTS))
        if not texts:
            return
        keys = self.keys.between(min(texts)[0], max(texts)[0])
        if not texts & keys.keys() and texts & set(session.execute(_LAST_TEXTS)):
            raise LogUnavailable(
                "the record keys of the log are not there: say in CRISISCALL_RECORD_KEYS where "
                "they are"
            )

    def _compare(self, session: Session) -> None:
        """Find out that what was acknowledged is still there."""
        if self._head is None:
            row = session.execute(_LAST).fetchone()
            self._head = (0, GENESIS) if row is None else (row[0], row[1])
        elif self._head[0]:
            sql = "SELECT digest FROM entries WHERE seq = ?"
            row = session.execute(sql, self._head[:1]).fetchone()
            if row is None or row[0] != self._head[1]:
                raise LogUnavailable("the decision log was replaced by another one")


def check_version(session: Session) -> None:
    """Refuse a database whose schema is not this program's.

    Raises
    ------
    LogUnavailable
        The message says what to do.
    ServerError
    """
    try:
        row = session.execute(_VERSION).fetchone()
    except ServerError as error:
        if error.code != UNDEFINED:
            raise
        row = None
    if row is None:
        raise LogUnavailable("no decision log is there yet: run `crisiscall log migrate`")
    if row[0] < REVISION:
        raise LogUnavailable("the decision log's schema is older: run `crisiscall log migrate`")
    if row[0] > REVISION:
        raise LogUnavailable("the decision log's schema is newer: update this crisiscall")


def _check_state(session: Session) -> None:
    (row,) = session.execute(_STATE)
    encoded, unsynced, guards, free = row
    if encoded:
        raise LogUnavailable("the decision log's database must be encoded in UTF8")
    if unsynced:
        raise LogUnavailable("the database's server runs with fsync off: a record might not last")
    if GUARDED - set((guards or "").split()):
        raise LogUnavailable("a guard of the decision log is gone: run `crisiscall log migrate`")
    if free:
        raise LogUnavailable(
            "this role may change the decision log: give the service a role of its own with"
            " `crisiscall log migrate --grant-to ROLE`"
        )


def _json(value: object) -> str:
    return orjson.dumps(value).decode()
