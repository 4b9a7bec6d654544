from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from model_service.service.postgres import PostgresURL
from tests.harness import Service, running


@pytest.fixture
def log(kept: str, request: pytest.FixtureRequest) -> PostgresURL | None:
    """Where a service's log is; None for a file in its home."""
    return database(kept, request)


@pytest.fixture
def service(tmp_path: Path, log: PostgresURL | None) -> Iterator[Service]:
    """A service with a release and a user of every role, under one event loop."""
    with running(tmp_path, log=log) as started:
        yield started


@pytest.fixture(scope="module")
def shared(
    tmp_path_factory: pytest.TempPathFactory, kept: str, request: pytest.FixtureRequest
) -> Iterator[Service]:
    """The same for a whole module, where the tests do not mind each other's calls."""
    with running(tmp_path_factory.mktemp("home"), log=database(kept, request)) as started:
        yield started


def database(kept: str, request: pytest.FixtureRequest) -> PostgresURL | None:
    """Make a log of its own on the server; None where it is kept in a file."""
    if kept == "file":
        return None
    made: PostgresURL = request.getfixturevalue("postgres").database()
    return made
