"""The tree against the RFC's own definition and Certificate Transparency's test vectors."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_service.service.log.merkle import BLOCK, EMPTY, Range, Tree, consistent, includes

KNOWN_LEAVES = [
    bytes.fromhex(leaf)
    for leaf in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
KNOWN_ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
"""Of the first 1, 2, … leaves: the test data of Certificate Transparency's reference server."""


def leaves(count: int) -> list[bytes]:
    return [hashlib.sha256(b"%d" % number).digest() for number in range(count)]


def tree_of(data: Sequence[bytes]) -> Tree:
    return Tree(lambda start, end: data[start:end])


def root_by_definition(data: Sequence[bytes]) -> bytes:
    """MTH of RFC 9162, 2.1.1, word for word."""
    if not data:
        return hashlib.sha256().digest()
    if len(data) == 1:
        return hashlib.sha256(b"\x00" + data[0]).digest()
    k = 1
    while 2 * k < len(data):
        k *= 2
    halves = root_by_definition(data[:k]) + root_by_definition(data[k:])
    return hashlib.sha256(b"\x01" + halves).digest()


def test_roots_are_those_of_the_reference() -> None:
    running = Range()
    assert running.root() == EMPTY == tree_of([]).root(0) == hashlib.sha256().digest()
    for count, expected in enumerate(KNOWN_ROOTS, 1):
        running.append(KNOWN_LEAVES[count - 1])
        assert running.root().hex() == expected
        assert tree_of(KNOWN_LEAVES).root(count).hex() == expected


@pytest.mark.parametrize("count", [1, 2, 3, 7, 8, 9, 255, 256, 257, 511, 512, 513, 1000, 1793])
def test_a_range_and_a_tree_have_the_root_of_the_definition(count: int) -> None:
    data, running = leaves(count), Range()
    for leaf in data:
        running.append(leaf)
    assert running.size == count
    assert running.root() == tree_of(data).root(count) == root_by_definition(data)


@given(st.data())
def test_every_leaf_is_proved_and_nothing_else(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 3 * BLOCK))
    index = data.draw(st.integers(0, size - 1))
    made = leaves(size)
    tree = tree_of(made)
    path, root = tree.inclusion(index, size), tree.root(size)
    assert includes(index, size, made[index], path, root)
    assert not includes(index, size, b"another leaf", path, root)
    assert not includes(index, size, made[index], [*path, EMPTY], root)
    assert not includes(index, size, made[index], path, EMPTY)
    assert not includes(size, size, made[index], path, root)
    if path:
        other = data.draw(st.integers(0, len(path) - 1))
        assert not includes(index, size, made[index], path[:-1], root)
        assert not includes(
            index, size, made[index], [*path[:other], EMPTY, *path[other + 1 :]], root
        )
        moved = data.draw(st.integers(0, size - 1).filter(lambda n: n != index))
        assert not includes(moved, size, made[index], path, root)


@given(st.data())
def test_growth_is_proved_and_nothing_else(data: st.DataObject) -> None:
    new = data.draw(st.integers(1, 3 * BLOCK))
    old = data.draw(st.integers(1, new))
    made = leaves(new)
    tree = tree_of(made)
    path, before, after = tree.consistency(old, new), tree.root(old), tree.root(new)
    assert consistent(old, before, new, after, path)
    assert not consistent(old, EMPTY, new, after, path)
    assert not consistent(old, before, new, EMPTY, path)
    assert not consistent(old, before, new, after, [*path, EMPTY])
    assert not consistent(0, EMPTY, new, after, path)
    assert not consistent(new + 1, before, new, after, path)
    if path:
        assert not consistent(old, before, new, after, path[:-1])
        place = data.draw(st.integers(0, len(path) - 1))
        changed = [*path[:place], EMPTY, *path[place + 1 :]]
        assert not consistent(old, before, new, after, changed)
    rewritten = [*made[: old - 1], b"another", *made[old:]]
    other = tree_of(rewritten)
    assert not consistent(old, before, new, other.root(new), other.consistency(old, new))


def test_proofs_of_what_is_not_there_are_refused() -> None:
    tree = tree_of(leaves(5))
    for index, size in ((5, 5), (-1, 5), (0, 0)):
        with pytest.raises(ValueError):
            tree.inclusion(index, size)
    for old, new in ((0, 5), (6, 5)):
        with pytest.raises(ValueError):
            tree.consistency(old, new)
    with pytest.raises(ValueError, match="no leaves"):
        tree.root(6)


def test_what_was_read_is_not_read_again() -> None:
    data, asked = leaves(20 * BLOCK + 10), []

    def read(start: int, end: int) -> list[bytes]:
        asked.append((start, end))
        return data[start:end]

    tree = Tree(read)
    tree.root(20 * BLOCK)
    asked.clear()
    tree.root(20 * BLOCK + 10)
    assert asked == [(20 * BLOCK, 20 * BLOCK + 10)]
