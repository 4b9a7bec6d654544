from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness import Service, running


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    """A service with a release and a user of every role, under one event loop."""
    with running(tmp_path, busy_timeout_ms=50) as started:
        yield started
