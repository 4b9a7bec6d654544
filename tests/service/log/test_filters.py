"""The log over HTTP, filtered: by the words of `log export`, on pages that stay as they are."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from model_service.service.asking import CHOICES, TIMES, WORDS
from model_service.service.log import filters
from model_service.service.views import LogPage
from tests.builders import a_call, make_champion, make_scorer, release_files
from tests.harness import Service, assert_problem, running
from tests.stores import database, environment
from training.cli import cli

pytestmark = pytest.mark.both_stores

PLACES = ("Dorchester", "Roxbury", "=Mattapan & more")
OVERRIDE = {"action": "override", "response": "protocol", "reason": "medical_first"}


@pytest.fixture(scope="module")
def service(
    tmp_path_factory: pytest.TempPathFactory, store_kind: str, request: pytest.FixtureRequest
) -> Iterator[Service]:
    """A service with a history: places, decisions, outcomes, two releases, an erasure."""
    home = tmp_path_factory.mktemp("home")
    with running(home, log=database(store_kind, request)) as started:
        for number in range(24):
            if number == 12:
                make_champion(home, release_files(make_scorer(bias=(1.5, 2.0))))
                started.run(started.releases.check())
            call = a_call(number, neighborhood=PLACES[number % 3])
            assessed = started.assess(call, role=("dispatcher", "cad")[number % 2]).json()
            path = f"/v1/assessments/{assessed['assessment_id']}/decision"
            if number % 4:
                started.post(path, json={"action": "accept"})
            if number % 4 == 2:
                started.post(path, json=OVERRIDE, role="supervisor")
            if number % 5 == 0:
                told = {"call_id": call["call_id"], "recorded_at": "2021-10-06T00:00:00Z"}
                started.post(f"/v1/calls/{call['call_id']}/outcome", json=told, role="cad")
        started.erase("C-3")
        yield started


def pages(service: Service, role: str = "auditor", **asked: Any) -> list[dict[str, Any]]:
    """Read to the end; returns the entries."""
    found: list[dict[str, Any]] = []
    after: int | None = 0
    while after is not None:
        answer = service.get("/v1/log", params={**asked, "after": after}, role=role)
        assert answer.status_code == 200, answer.text
        page = LogPage.model_validate_json(answer.text)
        assert page.next is None or page.next > after
        found += answer.json()["entries"]
        after = page.next
    return found


def exported(service: Service, folder: Path, asked: dict[str, Any]) -> list[int]:
    out = folder / "export.jsonl"
    out.unlink(missing_ok=True)
    options = [
        part
        for name, values in asked.items()
        for value in ([values] if isinstance(values, str) else values)
        for part in (f"--{name}", value)
    ]
    given = environment(service.settings.home, service.settings.log_path)
    result = CliRunner(env=given).invoke(cli, ["log", "export", "--out", str(out), *options])
    assert result.exit_code == 0, result.output
    return [json.loads(line)["sequence"] for line in out.read_text().splitlines()]


asked_for = st.fixed_dictionaries(
    {},
    optional={
        "recommendation": st.lists(
            st.sampled_from(["emt_clinician", "police_clinician", "protocol", "x"]), max_size=2
        ),
        "decision": st.lists(st.sampled_from(CHOICES["decision"]), max_size=2),
        "reason": st.lists(st.sampled_from(["medical_first", "other"]), max_size=2),
        "actor": st.lists(st.sampled_from(["dispatcher", "supervisor", "cad", "?"]), max_size=2),
        "neighborhood": st.lists(st.sampled_from([*PLACES, "nowhere"]), max_size=2),
        "since": st.sampled_from(["2021-01-01", "2100-01-01"]),
        "until": st.sampled_from(["2021-01-01T10:30", "2100-01-01T00:00:00"]),
    },
)


@given(asked=asked_for, limit=st.integers(1, 40))
def test_the_words_mean_the_same_here_and_in_an_export(
    service: Service, tmp_path_factory: pytest.TempPathFactory, asked: dict[str, Any], limit: int
) -> None:
    found = pages(service, kind="assessment", limit=limit, **asked)
    folder = tmp_path_factory.getbasetemp()
    assert [entry["sequence"] for entry in found] == exported(service, folder, asked)


@given(asked=asked_for, limit=st.integers(1, 9), stretch=st.integers(1, 30))
def test_however_it_is_cut_into_pages_it_is_the_same(
    service: Service, asked: dict[str, Any], limit: int, stretch: int
) -> None:
    whole = pages(service, limit=1000, **asked)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(filters, "STRETCH", stretch)
        assert pages(service, limit=limit, **asked) == whole
    assert [entry["sequence"] for entry in whole] == sorted(entry["sequence"] for entry in whole)


def test_pages_stay_as_they_are_while_entries_arrive(tmp_path: Path) -> None:
    with running(tmp_path) as service:
        for number in range(6):
            service.assess(a_call(number, neighborhood=PLACES[number % 2]))
        asked = {"neighborhood": "Roxbury", "limit": 2}
        first = service.get("/v1/log", params=asked, role="auditor").json()
        for number in range(6, 9):
            service.assess(a_call(number, neighborhood="Roxbury"))
        assert service.get("/v1/log", params=asked, role="auditor").json() == first
        rest = {**asked, "after": first["next"], "limit": 1000}
        more = service.get("/v1/log", params=rest, role="auditor").json()
    calls = [entry["call_id"] for entry in (*first["entries"], *more["entries"])]
    assert calls == ["C-1", "C-3", "C-5", "C-6", "C-7", "C-8"]
    assert more["next"] is None


def test_decisions_and_outcomes_are_found_by_their_assessment(service: Service) -> None:
    overridden = pages(service, kind="decision", reason="medical_first", neighborhood="Roxbury")
    assert overridden and {entry["actor"] for entry in overridden} == {"supervisor"}
    assert all(int(entry["call_id"][2:]) % 3 == 1 for entry in overridden)
    outcomes = pages(service, kind="outcome", neighborhood="Roxbury")
    assert [entry["call_id"] for entry in outcomes] == ["C-10"]
    accepted = pages(service, decision="accept")
    assert {entry["kind"] for entry in accepted} == {"assessment", "decision"}


def test_the_two_releases_are_told_apart(service: Service) -> None:
    release = service.releases.current
    assert release is not None
    for name in (release.name, release.digest):
        found = pages(service, release=name)
        assert [entry["kind"] for entry in found].count("assessment") == 12
        assert [entry["kind"] for entry in found].count("release") == 1


def test_what_was_erased_is_nowhere(service: Service) -> None:
    calls = {entry["call_id"] for entry in pages(service, neighborhood="Dorchester")}
    assert "C-3" not in calls and "C-0" in calls
    assert [entry["kind"] for entry in pages(service, actor="auditor")] == ["erasure"]


def test_times_bound_a_reading_to_the_millisecond(service: Service) -> None:
    everything = pages(service)
    middle = everything[20]["at"]
    earlier, later = pages(service, until=middle), pages(service, since=middle)
    assert earlier + later == sorted(everything, key=lambda entry: entry["sequence"])
    assert all(entry["at"] < middle for entry in earlier)
    assert pages(service, since=middle.replace("Z", "+00:00")) == later


def test_who_may_not_read_calls_may_not_ask_where_they_are(service: Service) -> None:
    asked = {"neighborhood": "Roxbury"}
    refused = service.get("/v1/log", params=asked, role="administrator")
    assert_problem(refused, 403)
    assert pages(service, "supervisor", **asked) == pages(service, "auditor", **asked)
    assert pages(service, "administrator", decision="override")


@pytest.mark.parametrize(
    "asked",
    [
        {"since": "yesterday"},
        {"since": "0001-01-01T00:00:00+14:00"},
        {"decision": "perhaps"},
        {"reason": "voices"},
        {"actor": "x" * 201},
        {"unserved": "any", "actor": "cad"},
    ],
)
def test_what_can_not_be_asked_is_refused(service: Service, asked: dict[str, str]) -> None:
    problem = assert_problem(service.get("/v1/log", params=asked, role="auditor"), 422)
    (error,) = problem["errors"]
    assert error["path"].split(".")[0] == next(iter(asked))


def test_every_word_is_in_the_description_of_the_interface(service: Service) -> None:
    document = service.app.openapi()
    parameters = {p["name"] for p in document["paths"]["/v1/log"]["get"]["parameters"]}
    assert parameters >= {*TIMES, *WORDS, "kind", "after", "limit"}
