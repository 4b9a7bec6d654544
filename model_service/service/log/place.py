"""Where the log and its keys are kept: files, or PostgreSQL databases for several processes."""

from __future__ import annotations

from pathlib import Path
from typing import TypeAlias

from model_service.service.log.keys import FileKeys, MasterKeys, RecordKeys
from model_service.service.log.store import LogStore, Store
from model_service.service.postgres import PostgresURL

Place: TypeAlias = Path | PostgresURL
"""A file that SQLite keeps, or a PostgreSQL database."""


def open_store(place: Place, keys: RecordKeys, *, busy_timeout_ms: int = 500) -> LogStore:
    """Make the store of a place; it is opened when it is first used.

    Parameters
    ----------
    place : Path or PostgresURL
    keys : RecordKeys
        Keys of the personal text.
    busy_timeout_ms : int
        How long to wait for another process's lock.
    """
    if isinstance(place, Path):
        return Store(place, busy_timeout_ms=busy_timeout_ms, keys=keys)
    from model_service.service.log.postgres import PostgresStore  # nobody else loads the driver

    return PostgresStore(place, keys, busy_timeout_ms=busy_timeout_ms)


def open_keys(place: Place, masters: MasterKeys, *, busy_timeout_ms: int = 500) -> RecordKeys:
    """Make the keys of a place; it is opened when it is first used.

    Parameters
    ----------
    place : Path or PostgresURL
    masters : MasterKeys
    busy_timeout_ms : int
        As with `open_store`.
    """
    if isinstance(place, Path):
        return FileKeys(place, masters, busy_timeout_ms=busy_timeout_ms)
    from model_service.service.log.server_keys import ServerKeys  # nobody else loads the driver

    return ServerKeys(place, masters, busy_timeout_ms=busy_timeout_ms)
