"""A thousand random EIDOs, in and out, against NENA's schema."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from hypothesis import given

from data.call import Call
from data.sources.eido import Advice, Document, parse, serialise, to_call, to_eido
from data.sources.eido import document as form
from data.sources.eido.codes import LANGUAGES, incident_types
from data.sources.eido.write import NO_AGENCY
from tests.eido_documents import HandMaker, Maker, SchemaMaker, planted
from tests.eido_schema import ROOT, SAMPLE, faults, needs_schema, read_schema, resolved
from tests.strategies import calls

AGENCY = "psap.example"
ADVICE = Advice(
    "017aff46-9000-7000-8000-000000000000",
    "2021-08-01T09:30:00.000Z",
    "EMTs & clinician",
    ["“Injured?” was answered yes", "a < b"],
    "release 2021-08, plan boston 1",
)
CAUTIOUS = Advice(
    ADVICE.assessment_id,
    ADVICE.at,
    ADVICE.response,
    ADVICE.reasons,
    ADVICE.made_by,
    caution=["“Weapon within reach?” was answered yes"],
)


def without_advice(document: dict[str, Any]) -> dict[str, Any]:
    """Take away what an export adds, by where it stands: at the end of its list."""
    made = json.loads(json.dumps(document))
    (note,) = made["notesComponent"][-1:]
    for name in ("notesComponent", "agentComponent", "cautionComponent", "agencyComponent"):
        if made.get(name) and made[name][-1]["$id"].startswith(
            ("urn:crisiscall:", AGENCY, NO_AGENCY)
        ):
            made[name].pop()
    for one in (made.get("incidentComponent"), *made.get("callComponent", ())):
        if one and one.get("notesReference", [])[-1:] == [{"$ref": note["$id"]}]:
            one["notesReference"].pop()
    return made  # type: ignore[no-any-return]


def dropped_empty(document: Any) -> Any:
    """Leave out empty lists: whether an export began one, its end does not tell."""
    if isinstance(document, dict):
        return {k: dropped_empty(v) for k, v in document.items() if v != []}
    return [dropped_empty(v) for v in document] if isinstance(document, list) else document


def exact(document: Any) -> str:
    """Write a document so that equal texts are equal values of equal types."""
    return json.dumps(document, sort_keys=True)


def check_no_loss(maker: Maker) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Read a random document and write it again; gives it and what was written."""
    document, expected = planted(maker)
    parsed = parse(json.dumps(document, ensure_ascii=maker.rng.random() < 0.5).encode())
    assert exact(parsed) == exact(document)
    call = to_call(Document(parsed))
    assert call == expected
    written = [
        to_eido(call, None, document=parsed),
        to_eido(call, ADVICE, document=parsed),
        to_eido(call, CAUTIOUS, document=parsed, agency=AGENCY),
    ]
    assert exact(parsed) == exact(document), "what came in was changed"
    assert exact(written[0]) == exact(document)
    for made in written[1:]:
        assert exact(dropped_empty(without_advice(made))) == exact(dropped_empty(document))
        assert exact(parse(serialise(made))) == exact(made)
        assert to_call(Document(made)) == expected, "a recommendation became part of the call"
    return document, written


@needs_schema
def test_a_thousand_valid_documents_are_read_and_written_without_loss() -> None:
    components: set[str] = set()
    for seed in range(1000):
        document, written = check_no_loss(SchemaMaker(random.Random(seed)))
        assert faults(document) == []
        assert [faults(made) for made in written] == [[]] * 3
        components |= document.keys()
    assert components >= set(form.REQUIRED)  # every kind of component was there


@pytest.mark.parametrize("part", range(4))
def test_documents_made_by_hand_are_read_and_written_without_loss(part: int) -> None:
    for seed in range(50 * part, 50 * part + 50):
        check_no_loss(HandMaker(random.Random(seed)))


@needs_schema
def test_documents_made_by_hand_are_valid() -> None:
    for seed in range(100):
        assert faults(planted(HandMaker(random.Random(seed)))[0]) == []


@needs_schema
@given(calls())
def test_a_fresh_document_of_any_call_is_valid(call: Call) -> None:
    for advice in (None, ADVICE, CAUTIOUS):
        assert faults(to_eido(call, advice)) == []


@needs_schema
def test_what_is_required_is_what_the_schema_says() -> None:
    root, base = resolved({"$ref": ROOT}, ROOT)
    prologue, own = (resolved(part, base)[0] for part in root["allOf"])
    assert set(form.PROLOGUE) == set(prologue["required"])
    assert set(form.ROOT) == {*prologue["required"], *own["required"]}
    assert own["properties"]["eidoVersion"]["enum"] == [form.VERSION]
    found = {}
    for name, schema in own["properties"].items():
        if not name.endswith("Component"):
            continue
        component, _ = resolved(schema.get("items", schema), base)
        found[name] = set(component["allOf"][1].get("required", ()))
    assert {name: set(required) for name, required in form.REQUIRED.items()} == found


@needs_schema
def test_the_table_of_incident_types_has_every_code_of_the_schema() -> None:
    schema = read_schema("NIEMComponents/apco.yaml")["components"]["schemas"]
    assert set(incident_types().words) == set(schema["apcoIncidentCategoryCodeSimpleType"]["enum"])


@needs_schema
def test_languages_are_codes_of_the_schema() -> None:
    schema = read_schema("NIEMComponents/iso_639-3.yaml")["components"]["schemas"]
    assert set(LANGUAGES) <= set(schema["iso_639-3LanguageCodeSimpleType"]["enum"])


@needs_schema
def test_the_published_sample_goes_in_and_out() -> None:
    body = SAMPLE.read_bytes()
    document = parse(body)
    call = to_call(Document(document))
    assert call.call_id == "urn:emergency:uid:incidentid:a56e556d871:bcf.state.pa.us"
    assert call.received_at.isoformat() == "2021-04-30T14:40:00-04:00"
    assert call.call_source == "911"
    assert call == Call(
        call_id=call.call_id, received_at=call.received_at, call_source=call.call_source
    )
    for advice in (ADVICE, CAUTIOUS):
        made = to_eido(call, advice, document=document)
        assert faults(made) == []
        assert exact(dropped_empty(without_advice(made))) == exact(dropped_empty(json.loads(body)))
