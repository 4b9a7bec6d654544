"""The log's server fails: no recommendation, nothing half-written, recovery by itself."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from model_service.service.log import Draft, LogUnavailable, verify
from model_service.service.log.session import ServerError, Session
from model_service.service.log.store import prepare
from model_service.service.postgres import PostgresURL
from tests.builders import a_call
from tests.harness import Service, assert_problem, running
from tests.stores import Server, execute, open_store

SECONDS = 2


@pytest.fixture
def log(postgres: Server) -> PostgresURL:
    return postgres.database()


@pytest.fixture
def service(tmp_path: Path, log: PostgresURL) -> Iterator[Service]:
    with running(tmp_path, log=log, busy_timeout_ms=100) as started:
        yield started


@pytest.fixture
def owner(log: PostgresURL, postgres: Server) -> Iterator[Session]:
    session = Session(postgres.owner(log), seconds=10)
    yield session
    session.close()


def refused(service: Service, *names: str) -> None:
    """Check that all these calls are refused soon, in the words that say what to do."""
    for name in names:
        began = time.monotonic()
        problem = assert_problem(service.assess(a_call(name)), 503)
        assert time.monotonic() - began < SECONDS
        assert problem["title"] == "follow protocol"


def healed(service: Service, log: PostgresURL, name: str) -> None:
    """Check that calls are taken again, and that the log is whole."""
    deadline = time.monotonic() + 10
    while (answer := service.assess(a_call(name))).status_code == 503:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert answer.status_code == 201
    service.app.state.readiness._stored = None
    assert service.get("/readyz").status_code == 200
    assert verify(log).whole


def backend(owner: Session, log: PostgresURL) -> int:
    """Tell the server's process that serves the service."""
    rows = owner.execute(
        "SELECT pid FROM pg_stat_activity WHERE usename = ? AND datname = ?",
        (log.user, log.database),
    )
    ((pid,),) = rows
    return int(pid)


def test_another_process_holds_the_lock(service: Service, owner: Session, log: PostgresURL) -> None:
    assert service.assess(a_call("before")).status_code == 201
    owner.run("BEGIN")
    owner.execute("SELECT * FROM lock_head()").fetchall()
    refused(service, "a", "b")
    answers = service.gather(
        *(service.send("POST", "/v1/assessments", json=a_call(f"at-once-{n}")) for n in range(5))
    )
    assert [answer.status_code for answer in answers] == [503] * 5
    assert "locked" in service.lines()[-1]["problem"]
    owner.run("ROLLBACK")
    healed(service, log, "a")
    assert [entry.call_id for entry in service.log.read.page(kind="assessment")] == [
        "C-before",
        "C-a",
    ]


def test_a_process_that_hangs_with_the_lock_keeps_nobody_for_long(
    service: Service, log: PostgresURL
) -> None:
    hung = open_store(log)
    with hung.reading() as session:
        session.run("BEGIN")
        hung._place(session)
    healed(service, log, "a")  # refused at most until then
    with pytest.raises(LogUnavailable):  # its transaction is gone
        hung.write([])
    hung.probe()
    hung.close()


def test_a_running_service_refuses_to_write_once_the_schema_is_another(
    service: Service, owner: Session, log: PostgresURL
) -> None:
    assert service.assess(a_call("before")).status_code == 201
    owner.run("ALTER TABLE entries ADD COLUMN more text NOT NULL DEFAULT ''")
    owner.run("UPDATE log_version SET version_num = '9999'")
    refused(service, "a", "b")
    assert "schema is newer" in service.lines()[-1]["problem"]


def test_the_connection_is_cut(service: Service, owner: Session, log: PostgresURL) -> None:
    assert service.assess(a_call("before")).status_code == 201
    owner.execute("SELECT pg_terminate_backend(?)", (backend(owner, log),)).fetchall()
    refused(service, "a")
    healed(service, log, "a")


