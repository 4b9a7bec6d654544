"""Personal text, apart from the chain and encrypted.

Whatever says something of a person - the call with its narrative, place, premise and answers, the
document it came in as, the explanation with its words, the grounds of the recommendation, the
counts of a premise, notes, outcomes - is encrypted with AES-256-GCM under a random key that only
its entry has, and kept in a table of its own. The chain holds a salted digest of it. All personal
text passes through the functions here, on its way in and on its way out.

The salt is encrypted with the text. Keys lie in another file (`keys.py`), so that a copy of the log
alone tells nothing of what was said. Once an entry's key is destroyed its text can't be read, in
whatever copy the ciphertext survives; and with the 256 bits of salt gone too, nobody can guess a
text and check the guess against the digest in the chain, which still verifies.

What remains of an erased entry is in the chain: that a call of this number was assessed, decided on
or closed, when and by which user; both probabilities, their bands, the response recommended and
decided on, the override's reason code, and responses that could not be sent. What was said, by
whom, of whom and where is not in it. Entries of version 1 hold the codes of disqualifiers and of
other reasons in the chain as well, and there they stay.
"""

from __future__ import annotations

import hashlib
import os
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

SALT_BYTES = 32
NONCE_BYTES = 12


class Sealed(NamedTuple):
    """Personal text with its salt before it, and the digest of both that the chain holds."""

    salted: bytes
    digest: str


class Locked(NamedTuple):
    """Personal text as it is stored."""

    nonce: bytes
    content: bytes


class Broken(ValueError):
    """Stored personal text does not fit its key, or the digest in the chain."""


def seal(text: bytes) -> Sealed:
    """Salt and digest personal text."""
    salted = os.urandom(SALT_BYTES) + text
    return Sealed(salted, hashlib.sha256(salted).hexdigest())


def lock(key: bytes, salted: bytes, *, entry: str, name: str) -> Locked:
    """Encrypt salted text (AES-256-GCM, NIST SP 800-38D; a fresh 96-bit nonce).

    Parameters
    ----------
    key : bytes
        The entry's own, 32 bytes.
    salted : bytes
    entry : str
        The entry's digest: the text is bound to its entry, and so to its place in the chain …
    name : str
        … and to its name.
    """
    nonce = os.urandom(NONCE_BYTES)
    return Locked(nonce, AESGCM(key).encrypt(nonce, salted, _bound(entry, name)))


def unlock(key: bytes, locked: Locked, *, entry: str, name: str, digest: str) -> bytes:
    """Decrypt stored text and check it against the digest that the chain holds.

    Parameters
    ----------
    key : bytes
    locked : Locked
    entry, name
        As with `lock`.
    digest : str
        Of the salted text, as the chain has it.

    Returns
    -------
    bytes
        The text, without its salt.

    Raises
    ------
    Broken
        If it does not fit.
    """
    try:
        salted = AESGCM(key).decrypt(locked.nonce, locked.content, _bound(entry, name))
    except (InvalidTag, ValueError):  # a nonce of another length is a ValueError
        raise Broken("stored text does not fit its key") from None
    if hashlib.sha256(salted).hexdigest() != digest:
        raise Broken("stored text does not fit its digest in the chain")
    return salted[SALT_BYTES:]


def _bound(entry: str, name: str) -> bytes:
    return f"{entry} {name}".encode()
