from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.faulty import Faults, faulty
from tests.harness import Service, running
from tests.stores import Server, serving_or_skip


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    """A service with a release and a user of every role, under one event loop."""
    with running(tmp_path, busy_timeout_ms=50) as started:
        yield started


@pytest.fixture(scope="module")
def own_server() -> Iterator[Server]:
    """A PostgreSQL server that may be killed."""
    with serving_or_skip() as server:
        yield server


@pytest.fixture
def faults(service: Service) -> Iterator[type[Faults]]:
    """Put the service's log on a file system that can be made to fail."""
    with faulty(service.log._store):
        yield Faults
