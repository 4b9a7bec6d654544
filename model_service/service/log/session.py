"""A connection to PostgreSQL that takes statements as SQLite does.

The driver is pg8000: synchronous as the log's writer is, pure Python, and BSD-3, where psycopg is
LGPL.
"""

from __future__ import annotations

import contextlib
import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pg8000.native
from pg8000.exceptions import DatabaseError, InterfaceError

from model_service.service.log.connection import Unusable
from model_service.service.postgres import PostgresURL

_ERRORS = (DatabaseError, InterfaceError, OSError)

# A request is refused within two seconds; and a process that hangs with a lock in its hands must
# not keep the others from writing, so that the server takes it away.
_SECONDS = 1.5
_STATEMENT_MS = 1000
_SILENCE = 0.1  # a server that refuses does so sooner
_PASSING = ("55P03", "57014")  # locked, too slow: the connection is as good as before
UNDEFINED = "42P01"
"""The SQLSTATE of a table that is not there."""

_SETTINGS = """
SET lock_timeout = {lock};
SET statement_timeout = {statement};
SET idle_in_transaction_session_timeout = {statement};
SET client_encoding = 'UTF8';
SELECT set_config('synchronous_commit', 'on', false)
WHERE current_setting('synchronous_commit') IN ('off', 'local', 'remote_write');
"""

BEGIN = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"

FETCH = 1000
"""Rows of a whole table that are fetched at a time."""

_KINDS = (
    ("", "no connection"),
    ("23", "constraint"),
    ("25006", "read-only"),
    ("28", "sign-in refused"),
    ("3D", "no such database"),
    ("42501", "the role may not"),
    ("42704", "no such role"),
    ("53100", "disk full"),
    ("53", "out of resources"),
    ("55P03", "locked"),
    ("57014", "too slow"),
    ("57", "shut down"),
)


class ServerError(Unusable):
    """A server that could not be reached, or refused; nothing of what was sent is in the message.

    Parameters
    ----------
    error : Exception
        The driver's.

    Attributes
    ----------
    code : str
        The SQLSTATE; empty if no answer came.
    """

    def __init__(self, error: BaseException) -> None:
        self.code = _code(error)
        super().__init__(_kind(self.code))


def _code(error: BaseException) -> str:
    told = error.args[0] if isinstance(error, DatabaseError) and error.args else None
    return str(told.get("C", "")) if isinstance(told, dict) else ""


def _kind(code: str) -> str:
    for start, word in _KINDS:
        if code.startswith(start) and bool(start) == bool(code):
            return word
    return f"SQL state {code}"


@contextlib.contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except _ERRORS as error:
        raise ServerError(error) from error


def arguments(url: PostgresURL) -> dict[str, Any]:
    """Say to the driver where a database is."""
    there: dict[str, Any] = {"host": url.host, "port": url.port}
    if url.host.startswith("/"):
        there = {"unix_sock": f"{url.host}/.s.PGSQL.{url.port}"}
    return {
        "user": url.user,
        "password": url.password,
        "database": url.database,
        "ssl_context": _tls(url),
        "application_name": "crisiscall",
        **there,
    }


def _tls(url: PostgresURL) -> ssl.SSLContext | bool:
    if url.tls == "disable":
        return False
    context = ssl.create_default_context(cafile=url.root)
    if url.tls == "require":
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


class Rows:
    """The rows of an answer.

    Parameters
    ----------
    rows : iterator of tuple
    """

    def __init__(self, rows: Iterator[tuple[Any, ...]]) -> None:
        self._rows = rows

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        return self._rows

    def fetchone(self) -> tuple[Any, ...] | None:
        """Give the next row; None if there is none."""
        return next(self._rows, None)

    def fetchall(self) -> list[tuple[Any, ...]]:
        """Give all rows that are left."""
        return list(self._rows)


