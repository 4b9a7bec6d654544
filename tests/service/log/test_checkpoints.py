"""What a checkpoint is, how it is kept, and what it shows of a log that was changed."""

from __future__ import annotations

import stat
from pathlib import Path

import apsw
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_service import log_verifier
from model_service.service.log import Draft, checkpoint, verify
from model_service.service.log.checkpoint import (
    Checkpoint,
    CheckpointError,
    Kept,
    gather,
    latest,
    name_of,
    of_size,
    parse,
    sign,
)
from model_service.service.log.store import Store, prepare
from tests.faults.attacks import (
    KEY,
    PUBLIC,
    STRANGER,
    Rows,
    checkpoints_of,
    kept_in,
    make_log,
)

ENTRIES = 30


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return make_log(tmp_path, entries=ENTRIES, every=10)


def a_checkpoint(size: int = 3) -> Checkpoint:
    digests = [f"{number:064x}" for number in range(size)]
    return sign(
        KEY,
        size=size,
        root="ab" * 32,
        head=digests[-1],
        digests=digests,
        time="2026-11-24T12:00:00.000Z",
    )


def test_it_is_one_line_of_canonical_json_that_is_read_back() -> None:
    made = a_checkpoint()
    content = made.content()
    assert content == orjson.dumps(orjson.loads(content), option=orjson.OPT_SORT_KEYS) + b"\n"
    assert parse(content) == made
    assert made.marks_by_entry() == {1: "00000000", 2: "00000000", 3: "00000000"}
    assert made.key == PUBLIC


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_no_byte_of_it_can_be_changed(place: int, change: int) -> None:
    content = bytearray(a_checkpoint().content())
    content[place % len(content)] ^= change
    with pytest.raises(CheckpointError):
        parse(bytes(content))
    with pytest.raises(log_verifier.Bad):
        log_verifier.read_checkpoint(bytes(content), {bytes.fromhex(PUBLIC)})


@pytest.mark.parametrize(
    "change",
    [
        {"size": 0},
        {"size": True},
        {"size": 3.0},
        {"size": 2**63},
        {"size": "3"},
        {"marks": "0000"},
        {"marks": "00000000" * 4},
        {"head": "AB" * 32},
        {"time": "yesterday"},
        {"format": "another"},
        {"more": "fields"},
    ],
)
def test_a_signature_does_not_make_a_checkpoint(change: dict[str, object]) -> None:
    fields = {**orjson.loads(a_checkpoint().content()), **change}
    del fields["signature"]
    signed = orjson.dumps(fields, option=orjson.OPT_SORT_KEYS)
    fields["signature"] = KEY.sign(signed).hex()
    content = orjson.dumps(fields, option=orjson.OPT_SORT_KEYS) + b"\n"
    with pytest.raises(CheckpointError, match="is no checkpoint"):
        parse(content)
    with pytest.raises(log_verifier.Bad, match="is no checkpoint"):
        log_verifier.read_checkpoint(content, {bytes.fromhex(PUBLIC)})


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"null", b"\xff", b"{" * 70_000])
def test_what_is_no_checkpoint_is_refused(content: bytes) -> None:
    with pytest.raises(CheckpointError, match="is no checkpoint"):
        parse(content)
    with pytest.raises(log_verifier.Bad, match="is no checkpoint"):
        log_verifier.read_checkpoint(content, {bytes.fromhex(PUBLIC)})


def test_a_file_is_written_once_and_never_again(tmp_path: Path) -> None:
    folder, made = tmp_path / "kept", a_checkpoint()
    assert checkpoint.write(folder, made)
    file = folder / name_of(made.size)
    assert stat.S_IMODE(file.stat().st_mode) & 0o222 == 0
    other = sign(STRANGER, size=3, root="cd" * 32, head="ef" * 32, digests=[], time=made.time)
    assert not checkpoint.write(folder, other)
    assert file.read_bytes() == made.content()
    assert latest(folder) == of_size(folder, 3) == made
    assert of_size(folder, 4) is None


