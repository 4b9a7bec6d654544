"""A Merkle tree over the entries' digests, as RFC 9162 has it (its hashing is that of RFC 6962).

A leaf is `SHA-256(0x00 ‖ data)`, a node `SHA-256(0x01 ‖ left ‖ right)`, and the tree over no leaves
`SHA-256("")`; the left part of n leaves is the largest power of two below n. The data of a leaf is
the digest of an entry, as 32 bytes. Only bytes and numbers come in here; nothing is read.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

EMPTY = hashlib.sha256(b"").digest()

BLOCK = 256
"""Leaves of the smallest part whose hash a `Tree` keeps: a power of two."""


def leaf_hash(data: bytes) -> bytes:
    """Hash a leaf."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash two parts into one."""
    return hashlib.sha256(b"\x01" + left + right).digest()


class Range:
    """The root over leaves that come one by one: a compact range, log2(n) hashes for n leaves.

    Attributes
    ----------
    size : int
        Leaves so far.
    """

    __slots__ = ("_peaks", "size")

    def __init__(self) -> None:
        self.size = 0
        self._peaks: list[bytes] = []  # of the perfect parts, the largest first

    def append(self, data: bytes) -> None:
        """Put a leaf at the end."""
        node, size = hashlib.sha256(b"\x00" + data).digest(), self.size
        while size & 1:
            node = hashlib.sha256(b"\x01" + self._peaks.pop() + node).digest()
            size >>= 1
        self._peaks.append(node)
        self.size += 1

    def root(self) -> bytes:
        """Tell the root over the leaves so far."""
        if not self._peaks:
            return EMPTY
        *others, node = self._peaks
        for peak in reversed(others):
            node = node_hash(peak, node)
        return node


def _split(size: int) -> int:
    """Tell how many of `size` leaves, at least 2, are in the left part."""
    return int(1 << (size - 1).bit_length() - 1)


class Tree:
    """Roots and proofs over leaves that are kept elsewhere and never change.

    Hashes of whole blocks are kept, so that what was read once is not read again but for the ends:
    about 250 bytes for each `BLOCK` leaves.

    Parameters
    ----------
    read : callable
        Gives the data of the leaves from the first number up to, not with, the second one; they
        are numbered from 0.
    """

    def __init__(self, read: Callable[[int, int], Sequence[bytes]]) -> None:
        self._read = read
        self._kept: dict[tuple[int, int], bytes] = {}

    def root(self, size: int) -> bytes:
        """Tell the root over the first `size` leaves."""
        return self.part(0, size)

    def part(self, start: int, end: int) -> bytes:
        """Hash the leaves from `start` up to `end`: a part that a tree splits into."""
        kept = self._kept.get((start, end))
        if kept is not None:
            return kept
        size = end - start
        if size <= BLOCK:
            small = Range()
            for data in self._read(start, end):
                small.append(data)
            if small.size != size:
                raise ValueError(f"there are no leaves from {start} up to {end}")
            node = small.root()
        else:
            middle = start + _split(size)
            node = node_hash(self.part(start, middle), self.part(middle, end))
        if size >= BLOCK and size & (size - 1) == 0:
            self._kept[start, end] = node
        return node

    def inclusion(self, index: int, size: int) -> list[bytes]:
        """Prove that a leaf is among the first `size` (RFC 9162, 2.1.3.1).

        Raises
        ------
        ValueError
            If it is not.
        """
        if not 0 <= index < size:
            raise ValueError(f"leaf {index} is not among {size}")
        path, start, end = [], 0, size
        while end - start > 1:
            middle = start + _split(end - start)
            if index < middle:
                path.append(self.part(middle, end))
                end = middle
            else:
                path.append(self.part(start, middle))
                start = middle
        return path[::-1]

    def consistency(self, old: int, new: int) -> list[bytes]:
        """Prove that the first `old` of `new` leaves are as they were (RFC 9162, 2.1.4.1).

        Raises
        ------
        ValueError
            If `old` is not from 1 to `new`.
        """
        if not 0 < old <= new:
            raise ValueError(f"no tree of {new} leaves grew out of one of {old}")
        path, start, end = [], 0, new
        while old != end:
            middle = start + _split(end - start)
            if old <= middle:
                path.append(self.part(middle, end))
                end = middle
            else:
                path.append(self.part(start, middle))
                start = middle
        if start:  # otherwise it is the old root itself, which whoever checks has
            path.append(self.part(start, end))
        return path[::-1]


def includes(index: int, size: int, data: bytes, path: Sequence[bytes], root: bytes) -> bool:
    """Check a proof that a leaf is in a tree (RFC 9162, 2.1.3.2).

    Parameters
    ----------
    index, size : int
        The leaf's number, from 0, and how many leaves there are.
    data : bytes
        Of the leaf.
    path : sequence of bytes
    root : bytes
    """
    if not 0 <= index < size:
        return False
    place, last, node = index, size - 1, leaf_hash(data)
    for other in path:
        if last == 0:
            return False
        if place & 1 or place == last:
            node = node_hash(other, node)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            node = node_hash(node, other)
        place, last = place >> 1, last >> 1
    return last == 0 and node == root


def consistent(old: int, old_root: bytes, new: int, new_root: bytes, path: Sequence[bytes]) -> bool:
    """Check a proof that a tree grew out of another one (RFC 9162, 2.1.4.2).

    Parameters
    ----------
    old, new : int
        How many leaves they have.
    old_root, new_root : bytes
    path : sequence of bytes
    """
    if not 0 < old <= new:
        return False
    if old == new:
        return not path and old_root == new_root
    whole = old & (old - 1) == 0  # then the old tree is a part of the new one
    nodes = [old_root, *path] if whole else list(path)
    if not nodes:
        return False
    place, last = old - 1, new - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    made_old = made_new = nodes[0]
    for other in nodes[1:]:
        if last == 0:
            return False
        if place & 1 or place == last:
            made_old, made_new = node_hash(other, made_old), node_hash(other, made_new)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            made_new = node_hash(made_new, other)
        place, last = place >> 1, last >> 1
    return last == 0 and made_old == old_root and made_new == new_root