class Session:
    """A connection that takes `?` for a value, and prepares every statement once.

    Parameters
    ----------
    url : PostgresURL
    seconds : float
        No wait for the server, now or later, is longer.
    streaming : bool
        Whether statements without values are taken to read a whole table: their rows come a
        thousand at a time. Only within a transaction.

    Raises
    ------
    ServerError
        Here, by every method, and while rows are read.
    """

    def __init__(self, url: PostgresURL, *, seconds: float, streaming: bool = False) -> None:
        with _told():
            self._connection = pg8000.native.Connection(timeout=seconds, **arguments(url))
        self._streaming = streaming
        self._prepared: dict[str, pg8000.native.PreparedStatement] = {}
        self._cursors = 0

    def run(self, sql: str) -> None:
        """Run commands that have neither values nor rows."""
        with _told():
            self._connection.run(sql)

    def execute(self, sql: str, values: Sequence[Any] = (), /) -> Rows:
        """Run a statement."""
        if self._streaming and not values:
            return Rows(self._stream(sql))
        given = {f"v{number}": value for number, value in enumerate(values)}
        with _told():
            if sql not in self._prepared:
                first, *others = sql.split("?")
                numbered = "".join(f"${number}{part}" for number, part in enumerate(others, 1))
                self._prepared[sql] = self._connection.prepare(first + numbered)
            return Rows(map(tuple, self._prepared[sql].run(**given) or ()))

    def _stream(self, sql: str) -> Iterator[tuple[Any, ...]]:
        self._cursors += 1
        name = f"rows_{self._cursors}"
        self.run(f"DECLARE {name} NO SCROLL CURSOR FOR {sql}")
        while found := self._fetch(name):
            yield from map(tuple, found)
        self.run(f"CLOSE {name}")

    def _fetch(self, name: str) -> list[list[Any]]:
        with _told():
            return self._connection.run(f"FETCH {FETCH} FROM {name}") or []

    def close(self) -> None:
        """Close the connection, whatever state it is in."""
        with contextlib.suppress(*_ERRORS):
            self._connection.close()


class ServerLine:
    """A `Line` to a server.

    Parameters
    ----------
    url : PostgresURL
    busy_timeout_ms : int
        How long to wait for another process's lock.
    look : callable
        Looks at a new connection; what it raises closes it again.
    """

    def __init__(
        self, url: PostgresURL, *, busy_timeout_ms: int, look: Callable[[Session], None]
    ) -> None:
        self._url = url
        self._busy_timeout_ms = busy_timeout_ms
        self._look = look
        self._session: Session | None = None
        self._silent: ServerError | None = None
        self._not_before = 0.0

    @contextlib.contextmanager
    def open(self) -> Iterator[Session]:
        """Give the connection; after an error nothing of a transaction is left.

        Raises
        ------
        ServerError
        """
        began = time.monotonic()
        try:
            yield self._open()
        except BaseException as error:
            self._recover(error, began)
            raise

    @contextlib.contextmanager
    def writing(self) -> Iterator[Session]:
        """Give the connection in a transaction, in which others may write too.

        Raises
        ------
        ServerError
        """
        with self.open() as session:
            session.run(BEGIN)
            yield session
            session.run("COMMIT")

    def close(self) -> None:
        """Let go of the connection; the next use makes another one."""
        session, self._session = self._session, None
        if session is not None:
            session.close()

    def _recover(self, error: BaseException, began: float) -> None:
        """Roll back; or let go of the connection, whose next one is looked at anew."""
        waited = time.monotonic() - began
        if isinstance(error, ServerError) and not error.code and waited > _SILENCE:
            # A server that does not answer must not hold up every other request as long.
            self._silent, self._not_before = error, time.monotonic() + waited
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
        if self._silent is not None and time.monotonic() < self._not_before:
            raise self._silent
        session = Session(self._url, seconds=_SECONDS)
        try:
            session.run(_SETTINGS.format(lock=self._busy_timeout_ms, statement=_STATEMENT_MS))
            self._look(session)
        except BaseException:
            session.close()
            raise
        self._session = session
        return session
