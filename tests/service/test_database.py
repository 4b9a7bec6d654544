"""The faults that SQLite's versions are known for are kept out."""

from __future__ import annotations

from pathlib import Path

import apsw
import pytest
from click.testing import CliRunner

from model_service.service.accounts import Accounts
from model_service.service.app import create_app
from model_service.service.database import UnsafeSQLite, check_sqlite, connect
from model_service.service.log.store import Store
from tests.builders import make_settings
from training.cli import cli


@pytest.mark.parametrize("version", ["3.51.3", "3.51.10", "3.54.0", "4.0"])
def test_versions_past_the_fault_are_taken(version: str) -> None:
    check_sqlite(version)


@pytest.mark.parametrize("version", ["3.51.2", "3.50.9", "3.40.1", "3.7.0"])
def test_versions_that_can_lose_a_commit_at_the_reset_of_the_wal_are_refused(version: str) -> None:
    with pytest.raises(UnsafeSQLite, match=f"{version} can lose what was committed: install apsw"):
        check_sqlite(version)


def test_the_library_at_hand_is_past_the_fault() -> None:
    check_sqlite()


def test_nothing_is_opened_for_writing_with_such_a_library(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apsw, "sqlite_lib_version", lambda: "3.51.2")
    with pytest.raises(UnsafeSQLite):
        create_app(make_settings(tmp_path))
    with pytest.raises(UnsafeSQLite):
        Store(tmp_path / "log.db").probe()
    with pytest.raises(UnsafeSQLite):
        Accounts(tmp_path / "accounts.db").users()
    result = CliRunner().invoke(cli, ["users", "list", "--home", str(tmp_path)])
    assert isinstance(result.exception, UnsafeSQLite)
    assert not list(tmp_path.iterdir())


def test_a_connection_has_every_setting_that_makes_a_commit_last(tmp_path: Path) -> None:
    connection = connect(tmp_path / "a.db", busy_timeout_ms=250, create=True)
    wanted = {
        "journal_mode": "wal",
        "synchronous": 2,
        "fullfsync": 1,
        "foreign_keys": 1,
        "recursive_triggers": 1,  # or REPLACE deletes rows behind the guards' backs
        "trusted_schema": 0,
        "busy_timeout": 250,
    }
    assert {name: connection.pragma(name) for name in wanted} == wanted
    connection.close()


def test_many_connections_and_many_resets_of_the_wal_lose_nothing(tmp_path: Path) -> None:
    """Each writer restarts the WAL from its beginning while the others hold it open."""
    path = tmp_path / "a.db"
    writers = [connect(path, busy_timeout_ms=1000, create=True) for _ in range(3)]
    writers[0].execute("CREATE TABLE t (n INTEGER PRIMARY KEY)")
    for number in range(150):
        writer = writers[number % 3]
        writer.execute("INSERT INTO t VALUES (?)", (number,))
        writers[(number + 1) % 3].execute("PRAGMA wal_checkpoint(RESTART)").fetchall()
    assert writers[1].execute("SELECT count(*) FROM t").get == 150
    assert writers[2].pragma("integrity_check") == "ok"
    for writer in writers:
        writer.close()
