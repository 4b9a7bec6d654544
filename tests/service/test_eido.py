"""EIDOs over HTTP: in as a call, out with the recommendation unless it is withheld."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from data.sources.eido.write import AGENT, NOTICE
from model_service.service.routes.examples import EIDOS
from model_service.service.views import EidoAssessmentView
from tests import eido_schema
from tests.builders import a_call, make_champion, release_files
from tests.eido_schema import needs_schema
from tests.harness import Service, assert_problem, running

pytestmark = pytest.mark.both_stores

MARKER = "PLANTEDMARKER7"
JSON = {"content-type": "application/json"}


def an_eido(**changes: Any) -> dict[str, Any]:
    """Make an EIDO as JSON has it."""
    return {**copy.deepcopy(EIDOS["notes so far"]), **changes}


def updated(minute: int, words: str) -> dict[str, Any]:
    """Make an update of the incident: later, and with one more note."""
    document = an_eido(lastUpdateTimeStamp=f"2021-10-05T21:{minute}:00-04:00")
    note = {**document["notesComponent"][0], "$id": f"note-{minute}", "notesActionComments": words}
    document["notesComponent"].append(note)
    return document


def send(service: Service, document: Any, **more: Any) -> Any:
    return service.post("/v1/eido", json=document, **more)


def export(service: Service, assessed: dict[str, Any], role: str = "dispatcher") -> dict[str, Any]:
    answer = service.get(f"/v1/assessments/{assessed['assessment_id']}/eido", role=role)
    assert answer.status_code == 200, answer.text
    content: dict[str, Any] = answer.json()
    return content


def our_notes(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        note
        for note in document.get("notesComponent", ())
        if note.get("agentReference", {}).get("$ref", "").startswith(AGENT)
    ]


def with_plan(home: Path, **changes: Any) -> None:
    files = release_files()
    plan = {**yaml.safe_load(files["plan.yaml"]), **changes}
    make_champion(home, {**files, "plan.yaml": yaml.safe_dump(plan).encode()})


# In


def test_an_eido_is_assessed_as_the_call_that_it_tells_of(service: Service) -> None:
    response = send(service, an_eido(), role="cad")
    assert response.status_code == 201
    answer = response.json()
    EidoAssessmentView.model_validate(answer)
    assert answer["eido"] == {
        "incident": "urn:emergency:uid:incidentid:example0003:psap.example",
        "calls": ["urn:emergency:uid:callid:example0003:psap.example"],
    }
    assert answer["call_id"] == answer["eido"]["incident"]
    assert (answer["revision"], answer["withheld"]) == (1, None)
    record = service.get(f"/v1/assessments/{answer['assessment_id']}").json()
    assert record["call"]["call_type"] == "EMOTIONALLY DISTURBED PERSON"
    assert record["call"]["narrative"].startswith("brother has not slept")
    assert record["call"]["call_source"] == "911"
    own = service.assess({**record["call"], "call_id": "same-otherwise"}).json()
    assert own["prediction"] == answer["prediction"]
    entry = service.log.read.assessment(answer["assessment_id"])
    assert entry is not None
    assert "slept" not in entry.body  # the document is kept, but not in the chain


def test_each_update_is_the_next_revision_and_the_same_one_is_assessed_once(
    service: Service,
) -> None:
    first = send(service, an_eido())
    second = send(service, updated(17, "<b>now holding a knife</b>"))
    head = service.log.head
    assert (first.json()["revision"], second.json()["revision"]) == (1, 2)
    again = service.post(  # the same document, written another way
        "/v1/eido", content=json.dumps(an_eido(), indent=2, sort_keys=True), headers=JSON
    )
    assert (again.status_code, again.content) == (200, first.content)
    assert service.log.head == head
    record = service.get(f"/v1/assessments/{second.json()['assessment_id']}").json()
    assert record["call"]["narrative"].endswith("\nnow holding a knife")


def test_an_older_update_that_comes_late_is_refused(service: Service) -> None:
    send(service, updated(30, "later"))
    head = service.log.head
    problem = assert_problem(send(service, updated(20, MARKER)), 409)
    assert MARKER not in json.dumps(problem)
    assert service.log.head == head


def test_posted_together_every_update_has_a_revision_of_its_own(service: Service) -> None:
    documents = [updated(20, f"note {number}") for number in range(5)] + [updated(20, "note 1")]
    answers = service.gather(
        *(service.send("POST", "/v1/eido", json=document) for document in documents)
    )
    assert sorted(answer.status_code for answer in answers) == [200, *[201] * 5]
    made = {a.json()["assessment_id"]: a.json()["revision"] for a in answers}
    assert sorted(made.values()) == [1, 2, 3, 4, 5]


def test_a_long_identifier_is_stood_for_and_kept_in_the_document(service: Service) -> None:
    name = "urn:emergency:uid:incidentid:" + "x" * 100
    answer = send(service, an_eido(**{"$id": name})).json()
    assert len(answer["call_id"]) <= 64
    assert answer["eido"]["incident"] == name
    assert export(service, answer)["$id"] == name
    assert send(service, an_eido(**{"$id": name + "y"})).json()["call_id"] != answer["call_id"]


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"eidoVersion": MARKER}, "eidoVersion"),
        ({"notesComponent": MARKER}, "notesComponent"),
        ({"callComponent": [MARKER]}, "callComponent[0]"),
        ({"callComponent": [{"$id": MARKER}]}, "callComponent[0].lastUpdateTimeStamp"),
        ({"lastUpdateTimeStamp": MARKER}, "lastUpdateTimeStamp"),
        ({"$id": {MARKER: 1}}, "$id"),
    ],
)
def test_what_is_no_eido_is_named_by_its_path_and_not_repeated(
    shared: Service, changes: dict[str, Any], path: str
) -> None:
    response = send(shared, an_eido(**changes))
    problem = assert_problem(response, 422)
    assert problem["errors"][0]["path"] == path
    assert problem["detail"] == "not a valid EIDO"
    assert MARKER not in response.text


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{",
        b"\xff\xfe\x00",
        b"\xef\xbb\xbf{}",
        b'{"$id": "\\ud800"}',
        b'{"$id": NaN}',
        b'{"a": 1e999}',
        b'{"a": 1, "a": 2}',
        b'{"a": ' + b"9" * 5000 + b"}",
        b"[" * 5000 + b"]" * 5000,
        b'{"a":' * 5000 + b"1" + b"}" * 5000,
    ],
)
def test_bytes_that_are_no_document_are_refused(shared: Service, body: bytes) -> None:
    assert_problem(shared.post("/v1/eido", content=body, headers=JSON), 422)


def test_other_media_and_large_bodies_are_refused(shared: Service) -> None:
    head = {"content-type": "text/xml"}
    assert_problem(shared.post("/v1/eido", content=b"<eido/>", headers=head), 415)
    assert_problem(send(shared, an_eido(extra="x" * 70_000)), 413)


# Out


def test_what_came_in_goes_out_whole_with_a_note_of_a_machine(service: Service) -> None:
    document = an_eido(unheardOf={"kept": [10**30, 0.5, None, "ü"]})
    assessed = send(service, document).json()
    out = export(service, assessed)
    (note,) = our_notes(out)
    words = note["notesActionComments"]
    assert words.startswith(f"<p>{NOTICE}</p>")
    assert f"Recommended: {assessed['recommendation']['name']}." in words
    for reason in assessed["recommendation"]["reasons"]:
        assert reason["text"] in words
    assert assessed["assessment_id"] in words
    assert note["lastUpdateTimeStamp"] == assessed["at"]
    assert note["updatedByAgencyReference"] == {"$ref": "psap.example"}
    (agent,) = out.pop("agentComponent")
    assert agent["$id"] == note["agentReference"]["$ref"]
    assert out["incidentComponent"]["notesReference"].pop() == {"$ref": note["$id"]}
    out["notesComponent"].remove(note)
    assert out == document
    assert "cautionComponent" not in out


def test_a_caution_goes_with_it_only_where_the_plan_says_so(tmp_path: Path) -> None:
    with_plan(tmp_path, eido={"caution": True, "agency": "centre.example"})
    with running(tmp_path, champion=False) as service:
        calm = export(service, service.assess(a_call(1)).json())
        risky = service.assess(a_call(2, answers={"weapon": "yes"})).json()
        out = export(service, risky)
    assert "cautionComponent" not in calm
    (caution,) = out["cautionComponent"]
    assert "“Weapon within reach?” was answered yes" in caution["cautionTypeInternalText"]
    assert caution["cautionSeverity"] == "normal"
    (note,) = our_notes(out)
    assert note["cautionReference"] == [{"$ref": caution["$id"]}]
    assert {one["$id"] for one in out["agencyComponent"]} == {"centre.example"}
    if eido_schema.FOLDER.is_dir():
        assert eido_schema.faults(out) == eido_schema.faults(calm) == []


def test_a_call_that_came_in_otherwise_gets_a_fresh_document(service: Service) -> None:
    assessed = service.assess(a_call(latitude=42.33, longitude=-71.08, premise_id="P1")).json()
    out = export(service, assessed)
    assert len(our_notes(out)) == 1
    told = [note["notesActionComments"] for note in out["notesComponent"]]
    assert told[0] == a_call()["narrative"]
    assert "<li>Weapon within reach? no</li>" in told[1]
    assert out["incidentComponent"]["incidentTypeInternalText"] == "EDP"
    assert out["incidentComponent"]["incidentTypeCommonRegistryText"] == "EDP"
    assert out["callComponent"][0]["callStartTimestamp"] == "2021-10-05T21:14:00-04:00"


@pytest.mark.parametrize("role", ["dispatcher", "cad", "auditor"])
@pytest.mark.parametrize("mode", ["off", "shadow"])
def test_withheld_advice_is_in_no_document_whoever_asks(
    service: Service, mode: str, role: str
) -> None:
    before = send(service, an_eido()).json()
    service.request("PUT", "/v1/mode", json={"mode": mode}, role="administrator")
    after = send(service, updated(20, "more")).json()
    own = service.assess(a_call()).json()
    assert after["withheld"] == mode
    assert export(service, before, role) == an_eido()
    assert export(service, after, role) == updated(20, "more")
    fresh = export(service, own, role)
    assert our_notes(fresh) == []
    assert NOTICE not in json.dumps(fresh)


def test_advice_that_is_held_back_goes_out_once_a_decision_is_in(tmp_path: Path) -> None:
    with_plan(tmp_path, hold_back=0.999999)
    with running(tmp_path, champion=False) as service:
        assessed = send(service, an_eido()).json()
        assert assessed["withheld"] == "held_back"
        assert export(service, assessed) == an_eido()
        service.post(
            f"/v1/assessments/{assessed['assessment_id']}/decision",
            json={"action": "commit", "response": "emt_clinician"},
        )
        assert len(our_notes(export(service, assessed))) == 1


def test_our_own_note_that_comes_back_is_no_part_of_the_call(service: Service) -> None:
    out = export(service, send(service, an_eido()).json())
    out["lastUpdateTimeStamp"] = "2021-10-05T21:30:00-04:00"
    again = send(service, out).json()
    record = service.get(f"/v1/assessments/{again['assessment_id']}").json()
    assert (again["revision"], NOTICE in record["call"]["narrative"]) == (2, False)
    assert len(our_notes(export(service, again))) == 2


def test_what_was_erased_or_never_was_can_not_go_out(service: Service) -> None:
    assessed = send(service, an_eido()).json()
    service.erase()
    path = f"/v1/assessments/{assessed['assessment_id']}/eido"
    assert_problem(service.get(path), 410)
    assert_problem(service.get("/v1/assessments/nonsense/eido"), 404)


def test_records_of_before_there_were_eidos_go_out_too(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    from model_service.service import views

    made = views.assessment_body
    monkeypatch.setattr(
        views,
        "assessment_body",
        lambda *a, **k: {n: v for n, v in made(*a, **k).items() if n != "eido"},
    )
    out = export(service, service.assess(a_call()).json())
    assert len(our_notes(out)) == 1
    assert out["updatedByAgencyReference"] == {"$ref": "agency.invalid"}


@needs_schema
def test_what_goes_in_and_out_over_http_is_valid(service: Service) -> None:
    for document in (*EIDOS.values(), updated(20, "<p>x</p>")):
        assert eido_schema.faults(document) == []
        assert eido_schema.faults(export(service, send(service, document).json())) == []
    for call in (a_call(), {"call_id": "C-2", "received_at": "2021-10-05T21:14:00Z"}):
        assert eido_schema.faults(export(service, service.assess(call).json())) == []
    sample = json.loads(eido_schema.SAMPLE.read_bytes())
    out = export(service, send(service, sample).json())
    assert eido_schema.faults(out) == []
    assert len(our_notes(out)) == 1
