"""The log under an event loop: group commit without threads.

Drafts that arrive close upon each other are written together, in one transaction, once the loop
has come round a few times and none has joined them: requests that came in together take a few turns
to get here, and a commit costs more than that. A commit blocks the loop for as long as the disk or
the server takes, so that nothing can arrive half-way; what comes in meanwhile is the next batch.
"""

from __future__ import annotations

import asyncio
import hmac

from model_service.service.log.entry import Draft, Entry
from model_service.service.log.reading import Reader
from model_service.service.log.store import (
    Head,
    LogStore,
    LogUnavailable,
    Overtaken,
    Prepared,
    prepare,
)

TURNS = 4
"""So often the loop comes round without a further draft before a batch is written."""

MOST = 256
"""Drafts of the largest batch."""


class DecisionLog:
    """Append and read.

    Parameters
    ----------
    store : LogStore

    Attributes
    ----------
    read : Reader
    """

    def __init__(self, store: LogStore) -> None:
        self._store = store
        self._queue: list[tuple[Prepared, asyncio.Future[Entry]]] = []
        self._settled: list[asyncio.Future[None]] = []
        self.read = Reader(store)

    @property
    def head(self) -> Head | None:
        """Sequence and digest of the last entry; None if the log was never open."""
        return self._store.head

    async def append(self, draft: Draft) -> Entry:
        """Append an entry; it is on disk when this returns.

        Raises
        ------
        Overtaken
            Nothing was written: another process assessed the call meanwhile: make it anew.
        LogUnavailable
            Nothing was written.
        """
        prepared = prepare(draft)
        loop = asyncio.get_running_loop()
        written: asyncio.Future[Entry] = loop.create_future()
        self._queue.append((prepared, written))
        if len(self._queue) == 1:
            loop.call_soon(self._gather, loop, 1, TURNS)
        return await written

    def queued_revisions(self, call_id: str) -> list[int]:
        """List the revisions of a call whose assessments wait for the next commit."""
        return [
            prepared.draft.revision
            for prepared, _ in self._queue
            if prepared.draft.call_id == call_id
            and prepared.draft.kind == "assessment"
            and prepared.draft.revision is not None
        ]

    async def settled(self) -> None:
        """Wait until what is queued now is either in the log or refused."""
        if self._queue:
            settled = asyncio.get_running_loop().create_future()
            self._settled.append(settled)
            await settled

    def digest_of_key(self, actor: str, key: str) -> str:
        """Digest a user's idempotency key (HMAC-SHA-256), as its entry holds it.

        Raises
        ------
        LogUnavailable
            If the secret for it can't be read.
        """
        with self._store.reading():
            secret = self._store.keys.pepper()
        return hmac.digest(secret, f"{actor} {key}".encode(), "sha256").hex()

    def probe(self) -> None:
        """Find out whether an entry could be written now.

        Raises
        ------
        LogUnavailable
        """
        self._store.probe()

    def close(self) -> None:
        """Write what waits and let go of the store."""
        self._flush()
        self._store.close()

    def _gather(self, loop: asyncio.AbstractEventLoop, known: int, turns: int) -> None:
        """Let the loop come round, and write once nothing has joined the queue for some turns."""
        waiting = len(self._queue)
        turns = TURNS if waiting > known else turns - 1
        if turns and 0 < waiting < MOST:
            loop.call_soon(self._gather, loop, waiting, turns)
        else:
            self._flush()

    def _flush(self) -> None:
        queue, self._queue = self._queue, []
        if not queue:
            return
        try:
            self._write(queue)
        finally:
            waiting, self._settled = self._settled, []
            for settled in waiting:
                if not settled.done():
                    settled.set_result(None)

    def _write(self, queue: list[tuple[Prepared, asyncio.Future[Entry]]]) -> None:
        try:
            entries = self._store.write([prepared for prepared, _ in queue])
        except Overtaken as late:
            for place in late.drafts:
                _refuse(queue[place][1], Overtaken())
            rest = [one for place, one in enumerate(queue) if place not in late.drafts]
            if rest:
                self._write(rest)
            return
        except Exception as error:
            # Whatever went wrong, nobody may be left waiting.
            reason = str(error) if isinstance(error, LogUnavailable) else type(error).__name__
            for _, written in queue:
                _refuse(written, LogUnavailable(reason))
            return
        for (_, written), entry in zip(queue, entries, strict=True):
            if not written.done():  # its client may have gone; the entry stays
                written.set_result(entry)


def _refuse(written: asyncio.Future[Entry], error: Exception) -> None:
    if not written.done():
        written.set_exception(error)
