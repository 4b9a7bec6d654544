"""A file system that keeps in memory whatever was not synced, under every SQLite file of a process.

`install` makes it the default of the process. A read finds what was written; the file on disk gets
it at a sync. So a process that is killed takes with it what it had not synced, as a power cut does,
and a little worse: some sectors reach the disk before their time, in no order, which a disk may do
as well. `lies` is a system whose sync does nothing: for showing that loss is noticed.
"""

from __future__ import annotations

import os
import random
from typing import Any

import apsw

SECTOR = 512


class Image:
    """A file as the process sees it, and which sectors of it are not on disk."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.content = bytearray()
        self.dirty: set[int] = set()
        if os.path.exists(path):
            with open(path, "rb") as file:
                self.content = bytearray(file.read())

    def write(self, data: bytes, offset: int) -> None:
        end = offset + len(data)
        if end > len(self.content):
            self.content.extend(bytes(end - len(self.content)))
        self.content[offset:end] = data
        self.dirty.update(range(offset // SECTOR, (end - 1) // SECTOR + 1))

    def put(self, sectors: set[int]) -> None:
        """Write sectors to disk."""
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            for sector in sorted(sectors):
                start = sector * SECTOR
                os.pwrite(descriptor, self.content[start : start + SECTOR], start)
        finally:
            os.close(descriptor)
        self.dirty -= sectors

    def sync(self) -> None:
        self.put(set(self.dirty))
        os.truncate(self.path, len(self.content))


class LossyFile(apsw.VFSFile):
    def __init__(self, system: LossySystem, name: Any, flags: list[int]) -> None:
        super().__init__(system.below, name, flags)
        path = name if isinstance(name, str) else name.filename()
        self._system = system
        self._image = system.images.setdefault(path, Image(path))

    def xRead(self, amount: int, offset: int) -> bytes:
        return bytes(self._image.content[offset : offset + amount])

    def xWrite(self, data: bytes, offset: int) -> None:
        self._image.write(data, offset)
        chance = self._system.chance
        if chance.random() < self._system.early:
            early = {sector for sector in self._image.dirty if chance.random() < 0.5}
            self._image.put(early)

    def xTruncate(self, size: int) -> None:
        del self._image.content[size:]
        self._image.dirty = {s for s in self._image.dirty if s * SECTOR < size}

    def xFileSize(self) -> int:
        return len(self._image.content)

    def xSync(self, flags: int) -> None:
        if not self._system.lies:
            self._image.sync()


class LossySystem(apsw.VFS):
    def __init__(self, seed: int, early: float, lies: bool) -> None:
        self.images: dict[str, Image] = {}
        self.chance = random.Random(seed)
        self.early = early
        self.lies = lies
        self.below = apsw.vfs_names()[0]  # the default until now
        super().__init__("lossy", self.below, makedefault=True)

    def xOpen(self, name: Any, flags: list[int]) -> LossyFile:
        return LossyFile(self, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:
        self.images.pop(filename, None)
        super().xDelete(filename, syncdir)


def install(seed: int = 0, *, early: float = 0.1, lies: bool = False) -> LossySystem:
    """Put it under every database that this process opens from now on; keep what it returns."""
    return LossySystem(seed, early, lies)
