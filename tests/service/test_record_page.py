"""The record of one call, and its recomputation."""

from __future__ import annotations

import orjson
import pytest

from model_service.service.console.comparing import shown
from model_service.service.log.replay import Shelf, compare
from tests.builders import a_call
from tests.harness import OURS, Service

SAID = "brother hearing voices, not sleeping, no weapons"
NOTE = "the caller is a nurse"


@pytest.fixture
def call(shared: Service, request: pytest.FixtureRequest) -> str:
    """A call of two revisions, overridden with a note, its outcome learned; its assessment's id."""
    name = f"R{abs(hash(request.node.name)) % 10**9}"
    shared.assess(a_call(name, narrative="brother hearing voices"))
    second = shared.assess(a_call(name, revision=2, narrative=SAID)).json()
    override = {"action": "override", "response": "protocol", "reason": "medical_first"}
    path = f"/v1/assessments/{second['assessment_id']}/decision"
    assert shared.post(path, json={**override, "note": NOTE}).status_code == 201
    told = {
        "call_id": f"C-{name}",
        "recorded_at": "2021-10-06T00:00:00Z",
        "disposition": "taken to hospital",
    }
    assert shared.post(f"/v1/calls/C-{name}/outcome", json=told, role="cad").status_code == 201
    return str(second["assessment_id"])


def readings(service: Service, assessment_id: str) -> list[tuple[str, str]]:
    entry = service.log.read.assessment(assessment_id)
    assert entry is not None
    return [
        (one.actor, one.content()["format"])
        for one in service.log.read.about(str(entry.call_id))
        if one.kind == "narratives_read"
    ]


def words(service: Service, assessment_id: str, role: str = "auditor") -> str:
    cookie = {"cookie": service.cookie(role)}
    path = f"/records/{assessment_id}/words"
    answer = service.request("POST", path, role=None, headers={**OURS, **cookie})
    assert answer.status_code == 200, answer.text
    return answer.text


def test_the_page_tells_the_whole_story_without_a_word_of_it(shared: Service, call: str) -> None:
    page = shared.get(f"/records/{call}", role="auditor").text
    for told in (
        "revision 1", "revision 2", "EMTs with a mental-health clinician",
        "Overridden: Follow the centre", "medical first", "Outcome",
    ):  # fmt: skip
        assert told in page
    for personal in ("voices", NOTE, "taken to hospital", "Dorchester"):
        assert personal not in page
    assert readings(shared, call) == []


@pytest.mark.parametrize("role", ["auditor", "supervisor"])
def test_whoever_reads_what_was_said_is_on_record_first(
    shared: Service, call: str, role: str
) -> None:
    page = words(shared, call, role)
    for told in (SAID, NOTE, "taken to hospital", "Dorchester", "Weapon within reach?"):
        assert told in page
    assert readings(shared, call) == [(role, "page")]
    assert "Words read" in page


def test_without_a_record_of_the_reading_nothing_is_read(
    shared: Service, call: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from model_service.service.log import LogUnavailable

    async def refused(_: object) -> None:
        raise LogUnavailable("the decision log can't be used (full)")

    monkeypatch.setattr(shared.log, "append", refused)
    headers = {**OURS, "cookie": shared.cookie("auditor")}
    answer = shared.request("POST", f"/records/{call}/words", role=None, headers=headers)
    assert answer.status_code == 503
    assert "voices" not in answer.text


def test_what_was_erased_is_said_to_be(shared: Service, call: str) -> None:
    entry = shared.log.read.assessment(call)
    assert entry is not None
    shared.erase(entry.call_id)
    page = words(shared, call)
    assert "was erased" in page
    assert "voices" not in page
    again = shared.get(f"/records/{call}/replay", role="auditor").text
    assert "what was said was erased" in again


def test_recomputed_it_is_the_same(shared: Service, call: str) -> None:
    page = shared.get(f"/records/{call}/replay", role="auditor").text
    assert "The same again" in page
    assert "differs" not in page
    assert "Prediction" in page
    assert "voices" not in page


def test_a_changed_record_is_shown_to_differ_and_where(shared: Service, call: str) -> None:
    entry = shared.log.read.assessment(call)
    assert entry is not None
    private = shared.log.read.private(entry)
    body = entry.content()
    body["prediction"]["safety_risk"] += 2e-9
    shelf = Shelf([shared.settings.home / "releases"])
    changed = entry._replace(body=orjson.dumps(body).decode())
    compared = compare(changed, private, shelf, erased=False)
    assert compared.verdict == "differs"
    differing = [part for part in shown(compared) if not part.agrees]
    assert [part.title for part in differing] == ["Prediction"]
    assert differing[0].difference == "numbers apart by up to 2e-09"
    missing = compare(entry, private, Shelf([]), erased=False)
    assert missing.verdict == "no_release"
    assert missing.why is not None
    assert missing.why.endswith("is not there")
    assert compare(entry, private, shelf, erased=False).verdict == "agrees"
    assert compare(entry, {}, shelf, erased=True).verdict == "erased"


@pytest.mark.parametrize("path", ["", "/replay"])
@pytest.mark.parametrize("name", ["017aff46-9000-7000-8000-000000000000", "nonsense", "%3Cb%3E"])
def test_what_is_not_there_is_not_found(shared: Service, name: str, path: str) -> None:
    assert shared.get(f"/records/{name}{path}", role="auditor").status_code == 404
