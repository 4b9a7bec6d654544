from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness import Service, running


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    """A service with a release and a user of every role, under one event loop."""
    with running(tmp_path) as started:
        yield started


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The same for a whole module, where the tests do not mind each other's calls."""
    with running(tmp_path_factory.mktemp("home")) as started:
        yield started
