"""Personal text under its key: what goes in comes out, and nothing else does."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_service.service.log.private import Broken, Locked, lock, seal, unlock

ENTRY = "a" * 64
keys = st.binary(min_size=32, max_size=32)
names = st.sampled_from(["call", "note", "outcome", "explanation"])


@given(st.binary(max_size=2000), keys, names)
def test_text_comes_back_as_it_was(text: bytes, key: bytes, name: str) -> None:
    sealed = seal(text)
    locked = lock(key, sealed.salted, entry=ENTRY, name=name)
    assert unlock(key, locked, entry=ENTRY, name=name, digest=sealed.digest) == text


@given(st.binary(min_size=8, max_size=200), keys)
def test_neither_text_nor_salt_is_in_what_is_stored(text: bytes, key: bytes) -> None:
    sealed = seal(text)
    locked = lock(key, sealed.salted, entry=ENTRY, name="call")
    stored = locked.nonce + locked.content
    assert text not in stored and sealed.salted[:16] not in stored


@given(st.binary(max_size=200), keys, st.data())
def test_any_change_is_found(text: bytes, key: bytes, data: st.DataObject) -> None:
    sealed = seal(text)
    locked = lock(key, sealed.salted, entry=ENTRY, name="call")
    stored = bytearray(locked.nonce + locked.content)
    at = data.draw(st.integers(0, len(stored) * 8 - 1))
    stored[at // 8] ^= 1 << at % 8
    with pytest.raises(Broken):
        changed = Locked(bytes(stored[:12]), bytes(stored[12:]))
        unlock(key, changed, entry=ENTRY, name="call", digest=sealed.digest)


@pytest.mark.parametrize(
    "other",
    [
        {"entry": "b" * 64},
        {"name": "note"},
        {"digest": seal(b"words").digest},
        {"key": os.urandom(32)},
        {"key": b""},
    ],
)
def test_text_is_bound_to_its_key_entry_name_and_digest(other: dict[str, object]) -> None:
    key, sealed = os.urandom(32), seal(b"words")
    locked = lock(key, sealed.salted, entry=ENTRY, name="call")
    bound = {"key": key, "entry": ENTRY, "name": "call", "digest": sealed.digest}
    assert unlock(locked=locked, **bound) == b"words"  # type: ignore[arg-type]
    with pytest.raises(Broken):
        unlock(locked=locked, **{**bound, **other})  # type: ignore[arg-type]


def test_the_same_text_never_looks_the_same() -> None:
    one, two = seal(b"words"), seal(b"words")
    assert one.digest != two.digest
    key = os.urandom(32)
    stored = {lock(key, one.salted, entry=ENTRY, name="call") for _ in range(3)}
    assert len(stored) == 3
