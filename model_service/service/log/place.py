"""Where the log is kept: a file of its own, or a PostgreSQL database for several processes."""

from __future__ import annotations

from pathlib import Path
from typing import TypeAlias

from model_service.service.log.store import LogStore, Store
from model_service.service.postgres import PostgresURL

Place: TypeAlias = Path | PostgresURL
"""A file that SQLite keeps, or a PostgreSQL database."""


def open_store(place: Place, *, busy_timeout_ms: int = 500) -> LogStore:
    """Make the store of a place; it is opened when it is first used.

    Parameters
    ----------
    place : Path or PostgresURL
    busy_timeout_ms : int
        How long to wait for another process's lock.
    """
    if isinstance(place, Path):
        return Store(place, busy_timeout_ms=busy_timeout_ms)
    from model_service.service.log.postgres import PostgresStore  # nobody else loads the driver

    return PostgresStore(place, busy_timeout_ms=busy_timeout_ms)
