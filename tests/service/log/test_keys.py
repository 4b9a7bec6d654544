"""Record keys: wrapped, apart, destroyed for good, and taken over by a new key of keys."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import apsw
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from model_service.service.log.keys import FileKeys, KeysUnavailable, MasterKeys, name_of
from model_service.service.settings import SettingsError, load_settings
from tests.builders import a_call
from tests.harness import Service, running
from training.cli import cli

ENTRY = "e" * 64


def keys_in(folder: Path, *given: str) -> FileKeys:
    return FileKeys(folder / "record-keys.db", MasterKeys(folder / "log.key", given))


def bytes_in(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.rglob("*") if file.is_file())


@settings(max_examples=20)
@given(st.dictionaries(st.integers(1, 2**40), st.binary(min_size=32, max_size=32), max_size=20))
def test_what_is_kept_is_found_by_another_process(
    tmp_path_factory: pytest.TempPathFactory, made: dict[int, bytes]
) -> None:
    folder = tmp_path_factory.mktemp("keys")
    one = keys_in(folder)
    one.put([(seq, ENTRY, key) for seq, key in made.items()])
    other = keys_in(folder)
    assert all(other.get(seq, ENTRY) == key for seq, key in made.items())
    assert other.get(2**41, ENTRY) is None
    assert all(other.get(seq, "f" * 64) is None for seq in made)
    one.close()
    other.close()


def test_no_file_holds_a_key_as_it_is(tmp_path: Path) -> None:
    key = os.urandom(32)
    keys = keys_in(tmp_path)
    keys.put([(1, ENTRY, key)])
    assert key not in bytes_in(tmp_path)
    assert key.hex().encode() not in bytes_in(tmp_path)
    keys.close()


def test_the_key_of_keys_is_made_once_and_is_its_owners_alone(tmp_path: Path) -> None:
    keys_in(tmp_path).put([(1, ENTRY, os.urandom(32))])
    file = tmp_path / "log.key"
    first = file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert len(first.strip()) == 64
    keys_in(tmp_path).put([(2, ENTRY, os.urandom(32))])
    assert file.read_text() == first


@pytest.mark.parametrize("content", [None, "", "zz" * 32, "ab" * 8, "ab" * 32])
def test_without_the_right_key_of_keys_nothing_is_read_or_written_over(
    tmp_path: Path, content: str | None
) -> None:
    keys_in(tmp_path).put([(1, ENTRY, os.urandom(32))])
    file = tmp_path / "log.key"
    file.unlink()
    if content is not None:
        file.write_text(content)
    keys = keys_in(tmp_path)
    for use in (lambda: keys.get(1, ENTRY), lambda: keys.put([(2, ENTRY, os.urandom(32))])):
        with pytest.raises(KeysUnavailable, match="put"):
            use()
    assert file.exists() == (content is not None)


def test_a_destroyed_key_is_in_no_file(tmp_path: Path) -> None:
    keys = keys_in(tmp_path)
    keys.put([(seq, ENTRY, os.urandom(32)) for seq in range(1, 50)])
    with keys._guarded() as connection:
        (wrapped,) = connection.execute("SELECT wrapped FROM keys WHERE seq = 7").fetchone()
    assert wrapped in bytes_in(tmp_path)
    assert keys.destroy([(7, ENTRY)])
    assert wrapped not in bytes_in(tmp_path)
    assert keys.get(7, ENTRY) is None and keys.get(8, ENTRY) is not None
    keys.close()


def test_a_key_that_was_moved_to_another_entry_opens_nothing(tmp_path: Path) -> None:
    keys = keys_in(tmp_path)
    keys.put([(1, ENTRY, os.urandom(32)), (2, ENTRY, os.urandom(32))])
    with keys._guarded() as connection:
        connection.execute(
            "UPDATE keys SET wrapped = (SELECT wrapped FROM keys WHERE seq = 1) WHERE seq = 2"
        )
    assert keys.get(2, ENTRY) == b""
    keys.close()


def test_a_new_key_of_keys_takes_all_over_while_another_process_writes(tmp_path: Path) -> None:
    kept = {seq: os.urandom(32) for seq in range(1, 2501)}
    service = keys_in(tmp_path)
    service.put([(seq, ENTRY, key) for seq, key in kept.items()])
    before = (tmp_path / "log.key").read_text().split()
    assert keys_in(tmp_path).rotate() == len(kept)
    after = (tmp_path / "log.key").read_text().split()
    assert len(after) == 1 and after != before
    service.put([(9999, ENTRY, kept[1])])  # it knew the old one alone
    assert all(service.get(seq, ENTRY) == key for seq, key in kept.items())
    fresh = keys_in(tmp_path)
    assert fresh.get(9999, ENTRY) == kept[1]
    with fresh._guarded() as connection:
        masters = connection.execute("SELECT DISTINCT master FROM keys").fetchall()
    assert masters == [(name_of(bytes.fromhex(after[0])),)]


@pytest.mark.parametrize("stops_after", [0, 1, 2])
def test_a_change_of_keys_that_is_stopped_can_be_run_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stops_after: int
) -> None:
    kept = {seq: os.urandom(32) for seq in range(1, 2501)}
    keys_in(tmp_path).put([(seq, ENTRY, key) for seq, key in kept.items()])
    rewrap, calls = FileKeys._rewrap, 0

    def stopping(self: FileKeys, newest: str) -> int:
        nonlocal calls
        calls += 1
        if calls > stops_after:
            raise KeyboardInterrupt
        return rewrap(self, newest)

    monkeypatch.setattr(FileKeys, "_rewrap", stopping)
    with pytest.raises(KeyboardInterrupt):
        keys_in(tmp_path).rotate()
    monkeypatch.undo()
    between = keys_in(tmp_path)
    between.put([(9999, ENTRY, kept[1])])
    assert all(between.get(seq, ENTRY) == key for seq, key in kept.items())
    keys_in(tmp_path).rotate()
    assert len((tmp_path / "log.key").read_text().split()) == 1
    after = keys_in(tmp_path)
    assert all(after.get(seq, ENTRY) == key for seq, key in (*kept.items(), (9999, kept[1])))


def test_a_backup_of_keys_is_worthless_after_a_change(tmp_path: Path) -> None:
    keys = keys_in(tmp_path)
    keys.put([(1, ENTRY, os.urandom(32))])
    keys.close()
    backup = tmp_path / "backup"
    backup.mkdir()
    (backup / "record-keys.db").write_bytes((tmp_path / "record-keys.db").read_bytes())
    keys.destroy([(1, ENTRY)])
    old = FileKeys(backup / "record-keys.db", MasterKeys(tmp_path / "log.key"))
    assert old.get(1, ENTRY)  # the backup brings it back …
    old.close()
    keys.rotate()
    with pytest.raises(KeysUnavailable):  # … until the key that it is wrapped under is gone
        FileKeys(backup / "record-keys.db", MasterKeys(tmp_path / "log.key")).get(1, ENTRY)


def test_keys_of_keys_come_from_the_environment(tmp_path: Path) -> None:
    old, new = "0a" * 32, "0b" * 32
    keys_in(tmp_path, old).put([(1, ENTRY, b"k" * 32)])
    both = keys_in(tmp_path, new, old)
    both.put([(2, ENTRY, b"l" * 32)])  # under the old one still
    assert keys_in(tmp_path, old).get(2, ENTRY) == b"l" * 32
    assert both.rotate() == 2
    assert keys_in(tmp_path, new).get(1, ENTRY) == b"k" * 32
    with pytest.raises(KeysUnavailable):
        keys_in(tmp_path, old).get(1, ENTRY)
    assert not (tmp_path / "log.key").exists()


@pytest.mark.parametrize("key", ["short", "AB" * 32, "ab" * 32 + ",", "ab" * 33])
def test_a_key_that_is_none_is_refused_and_not_repeated(
    monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    monkeypatch.setenv("CRISISCALL_KEY_ENCRYPTION_KEY", key)
    with pytest.raises(SettingsError) as refused:
        load_settings()
    assert "64 lower-case" in str(refused.value) and key not in str(refused.value)


def test_a_key_is_not_shown_with_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRISISCALL_KEY_ENCRYPTION_KEY", "ab" * 32)
    assert "ab" * 32 not in repr(load_settings())


def test_another_file_is_not_taken_for_keys(tmp_path: Path) -> None:
    connection = apsw.Connection(str(tmp_path / "record-keys.db"))
    connection.execute("CREATE TABLE keys (seq)")
    connection.close()
    with pytest.raises(KeysUnavailable, match="no such file"):
        keys_in(tmp_path).probe()


def test_keys_are_changed_while_the_service_runs(service: Service) -> None:
    home = service.settings.home
    first = service.assess(a_call(1)).json()
    result = CliRunner().invoke(cli, ["log", "rotate-key", "--home", str(home)])
    assert result.exit_code == 0, result.output
    assert "1 record keys" in result.output
    second = service.assess(a_call(2)).json()
    for answer in (first, second):
        record = service.get(f"/v1/assessments/{answer['assessment_id']}").json()
        assert record["call"]["narrative"] == a_call()["narrative"]


def test_without_its_keys_a_service_says_so(tmp_path: Path) -> None:
    with running(tmp_path) as service:
        service.assess(a_call(1))
        for file in tmp_path.glob("record-keys.db*"):
            file.unlink()
        assert service.assess(a_call(2)).status_code == 503
    (tmp_path / "accounts.db").unlink()
    with running(tmp_path) as service:
        assert service.assess(a_call(2)).status_code == 503
        assert "record keys" in str(service.log._store.failed)
        assert not (tmp_path / "record-keys.db").exists()
    with pytest.raises(Exception, match="there are no record keys"):
        CliRunner().invoke(
            cli, ["log", "rotate-key", "--home", str(tmp_path)], catch_exceptions=False
        )