def test_the_server_hangs_and_no_request_waits_for_long(
    service: Service, owner: Session, log: PostgresURL, postgres: Server
) -> None:
    assert service.assess(a_call("before")).status_code == 201
    hung = [backend(owner, log), postgres.pid]
    for pid in hung:
        os.kill(pid, signal.SIGSTOP)
    try:
        began = time.monotonic()
        answers = service.gather(
            *(service.send("POST", "/v1/assessments", json=a_call(f"{n}")) for n in range(8))
        )
        assert time.monotonic() - began < SECONDS
        assert [answer.status_code for answer in answers] == [503] * 8
        assert service.get("/healthz").status_code == 200
    finally:
        for pid in hung:
            os.kill(pid, signal.SIGCONT)
    healed(service, log, "1")


def test_a_server_that_lost_what_was_acknowledged_is_refused(
    service: Service, owner: Session, log: PostgresURL
) -> None:
    """Such as a standby that took over and was behind."""
    assert service.assess(a_call("before")).status_code == 201
    last = service.log.head
    assert last is not None
    execute(log, "CREATE TABLE lost AS SELECT * FROM entries")
    execute(log, f"DELETE FROM entries WHERE seq = {last[0]}")
    owner.execute("SELECT pg_terminate_backend(?)", (backend(owner, log),)).fetchall()
    refused(service, "a", "b")
    assert "replaced by another one" in service.lines()[-1]["problem"]
    execute(log, f"INSERT INTO entries SELECT * FROM lost WHERE seq = {last[0]}")
    healed(service, log, "a")


@pytest.mark.parametrize("statement", ["off", "local", "remote_write"])
def test_a_commit_is_on_disk_whatever_the_database_says(
    owner: Session, log: PostgresURL, statement: str
) -> None:
    owner.run(f"ALTER DATABASE {log.database} SET synchronous_commit = {statement}")
    store = open_store(log)
    with store.reading() as session:
        assert session.execute("SHOW synchronous_commit").fetchone() == ("on",)
    store.close()


def test_a_server_that_does_not_sync_is_refused(
    log: PostgresURL, monkeypatch: pytest.MonkeyPatch
) -> None:
    from model_service.service.log import postgres

    state = postgres._STATE.replace("current_setting('fsync')", "'off'")
    monkeypatch.setattr(postgres, "_STATE", state)
    with pytest.raises(LogUnavailable, match="fsync off"):
        open_store(log).probe()


def test_what_was_probed_after_a_failure_was_written(log: PostgresURL, owner: Session) -> None:
    def written() -> Any:
        rows = owner.execute("SELECT pg_current_wal_flush_lsn()::text")
        return rows.fetchone()

    store = open_store(log)
    store.probe()
    before = written()
    store.failed = "full"
    store.probe()
    assert written() != before
    assert store.failed is None
    store.close()


@pytest.mark.parametrize("after", ["INSERT INTO entries", "INSERT INTO private"])
def test_nothing_of_a_batch_is_kept_if_the_batch_fails(
    service: Service, monkeypatch: pytest.MonkeyPatch, after: str
) -> None:
    assert service.assess(a_call("before")).status_code == 201
    execute_ = Session.execute

    def breaks(self: Session, sql: str, values: Any = ()) -> Any:
        found = execute_(self, sql, values)
        if sql.startswith(after):
            raise ServerError(OSError())
        return found

    with monkeypatch.context() as broken:
        broken.setattr(Session, "execute", breaks)
        answers = service.gather(
            *(service.send("POST", "/v1/assessments", json=a_call(n)) for n in range(5))
        )
        assert [answer.status_code for answer in answers] == [503] * 5
    place = service.settings.log_path
    assert verify(place).whole
    assert isinstance(place, PostgresURL)
    healed(service, place, "1")
    calls = [entry.call_id for entry in service.log.read.page(kind="assessment")]
    assert calls == ["C-before", "C-1"]


def test_a_batch_goes_over_in_a_few_statements(log: PostgresURL) -> None:
    store = open_store(log)
    store.probe()
    with store.reading() as session:
        ran: list[str] = []
        run, execute_ = session.run, session.execute
        session.run = lambda sql: (ran.append(sql), run(sql))[1]  # type: ignore[method-assign]
        session.execute = lambda *given: (ran.append(given[0]), execute_(*given))[1]  # type: ignore[method-assign]
    drafts = [Draft("outcome", "desk", {}, f"C-{n}", private={"outcome": b"x"}) for n in range(50)]
    store.write([prepare(draft) for draft in drafts])
    assert len(ran) == 5
    store.close()
