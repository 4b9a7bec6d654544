"""The log as it is at one moment, read-only, while the service goes on writing."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import apsw

from data.errors import InputError
from model_service.service.log import schema
from model_service.service.log.connection import Connection
from model_service.service.log.place import Place
from model_service.service.log.store import LogUnavailable
from model_service.service.postgres import PostgresURL

BUSY_TIMEOUT_MS = 2000
SERVER_SECONDS = 60.0


class UnreadableLog(InputError):
    """There is no decision log, or it can't be read."""


@contextlib.contextmanager
def snapshot(place: Place) -> Iterator[Connection]:
    """Open a log for reading; what is appended meanwhile is not seen.

    Parameters
    ----------
    place : Path or PostgresURL

    Yields
    ------
    Connection
        Within one transaction. Statements without values may read whole tables.

    Raises
    ------
    UnreadableLog
        If it can't be read as a decision log, here or by whoever reads from the connection.
    """
    opened = _of_server(place) if isinstance(place, PostgresURL) else _of_file(place)
    with opened as connection:
        yield connection


@contextlib.contextmanager
def _of_file(path: Path) -> Iterator[Connection]:
    try:
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    except apsw.Error:
        raise UnreadableLog(f"{path} can't be read: give the file of a decision log") from None
    try:
        connection.set_busy_timeout(BUSY_TIMEOUT_MS)
        with connection:
            connection.execute("SELECT 1 FROM entries LIMIT 1").fetchall()  # it begins here
            version = connection.pragma("user_version")
            if version != schema.VERSION:
                raise UnreadableLog(
                    f"{path} is of version {version}, this is {schema.VERSION}: a log of version 1 "
                    "is brought up to it when a service is started on it"
                )
            yield connection
    except apsw.Error:
        raise UnreadableLog(
            f"{path} can't be read to its end: it is no decision log, or damaged"
        ) from None
    finally:
        connection.close(force=True)


@contextlib.contextmanager
def _of_server(url: PostgresURL) -> Iterator[Connection]:
    from model_service.service.log.postgres import check_version  # nobody else loads the driver
    from model_service.service.log.session import ServerError, Session

    try:
        session = Session(url, seconds=SERVER_SECONDS, streaming=True)
    except ServerError as error:
        raise UnreadableLog(f"{url} can't be read ({error})") from None
    try:
        session.run("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        check_version(session)  # it begins here
        yield session
    except LogUnavailable as error:
        raise UnreadableLog(f"{url} can't be read: {error}") from None
    except ServerError as error:
        raise UnreadableLog(f"{url} can't be read to its end ({error})") from None
    finally:
        session.close()
