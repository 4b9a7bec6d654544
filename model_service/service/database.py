"""Opening a SQLite file: the version that is safe, and the settings that make a commit last."""

from __future__ import annotations

import os
import time
from pathlib import Path

import apsw

from data.errors import InputError

SAFE_SQLITE = (3, 51, 3)
"""First version without the fault that can corrupt a WAL database when the WAL is reset while
several connections are open."""


BRIEF_MS = 20
"""How long to wait for a lock once somebody has waited for it in vain, until it is free again: a
service that waited anew for each of its clients would answer none of them in time."""


class UnsafeSQLite(InputError):
    """The SQLite library at hand has a fault that can lose what was committed."""


def check_sqlite(version: str | None = None) -> None:
    """Refuse a SQLite library that is not safe.

    Parameters
    ----------
    version : str, optional
        Such as 3.51.3; the loaded library's if not given.

    Raises
    ------
    UnsafeSQLite

    Examples
    --------
    >>> check_sqlite("3.51.3")
    """
    version = version or apsw.sqlite_lib_version()
    if tuple(int(part) for part in version.split(".")[:3]) < SAFE_SQLITE:
        raise UnsafeSQLite(
            f"SQLite {version} can lose what was committed: install apsw 3.51.3 or later"
        )


def connect(
    path: Path, *, busy_timeout_ms: int, create: bool, vfs: str | None = None
) -> apsw.Connection:
    """Open a database in WAL mode with `synchronous=FULL`: what is committed is on disk.

    Parameters
    ----------
    path : Path
    busy_timeout_ms : int
        How long to wait for a lock.
    create : bool
        Whether to make the file, readable by its owner alone, and its folder.
    vfs : str, optional
        Name of a SQLite file-system layer; the tests put faults there.

    Raises
    ------
    UnsafeSQLite
    apsw.Error, OSError
    """
    check_sqlite()
    if create:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE, vfs=vfs)
    try:
        connection.set_busy_timeout(busy_timeout_ms)
        if connection.pragma("journal_mode", "wal") != "wal":
            raise apsw.CantOpenError("no write-ahead log can be kept beside this file")
        connection.pragma("synchronous", "full")
        connection.pragma("fullfsync", True)  # macOS: past the drive's own cache
        connection.pragma("secure_delete", True)  # what is deleted is overwritten with zeros
        connection.pragma("foreign_keys", True)
        connection.pragma("recursive_triggers", True)
        connection.pragma("trusted_schema", False)
    except BaseException:
        connection.close(force=True)
        raise
    return connection


def identity(*paths: Path) -> tuple[tuple[int, int] | None, ...]:
    """Tell which files lie at these paths, so that one that was moved or replaced is noticed."""
    found: list[tuple[int, int] | None] = []
    for path in paths:
        try:
            status = os.stat(path)
            found.append((status.st_dev, status.st_ino))
        except OSError:
            found.append(None)
    return tuple(found)


def empty_wal(connection: apsw.Connection, *, seconds: float = 2.0) -> bool:
    """Move everything from the write-ahead log into the database, and cut the log to nothing.

    Parameters
    ----------
    connection : apsw.Connection
        With no transaction under way.
    seconds : float
        How long to go on trying while others read or write.

    Returns
    -------
    bool
        Whether it is empty now.
    """
    until = time.monotonic() + seconds
    while True:
        try:
            busy, *_ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()[0]
        except apsw.BusyError:
            busy = 1
        if not busy:
            return True
        if time.monotonic() >= until:
            return False
        time.sleep(0.01)
