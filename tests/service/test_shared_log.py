"""Several services on one log: each sees what others wrote, and none steps on another."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from model_service.service.log import LogUnavailable, verify
from model_service.service.log.place import Place
from model_service.service.premises import Premises
from tests.builders import a_call, make_champion, release_files
from tests.harness import Service, assert_problem, running
from tests.service.test_eido import an_eido, send, updated
from tests.service.test_premises import call, known, learn, outcome, with_past
from tests.stores import keys_of

pytestmark = pytest.mark.both_stores


@pytest.fixture
def pair(tmp_path: Path, place: Place) -> Iterator[tuple[Service, Service]]:
    """Two services, as on two hosts: each has a home of its own, and the same release."""
    files = release_files(with_past())
    plan = yaml.safe_load(files["plan.yaml"])
    plan["responses"][0]["units"] = 2
    files["plan.yaml"] = yaml.safe_dump(plan).encode()
    homes = [tmp_path / name for name in ("one", "two")]
    for home in homes:
        make_champion(home, files)
    with (
        running(homes[0], champion=False, log=place) as one,
        running(homes[1], champion=False, log=place) as two,
    ):
        yield one, two


def switch(service: Service, mode: str) -> None:
    answer = service.request("PUT", "/v1/mode", json={"mode": mode}, role="administrator")
    assert answer.json()["mode"] == mode


def report(service: Service, free: int) -> None:
    stale_at = (datetime.now(UTC) + timedelta(minutes=10)).isoformat()
    body = {"free": free, "stale_at": stale_at}
    answer = service.request("PUT", "/v1/units/emt_clinician", json=body, role="cad")
    assert answer.status_code == 200


def meanwhile(service: Service, happens: Any) -> list[Any]:
    """Let something happen elsewhere just before the service's next batch is written."""
    store, found = service.log._store, []
    write = store.write

    def interrupted(batch: Any) -> Any:
        store.write = write  # type: ignore[method-assign]
        with ThreadPoolExecutor(1) as other:
            found.append(other.submit(happens).result())
        return write(batch)

    store.write = interrupted  # type: ignore[method-assign]
    return found


def test_a_switch_holds_everywhere_from_the_next_request_on(pair: tuple[Service, Service]) -> None:
    one, two = pair
    before = two.assess(a_call(1)).json()
    assert before["withheld"] is None
    switch(one, "off")
    assert two.get("/v1/mode").json()["mode"] == "off"
    assert two.assess(a_call(2)).json()["withheld"] == "off"
    shown = two.get(f"/v1/assessments/{before['assessment_id']}").json()
    assert shown["assessment"]["recommendation"] is None
    switch(two, "advisory")
    assert one.assess(a_call(3)).json()["withheld"] is None


def test_units_that_are_reported_anywhere_count_everywhere(pair: tuple[Service, Service]) -> None:
    one, two = pair
    assert two.get("/v1/units").json()["emt_clinician"]["free"] is None
    report(one, 2)
    assert two.get("/v1/units").json()["emt_clinician"]["free"] == 2
    assert two.assess(a_call(1)).json()["recommendation"]["unserved"] == []
    report(two, 0)
    missed = one.assess(a_call(2)).json()["recommendation"]["unserved"]
    assert [one["reason"] for one in missed] == ["busy"]


def test_calls_and_outcomes_count_wherever_they_came_in(pair: tuple[Service, Service]) -> None:
    one, two = pair
    assert known(one, call(1, 0)) == [0, 0, 0, 0]
    assert known(two, call(2, 1)) == [1, 1, 0, 0]
    learn(two, 1, outcome(1.5))
    assert known(one, call(3, 3)) == [2, 2, 1, 1]
    assert known(two, call(4, 3.5)) == [3, 3, 1, 1]
    apart = [service.app.state.assessor._premises for service in pair]
    assert all(isinstance(premises, Premises) for premises in apart)
    assert apart[0] is not apart[1]


def test_a_revision_that_comes_in_twice_at_once_is_assessed_once(
    pair: tuple[Service, Service], place: Place
) -> None:
    one, two = pair
    elsewhere = meanwhile(one, lambda: two.assess(a_call()))
    here = one.assess(a_call())
    assert (elsewhere[0].status_code, here.status_code) == (201, 200)
    assert here.json() == elsewhere[0].json()
    assert len(one.log.read.assessments("C-1")) == 1
    meanwhile(one, lambda: two.assess(a_call(2)))
    assert_problem(one.assess(a_call(2, narrative="another one")), 409)
    assert verify(place).whole


def test_a_revision_that_is_overtaken_does_not_lead(pair: tuple[Service, Service]) -> None:
    one, two = pair
    elsewhere = meanwhile(one, lambda: two.assess(a_call(revision=2)))
    here = one.assess(a_call())
    assert here.status_code == 201
    assert (here.json()["leads"], elsewhere[0].json()["leads"]) == (False, True)