def test_nothing_is_left_of_a_file_that_could_not_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(28, "no space")

    monkeypatch.setattr(checkpoint.os, "fsync", full)
    with pytest.raises(OSError, match="no space"):
        checkpoint.write(tmp_path, a_checkpoint())
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_gathered_without_what_is_no_checkpoint_of_ours(tmp_path: Path) -> None:
    checkpoint.write(tmp_path, a_checkpoint(20))
    checkpoint.write(tmp_path, a_checkpoint(3))
    (tmp_path / name_of(21)).write_bytes(b"")  # a crash left it
    (tmp_path / "notes.json").write_bytes(b"{}")
    kept = gather([tmp_path], {PUBLIC})
    assert ([one.size for one in kept.checkpoints], kept.faults) == ([3, 20], ())
    assert latest(tmp_path) == a_checkpoint(20)
    distrusted = gather([tmp_path], {"00" * 32})
    assert distrusted.checkpoints == () and len(distrusted.faults) == 2
    (tmp_path / name_of(22)).write_bytes(b"{}")
    assert gather([tmp_path], {PUBLIC}).faults == ("checkpoint 000000000022.json is no checkpoint",)
    with pytest.raises(CheckpointError, match="000000000022.json is no checkpoint"):
        latest(tmp_path)
    with pytest.raises(CheckpointError, match="can't be read"):
        gather([tmp_path / "nothing.json"], {PUBLIC})


def test_a_log_that_grew_fits_its_checkpoints(path: Path) -> None:
    kept = kept_in(path.parent)
    store = Store(path)
    store.write([prepare(Draft("outcome", "desk", {}))])
    store.close()
    found = verify(path, kept=kept)
    assert found.whole
    assert (found.entries, found.covered) == (ENTRIES + 1, ENTRIES)


def test_what_comes_after_the_last_checkpoint_is_not_vouched_for(path: Path) -> None:
    kept = Kept(kept_in(path.parent).checkpoints[:2])
    rows = Rows.read(path)
    rows.keep(lambda seq: seq <= 25)
    rows.write(path)
    found = verify(path, kept=kept)
    assert (found.whole, found.entries, found.covered) == (True, 25, 20)


def test_without_marks_the_entries_it_may_be_are_named(path: Path) -> None:
    digests = [row[-1] for row in Rows.read(path).entries]
    unmarked = []
    for one in checkpoints_of(path, 10, KEY):
        made = sign(KEY, size=one.size, root=one.root, head=one.head, digests=[], time=one.time)
        unmarked.append(made)
    rows = Rows.read(path)
    rows.entries[13] = (*rows.entries[13][:6], "somebody else", *rows.entries[13][7:])
    rows.recompute(14)
    rows.write(path)
    found = verify(path, kept=Kept(tuple(unmarked)))
    assert (found.entries, found.head) == (10, (10, digests[9]))
    fault = found.fault
    assert fault is not None and (fault.seq, fault.until) == (11, 20)
    assert fault.words() == "one of the entries 11 to 20: not what was checkpointed"
    stated = [log_verifier.Stated(one.size, one.root, one.head, [], one.time) for one in unmarked]
    with pytest.raises(log_verifier.Bad) as bad:
        log_verifier.verify(path, stated)
    assert (bad.value.first, bad.value.last) == (11, 20)
    assert digests[12] == Rows.read(path).entries[12][-1]


def test_a_guard_that_is_gone_is_told(path: Path) -> None:
    connection = apsw.Connection(str(path))
    connection.execute("DROP TRIGGER entries_no_update")
    connection.close()
    found = verify(path)
    assert found.fault is None and not found.whole
    assert found.beside == ("the trigger entries_no_update is not as it should be",)


def test_an_index_that_leaves_entries_out_is_told(path: Path) -> None:
    connection = apsw.Connection(str(path))
    connection.execute("PRAGMA writable_schema = on")
    (made,) = connection.execute(
        "SELECT sql FROM sqlite_schema WHERE name = 'entries_call'"
    ).fetchone()
    hiding = made.replace("call_id IS NOT NULL", "call_id <> 'C-6'")
    connection.execute("DROP INDEX entries_call")
    connection.execute(hiding)
    connection.execute("UPDATE sqlite_schema SET sql = ? WHERE name = 'entries_call'", (made,))
    connection.close()
    found = verify(path)
    assert found.fault is None
    assert found.beside == ("the file is damaged: copy the entries into another one",)
