"""The log can't be written: no recommendation, nothing half-written, recovery by itself."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Any

import apsw
import pytest

from model_service.service.log import verify
from model_service.service.log.store import Store
from tests.builders import a_call
from tests.faults.faulty import Faults, locked
from tests.harness import Service, assert_problem


def assert_follow_protocol(response: Any) -> None:
    problem = assert_problem(response, 503)
    assert problem["title"] == "follow protocol"
    assert response.headers["retry-after"] == "1"


def assert_refused_then_healed(service: Service, heal: Any) -> None:
    """Everything that needs a record is refused within 2 s; after `heal` all is well."""
    head = service.log.head
    started = time.monotonic()
    responses = service.gather(
        *(service.send("POST", "/v1/assessments", json=a_call(f"refused-{n}")) for n in range(5))
    )
    assert time.monotonic() - started < 2
    for response in responses:
        assert_follow_protocol(response)
    ready = service.get("/readyz")
    assert_follow_protocol(ready)
    assert "decision log" in ready.json()["detail"]
    assert service.get("/healthz").status_code == 200
    told = [str(line.get("problem")) for line in service.lines()]
    assert any(problem.startswith("the decision log") for problem in told)
    heal()
    after = service.assess(a_call("after"))
    assert after.status_code == 201
    assert head is not None and after.json()["log"]["sequence"] == head[0] + 1
    assert service.assess(a_call("refused-1")).status_code == 201
    service.app.state.readiness._stored = None
    assert service.get("/readyz").status_code == 200
    service.log.close()
    assert verify(service.settings.log_path).whole


@pytest.mark.parametrize("error", [apsw.FullError, apsw.ReadOnlyError, apsw.IOError])
@pytest.mark.parametrize("after", [0, 3])
def test_writes_fail(
    service: Service, faults: type[Faults], error: type[Exception], after: int
) -> None:
    assert service.assess(a_call("before")).status_code == 201
    faults.write, faults.after = error, after

    def heal() -> None:
        faults.write = None

    assert_refused_then_healed(service, heal)


def test_syncing_fails(service: Service, faults: type[Faults]) -> None:
    assert service.assess(a_call("before")).status_code == 201
    faults.sync = apsw.IOError

    def heal() -> None:
        faults.sync = None

    assert_refused_then_healed(service, heal)


def test_another_process_holds_the_log(service: Service) -> None:
    assert service.assess(a_call("before")).status_code == 201
    other = apsw.Connection(str(service.settings.log_path))
    other.execute("BEGIN IMMEDIATE")
    assert_refused_then_healed(service, lambda: other.execute("ROLLBACK"))
    other.close()


def test_nobody_waits_anew_for_a_lock_that_was_waited_for_in_vain(service: Service) -> None:
    """Or each client would be held up by those before it."""
    service.assess(a_call("before"))
    store: Store = service.log._store

    def patience() -> tuple[int, int]:
        with store.reading() as connection, store.keys._guarded() as keys:
            return connection.pragma("busy_timeout"), keys.pragma("busy_timeout")

    assert patience() == (50, 50)
    for number, path in enumerate((service.settings.log_path, store.keys.path)):
        free = locked(path)
        assert_follow_protocol(service.assess(a_call("refused")))
        assert patience() == ((20, 50), (50, 20))[number]
        free()
        assert service.assess(a_call(number)).status_code == 201
        assert patience() == (50, 50)


def test_the_log_is_moved_away_and_comes_back(service: Service, tmp_path: Path) -> None:
    assert service.assess(a_call("before")).status_code == 201
    path, away = service.settings.log_path, tmp_path / "away.db"
    path.rename(away)

    def heal() -> None:
        assert not path.exists()  # no new log took its place
        away.rename(path)

    assert_refused_then_healed(service, heal)


def test_another_log_does_not_take_its_place(service: Service, tmp_path: Path) -> None:
    assert service.assess(a_call("before")).status_code == 201
    path = service.settings.log_path
    service.log.close()
    shutil.copy(path, tmp_path / "kept.db")
    path.unlink()
    Store(path).probe()  # a fresh one in its place

    def heal() -> None:
        for file in path.parent.glob("log.db*"):
            file.unlink()
        shutil.copy(tmp_path / "kept.db", path)

    assert_refused_then_healed(service, heal)


def test_nothing_of_a_batch_is_kept_if_the_batch_fails(
    service: Service, faults: type[Faults]
) -> None:
    service.assess(a_call("before"))
    faults.sync = apsw.IOError
    service.gather(*(service.send("POST", "/v1/assessments", json=a_call(n)) for n in range(20)))
    faults.sync = None
    entries = service.log.read.page(kind="assessment")
    assert [entry.call_id for entry in entries] == ["C-before"]


def test_the_users_can_not_be_read(service: Service) -> None:
    accounts = service.app.state.accounts
    token = service.token("dispatcher")
    accounts.close()
    accounts._cache.clear()
    path = service.settings.accounts_path
    content = path.read_bytes()
    for file in path.parent.glob("accounts.db-*"):
        file.unlink()
    path.write_bytes(b"not a database" * 300)
    assert_follow_protocol(service.assess(a_call()))
    path.write_bytes(content)
    head = {"authorization": f"Bearer {token}"}
    assert service.assess(a_call(), headers=head).status_code == 201
