"""On which calls advice is held back until the dispatcher has committed.

A keyed hash of the call's number draws them: HMAC-SHA-256 (RFC 2104) under a secret key, its first
eight bytes as a share of all there are. Nobody at a desk can tell beforehand which calls it will
be, nobody can choose, and whoever is given the key later can check every draw. Every revision of a
call is drawn alike. The log names the key by a digest of it.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
from pathlib import Path

from model_service.service.problems import follow_protocol

KEY_BYTES = 32


def drawn(key: bytes, call_id: str) -> float:
    """Draw a call's number: evenly from 0 up to 1.

    Examples
    --------
    >>> round(drawn(b"a key", "2026-001"), 6)
    0.553913
    """
    return int.from_bytes(hmac.digest(key, call_id.encode(), "sha256")[:8]) / 2**64


class HoldBack:
    """The draw under the key of a file, which is made when it is first needed.

    Parameters
    ----------
    path : Path
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._key: bytes | None = None

    def holds(self, call_id: str, share: float) -> bool:
        """Say whether advice on a call is held back, where that is done on a share of the calls.

        Raises
        ------
        Problem
            503 if there is a share, and no key can be had.
        """
        return share > 0 and drawn(self._secret(), call_id) < share

    def key_name(self) -> str:
        """Name the key: 16 hexadecimal digits of its SHA-256."""
        return hashlib.sha256(self._secret()).hexdigest()[:16]

    def _secret(self) -> bytes:
        if self._key is None:
            try:
                self._key = self._have()
            except (OSError, ValueError):
                raise follow_protocol("the key that draws held-back calls can't be read") from None
        return self._key

    def _have(self) -> bytes:
        if not self._path.exists():
            self._path.parent.mkdir(parents=True, exist_ok=True)
            draft = self._path.with_name(f".{self._path.name}-{os.getpid()}")
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w", encoding="ascii") as file:
                file.write(os.urandom(KEY_BYTES).hex() + "\n")
                file.flush()
                os.fsync(file.fileno())
            # Of several processes that start at once, one makes it and all read it.
            with contextlib.suppress(FileExistsError):
                os.link(draft, self._path)
            draft.unlink()
        key = bytes.fromhex(self._path.read_text(encoding="ascii").strip())
        if len(key) != KEY_BYTES:
            raise ValueError("not a key")
        return key
