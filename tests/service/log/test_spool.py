"""What is kept beside the log is on disk, in order, once, and read by nobody without keys."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from model_service.service.log import LogUnavailable
from model_service.service.log.keys import MasterKeys
from model_service.service.log.spool import RESERVED, Spool

SAID = b"the heron waits by the weir"


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return spool_at(tmp_path)


def spool_at(folder: Path) -> Spool:
    made = Spool(folder / "spool" / "kept", MasterKeys(folder / "keys" / "log.key"))
    made.reserve()
    return made


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(records=st.lists(st.binary(max_size=3000), max_size=8))
def test_what_is_kept_comes_out_in_order_until_it_is_cleared(
    tmp_path: Path, records: list[bytes]
) -> None:
    for record in records:
        spool_at(tmp_path).keep(record)
    spool = spool_at(tmp_path)
    seen = spool.read()
    assert (seen.records, seen.damaged) == (records, 0)
    assert spool.clear(seen)
    assert spool.read().records == []
    assert not spool.path.read_bytes().strip(b"\0")  # nothing of it stays in the file


def test_it_is_encrypted_and_its_owners_alone(spool: Spool) -> None:
    spool.keep(SAID)
    assert SAID not in spool.path.read_bytes()
    assert stat.S_IMODE(spool.path.stat().st_mode) == 0o600


def test_it_is_synced_before_it_is_acknowledged(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced = []
    monkeypatch.setattr(os, "fsync", lambda file: synced.append(os.pread(file, 200, 0)))
    spool.keep(SAID)
    assert synced[-1].strip(b"\0").endswith(b"\n")


def test_what_was_added_since_is_not_cleared(spool: Spool) -> None:
    spool.keep(b"one")
    seen = spool.read()
    spool.keep(b"two")
    assert not spool.clear(seen)
    assert spool.read().records == [b"one", b"two"]
    assert spool.clear(spool.read())


def test_there_is_room_for_many_and_it_grows(spool: Spool) -> None:
    assert spool.path.stat().st_size == RESERVED
    large = os.urandom(RESERVED // 2)
    for _ in range(3):
        spool.keep(large)
    assert spool.path.stat().st_size > RESERVED
    assert spool.read().records == [large] * 3


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_crash_amid_writing_loses_nothing_that_was_acknowledged(
    tmp_path: Path, data: st.DataObject
) -> None:
    """Of a line that was not synced, any of its sectors may be there."""
    spool = spool_at(tmp_path)
    assert spool.clear(spool.read())
    spool.keep(b"first")
    before = spool.path.read_bytes()
    spool.keep(bytes(2000))
    after = bytearray(spool.path.read_bytes())
    for start in range(0, 4096, 512):
        if data.draw(st.booleans()):
            after[start : start + 512] = before[start : start + 512]
    # The last line's newline did not make it, or else it is whole or damaged.
    spool.path.write_bytes(after)
    seen = spool_at(tmp_path).read()
    assert seen.records[0] == b"first"
    spool.keep(b"next")
    assert spool.read().records[-1] == b"next"


def test_nothing_half_written_stays_after_an_error(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool.keep(b"one")
    write = os.pwrite

    def full(file: int, content: bytes, at: int) -> int:
        if content.strip(b"\0"):
            write(file, content[:7], at)
            raise OSError(28, "No space left on device")
        return write(file, content, at)

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(LogUnavailable, match="no space"):
        spool.keep(b"two")
    monkeypatch.undo()
    assert spool.read().records == [b"one"]
    spool.keep(b"three")
    assert spool.read().records == [b"one", b"three"]


def test_a_line_that_was_changed_is_put_aside_and_holds_up_no_other(spool: Spool) -> None:
    for record in (b"one", b"two", b"three"):
        spool.keep(record)
    content = bytearray(spool.path.read_bytes())
    middle = content.index(b"\n") + 40
    content[middle] = ord("A") if content[middle] != ord("A") else ord("B")
    spool.path.write_bytes(content)
    seen = spool.read()
    assert (seen.records, seen.damaged) == ([b"one", b"three"], 1)
    assert spool.clear(seen)
    aside = spool.path.with_name("kept.damaged")
    assert aside.read_bytes() == seen.lines
    assert stat.S_IMODE(aside.stat().st_mode) == 0o600


def test_without_any_key_nothing_is_taken_for_damaged(spool: Spool, tmp_path: Path) -> None:
    spool.keep(SAID)
    key = tmp_path / "keys" / "log.key"
    content = key.read_bytes()
    key.unlink()
    with pytest.raises(LogUnavailable, match="key"):
        spool_without_reserving(tmp_path).read()
    key.write_bytes(content)
    assert spool.read().records == [SAID]


def spool_without_reserving(folder: Path) -> Spool:
    return Spool(folder / "spool" / "kept", MasterKeys(folder / "keys" / "log.key"))


def test_it_goes_on_keeping_where_the_key_can_no_longer_be_read(
    spool: Spool, tmp_path: Path
) -> None:
    (tmp_path / "keys" / "log.key").rename(tmp_path / "away")
    spool.keep(SAID)
    (tmp_path / "away").rename(tmp_path / "keys" / "log.key")
    assert spool.read().records == [SAID]


def test_where_nothing_can_be_kept_it_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    spool = Spool(tmp_path / "file" / "kept", MasterKeys(tmp_path / "log.key"))
    with pytest.raises(LogUnavailable, match="can't be kept beside the log"):
        spool.keep(SAID)
