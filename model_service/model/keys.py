"""A key that signs: made once, private part readable by one, public part beside it."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from data.errors import InputError


def signing_key(path: Path) -> Ed25519PrivateKey:
    """Read a signing key (Ed25519), or make one at first use.

    The file holds the private part (PEM, mode 0600); one beside it that ends in `.pub` holds the
    public part in hex.

    Parameters
    ----------
    path : Path

    Raises
    ------
    InputError
        If there is a key that can't be read.
    """
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        _make(path)
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except (ValueError, TypeError, OSError):
        raise InputError(f"the signing key {path} can't be read") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise InputError(f"the signing key {path} is not an Ed25519 key")
    _publish(key, path.with_suffix(".pub"))
    return key


def _make(path: Path) -> None:
    """Write a new key whole; where another process was faster, its key stays."""
    pem = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    draft = path.with_name(f".{path.name}-{os.getpid()}")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(pem)
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def _publish(key: Ed25519PrivateKey, path: Path) -> None:
    """Write the public part where it is not there yet: making both can be cut short."""
    if not path.exists():
        draft = path.with_name(f".{path.name}-{os.getpid()}")
        draft.write_text(key.public_key().public_bytes_raw().hex() + "\n", encoding="ascii")
        draft.replace(path)
