"""What happens, told to every console that listens.

Entries are told after they are in the log, in its order, and are read from there: those that this
process wrote, of which it is told at once (`wake`), and those of other processes on the same log,
for which it looks at the log's end (`poll`). A store that can tell of new entries by itself has
only to call `wake`.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from operator import itemgetter

import structlog

from model_service.service.console.board import Board
from model_service.service.log import DecisionLog, Draft, Entry, LogUnavailable
from model_service.service.telemetry import whereabouts

POLL = 0.25
"""Seconds between two looks for what other processes wrote."""

BEAT = 5.0
"""Seconds of silence after which a console is told that the line is not dead."""

BATCH = 200
"""Entries read at a time; a console that missed more asks for all rows again."""

BACKLOG = 500
"""Events that may wait for a console that does not take them; then it has to come again."""


class AnnouncedLog(DecisionLog):
    """A log that says when an entry was written, once there is somebody to tell."""

    hub: Hub | None = None

    async def append(self, draft: Draft) -> Entry:
        """Append an entry, and have it told."""
        entry = await super().append(draft)
        if self.hub is not None:
            self.hub.wake()
        return entry


def event(name: str, data: str, number: int | None = None) -> bytes:
    r"""Write a server-sent event; its data are one line.

    Examples
    --------
    >>> event("row", "<li>", 7)
    b'event: row\nid: 7\ndata: <li>\n\n'
    """
    place = "" if number is None else f"id: {number}\n"
    return f"event: {name}\n{place}data: {data}\n\n".encode()


class Hub:
    """Follows the log and tells consoles.

    Parameters
    ----------
    log : DecisionLog
    board : Board
    """

    def __init__(self, log: DecisionLog, board: Board) -> None:
        self._log = log
        self._board = board
        self._woken = asyncio.Event()
        self._seen: int | None = None
        self._consoles: set[asyncio.Queue[bytes | None]] = set()
        self._closed = False

    @property
    def seen(self) -> int:
        """Sequence of the last entry that the board knows; it is brought up to date first.

        Raises
        ------
        LogUnavailable
        """
        self._catch_up()
        return self._seen or 0

    def wake(self) -> None:
        """Say that there is something new in the log."""
        self._woken.set()

    async def follow(self) -> None:
        """Tell what happens, until cancelled."""
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), POLL)
            self._woken.clear()
            if self._seen is None and not self._consoles:
                continue  # nobody ever looked
            try:
                self._catch_up()
            except LogUnavailable:
                await asyncio.sleep(POLL)
            except Exception as error:  # one entry must not silence the rest
                structlog.get_logger().error("the queue can't be told", **whereabouts(error))
                self._seen = None
                self._tell(event("reset", "again"))
                await asyncio.sleep(POLL)

    async def listen(self, after: int | None, *, stay: bool = True) -> AsyncIterator[bytes]:
        """Give the events after an entry, and then those to come.

        Parameters
        ----------
        after : int or None
            Sequence of the last entry that the console knows; None if it knows none.
        stay : bool
            Whether to wait for what is to come.

        Yields
        ------
        bytes
            An event; every few seconds at least a `beat`.
        """
        queue: asyncio.Queue[bytes | None] = asyncio.Queue(BACKLOG)
        missed = list(self._missed(after))
        self._consoles.add(queue)  # nothing comes in between: there is no `await` here
        try:
            yield event("beat", "here")
            for one in missed:
                yield one
            while stay and not self._closed:
                if queue.empty():
                    told = await _wait(queue)
                    if told is None:
                        return
                    yield told
                # All that waits, at once: whoever is slow is served in fewer strokes.
                waiting = [queue.get_nowait() for _ in range(queue.qsize())]
                if waiting:
                    yield b"".join(told for told in waiting if told is not None)
                if None in waiting:
                    return
        finally:
            self._consoles.discard(queue)

    def close(self) -> None:
        """Let every console go; they come again where the service does."""
        self._closed = True
        for queue in self._consoles:
            _put(queue, None)

    def _catch_up(self) -> None:
        """Take what is new in the log, and tell it."""
        if self._seen is None:
            self._seen = self._board.begin()
            return
        while entries := self._log.read.page(after=self._seen, limit=BATCH):
            changed: dict[str, int] = {}
            everything = False
            for entry in entries:
                change = self._board.take(entry)
                everything |= change.all
                changed.update(dict.fromkeys(change.calls, entry.seq))
            self._seen = entries[-1].seq
            if not self._consoles:
                continue
            if everything:
                self._tell(event("reset", "again", self._seen))
            else:
                for one in self._rows(changed):
                    self._tell(one)

    def _rows(self, changed: dict[str, int]) -> Iterator[bytes]:
        # By number: whoever is cut off in between comes back to the first that is missing.
        for call_id, seq in sorted(changed.items(), key=itemgetter(1)):
            row = self._board.row(call_id)
            if row is not None:
                yield event("row", row.html, seq)

    def _missed(self, after: int | None) -> Iterator[bytes]:
        """Give what happened since a console last heard of anything."""
        now = self.seen
        if after is None or after == now:
            return
        entries = [] if after > now else self._log.read.page(after=after, limit=BATCH + 1)
        kinds = {entry.kind for entry in entries}
        if after > now or len(entries) > BATCH or kinds & {"mode", "release", "erasure"}:
            yield event("reset", "again", now)
            return
        yield from self._rows(
            {
                entry.call_id: entry.seq
                for entry in entries
                if entry.kind in ("assessment", "decision") and entry.call_id is not None
            }
        )

    def _tell(self, told: bytes) -> None:
        for queue in self._consoles:
            _put(queue, told)


async def _wait(queue: asyncio.Queue[bytes | None]) -> bytes | None:
    """Wait for the next event, or give a beat where there is none for a while."""
    try:
        return await asyncio.wait_for(queue.get(), BEAT)
    except TimeoutError:
        return event("beat", "here")


def _put(queue: asyncio.Queue[bytes | None], told: bytes | None) -> None:
    if queue.full():  # whoever does not keep up loses the line, and catches up from the log
        while not queue.empty():
            queue.get_nowait()
        told = None
    queue.put_nowait(told)
