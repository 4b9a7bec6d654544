"""Proofs for somebody who holds only checkpoints: that an entry is in the log, that it only grew.

A proof is a JSON object. Of an entry:

    format  "crisiscall-inclusion-1"
    entry   the canonical JSON of the entry, as text: its digest is the SHA-256 of these bytes
    seq     its number, from 1
    size    of the checkpoint
    path    hashes in hex (RFC 9162, 2.1.3)

Of two checkpoints:

    format  "crisiscall-consistency-1"
    from    size of the earlier one
    to      size of the later one
    path    hashes in hex (RFC 9162, 2.1.4)
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import orjson

from data.errors import InputError
from model_service.service.log.checkpoint import Checkpoint
from model_service.service.log.entry import Entry, content
from model_service.service.log.merkle import Tree, consistent, includes
from model_service.service.log.reading import Reader

INCLUSION = "crisiscall-inclusion-1"
CONSISTENCY = "crisiscall-consistency-1"
HASH_DIGITS = 64


class ProofError(InputError):
    """A proof that proves nothing."""


def tree_over(read: Reader) -> Tree:
    """Make the tree over a log's entries; it reads what it needs."""
    return Tree(lambda start, end: read.digests(after=start, limit=end - start))


def prove_entry(tree: Tree, entry: Entry, size: int) -> dict[str, Any]:
    """Prove that an entry is among the first `size`.

    Raises
    ------
    ValueError
        If it is not.
    """
    return {
        "format": INCLUSION,
        "entry": content(entry).decode(),
        "seq": entry.seq,
        "size": size,
        "path": [node.hex() for node in tree.inclusion(entry.seq - 1, size)],
    }


def prove_growth(tree: Tree, old: int, new: int) -> dict[str, Any]:
    """Prove that the log of `new` entries begins with what it was with `old`.

    Raises
    ------
    ValueError
        If `old` is not from 1 to `new`.
    """
    path = [node.hex() for node in tree.consistency(old, new)]
    return {"format": CONSISTENCY, "from": old, "to": new, "path": path}


def check(document: bytes, checkpoints: Sequence[Checkpoint]) -> str:
    """Check a proof against checkpoints that somebody kept.

    Parameters
    ----------
    document : bytes
        The proof.
    checkpoints : sequence of Checkpoint
        Signed by somebody who is trusted.

    Returns
    -------
    str
        What is proved.

    Raises
    ------
    ProofError
        If nothing is.
    """
    try:
        proof = orjson.loads(document)
        path = [_hash(node) for node in proof["path"]]
        if proof["format"] == INCLUSION:
            return _check_entry(proof, path, checkpoints)
        if proof["format"] == CONSISTENCY:
            return _check_growth(proof, path, checkpoints)
    except ProofError:
        raise
    except (ValueError, TypeError, KeyError, AttributeError):
        pass
    raise ProofError("this is no proof")


def _check_entry(
    proof: dict[str, Any], path: Sequence[bytes], checkpoints: Sequence[Checkpoint]
) -> str:
    seq, size, entry = int(proof["seq"]), int(proof["size"]), proof["entry"].encode()
    if orjson.loads(entry)["seq"] != seq:
        raise ProofError("the entry has another number than the proof says")
    made = hashlib.sha256(entry)
    for one in _of_size(size, checkpoints):
        if not includes(seq - 1, size, made.digest(), path, bytes.fromhex(one.root)):
            raise ProofError(f"entry {seq} is not proved to be in the log of {size} entries")
    return f"entry {seq}:{made.hexdigest()} is in the log of {size} entries"


def _check_growth(
    proof: dict[str, Any], path: Sequence[bytes], checkpoints: Sequence[Checkpoint]
) -> str:
    old, new = int(proof["from"]), int(proof["to"])
    for before in _of_size(old, checkpoints):
        for after in _of_size(new, checkpoints):
            roots = bytes.fromhex(before.root), bytes.fromhex(after.root)
            if not consistent(old, roots[0], new, roots[1], path):
                raise ProofError(
                    f"the log of {new} entries is not proved to have grown out of that of {old}"
                )
    return f"the log of {new} entries begins with the {old} that it had before"


def _of_size(size: int, checkpoints: Sequence[Checkpoint]) -> list[Checkpoint]:
    found = [one for one in checkpoints if one.size == size]
    if not found:
        raise ProofError(f"the proof needs the checkpoint of {size} entries, which is not given")
    return found


def _hash(text: str) -> bytes:
    if len(text) != HASH_DIGITS:
        raise ValueError("not a hash")
    return bytes.fromhex(text)
