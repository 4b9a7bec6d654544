"""Record keys on a server: every host finds them, and none that lacks the key of keys."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from model_service.service.log import Draft, LogUnavailable, verify
from model_service.service.log.erasure import erasable, erase
from model_service.service.log.keys import KeysUnavailable, MasterKeys, RecordKeys
from model_service.service.log.migrate import MigrationError, migrate_keys
from model_service.service.log.place import open_store as store_of
from model_service.service.log.server_keys import ServerKeys
from model_service.service.log.session import Session
from model_service.service.log.store import prepare
from model_service.service.opening import open_store as open_settings
from model_service.service.postgres import PostgresURL
from model_service.service.settings import SettingsError
from tests.builders import a_call, make_settings
from tests.harness import running
from tests.stores import MASTER, ROLE, Server, environment, keys_of, open_store
from training.cli import cli

ENTRY = "e" * 64
OLD, NEW = "0a" * 32, "0b" * 32

Opening = Callable[..., ServerKeys]


@pytest.fixture
def url(postgres: Server) -> PostgresURL:
    """A database of keys with nothing in it yet, for the service's role."""
    made = postgres.database(template="template0")
    migrate_keys(postgres.owner(made), grant_to=ROLE, may_erase=True)
    return made


@pytest.fixture
def host(url: PostgresURL, tmp_path: Path) -> Iterator[Opening]:
    """Opens the keys as on a host with these keys of keys, or with a file of its own."""
    opened: list[ServerKeys] = []

    def opening(*given: str, file: str = "log.key", at: PostgresURL = url) -> ServerKeys:
        opened.append(ServerKeys(at, MasterKeys(tmp_path / file, given)))
        return opened[-1]

    yield opening
    for keys in opened:
        keys.close()


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(made=st.dictionaries(st.integers(1, 2**40), st.binary(min_size=32, max_size=32), max_size=9))
def test_what_one_host_keeps_every_other_finds(host: Opening, made: dict[int, bytes]) -> None:
    one, other = host(MASTER), host(MASTER)
    digest = os.urandom(32).hex()
    one.put([(seq, digest, key) for seq, key in made.items()])
    assert all(other.get(seq, digest) == key for seq, key in made.items())
    found = other.between(min(made, default=1), max(made, default=1))
    assert {place[0]: key for place, key in found.items() if place[1] == digest} == made
    assert other.get(2**41, digest) is None
    assert one.pepper() == other.pepper()
    other.destroy([(seq, digest) for seq in made])
    assert all(one.get(seq, digest) is None for seq in made)


def test_the_server_holds_no_key_as_it_is(host: Opening, url: PostgresURL) -> None:
    key = os.urandom(32)
    host(MASTER).put([(1, ENTRY, key)])
    with closing(Session(url, seconds=10)) as session:
        rows = session.execute("SELECT master, wrapped FROM keys").fetchall()
    assert len(rows) == 1 and key not in rows[0][1]


def test_a_host_without_the_same_key_of_keys_neither_writes_nor_reads(
    host: Opening, tmp_path: Path
) -> None:
    host().put([(1, ENTRY, os.urandom(32))])  # the first one makes its file
    for keys in (host(NEW), host(file="another.key")):
        for use in (
            keys.probe,
            lambda keys=keys: keys.get(1, ENTRY),
            lambda keys=keys: keys.put([(2, ENTRY, os.urandom(32))]),
        ):
            with pytest.raises(KeysUnavailable, match="put"):
                use()
    assert not (tmp_path / "another.key").exists()
    assert host().get(2, ENTRY) is None


def test_a_new_key_of_keys_is_given_to_every_host_first(
    host: Opening, url: PostgresURL, postgres: Server
) -> None:
    running_on = host(NEW, OLD)
    running_on.put([(1, ENTRY, b"k" * 32)])
    with closing(Session(postgres.owner(url), seconds=10)) as owner:
        owner.run("UPDATE master SET name = name")
    host(OLD, at=postgres.owner(url))
    with pytest.raises(KeysUnavailable, match="each, and run this again"):
        host(NEW, OLD, at=postgres.owner(url)).rotate()
    owners = host("0c" * 32, NEW, OLD, at=postgres.owner(url))
    assert owners.rotate() == 1
    with pytest.raises(KeysUnavailable, match="key-encryption key"):
        running_on.put([(2, ENTRY, b"l" * 32)])  # it was not given the new one
    assert host("0c" * 32).get(1, ENTRY) == b"k" * 32
    with pytest.raises(KeysUnavailable):
        host(NEW).get(1, ENTRY)


