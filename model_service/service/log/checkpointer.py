"""Takes checkpoints of the log while it grows, and answers for them.

A service that finds its log to be another one than its last checkpoint says takes no more of them:
it would sign two stories. The log still takes entries, for calls go on.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from data.errors import InputError
from model_service.model.keys import signing_key
from model_service.service.log import checkpoint as files
from model_service.service.log.checkpoint import Checkpoint
from model_service.service.log.entry import now, stamp
from model_service.service.log.log import DecisionLog
from model_service.service.log.merkle import BLOCK
from model_service.service.log.proof import prove_entry, prove_growth, tree_over
from model_service.service.log.store import LogUnavailable
from model_service.service.telemetry import whereabouts

LOOK_SECONDS = 1.0


class AnotherLog(InputError):
    """The log does not continue what its last checkpoint says it was."""


class Checkpointer:
    """The checkpoints of a log.

    Parameters
    ----------
    log : DecisionLog
    folder : Path
        Where they are added.
    key_path : Path
        Of the key that signs them; it is made at first use.
    entries : int
        A checkpoint is taken after so many entries …
    seconds : float
        … or after this, if there is any new one.
    clock : callable
        Seconds on any steady clock.

    Attributes
    ----------
    latest : Checkpoint or None
        The last one that was taken or found.
    """

    def __init__(
        self,
        log: DecisionLog,
        folder: Path,
        key_path: Path,
        *,
        entries: int,
        seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._log = log
        self._folder = folder
        self._key_path = key_path
        self._entries = entries
        self._seconds = seconds
        self._clock = clock
        self._tree = tree_over(log.read)
        self._grown = 0
        self._key: Ed25519PrivateKey | None = None
        self._taken_at = -math.inf  # at a start, what a crash left without one is due at once
        self._stop = asyncio.Event()
        self._turn = asyncio.Lock()
        self._said: str | None = None
        self.latest: Checkpoint | None = None

    async def watch(self) -> None:
        """Take checkpoints when they are due, and a last one when asked to stop."""
        while not self._stop.is_set():
            await self.check()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), LOOK_SECONDS)
        await self.check(final=True)

    def stop(self) -> None:
        """Ask `watch` to come to its end."""
        self._stop.set()

    async def check(self, *, final: bool = False) -> None:
        """Take a checkpoint if one is due; say once why none can be taken.

        Parameters
        ----------
        final : bool
            Whether anything new makes one due, as when the service stops.
        """
        try:
            async with self._turn:
                if self._key is None:
                    self._key = await self._begin()
                await self._take(self._key, final)
        except Exception as error:  # whatever it is, calls go on, and the next look tries again
            told = isinstance(error, LogUnavailable | InputError)
            reason = str(error) if told else type(error).__name__
            if reason != self._said:
                structlog.get_logger().error("no checkpoint", reason=reason, **whereabouts(error))
            self._said = reason
        else:
            self._said = None

    def of_size(self, size: int) -> Checkpoint | None:
        """Find the checkpoint of so many entries; None if there is none that can be read."""
        if self.latest is None or size >= self.latest.size:
            return self.latest if self.latest and self.latest.size == size else None
        try:
            return files.of_size(self._folder, size)
        except files.CheckpointError:
            return None

    def prove_entry(self, seq: int, size: int | None) -> dict[str, Any] | None:
        """Prove that an entry is in the log of so many entries, of the latest checkpoint if None.

        Returns
        -------
        dict or None
            None if it is not, or there is no checkpoint yet that has so many.
        """
        largest = 0 if self.latest is None else self.latest.size
        size = largest if size is None else size
        entry = self._log.read.entry(seq) if 0 < seq <= size <= largest else None
        return None if entry is None else prove_entry(self._tree, entry, size)

    def prove_growth(self, old: int, new: int) -> dict[str, Any] | None:
        """Prove that the log of `new` entries begins with what it was with `old`; None as above."""
        if self.latest is None or not 0 < old <= new <= self.latest.size:
            return None
        return prove_growth(self._tree, old, new)

    async def _begin(self) -> Ed25519PrivateKey:
        """Read the key and the last checkpoint, and see that the log continues it."""
        key = await asyncio.to_thread(signing_key, self._key_path)
        last = await asyncio.to_thread(files.latest, self._folder)
        if last is not None:
            await self._continue(last)
        self.latest = last
        return key

    async def _continue(self, last: Checkpoint) -> None:
        if self._log.head is None:
            self._log.probe()
        if self._log.read.newest() < last.size:  # another process may have taken it
            raise AnotherLog(f"the log has fewer entries than the {last.size} of its checkpoint")
        await self._grow(last.size)
        if self._tree.root(last.size).hex() != last.root:
            raise AnotherLog(f"the log is not the one of its checkpoint of {last.size} entries")

    async def _take(self, key: Ed25519PrivateKey, final: bool) -> None:
        before = 0 if self.latest is None else self.latest.size
        size, head = self._log.head or (0, "")
        new = size - before
        late = self._clock() - self._taken_at >= self._seconds
        if new <= 0 or not (final or late or new >= self._entries):
            return
        await self._grow(size)
        first = size - min(new, files.MAX_MARKS)
        made = files.sign(
            key,
            size=size,
            root=self._tree.root(size).hex(),
            head=head,
            digests=[one.hex() for one in self._log.read.digests(after=first, limit=size - first)],
            time=stamp(now()),
        )
        # In a thread: the folder may be on another machine's disk.
        if not await asyncio.to_thread(files.write, self._folder, made):
            there = await asyncio.to_thread(files.of_size, self._folder, size)
            if there is None:
                return  # another process is just writing it
            if there.root != made.root:
                raise AnotherLog(f"there is another checkpoint of {size} entries")
            made = there  # of another process on the same log
        self.latest, self._taken_at = made, self._clock()

    async def _grow(self, size: int) -> None:
        """Read the tree up to a size in small parts, so that no call waits for it."""
        while self._grown + BLOCK <= size:
            self._tree.part(self._grown, self._grown + BLOCK)
            self._grown += BLOCK
            await asyncio.sleep(0)
