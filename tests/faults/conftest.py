from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apsw
import pytest

from model_service.service.log.store import Store
from tests.harness import Service, running


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    """A service with a release and a user of every role, under one event loop."""
    with running(tmp_path, busy_timeout_ms=50) as started:
        yield started


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


@pytest.fixture
def faults(service: Service) -> Iterator[type[Faults]]:
    """Put the service's log on a file system that can be made to fail."""
    system = FaultySystem()
    store: Store = service.log._store
    store.close()
    store._vfs = "faulty"
    yield Faults
    Faults.write = Faults.sync = None
    Faults.after = 0
    store.close()
    store._vfs = None
    del system