def test_no_key_is_wrapped_under_the_old_one_while_another_takes_over(
    host: Opening, url: PostgresURL, postgres: Server
) -> None:
    keys = host(NEW, OLD)
    keys.probe()
    owners = host("0c" * 32, NEW, OLD, at=postgres.owner(url))
    with keys._writing(), pytest.raises(KeysUnavailable, match="locked"):
        owners.rotate()
    assert owners.rotate() == 0


def test_the_services_role_changes_no_key(url: PostgresURL, host: Opening) -> None:
    host(MASTER).put([(1, ENTRY, b"k" * 32)])
    with closing(Session(url, seconds=10)) as role:
        for statement in ("UPDATE keys SET wrapped = ''", "UPDATE master SET name = 'x'"):
            with pytest.raises(Exception, match="the role may not"):
                role.run(statement)
    with pytest.raises(KeysUnavailable, match="the role may not"):
        host(NEW, MASTER).rotate()


def test_without_tables_or_with_newer_ones_it_is_said(
    postgres: Server, url: PostgresURL, host: Opening
) -> None:
    empty = postgres.database(template="template0")
    with pytest.raises(KeysUnavailable, match="run `crisiscall log migrate`"):
        host(MASTER, at=empty).probe()
    with closing(Session(postgres.owner(url), seconds=10)) as owner:
        owner.run("UPDATE keys_version SET number = 99")
    with pytest.raises(KeysUnavailable, match="newer: update this crisiscall"):
        host(MASTER).probe()
    with pytest.raises(MigrationError, match="newer: update this crisiscall"):
        migrate_keys(postgres.owner(url))


def test_keys_of_another_log_are_refused(postgres: Server, host: Opening) -> None:
    place = postgres.database()
    store = open_store(place)
    store.write([prepare(Draft("outcome", "desk", {}, "C-1", private={"x": b"words"}))])
    store.close()
    other = host(MASTER)
    other.put([(1, ENTRY, os.urandom(32))])
    with pytest.raises(LogUnavailable, match="record keys of the log are not there"):
        store_of(place, other).probe()


def test_without_the_servers_keys_nothing_is_written(postgres: Server, tmp_path: Path) -> None:
    place = postgres.database()
    nowhere = PostgresURL.parse(f"postgresql://u@/keys?host={tmp_path}")
    with running(tmp_path, log=place, record_keys=nowhere) as service:
        assert service.assess(a_call()).status_code == 503
        assert "the keys of the log can't be used" in str(service.log._store.failed)
    assert verify(place).entries == 1  # that a release came into force: no text, no key


def test_an_erasure_that_was_broken_off_is_finished_by_whoever_opens_the_log(
    postgres: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = postgres.database()
    store = open_store(place)
    (entry,) = store.write([prepare(Draft("outcome", "desk", {}, "C-1", private={"x": b"words"}))])

    def stops(*_: Any) -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr(RecordKeys, "destroy", stops)
    with pytest.raises(KeyboardInterrupt):
        erase(store, erasable(store), actor="auditor", reason="request")
    monkeypatch.undo()
    store.close()
    assert keys_of(place).get(entry.seq, entry.digest) is not None
    store.probe()
    store.close()
    assert keys_of(place).get(entry.seq, entry.digest) is None
    assert verify(place, keys=keys_of(place)).whole


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        (None, "where every host finds them"),
        (Path("record-keys.db"), "where every host finds them"),
        (PostgresURL.parse("postgresql://other@db.example/log"), "not lie in the log's own"),
    ],
)
def test_keys_that_no_other_host_finds_keep_a_service_from_starting(
    tmp_path: Path, keys: Any, said: str
) -> None:
    log = PostgresURL.parse("postgresql://u@db.example/log")
    given = make_settings(tmp_path, log=log, record_keys=keys)
    with pytest.raises(SettingsError, match=said):
        open_settings(given)
    apart = make_settings(tmp_path, record_keys=replace(log, database="keys"))
    with pytest.raises(SettingsError, match="a file too"):
        open_settings(apart)


def test_a_log_is_verified_with_its_keys_or_without(postgres: Server, tmp_path: Path) -> None:
    place = postgres.database()
    with running(tmp_path, log=place) as service:
        service.assess(a_call())
    with_keys = environment(tmp_path, place)
    without = {**with_keys, "CRISISCALL_RECORD_KEYS": None, "CRISISCALL_KEY_ENCRYPTION_KEY": None}
    for env in (with_keys, without):
        result = CliRunner(env=env).invoke(cli, ["log", "verify"])
        assert result.exit_code == 0, result.exception
    keys_of(place).destroy([(entry.seq, entry.digest) for entry in service.log.read.page()])
    service.log.close()
    broken = CliRunner(env=with_keys).invoke(cli, ["log", "verify"])
    assert "the key of its text is missing" in broken.output
    assert CliRunner(env=without).invoke(cli, ["log", "verify"]).exit_code == 0
