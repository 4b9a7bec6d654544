"""The key that signs releases, kept beside the data."""

from __future__ import annotations

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from model_service.model import keys


def signing_key(folder: Path) -> Ed25519PrivateKey:
    """Read the key that signs releases, or make one at first use.

    `release.key` holds the private part, `release.pub` the public part in hex, which the service
    trusts by default. A centre that trains and serves on different machines carries only the
    public part over.

    Raises
    ------
    InputError
        If there is a key that can't be read.
    """
    return keys.signing_key(folder / "release.key")
