from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from model_service.service.postgres import PostgresURL
from tests.clock import Clock
from tests.harness import Service, running
from tests.stores import database


@pytest.fixture
def service(tmp_path: Path, log: PostgresURL | None) -> Iterator[Service]:
    """A service with a release and a user of every role, under one event loop."""
    with running(tmp_path, log=log) as started:
        yield started


@pytest.fixture(scope="module")
def shared(
    tmp_path_factory: pytest.TempPathFactory, store_kind: str, request: pytest.FixtureRequest
) -> Iterator[Service]:
    """The same for a whole module, where the tests do not mind each other's calls."""
    with running(tmp_path_factory.mktemp("home"), log=database(store_kind, request)) as started:
        yield started


@pytest.fixture
def clock() -> Clock:
    """A clock for accounts and sessions."""
    return Clock()
