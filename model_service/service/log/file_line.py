"""A connection to a SQLite file that is held on to as long as it is good."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import apsw

from model_service.service.database import BRIEF_MS, connect, identity
from model_service.service.log.connection import Unusable

_PASSING = (apsw.BusyError, apsw.FullError, apsw.IOError, apsw.ReadOnlyError)
_PATIENCE = 5.0  # seconds; then the file is opened anew, for its device may have been


class FileLine:
    """A `Line` to a file.

    Parameters
    ----------
    path : Path
        Made when it is first used, and never again: a new file must not take a lost one's place.
    busy_timeout_ms : int
        How long to wait for another process's lock.
    look : callable
        Looks at a new connection; what it raises closes it again.
    vfs : str, optional
        Name of a SQLite file-system layer; the tests put faults there.
    """

    def __init__(
        self,
        path: Path,
        *,
        busy_timeout_ms: int,
        look: Callable[[apsw.Connection], None],
        vfs: str | None = None,
    ) -> None:
        self.vfs = vfs
        self._path = path
        self._files = (path, path.with_name(f"{path.name}-wal"))
        self._busy_timeout_ms = busy_timeout_ms
        self._look = look
        self._connection: apsw.Connection | None = None
        self._identity: object = None
        self._failing_since: float | None = None

    @contextlib.contextmanager
    def open(self) -> Iterator[apsw.Connection]:
        """Give the connection; after an error nothing of a transaction is left.

        Raises
        ------
        Unusable
        """
        try:
            yield self._open()
        except BaseException as error:
            self._recover(error)
            if isinstance(error, apsw.Error | OSError):
                kind = type(error).__name__.removesuffix("Error").lower() or "system error"
                raise Unusable(kind) from error
            raise

    @contextlib.contextmanager
    def writing(self) -> Iterator[apsw.Connection]:
        """Give the connection in a transaction, in which no other process writes.

        Raises
        ------
        Unusable
        """
        with self.open() as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield connection
            connection.execute("COMMIT")
            self._failing(None)

    def close(self) -> None:
        """Let go of the file; the next use opens it again."""
        connection, self._connection = self._connection, None
        if connection is not None:
            # Closing moves what is in the write-ahead log into the file, which may fail as writing
            # did; it is safe where it is.
            with contextlib.suppress(apsw.Error, OSError):
                connection.close(force=True)

    def _failing(self, since: float | None) -> None:
        changed = (since is None) != (self._failing_since is None)
        self._failing_since = since
        if changed and self._connection is not None:
            self._connection.set_busy_timeout(self._patience_ms)

    @property
    def _patience_ms(self) -> int:
        wait = self._busy_timeout_ms
        return wait if self._failing_since is None else min(wait, BRIEF_MS)

    def _recover(self, error: BaseException) -> None:
        """Roll back, and keep the connection if what went wrong may pass.

        Had the commit reached the WAL and only its sync failed, a new connection would find the
        batch there and take it for committed; this one rolls back, and its next commit overwrites
        it.
        """
        since = self._failing_since
        if isinstance(error, apsw.Error | OSError) and since is None:
            self._failing(time.monotonic())
        if self._connection is None:
            return
        try:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        except apsw.Error:
            self.close()
            return
        lasting = since is not None and time.monotonic() - since > _PATIENCE
        if isinstance(error, apsw.Error | OSError) and (lasting or not isinstance(error, _PASSING)):
            self.close()

    def _open(self) -> apsw.Connection:
        if self._connection is not None:
            # A file that was moved or deleted under us would go on taking entries that nobody
            # could ever find again.
            if identity(*self._files) == self._identity:
                return self._connection
            self.close()
        connection = connect(
            self._path,
            busy_timeout_ms=self._patience_ms,
            create=self._identity is None,
            vfs=self.vfs,
        )
        try:
            self._look(connection)
        except BaseException:
            connection.close(force=True)
            raise
        self._connection, self._identity = connection, identity(*self._files)
        return connection
