"""The log's file as it is at one moment, read-only, while the service goes on writing."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import apsw

from data.errors import InputError
from model_service.service.log import schema

BUSY_TIMEOUT_MS = 2000


class UnreadableLog(InputError):
    """The file is no decision log, or can't be read."""


@contextlib.contextmanager
def snapshot(path: Path) -> Iterator[apsw.Connection]:
    """Open a log for reading; what is appended meanwhile is not seen.

    Parameters
    ----------
    path : Path

    Yields
    ------
    apsw.Connection
        Within one transaction.

    Raises
    ------
    UnreadableLog
        If the file can't be read as a decision log, here or by whoever reads from the connection.
    """
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
        yield connection
    except apsw.Error:
        raise UnreadableLog(
            f"{path} can't be read to its end: it is no decision log, or damaged"
        ) from None
    finally:
        connection.close(force=True)
