"""Unknown is not free, and what could not be sent can be asked of the log."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from model_service.model.plan import parse_plan
from model_service.service import units
from model_service.service.postgres import PostgresURL
from model_service.service.views import UnitsView
from tests.builders import a_call, make_champion, release_files
from tests.harness import Service, assert_problem, running

pytestmark = pytest.mark.both_stores


def champion(home: Path) -> None:
    """A release whose plan is Boston's with two units of the first team."""
    files = release_files()
    plan = yaml.safe_load(files["plan.yaml"])
    plan["responses"][0]["units"] = 2
    make_champion(home, {**files, "plan.yaml": yaml.safe_dump(plan).encode()})


@pytest.fixture
def service(tmp_path: Path, log: PostgresURL | None) -> Iterator[Service]:
    champion(tmp_path)
    with running(tmp_path, champion=False, log=log) as started:
        yield started


def in_minutes(minutes: float) -> str:
    return (datetime.now(UTC) + timedelta(minutes=minutes)).isoformat()


def report(service: Service, free: Any, stale_at: Any = None, **more: Any) -> Any:
    name = more.pop("name", "emt_clinician")
    body = {"free": free, "stale_at": stale_at or in_minutes(10)}
    return service.request("PUT", f"/v1/units/{name}", json=body, role=more.pop("role", "cad"))


def unserved(service: Service, number: int) -> list[str]:
    answer = service.assess(a_call(number)).json()
    assert (answer["recommendation"]["response"] == "emt_clinician") == (
        not answer["recommendation"]["unserved"]
    )
    return [missed["reason"] for missed in answer["recommendation"]["unserved"]]


def test_a_team_is_recommended_only_while_a_unit_is_known_to_be_free(service: Service) -> None:
    assert unserved(service, 1) == ["units_unknown"]
    answer = report(service, 1)
    assert answer.status_code == 200
    UnitsView.model_validate(answer.json()["emt_clinician"])
    assert unserved(service, 2) == []
    report(service, 0)
    assert unserved(service, 3) == ["busy"]
    report(service, 2, role="supervisor")
    assert unserved(service, 4) == []
    bodies = [entry.content() for entry in service.log.read.page(kind="assessment")]
    assert [body["free"] for body in bodies] == [
        *({}, {"emt_clinician": 1}, {"emt_clinician": 0}, {"emt_clinician": 2})
    ]
    reports = [entry.content() for entry in service.log.read.page(kind="units")]
    assert [made["free"] for made in reports] == [1, 0, 2]


def test_a_report_that_has_gone_stale_is_no_report(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    report(service, 2)
    plan = service.releases.current.plan  # type: ignore[union-attr]
    known: units.Units = service.app.state.units
    now = datetime.now(UTC)
    assert known.free(plan, now + timedelta(minutes=9)) == {"emt_clinician": 2}
    assert known.free(plan, now + timedelta(minutes=11)) == {}
    monkeypatch.setattr(units, "now", lambda: now + timedelta(minutes=11))
    assert service.get("/v1/units").json()["emt_clinician"]["free"] is None


def test_reports_outlive_a_restart(service: Service) -> None:
    report(service, 2)
    report(service, 1)
    again = units.Units(service.log)
    plan = service.releases.current.plan  # type: ignore[union-attr]
    assert again.free(plan, datetime.now(UTC)) == {"emt_clinician": 1}


def test_a_plan_without_units_asks_for_none(service: Service) -> None:
    plan = parse_plan(release_files()["plan.yaml"].decode(), name="a")
    assert units.Units(service.log).free(plan, datetime.now(UTC)) == {}


@pytest.mark.parametrize(
    ("free", "stale_at", "path"),
    [
        (3, None, "free"),  # the plan has two
        (-1, None, "free"),
        (1.5, None, "free"),
        ("1", None, "free"),
        (1, -1, "stale_at"),
        (1, 25 * 60, "stale_at"),
        (1, "2026-01-01T00:00:00", "stale_at"),
    ],
)
def test_a_bad_report_is_refused(service: Service, free: Any, stale_at: Any, path: str) -> None:
    when = in_minutes(stale_at) if isinstance(stale_at, int) else stale_at
    problem = assert_problem(report(service, free, when), 422)
    assert problem["errors"][0]["path"] == path
    assert service.log.read.last("units") is None


def test_a_report_is_of_a_response_that_has_units(service: Service) -> None:
    assert_problem(report(service, 1, name="helicopter"), 404)
    assert_problem(report(service, 1, name="police_clinician"), 422)


def test_the_log_is_asked_for_what_could_not_be_sent(service: Service) -> None:
    for number, free in ((1, None), (2, 0), (3, 1), (4, 0)):
        if free is not None:
            report(service, free)
        service.assess(a_call(number))

    def found(query: str) -> list[str]:
        answer = service.get(f"/v1/log?{query}", role="auditor")
        assert answer.status_code == 200
        return [entry["call_id"] for entry in answer.json()["entries"]]

    assert found("unserved=any") == ["C-1", "C-2", "C-4"]
    assert found("unserved=busy") == ["C-2", "C-4"]
    assert found("unserved=units_unknown") == ["C-1"]
    assert found("unserved=any&response=emt_clinician") == ["C-1", "C-2", "C-4"]
    assert found("unserved=any&response=police_clinician") == []
    assert found("unserved=any&kind=decision") == []
    page = service.get("/v1/log?unserved=any&limit=2", role="auditor").json()
    assert [entry["call_id"] for entry in page["entries"]] == ["C-1", "C-2"]
    assert found(f"unserved=any&after={page['next']}") == ["C-4"]
    assert_problem(service.get("/v1/log?unserved=SECRET", role="auditor"), 422)
