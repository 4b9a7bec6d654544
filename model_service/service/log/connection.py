"""What both kinds of database answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol


class Rows(Protocol):
    """The rows of an answer."""

    def __iter__(self) -> Iterator[Any]:
        """Give the rows that are left, one by one."""

    def fetchone(self) -> Any:
        """Give the next row; None if there is none."""

    def fetchall(self) -> list[Any]:
        """Give the rows that are left."""


class Connection(Protocol):
    """What both kinds of database answer: one statement with `?` for its values."""

    def execute(self, statement: str, values: Sequence[Any] = ..., /) -> Rows:
        """Run a statement."""
