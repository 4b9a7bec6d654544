"""What both kinds of database answer, and how they are held on to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol


class Unusable(Exception):
    """A database that can't be used now; the message says why in a word or two.

    Nothing of what was written or asked is in it.
    """


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


class Line(Protocol):
    """A connection for short statements: made when first used, kept as long as it is good.

    `FileLine` is one to a file, `ServerLine` one to a server. Both look at a new connection before
    it is used, leave nothing of a transaction after an error, and wait the less for a lock or an
    answer the longer there has been none, so that nobody waits for all who came before.
    """

    def open(self) -> AbstractContextManager[Connection]:
        """Give the connection; inside, errors of the database become `Unusable`."""

    def writing(self) -> AbstractContextManager[Connection]:
        """Give the connection in a transaction that lasts once the block has come to its end."""

    def close(self) -> None:
        """Let go of the connection; the next use makes another one."""
