"""The log as it is at one moment, read-only, while the service goes on writing."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import apsw

from data.errors import InputError
from model_service.service.log import schema
from model_service.service.log.connection import Connection, Rows
from model_service.service.log.place import Place
from model_service.service.log.store import LogUnavailable
from model_service.service.postgres import PostgresURL

if TYPE_CHECKING:
    from model_service.service.log.session import Session

BUSY_TIMEOUT_MS = 2000
SERVER_SECONDS = 60.0

_SCHEMA = (
    "SELECT type || ' ' || name, tbl_name || coalesce(sql, '') FROM sqlite_schema"
    " WHERE name NOT GLOB 'sqlite_stat*'"
)


class UnreadableLog(InputError):
    """There is no decision log, or it can't be read."""


class View(Connection, Protocol):
    """A log at one moment.

    Attributes
    ----------
    unreadable : tuple of type
        Exceptions by which a row tells that it can't be read, though others may be.
    """

    unreadable: tuple[type[Exception], ...]

    def faults(self) -> tuple[str, ...]:
        """List what is not as it should be of tables, guards and the file."""


@contextlib.contextmanager
def snapshot(place: Place) -> Iterator[View]:
    """Open a log for reading; what is appended meanwhile is not seen.

    Parameters
    ----------
    place : Path or PostgresURL

    Yields
    ------
    View
        Within one transaction. Statements without values may read whole tables.

    Raises
    ------
    UnreadableLog
        If it can't be read as a decision log, here or by whoever reads from the view.
    """
    opened = _of_server(place) if isinstance(place, PostgresURL) else _of_file(place)
    with opened as view:
        yield view


class _FileView:
    """Of a file."""

    unreadable: tuple[type[Exception], ...] = (apsw.Error, UnicodeDecodeError)

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection

    def execute(self, statement: str, values: Sequence[Any] = (), /) -> Rows:
        """Run a statement."""
        return self._connection.execute(statement, values)

    def faults(self) -> tuple[str, ...]:
        """List the tables, indices and guards that differ from the log's own, and damage."""
        return (*self._guards(), *self._damage())

    def _guards(self) -> Iterator[str]:
        fresh = apsw.Connection(":memory:")
        fresh.execute(schema.SCHEMA)
        due: dict[Any, Any] = dict(fresh.execute(_SCHEMA))
        fresh.close()
        try:
            there: dict[Any, Any] = dict(self._connection.execute(_SCHEMA))
        except self.unreadable:
            yield "the tables and guards can't be read"
        else:
            for name in sorted(due | there):
                if due.get(name) != there.get(name):
                    yield f"the {name} is not as it should be"

    def _damage(self) -> tuple[str, ...]:
        """Say if the file is not as SQLite makes it, as when an index leaves entries out."""
        try:
            found = self._connection.execute("PRAGMA integrity_check(1)").get
        except apsw.Error:
            found = None
        return () if found == "ok" else ("the file is damaged: copy the entries into another one",)


class _ServerView:
    """Of a server's database. What can't be read there ends the whole transaction."""

    unreadable: tuple[type[Exception], ...] = ()

    def __init__(self, session: Session) -> None:
        self._session = session

    def execute(self, statement: str, values: Sequence[Any] = (), /) -> Rows:
        """Run a statement."""
        return self._session.execute(statement, values)

    def faults(self) -> tuple[str, ...]:
        """List the guards that differ from the log's own."""
        from model_service.service.log.postgres import wrong_guards

        return tuple(f"the {name} is not as it should be" for name in wrong_guards(self._session))


@contextlib.contextmanager
def _of_file(path: Path) -> Iterator[View]:
    try:
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    except apsw.Error:
        raise UnreadableLog(f"{path} can't be read: give the file of a decision log") from None
    try:
        connection.set_busy_timeout(BUSY_TIMEOUT_MS)
        # No `with connection`: its end would fail once anything could not be read, though whoever
        # reads has made the best of that.
        connection.execute("BEGIN")
        connection.execute("SELECT 1 FROM entries LIMIT 1").fetchall()  # it begins here
        version = connection.pragma("user_version")
        if version != schema.VERSION:
            raise UnreadableLog(
                f"{path} is of version {version}, this is {schema.VERSION}: a log of version 1 "
                "is brought up to it when a service is started on it"
            )
        yield _FileView(connection)
    except apsw.Error:
        raise UnreadableLog(
            f"{path} can't be read to its end: it is no decision log, or damaged"
        ) from None
    finally:
        connection.close(force=True)


@contextlib.contextmanager
def _of_server(url: PostgresURL) -> Iterator[View]:
    from model_service.service.log.postgres import check_version  # nobody else loads the driver
    from model_service.service.log.session import ServerError, Session

    try:
        session = Session(url, seconds=SERVER_SECONDS, streaming=True)
    except ServerError as error:
        raise UnreadableLog(f"{url} can't be read ({error})") from None
    try:
        session.run("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        check_version(session)  # it begins here
        yield _ServerView(session)
    except LogUnavailable as error:
        raise UnreadableLog(f"{url} can't be read: {error}") from None
    except ServerError as error:
        raise UnreadableLog(f"{url} can't be read to its end ({error})") from None
    finally:
        session.close()
