"""Personal text, apart from the chain.

Narratives, notes and whatever else says something of a person are kept in a table of their own,
and the chain holds only a salted digest of them. The salt lies with the text: once the row is
gone, nothing is left from which the text could be guessed, and the chain still verifies. All
personal text passes through these two functions, on its way in and on its way out.
"""

from __future__ import annotations

import hashlib
import os
from typing import NamedTuple

SALT_BYTES = 32


class Sealed(NamedTuple):
    """Personal text as it is stored, and the digest of it that the chain holds."""

    salt: bytes
    content: bytes
    digest: str


class Broken(ValueError):
    """Stored personal text does not fit the digest in the chain."""


def seal(text: bytes) -> Sealed:
    """Make personal text ready to be stored."""
    salt = os.urandom(SALT_BYTES)
    return Sealed(salt, text, hashlib.sha256(salt + text).hexdigest())


def unseal(salt: bytes, content: bytes, digest: str) -> bytes:
    """Read stored personal text and check it against the digest that the chain holds.

    Raises
    ------
    Broken
        If it does not fit.
    """
    if hashlib.sha256(salt + content).hexdigest() != digest:
        raise Broken("stored text does not fit its digest in the chain")
    return content
