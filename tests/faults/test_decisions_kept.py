"""A person decides, whatever becomes of the log: the decision is kept, and recorded after that."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apsw
import pytest
from click.testing import CliRunner

from model_service.service import keeping
from model_service.service.log import Entry, verify
from model_service.service.log.export import export_rows
from model_service.service.log.filters import Filters
from model_service.service.views import DecisionView, KeptDecisionView
from tests.builders import a_call, make_champion
from tests.faults.faulty import WAYS, Faults, away, locked
from tests.harness import Service, assert_problem, running
from training.cli import cli

OVERRIDE = {
    "action": "override",
    "response": "police_clinician",
    "reason": "information_not_in_notes",
    "note": "the heron waits by the weir",
}


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "EVERY", 0.02)


def decide(service: Service, assessed: dict[str, Any], decision: Any, **more: Any) -> Any:
    path = f"/v1/assessments/{assessed['assessment_id']}/decision"
    return service.post(path, json=decision, **more)


def settle(service: Service) -> None:
    """Let the service do what it does at intervals, until nothing waits."""
    until = time.monotonic() + 20
    kept = service.app.state.assessor._keeping
    while kept.waiting and time.monotonic() < until:
        service.run(asyncio.sleep(0.03))
    assert not kept.waiting


def hold_back(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nothing that waits be recorded until the patch is undone."""

    async def not_now(_: Any) -> None:
        return None

    monkeypatch.setattr(service.app.state.assessor._keeping, "drain", not_now)


def decisions(service: Service) -> list[Entry]:
    return service.log.read.page(kind="decision")


@pytest.fixture(params=WAYS)
def broken(
    request: pytest.FixtureRequest, service: Service, faults: type[Faults]
) -> Callable[[], Callable[[], None]]:
    """Break the log in some way; what comes back mends it."""
    return lambda: WAYS[request.param](service)


def test_it_is_kept_and_recorded_as_it_was_taken(
    service: Service, broken: Callable[[], Callable[[], None]]
) -> None:
    assessed = service.assess(a_call()).json()
    mend = broken()
    started = time.monotonic()
    first = decide(service, assessed, {**OVERRIDE})
    assert time.monotonic() - started < 2
    assert first.status_code == 202, first.text
    KeptDecisionView.model_validate_json(first.text)
    second = decide(service, assessed, {**OVERRIDE, "reason": "other"}, role="supervisor")
    assert second.status_code == 202
    assert service.assess(a_call(2)).status_code == 503  # no record, no recommendation
    mend()
    settle(service)
    there = decisions(service)
    assert [entry.at for entry in there] == [first.json()["at"], second.json()["at"]]
    assert [entry.actor for entry in there] == ["dispatcher", "supervisor"]
    assert all(entry.content()["recorded_at"] > entry.at for entry in there)
    record = service.get(f"/v1/assessments/{assessed['assessment_id']}").json()
    for decision in record["decisions"]:
        DecisionView.model_validate(decision)
    assert [one["reason"] for one in record["decisions"]] == [OVERRIDE["reason"], "other"]
    assert record["decisions"][0]["note"] == OVERRIDE["note"]
    assert record["decisions"][0]["recommended"] == "emt_clinician"
    rows = list(export_rows(service.log.read, Filters(), narratives=False))
    assert [len(row["decisions"]) for row in rows] == [2]
    # And from now on they go straight into the log.
    assert decide(service, assessed, {"action": "accept"}).status_code == 201
    service.log.close()
    assert verify(service.settings.log_path).whole


