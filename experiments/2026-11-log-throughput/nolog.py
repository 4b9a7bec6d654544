"""The service with its decision log switched off, for the benchmark alone: nothing is kept."""

from __future__ import annotations

import contextlib
import itertools
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import uvicorn

from model_service.service import app as service
from model_service.service import telemetry
from model_service.service.log.entry import GENESIS, Draft, Entry, canonical, now, stamp
from model_service.service.log.reading import Reader
from model_service.service.settings import load_settings


class Nothing:
    """A connection to a log in which there is nothing."""

    def execute(self, statement: str, values: Sequence[Any] = (), /) -> Any:
        """Find nothing."""
        return self

    def __iter__(self) -> Any:
        return iter(())

    def fetchone(self) -> None:
        """Find nothing."""

    def fetchall(self) -> list[Any]:
        """Find nothing."""
        return []


class NoLog:
    """Takes the place of `DecisionLog`: gives numbers, and seals, chains and keeps nothing."""

    failed = None
    head = (0, GENESIS)

    def __init__(self, store: Any) -> None:
        self.read = Reader(self)
        self._numbers = itertools.count(1)

    def reading(self) -> Any:
        """Give a connection."""
        return contextlib.nullcontext(Nothing())

    async def append(self, draft: Draft) -> Entry:
        """Make the answer's entry."""
        at, body = stamp(draft.at or now()), canonical(draft.body).decode()
        about = (draft.kind, draft.call_id, draft.revision, draft.assessment_id, draft.actor)
        return Entry(next(self._numbers), at, *about, body, GENESIS, GENESIS)

    def queued_revisions(self, call_id: str) -> list[int]:
        """Nothing waits."""
        return []

    async def settled(self) -> None:
        """Nothing waits."""

    def probe(self) -> None:
        """Be ready."""

    def close(self) -> None:
        """Let go of nothing."""


def main() -> None:
    """Serve on a home and a port."""
    home, port = Path(sys.argv[1]), int(sys.argv[2])
    service.DecisionLog = NoLog  # type: ignore[assignment,misc]
    telemetry.configure("error")
    made = service.create_app(load_settings(home=home, port=port))
    # As `crisiscall serve` does it.
    uvicorn.run(
        made,
        port=port,
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        lifespan="on",
        ws="none",
    )


if __name__ == "__main__":
    main()
