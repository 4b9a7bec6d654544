"""A file system under the log that fails when it is told to, and what else may become of a log."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import apsw

from model_service.service.log.store import Store
from tests.harness import Service


class Faults:
    """What goes wrong in the file system, while it is set."""

    write: type[Exception] | None = None
    sync: type[Exception] | None = None
    after: int = 0


class FaultyFile(apsw.VFSFile):
    def __init__(self, name: Any, flags: list[int]) -> None:
        super().__init__("", name, flags)

    def xWrite(self, data: bytes, offset: int) -> None:
        if Faults.write is not None:
            if Faults.after <= 0:
                raise Faults.write("planted")
            Faults.after -= 1
        super().xWrite(data, offset)

    def xSync(self, flags: int) -> None:
        if Faults.sync is not None:
            raise Faults.sync("planted")
        super().xSync(flags)


class FaultySystem(apsw.VFS):
    def __init__(self) -> None:
        super().__init__("faulty", "")

    def xOpen(self, name: Any, flags: list[int]) -> FaultyFile:
        return FaultyFile(name, flags)


@contextlib.contextmanager
def faulty(store: Store) -> Iterator[None]:
    """Put a log on the file system that fails."""
    system = FaultySystem()
    store.close()
    store.file.vfs = "faulty"
    try:
        yield
    finally:
        Faults.write = Faults.sync = None
        Faults.after = 0
        store.close()
        store.file.vfs = None
        del system


def away(path: Path) -> Callable[[], None]:
    """Take a log away; returns what brings it back."""
    moved = path.with_name("elsewhere.db")
    path.rename(moved)

    def back() -> None:
        moved.rename(path)

    return back


def locked(path: Path) -> Callable[[], None]:
    """Lock a database as another process does; returns what lets go of it."""
    other = apsw.Connection(str(path))
    other.execute("BEGIN IMMEDIATE")

    def free() -> None:
        other.execute("ROLLBACK")
        other.close()

    return free


def failing(error: type[Exception]) -> Callable[[], None]:
    """Let every write of the log fail; returns what mends it."""
    Faults.write = error

    def heal() -> None:
        Faults.write = None

    return heal


WAYS: dict[str, Callable[[Service], Callable[[], None]]] = {
    "disk full": lambda service: failing(apsw.FullError),
    "read-only": lambda service: failing(apsw.ReadOnlyError),
    "disk fails": lambda service: failing(apsw.IOError),
    "log gone": lambda service: away(service.settings.log_path),
    "log locked": lambda service: locked(service.settings.log_path),
    "keys locked": lambda service: locked(service.settings.record_keys_path),
}
"""What may become of the log of a service that lies on the file system that fails → how to do it,
which returns what mends it."""