def test_the_rest_of_a_batch_is_written_with_it(pair: tuple[Service, Service]) -> None:
    one, two = pair
    meanwhile(one, lambda: two.assess(a_call(3)))
    answers = one.gather(
        *(one.send("POST", "/v1/assessments", json=a_call(n)) for n in range(1, 6))
    )
    assert [answer.status_code for answer in answers] == [201, 201, 200, 201, 201]
    page = one.log.read.page(kind="assessment")
    assert sorted(entry.call_id or "" for entry in page) == [f"C-{n}" for n in range(1, 6)]


def test_updates_of_an_incident_get_revisions_of_their_own(pair: tuple[Service, Service]) -> None:
    one, two = pair
    first = send(one, an_eido())
    elsewhere = meanwhile(one, lambda: send(two, updated(20, "x")))
    here = send(one, updated(30, "y"))
    assert [a.json()["revision"] for a in (first, elsewhere[0], here)] == [1, 2, 3]


DECIDED = {"action": "accept", "note": "seen twice"}


@pytest.mark.parametrize("route", ["assessment", "decision", "outcome", "eido"])
def test_a_request_that_comes_in_twice_at_once_with_its_key_is_one(
    pair: tuple[Service, Service], place: Place, route: str
) -> None:
    one, two = pair
    assessed = one.assess(a_call(1)).json()
    path, body = {
        "assessment": ("/v1/assessments", a_call(2)),
        "decision": (f"/v1/assessments/{assessed['assessment_id']}/decision", DECIDED),
        "outcome": ("/v1/calls/C-1/outcome", {"call_id": "C-1", **outcome(1)}),
        "eido": ("/v1/eido", an_eido()),
    }[route]
    key = {"idempotency-key": "one"}
    before = len(two.log.read.page())
    elsewhere = meanwhile(one, lambda: two.post(path, json=body, headers=key))
    here = one.post(path, json=body, headers=key)
    assert (elsewhere[0].status_code, here.status_code) == (201, 201)
    assert here.content == elsewhere[0].content
    assert len(two.log.read.page()) == before + 1
    assert verify(place).whole


def test_a_key_that_came_with_another_request_elsewhere_is_refused(
    pair: tuple[Service, Service], place: Place
) -> None:
    one, two = pair
    assessed = one.assess(a_call(1)).json()
    path, key = f"/v1/assessments/{assessed['assessment_id']}/decision", {"idempotency-key": "one"}
    meanwhile(one, lambda: two.post(path, json=DECIDED, headers=key))
    told = {"call_id": "C-1", **outcome(1)}
    assert_problem(one.post("/v1/calls/C-1/outcome", json=told, headers=key), 422)
    assert one.log.read.outcome("C-1") is None
    assert verify(place).whole


def test_what_is_erased_anywhere_is_gone_everywhere(
    pair: tuple[Service, Service], place: Place
) -> None:
    one, two = pair
    assessed = one.assess(call(1, 0)).json()
    learn(two, 1, outcome(0.5))
    assert known(two, call(2, 1)) == [1, 1, 1, 1]
    path = f"/v1/assessments/{assessed['assessment_id']}"
    assert two.get(path).json()["call"]["narrative"] == call(1, 0)["narrative"]
    two.erase("C-1")
    for service in pair:
        assert service.get(path).json()["call"] is None
    assert known(one, call(3, 2)) == [1, 1, 0, 0]
    assert known(two, call(4, 2.5)) == [2, 2, 0, 0]
    assert verify(place, keys=keys_of(place)).whole


def test_a_decision_that_two_services_kept_in_one_file_is_recorded_once(
    pair: tuple[Service, Service], place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = pair
    assessed = one.assess(a_call(1)).json()
    path = f"/v1/assessments/{assessed['assessment_id']}/decision"

    def gone(batch: Any) -> Any:
        raise LogUnavailable("gone")

    async def not_now(_: Any) -> None:
        return None

    keepings = [service.app.state.assessor._keeping for service in pair]
    drains = [keeping.drain for keeping in keepings]
    keepings[1]._spool = keepings[0]._spool  # as with processes on one host
    with monkeypatch.context() as broken:
        for service, keeping in zip(pair, keepings, strict=True):
            broken.setattr(keeping, "drain", not_now)
            broken.setattr(service.log._store, "write", gone)
        for number in range(4):
            body = {**DECIDED, "note": f"seen {number}"}
            assert pair[number % 2].post(path, json=body).status_code == 202
    keepings[0].drain = keepings[1].drain = not_now  # but when it is told to

    def drain(number: int) -> None:
        pair[number].run(drains[number](pair[number].app.state.assessor.record_kept))

    meanwhile(one, lambda: drain(1))
    drain(0)
    decided = two.log.read.page(kind="decision")
    notes = [two.log.read.private(entry)["note"].decode() for entry in decided]
    assert notes == [f"seen {number}" for number in range(4)]
    assert verify(place, keys=keys_of(place)).whole
