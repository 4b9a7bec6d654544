"""Records of what was put in force: signed, in order, and none can be left out or changed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, seed, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from model_service.model.promotion import (
    PROMOTIONS,
    Gate,
    Promotion,
    last_promotion,
    promotions,
    record_promotion,
)
from model_service.model.release import ReleaseError
from tests.builders import KEY, PUBLIC_KEY

FIRST, SECOND = "a" * 64, "b" * 64
PASSED = Gate(name="quality", passed=True, figure="+0.01", limit="at least 0")
SHORT = Gate(name="shadow", passed=None, figure="not measured", limit="14 days")


def put(store: Path, release: str, before: str | None, **more: object) -> Promotion:
    words: dict[str, object] = {"kind": "promotion", "by": "ana", "reason": "why not", "key": KEY}
    return record_promotion(store, release=release, before=before, **{**words, **more})  # type: ignore[arg-type]


@pytest.fixture
def store(tmp_path: Path) -> Path:
    put(tmp_path, FIRST, None)
    put(tmp_path, SECOND, FIRST, gates=(PASSED, SHORT))
    put(tmp_path, FIRST, SECOND, kind="rollback", reason="missed a risk")
    return tmp_path


def test_records_are_read_back_in_order(store: Path) -> None:
    first, second, third = promotions(store, trusted=[PUBLIC_KEY])
    assert [one.release for one in (first, second, third)] == [FIRST, SECOND, FIRST]
    assert second.gates == (PASSED, SHORT)
    assert second.overridden == ("shadow",), "what could not be measured was not passed"
    assert last_promotion(store, trusted=[PUBLIC_KEY]) == third
    assert third.kind == "rollback"


def test_without_a_record_there_is_none(tmp_path: Path) -> None:
    assert promotions(tmp_path) == []
    assert last_promotion(tmp_path) is None


def test_another_s_signature_is_not_trusted(store: Path) -> None:
    stranger = Ed25519PrivateKey.generate()
    put(store, SECOND, FIRST, key=stranger)
    assert len(promotions(store)) == 4
    with pytest.raises(ReleaseError, match="not among the trusted"):
        promotions(store, trusted=[PUBLIC_KEY])
    with pytest.raises(ReleaseError, match="not among the trusted"):
        last_promotion(store, trusted=[PUBLIC_KEY])


@pytest.mark.parametrize("number", [1, 2])
def test_a_record_that_is_left_out_is_missed(store: Path, number: int) -> None:
    (store / PROMOTIONS / f"{number:06d}.json").unlink()
    with pytest.raises(ReleaseError, match=r"missing or was changed"):
        promotions(store)


@seed(0)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_no_byte_of_a_record_can_be_changed(data: st.DataObject, tmp_path_factory) -> None:  # type: ignore[no-untyped-def]
    store = tmp_path_factory.mktemp("store")
    put(store, FIRST, None)
    put(store, SECOND, FIRST, gates=(PASSED, SHORT))
    path = store / PROMOTIONS / data.draw(st.sampled_from(["000001.json", "000002.json"]))
    content = bytearray(path.read_bytes())
    at = data.draw(st.integers(0, len(content) - 1))
    content[at] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(content)
    with pytest.raises(ReleaseError):
        promotions(store, trusted=[PUBLIC_KEY])


def test_a_record_says_who_and_why(tmp_path: Path) -> None:
    for missing in ("by", "reason"):
        with pytest.raises(ValidationError):
            put(tmp_path, FIRST, None, **{missing: ""})
    assert promotions(tmp_path) == []


def test_what_is_no_record_is_refused_in_a_line(store: Path) -> None:
    path = store / PROMOTIONS / "000003.json"
    for content in (b"", b"{}", b"[" * 100_000, json.dumps({"promotion": 1}).encode()):
        path.write_bytes(content)
        with pytest.raises(ReleaseError, match="damaged"):
            promotions(store)