def test_only_the_first_of_many_desks_waits_for_the_log(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = [service.assess(a_call(number)).json() for number in range(20)]
    store = service.log._store
    tried, write = [], store.write
    monkeypatch.setattr(store, "write", lambda batch: tried.append(1) or write(batch))
    hold_back(service, monkeypatch)
    free = locked(service.settings.log_path)
    answers = [decide(service, one, {"action": "accept"}) for one in made]
    assert {answer.status_code for answer in answers} == {202}
    assert len(tried) == 1
    free()
    monkeypatch.undo()
    settle(service)
    assert [e.assessment_id for e in decisions(service)] == [one["assessment_id"] for one in made]


def test_what_came_while_others_waited_is_recorded_after_them(
    service: Service, faults: type[Faults]
) -> None:
    assessed = service.assess(a_call()).json()
    faults.write = apsw.FullError
    assert decide(service, assessed, {"action": "accept"}).status_code == 202
    faults.write = None
    assert decide(service, assessed, OVERRIDE).status_code in (201, 202)
    settle(service)
    assert [e.content()["action"] for e in decisions(service)] == ["accept", "override"]


def test_a_restart_finds_what_waits(tmp_path: Path) -> None:
    make_champion(tmp_path)
    with running(tmp_path, champion=False) as service:
        assessed = service.assess(a_call()).json()
        mend = away(service.settings.log_path)
        answer = decide(service, assessed, OVERRIDE)
        assert answer.status_code == 202
    mend()
    (tmp_path / "accounts.db").unlink()
    with running(tmp_path, champion=False) as service:
        (entry,) = decisions(service)
        assert entry.at == answer.json()["at"]
        assert service.log.read.private(entry)["note"].decode() == OVERRIDE["note"]


def test_a_crash_amid_recording_records_nothing_twice(
    service: Service, faults: type[Faults]
) -> None:
    made = [service.assess(a_call(number)).json() for number in range(3)]
    faults.write = apsw.FullError
    for one in made:
        assert decide(service, one, OVERRIDE).status_code == 202
    assert decide(service, made[0], {"action": "helicopter"}).status_code == 422
    spool = service.app.state.assessor._keeping._spool
    before = spool.path.read_bytes()
    faults.write = None
    settle(service)
    assert len(decisions(service)) == 3
    spool.path.write_bytes(before)  # as if it had been cut off before it was cleared
    service.app.state.assessor._keeping.waiting = True
    settle(service)
    assert len(decisions(service)) == 3


def test_a_retry_with_its_key_is_one_decision(service: Service, faults: type[Faults]) -> None:
    assessed = service.assess(a_call()).json()
    head = {"idempotency-key": "one"}
    token = {"authorization": f"Bearer {service.token('dispatcher')}"}
    faults.write = apsw.FullError
    for _ in range(3):
        answer = decide(service, assessed, OVERRIDE, headers={**token, **head})
        assert answer.status_code == 202
    faults.write = None
    settle(service)
    (entry,) = decisions(service)
    again = decide(service, assessed, OVERRIDE, headers={**token, **head})
    assert again.status_code == 201 and again.json()["log"]["sequence"] == entry.seq


@pytest.mark.parametrize(
    ("decision", "why"),
    [
        ({**OVERRIDE, "response": "helicopter"}, "invalid"),
        ({"action": "commit", "response": "emt_clinician"}, "invalid"),
    ],
)
def test_what_does_not_fit_is_on_record_as_refused(
    service: Service, decision: dict[str, Any], why: str
) -> None:
    assessed = service.assess(a_call()).json()
    mend = away(service.settings.log_path)
    assert decide(service, assessed, decision).status_code == 202
    nowhere = {"assessment_id": "017aff46-9000-7000-8000-000000000000"}
    assert decide(service, nowhere, OVERRIDE).status_code == 202
    mend()
    settle(service)
    assert decisions(service) == []
    first, second = service.log.read.page(kind="decision_refused")
    assert first.content()["why"] == why and first.content()["action"] == decision["action"]
    assert second.content()["why"] == "not-found"
    assert service.log.read.private(second)["note"].decode() == OVERRIDE["note"]
    service.log.close()
    assert verify(service.settings.log_path).whole


def test_what_does_not_fit_is_refused_at_once_where_the_log_can_be_read(
    service: Service, faults: type[Faults]
) -> None:
    assessed = service.assess(a_call()).json()
    faults.write = apsw.FullError
    assert_problem(decide(service, assessed, {**OVERRIDE, "response": "helicopter"}), 422)
    assert_problem(decide(service, {"assessment_id": "1"}, OVERRIDE), 404)


def test_where_it_can_not_be_kept_either_the_answer_is_follow_protocol(
    service: Service, faults: type[Faults]
) -> None:
    assessed = service.assess(a_call()).json()
    path = service.settings.kept_decisions_path
    path.unlink()
    path.mkdir()
    faults.write = apsw.FullError
    problem = assert_problem(decide(service, assessed, OVERRIDE), 503)
    assert problem["title"] == "follow protocol"
    assert "heron" not in str(service.lines())
    path.rmdir()
    assert decide(service, assessed, OVERRIDE).status_code == 202
    faults.write = None
    settle(service)
    assert len(decisions(service)) == 1


def test_it_may_lie_on_another_disk(tmp_path: Path) -> None:
    make_champion(tmp_path / "home")
    kept = tmp_path / "other" / "kept"
    with running(tmp_path / "home", champion=False, kept_decisions=kept) as service:
        assessed = service.assess(a_call()).json()
        mend = away(service.settings.log_path)
        assert decide(service, assessed, OVERRIDE).status_code == 202
        assert kept.read_bytes().strip(b"\0")
        mend()
        settle(service)
        assert not kept.read_bytes().strip(b"\0")
    assert not (tmp_path / "home" / "kept-decisions").exists()


def test_a_later_revision_that_came_in_after_it_does_not_supersede_it(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    assessed = service.assess(a_call()).json()
    mend = away(service.settings.log_path)
    hold_back(service, monkeypatch)
    decide(service, assessed, OVERRIDE)
    mend()
    assert service.assess(a_call(revision=2)).status_code == 201
    monkeypatch.undo()
    settle(service)
    (entry,) = decisions(service)
    assert entry.content()["superseded_by"] is None


def test_no_key_is_let_go_of_that_something_waits_under(service: Service) -> None:
    assessed = service.assess(a_call()).json()
    mend = away(service.settings.log_path)
    decide(service, assessed, OVERRIDE)
    arguments = ["log", "rotate-key", "--home", str(service.settings.home)]
    assert "decisions wait" in str(CliRunner().invoke(cli, arguments).exception)
    mend()
    settle(service)
    assert CliRunner().invoke(cli, arguments).exit_code == 0
    back = away(service.settings.log_path)
    assert decide(service, assessed, OVERRIDE).status_code == 202  # under the new key
    back()
    settle(service)
    assert len(decisions(service)) == 2


def test_nothing_that_was_said_is_in_the_file_or_the_lines(service: Service) -> None:
    assessed = service.assess(a_call()).json()
    mend = away(service.settings.log_path)
    decide(service, assessed, OVERRIDE)
    assert b"heron" not in service.settings.kept_decisions_path.read_bytes()
    mend()
    settle(service)
    told = [line for line in service.lines() if "kept" in str(line.get("event"))]
    assert {line["event"] for line in told} == {
        "the log can't be written: decisions are kept until it can",
        "decisions that were kept are in the log",
    }
    assert "heron" not in str(service.lines())
