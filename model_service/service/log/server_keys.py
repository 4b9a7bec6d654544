"""Record keys in a PostgreSQL database of their own, where every host finds them.

The key-encryption key does not lie there: every host is given the same one, in its file or its
environment. Without it a host neither writes nor reads, and says so.

When the server overwrites what was deleted is up to it: dead rows stay until VACUUM, and what was
written stays in its write-ahead log and in backups. They are wrapped, and worthless once the
key-encryption key has been changed and the old one is gone.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

import orjson

from model_service.service.log.connection import Connection
from model_service.service.log.keys import KeysUnavailable, MasterKeys, RecordKeys, Wrapped
from model_service.service.log.session import UNDEFINED, ServerError, ServerLine, Session
from model_service.service.postgres import PostgresURL

KEYS_VERSION = 1

_INSERT = (
    "INSERT INTO keys SELECT seq, entry, master, decode(wrapped, 'hex')"
    " FROM json_to_recordset(?::json)"
    " AS new (seq bigint, entry text, master text, wrapped text) ON CONFLICT DO NOTHING"
)
# The service's role may lock no row, so that it is by an advisory lock that no key is still being
# wrapped under a master while another one takes over.
_LOCK = "SELECT pg_advisory_xact_lock{shared}(x'43524B31'::int, 'keys'::regclass::oid::int)"


class ServerKeys(RecordKeys):
    """Keys in a PostgreSQL database.

    Parameters
    ----------
    url : PostgresURL
    masters : MasterKeys
    busy_timeout_ms : int
        How long to wait for another process's lock.
    """

    def __init__(
        self, url: PostgresURL, masters: MasterKeys, *, busy_timeout_ms: int = 500
    ) -> None:
        line = ServerLine(url, busy_timeout_ms=busy_timeout_ms, look=_check_version)
        super().__init__(masters, line)

    def there(self) -> bool:
        """Say whether keys were ever kept here."""
        with self._guarded() as connection:
            return connection.execute("SELECT 1 FROM master").fetchone() is not None

    def _master(self, connection: Connection) -> str:
        """Name the key-encryption key in force; the first one to ask says which it is."""
        row = connection.execute("SELECT name FROM master").fetchone()
        if row is not None:
            return str(row[0])
        name = self._masters.newest(make=True)
        connection.execute("INSERT INTO master VALUES (1, ?) ON CONFLICT DO NOTHING", (name,))
        return super()._master(connection)

    def _insert(self, connection: Connection, rows: Sequence[Wrapped]) -> None:
        # A key that is there already is that of the same draft, written a second time.
        given = [{**row._asdict(), "wrapped": row.wrapped.hex()} for row in rows]
        connection.execute(_INSERT, (orjson.dumps(given).decode(),))

    def _renew(self, current: str) -> None:
        if self._masters.newest() != current:
            return
        with self._guarded() as connection:
            unfinished = connection.execute(
                "SELECT 1 FROM keys WHERE master < ? OR master > ? LIMIT 1", (current, current)
            ).fetchone()
        if unfinished is None:
            raise KeysUnavailable(
                "several hosts may use these keys: put a new key-encryption key before the old one "
                "in the key file or CRISISCALL_KEY_ENCRYPTION_KEY of each, and run this again"
            )

    def _writing(self) -> contextlib.AbstractContextManager[Connection]:
        return self._locked(_LOCK.format(shared="_shared"))

    def _switching(self) -> contextlib.AbstractContextManager[Connection]:
        return self._locked(_LOCK.format(shared=""))

    @contextlib.contextmanager
    def _locked(self, lock: str) -> Iterator[Connection]:
        with super()._writing() as connection:
            connection.execute(lock).fetchone()
            yield connection


def _check_version(session: Session) -> None:
    try:
        row = session.execute("SELECT max(number) FROM keys_version").fetchone()
    except ServerError as error:
        if error.code != UNDEFINED:
            raise
        row = None
    if row is None or row[0] is None:
        raise KeysUnavailable(
            "no record keys are there yet: run `crisiscall log migrate` with CRISISCALL_RECORD_KEYS"
        )
    if row[0] != KEYS_VERSION:
        raise KeysUnavailable("the schema of the record keys is newer: update this crisiscall")
