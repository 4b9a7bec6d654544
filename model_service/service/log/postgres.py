"""The log in a PostgreSQL database, to which several processes and hosts append.

The place in the chain is taken within the transaction, under an advisory lock that all writers
take: the service's role may add rows and nothing else, not even lock one. The tables are made by
`crisiscall log migrate`, as their owner; here it is only checked that they are as they should be.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence

import orjson

from model_service.service.log.entry import GENESIS, Entry
from model_service.service.log.session import ServerError, Session
from model_service.service.log.store import (
    Head,
    LogUnavailable,
    Prepared,
    assessed_calls,
    chained,
    refuse_overtaken,
)
from model_service.service.postgres import PostgresURL

REVISION = "0001"
"""The schema that this program reads and writes, as `migrations/` numbers them."""

VERSION_TABLE = "log_version"

GUARDED = {
    "entries_append",
    "entries_no_change",
    "entries_no_truncate",
    "private_append",
    "private_no_change",
    "private_no_truncate",
}
"""Triggers without which nothing is written."""

# A request is refused within two seconds; and a process that hangs with the lock in its hands must
# not keep the others from writing, so that the server takes it away.
_SECONDS = 1.5
_STATEMENT_MS = 1000
_PASSING = ("55P03", "57014")  # locked, too slow: the connection is as good as before
_UNDEFINED = "42P01"

_SETTINGS = """
SET lock_timeout = {lock};
SET statement_timeout = {statement};
SET idle_in_transaction_session_timeout = {statement};
SET client_encoding = 'UTF8';
SELECT set_config('synchronous_commit', 'on', false)
WHERE current_setting('synchronous_commit') IN ('off', 'local', 'remote_write');
"""

_VERSION = f"SELECT version_num FROM {VERSION_TABLE}"
_STATE = """
SELECT current_setting('server_encoding') <> 'UTF8', current_setting('fsync') <> 'on',
    (SELECT string_agg(tgname, ' ') FROM pg_trigger
     WHERE tgenabled IN ('O', 'A') AND tgrelid IN ('entries'::regclass, 'private'::regclass)),
    has_table_privilege('entries', 'UPDATE') OR has_table_privilege('entries', 'DELETE')
        OR has_table_privilege('entries', 'TRUNCATE')
"""

_BEGIN = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"
_LOCK = "SELECT seq, digest FROM lock_head()"
_LAST = "SELECT seq, digest FROM entries ORDER BY seq DESC LIMIT 1"
_SINCE = (
    "SELECT DISTINCT call_id FROM entries WHERE kind = 'assessment' AND seq > ?"
    " AND call_id IN (SELECT json_array_elements_text(?::json))"
)
# One statement for a batch of any size. JSON carries every text as it is: a body's escapes are
# escaped once more, and its bytes come out of it as they went in.
_INSERT = (
    "INSERT INTO entries SELECT * FROM json_to_recordset(?::json) AS new (seq bigint, at text,"
    " kind text, call_id text, revision bigint, assessment_id text, actor text, body text,"
    " previous text, digest text) ORDER BY seq"
)
_INSERT_PRIVATE = (
    "INSERT INTO private SELECT seq, name, decode(salt, 'hex'), decode(content, 'hex')"
    " FROM json_to_recordset(?::json) AS new (seq bigint, name text, salt text, content text)"
)
_PROBE = "SELECT pg_logical_emit_message(true, 'crisiscall', 'probe')"


class PostgresStore:
    """The log's database.

    Parameters
    ----------
    url : PostgresURL
    busy_timeout_ms : int
        How long to wait for another process's lock.
    """

    def __init__(self, url: PostgresURL, *, busy_timeout_ms: int = 500) -> None:
        self._url = url
        self._busy_timeout_ms = busy_timeout_ms
        self._session: Session | None = None
        self._head: Head | None = None
        self._not_before = 0.0
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
            Nothing of the batch is in the log: another process assessed some of its calls.
        LogUnavailable
            Nothing of the batch is in the log, as far as anyone was told.
        """
        with self._guarded() as session:
            session.run(_BEGIN)
            head = self._lock(session)
            if self._head is not None and head != self._head:  # another process has written
                since, self._head = self._head[0], head
                asked = _json(assessed_calls(batch))
                there = session.execute(_SINCE, (since, asked))
                refuse_overtaken(batch, {call for (call,) in there})
            entries = chained(batch, head)
            session.execute(_INSERT, (_json([entry._asdict() for entry in entries]),))
            private = [
                {
                    "seq": entry.seq,
                    "name": name,
                    "salt": text.salt.hex(),
                    "content": text.content.hex(),
                }
                for entry, prepared in zip(entries, batch, strict=True)
                for name, text in prepared.private
            ]
            if private:
                session.execute(_INSERT_PRIVATE, (_json(private),))
            session.run("COMMIT")
        self._head = (entries[-1].seq, entries[-1].digest) if entries else head
        self.failed = None
        return entries

    def probe(self) -> None:
        """Find out whether an entry could be written now.

        After a failure something is really written, into the server's own log: a full disk can't
        be seen otherwise.

        Raises
        ------
        LogUnavailable
        """
        with self._guarded() as session:
            session.run(_BEGIN)
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
        session, self._session = self._session, None
        if session is not None:
            session.close()

    @staticmethod
    def _lock(session: Session) -> Head:
        row = session.execute(_LOCK).fetchone()
        return (0, GENESIS) if row is None else (row[0], row[1])

    @contextlib.contextmanager
    def _guarded(self) -> Iterator[Session]:
        began = time.monotonic()
        try:
            yield self._open()
        except BaseException as error:
            self._recover(error, began)
            if isinstance(error, LogUnavailable):
                self.failed = str(error)
            elif isinstance(error, ServerError):
                self.failed = f"the decision log can't be used ({error})"
                raise LogUnavailable(self.failed) from error
            raise

    def _recover(self, error: BaseException, began: float) -> None:
        """Roll back; or let go of the connection, whose next one is looked at anew."""
        if isinstance(error, ServerError) and not error.code:
            # A server that does not answer must not hold up every other request as long.
            self._not_before = 2 * time.monotonic() - began
        if isinstance(error, ServerError) and error.code not in _PASSING:
            self.close()
        if self._session is None:
            return
        try:
            self._session.run("ROLLBACK")
        except ServerError:
            self.close()

    def _open(self) -> Session:
        if self._session is not None:
            return self._session
        if time.monotonic() < self._not_before:
            raise LogUnavailable(self.failed or "the decision log can't be used")
        session = Session(self._url, seconds=_SECONDS)
        try:
            session.run(_SETTINGS.format(lock=self._busy_timeout_ms, statement=_STATEMENT_MS))
            check_version(session)
            _check_state(session)
            self._compare(session)
        except BaseException:
            session.close()
            raise
        self._session = session
        return session

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
        if error.code != _UNDEFINED:
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
