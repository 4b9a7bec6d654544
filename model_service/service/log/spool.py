"""Where decisions wait while the log can't be written: one small file, best on another disk.

What is kept is on disk before anyone is told that it is. A record is a line: the name of the
key-encryption key, and nonce and ciphertext (AES-256-GCM) in base 64. The file holds zeros behind
them, which were written when there was room, so that a full disk does not keep a decision out; it
grows where there is more to keep. A line that was torn by a crash ends before its newline, was
acknowledged to nobody, and is written over.

Several processes may share the file: each holds a lock on it while it looks or writes.
"""

from __future__ import annotations

import base64
import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from cryptography.exceptions import InvalidTag

from data.files import sync_folder
from model_service.service.log.keys import KeysUnavailable, MasterKeys, decrypt, encrypt
from model_service.service.log.store import LogUnavailable

RESERVED = 1024 * 1024
"""Bytes that are set aside: some thousand decisions."""

_BOUND = b"kept decision"
_END = b"\0"


class Kept(NamedTuple):
    """What is kept, in the order in which it came.

    Parameters
    ----------
    records : list of bytes
    lines : bytes
        As they stand in the file.
    damaged : int
        Lines that can't be read: they were changed, or their key is gone.
    """

    records: list[bytes]
    lines: bytes
    damaged: int


class Spool:
    """The file.

    Parameters
    ----------
    path : Path
    masters : MasterKeys
        Keys under one of which the records are encrypted.

    Raises
    ------
    LogUnavailable
        By every method, if the file or the key can't be used; nothing was kept then.
    """

    def __init__(self, path: Path, masters: MasterKeys) -> None:
        self.path = path
        self._masters = masters
        self._name: str | None = None

    def reserve(self) -> None:
        """Set room aside, and have the key at hand, while all is well."""
        with self._locked() as file:
            self._cipher_name(make=True)
            missing = RESERVED - os.fstat(file).st_size
            if missing > 0:
                _write(file, _END * missing, os.fstat(file).st_size)
                os.fsync(file)

    def keep(self, record: bytes) -> None:
        """Add a record; it is on disk when this returns."""
        with self._locked() as file:
            name = self._cipher_name()
            locked = encrypt(self._masters.cipher(name), record, _BOUND)
            line = f"{name} {base64.b64encode(locked).decode()}\n".encode()
            content = _read(file)
            end = len(_lines(content))
            try:
                if content[end:].strip(_END):  # what a crash or an error left half-written
                    _write(file, _END * (len(content) - end), end)
                    os.fsync(file)
                _write(file, line, end)
                os.fsync(file)
            except OSError:
                with contextlib.suppress(OSError):  # nobody will be told that it is kept
                    _write(file, _END * (os.fstat(file).st_size - end), end)
                raise

    def read(self) -> Kept:
        """Read what is kept."""
        if not self.path.exists():
            return Kept([], b"", 0)
        with self._locked() as file:
            lines = _lines(_read(file))
            if lines:
                self._masters.newest()  # without any key at hand nothing is told from damage
        records, damaged = [], 0
        for line in lines.splitlines():
            try:
                name, _, text = line.decode("ascii").partition(" ")
                locked = base64.b64decode(text, validate=True)
                records.append(decrypt(self._masters.cipher(name), locked, _BOUND))
            except (InvalidTag, ValueError):  # KeysUnavailable is one too: there is no such key
                damaged += 1
        return Kept(records, lines, damaged)

    def clear(self, seen: Kept) -> bool:
        """Write zeros over what is kept, if nothing was added since it was read.

        Lines that can't be read are put aside first, in a file of their own.

        Parameters
        ----------
        seen : Kept
            As it was read; all of it is in the log now.

        Returns
        -------
        bool
            Whether nothing is kept any more.
        """
        if not seen.lines:
            return True
        with self._locked() as file:
            if _lines(_read(file)) != seen.lines:
                return False
            if seen.damaged:
                aside = self.path.with_name(f"{self.path.name}.damaged")
                descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
                with os.fdopen(descriptor, "wb") as put:
                    put.write(seen.lines)
                    put.flush()
                    os.fsync(put.fileno())
            _write(file, _END * len(seen.lines), 0)
            os.fsync(file)
        return True

    def _cipher_name(self, *, make: bool = False) -> str:
        try:
            self._name = self._masters.newest(make=make)
            self._masters.cipher(self._name)
        except KeysUnavailable:
            if self._name is None:  # never read: without it nothing can be kept
                raise
        assert self._name is not None
        return self._name

    @contextlib.contextmanager
    def _locked(self) -> Iterator[int]:
        try:
            if not self.path.exists():
                self.path.parent.mkdir(parents=True, exist_ok=True)
                os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))
                sync_folder(self.path.parent)
            file = os.open(self.path, os.O_RDWR)
            try:
                _lock(file)
                yield file
            finally:
                os.close(file)  # which lets go of the lock
        except OSError as error:
            reason = (error.strerror or "system error").lower()
            raise LogUnavailable(f"decisions can't be kept beside the log ({reason})") from None
        except KeysUnavailable as error:
            raise LogUnavailable(str(error)) from None


def _lock(file: int) -> None:
    if sys.platform != "win32":  # where one process serves alone
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX)


def _read(file: int) -> bytes:
    return os.pread(file, os.fstat(file).st_size, 0)


def _write(file: int, content: bytes, at: int) -> None:
    while content:
        written = os.pwrite(file, content, at)
        content, at = content[written:], at + written


def _lines(content: bytes) -> bytes:
    """Give the lines that were written to their end."""
    written = content.split(_END, 1)[0]
    return written[: written.rfind(b"\n") + 1]
