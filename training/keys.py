"""The key that signs releases: made once, kept beside the data, private part readable by one."""

from __future__ import annotations

import os
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from data.errors import InputError


def signing_key(folder: Path) -> Ed25519PrivateKey:
    """Read the signing key, or make one at first use.

    `release.key` holds the private part (PEM, mode 0600); `release.pub` the public part in hex,
    which the service trusts by default. A centre that trains and serves on different machines
    carries only the public part over.

    Raises
    ------
    InputError
        If there is a key that can't be read.
    """
    path = folder / "release.key"
    if path.exists():
        try:
            key = serialization.load_pem_private_key(path.read_bytes(), password=None)
        except (ValueError, TypeError, OSError):
            raise InputError(f"the signing key {path} can't be read") from None
        if not isinstance(key, Ed25519PrivateKey):
            raise InputError(f"the signing key {path} is not an Ed25519 key")
        _publish(key, folder)
        return key
    folder.mkdir(parents=True, exist_ok=True)
    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(pem)
    _publish(key, folder)
    return key


def _publish(key: Ed25519PrivateKey, folder: Path) -> None:
    """Write the public part where it is not there yet: making both can be cut short."""
    path = folder / "release.pub"
    if not path.exists():
        draft = path.with_name(f".{path.name}-{os.getpid()}")
        draft.write_text(key.public_key().public_bytes_raw().hex() + "\n", encoding="ascii")
        draft.replace(path)
