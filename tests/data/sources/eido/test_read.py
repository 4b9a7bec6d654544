"""What a call is read from, and what is known too late to be part of it."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.call import MAX_NARRATIVE, Call
from data.sources.eido import Advice, Document, EidoError, call_id_of, parse, serialise, to_call
from data.sources.eido import to_eido as write
from data.sources.eido.read import AGENT
from tests.eido_documents import Json
from tests.strategies import calls

AGENCY = {"$ref": "psap.example"}
ADVICE = Advice("a-1", "2021-10-05T21:16:00.000Z", "A team", ["a reason"], "Release r", ["knife"])


def part(name: str, minute: int, **more: Any) -> Json:
    """Make a component that was last changed in this minute after nine in the evening."""
    return {
        "$id": name,
        "lastUpdateTimeStamp": f"2021-10-05T21:{minute:02}:00-04:00",
        "updatedByAgencyReference": AGENCY,
        **more,
    }


def note(name: str, minute: int, words: str | None = None, **more: Any) -> Json:
    return part(name, minute, notesActionComments=words or f"words of {name}", **more)


def refer(*names: str) -> list[Json]:
    return [{"$ref": name} for name in names]


def a_document(**more: Any) -> Json:
    agency = part("psap.example", 0, agencyRoleDescriptionRegistryText=["x"], agencyType=["psap"])
    return part(
        "incident-1",
        50,
        eidoVersion="1.0",
        issuingElementIdentification="cad.psap.example",
        agencyComponent=[agency],
        **more,
    )


def a_call(**more: Any) -> Json:
    return part(
        "call-1",
        40,
        callStateRegistryText="callEnd",
        standardPrimaryCallType="emergency",
        direction="incoming",
        callStartTimestamp="2021-10-05T21:10:00-04:00",
        **more,
    )


def an_incident(minute: int, **more: Any) -> Json:
    return part("about", minute, incidentTypeCommonRegistryText="WELFARE", **more)


def read(**more: Any) -> Call:
    return to_call(Document(a_document(**more)))


# The time of knowledge


def test_what_was_changed_after_the_first_dispatch_is_left_out() -> None:
    document = {
        "callComponent": [a_call(personReference=refer("caller"))],
        "incidentComponent": an_incident(31, incidentPriorityInternalText="1"),
        "notesComponent": [note("late", 31), note("at dispatch", 30), note("early", 12)],
        "personComponent": [
            part("caller", 31, personIncidentRoleRegistryText=["Caller", "Patient"])
        ],
        "dispatchComponent": [part("d2", 45), part("d1", 30)],
    }
    call = read(**document)
    assert call.narrative == "words of early\nwords of at dispatch"
    assert (call.call_type, call.priority, call.caller_role) == (None, None, None)
    assert (
        call.received_at.isoformat() == "2021-10-05T21:10:00-04:00"
    )  # a call is changed till it ends
    assert call.call_source == "911"
    before = read(**{**document, "dispatchComponent": []})
    assert before.narrative.endswith("words of late")
    assert (before.call_type, before.priority) == ("CHECK WELFARE", "1")
    assert before.caller_role == "self"


def test_a_unit_on_the_incident_was_dispatched_too() -> None:
    unit = part(
        "unit",
        20,
        agentReference=[],
        emergencyResourceTypeCommonRegistryText="x",
        primaryUnitStatusRegistryText="x",
        resourceAttributeRegistryText=[],
        secondaryUnitStatusRegistryText=[],
    )
    notes = [note("early", 19), note("late", 21)]
    call = read(callComponent=[a_call()], notesComponent=notes, emergencyResourceComponent=[unit])
    assert call.narrative == "words of early"
    # What was last changed before the call came in says nothing of when it was sent to it.
    unit["lastUpdateTimeStamp"] = "2021-10-05T08:00:00-04:00"
    call = read(callComponent=[a_call()], notesComponent=notes, emergencyResourceComponent=[unit])
    assert call.narrative == "words of early\nwords of late"


@pytest.mark.parametrize(
    "name", ["dispatchComponent", "agencyComponent", "agentComponent", "disposition"]
)
def test_notes_of_what_is_no_call_are_left_out_whatever_their_time(name: str) -> None:
    document = a_document(
        callComponent=[a_call()],
        incidentComponent=an_incident(12),
        notesComponent=[note("other", 11), note("loose", 12)],
        dispatchComponent=[part("d", 30)],
        agentComponent=[part("a", 1, agentRoleRegistryText=["x"], agencyReference=AGENCY)],
    )
    disposition = part("closed", 12, dispositionCommonRegistryCode="x")
    document["incidentComponent"]["dispositionComponent"] = [disposition]
    home = disposition if name == "disposition" else document[name][0]
    home["notesReference"] = refer("other")
    assert to_call(Document(document)).narrative == "words of loose"
    document["callComponent"][0]["notesReference"] = refer("other")  # unless it is of the call too
    assert to_call(Document(document)).narrative == "words of other\nwords of loose"


def test_what_this_software_wrote_is_no_part_of_a_call() -> None:
    document = a_document(
        callComponent=[a_call()],
        notesComponent=[
            note("theirs", 12, agentReference={"$ref": "someone@psap.example"}),
            note("ours", 13, agentReference={"$ref": f"{AGENT}psap.example"}),
        ],
    )
    call = to_call(Document(document))
    assert call.narrative == "words of theirs"
    assert to_call(Document(write(call, ADVICE, document=document))) == call


def test_a_caution_is_read_with_the_note_that_refers_to_it() -> None:
    caution = part(
        "c",
        12,
        cautionTypeInternalText="keeps a machete",
        cautionTypeCommonRegistryText="x",
        cautionSeverity="high",
    )
    notes = [note("one", 11, cautionReference=refer("c", "gone")), note("two", 12)]
    call = read(callComponent=[a_call()], notesComponent=notes, cautionComponent=[caution])
    assert call.narrative == "words of one\ncaution: keeps a machete\nwords of two"
    late = read(
        callComponent=[a_call()],
        notesComponent=notes,
        cautionComponent=[{**caution, "lastUpdateTimeStamp": "2021-10-05T21:45:00-04:00"}],
        dispatchComponent=[part("d", 30)],
    )
    assert "machete" not in late.narrative


# Fields


@pytest.mark.parametrize(
    ("told", "code", "read_as"),
    [
        (None, "EDP", "EMOTIONALLY DISTURBED PERSON"),
        (None, "edp", "EMOTIONALLY DISTURBED PERSON"),
        (None, "Unheard Of", "Unheard Of"),
        (" Psych ", "EDP", "Psych"),
        ("", "EDP", "EMOTIONALLY DISTURBED PERSON"),
        ("x" * 201, "EDP", "EMOTIONALLY DISTURBED PERSON"),
        (None, " ", None),
    ],
)
def test_the_type_in_the_agencys_words_or_else_the_common_one(
    told: str | None, code: str, read_as: str | None
) -> None:
    incident = part("about", 12, incidentTypeCommonRegistryText=code)
    if told is not None:
        incident["incidentTypeInternalText"] = told
    assert read(callComponent=[a_call()], incidentComponent=incident).call_type == read_as


def test_without_a_call_the_earliest_change_stands_for_its_time() -> None:
    alarm = part("alarm", 15)
    call = read(notesComponent=[note("n", 14)], alarmsSensorsComponent=[alarm])
    assert call.received_at.isoformat() == "2021-10-05T21:14:00-04:00"
    assert call.call_source == "alarm"
    assert read().received_at.isoformat() == "2021-10-05T21:50:00-04:00"
    assert read().call_source is None


@pytest.mark.parametrize(
    ("primary", "local", "source"),
    [
        ("emergency", None, "911"),
        ("NonEmergency", None, "non_emergency"),
        ("intervene", None, None),
        ("emergency", "988_transfer", "988_transfer"),
        ("emergency", "unknown", None),
        ("emergency", "their own word", "911"),
    ],
)
def test_the_way_a_call_came_in(primary: str, local: str | None, source: str | None) -> None:
    call = a_call(**({} if local is None else {"localCallType": local}))
    call["standardPrimaryCallType"] = primary
    assert read(callComponent=[call]).call_source == source


@pytest.mark.parametrize(
    ("roles", "role"),
    [
        (["Caller"], None),
        (["CALLER", "patient "], "self"),
        (["Caller", "Witness"], "bystander"),
        (["Caller", "Victim"], None),
        (["Caller", "Patient", "Staff"], None),
        (["Patient"], None),
    ],
)
def test_who_calls(roles: list[str], role: str | None) -> None:
    person = part("p", 12, personIncidentRoleRegistryText=roles)
    assert read(callComponent=[a_call()], personComponent=[person]).caller_role == role


@pytest.mark.parametrize(
    ("code", "tag"), [("spa", "es"), ("cmn", "cmn"), ("und", None), ("Spanish", None), (7, None)]
)
def test_the_language_of_the_caller(code: Any, tag: str | None) -> None:
    person = part(
        "p",
        12,
        personIncidentRoleRegistryText=["Caller"],
        ncPersonComponent={"primaryLanguage": [{"languageCode": [{"simpleType": code}]}]},
    )
    assert read(callComponent=[a_call()], personComponent=[person]).language == tag


def test_the_place_is_the_incidents_and_a_routing_location_comes_last() -> None:
    def at(name: str, kind: str, area: str, *ids: str) -> Json:
        xml = f'<p xmlns="urn:ietf:params:xml:ns:pidf:geopriv10:civicAddr"><A5>{area}</A5></p>'
        return part(
            name,
            12,
            locationTypeDescriptionRegistryText=kind,
            locationByValue=xml,
            localIdentifier=list(ids),
        )

    places = [
        at("r", "RoutingLocation", "Routing"),
        at("c", "Caller", "Callers", "A", "B"),
        at("i", "Incident", "Incidents", "P-1"),
        at("elsewhere", "Unit", "Units"),
    ]
    document: Json = {
        "callComponent": [a_call(locationReference=refer("r", "c"))],
        "locationComponent": places,
    }
    call = read(**document)
    assert (call.neighborhood, call.premise_id) == ("Callers", None)  # two names: in doubt
    incident = an_incident(12, locationReference=refer("gone", "i"))
    call = read(**document, incidentComponent=incident)
    assert (call.neighborhood, call.premise_id) == ("Incidents", "P-1")
    places[2]["localIdentifier"] = ["12 Elm Street"]  # no pseudonym, by its spaces
    assert read(**document, incidentComponent=incident).premise_id is None


def test_identifiers_of_any_form_give_different_numbers() -> None:
    names = ["I-1", "", " ", "é", "x" * 64, "x" * 65, "x" * 66, "urn:crisiscall:eido:00"]
    numbers = [call_id_of(Document({**a_document(), "$id": name})) for name in names]
    assert len(set(numbers)) == len(names)
    assert (numbers[0], numbers[4]) == ("I-1", "x" * 64)
    assert numbers[-1] != names[-1]
    for number in numbers:
        assert Call(call_id=number, received_at=read().received_at).call_id == number


# What can't be read


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.pop("$id"), "$id: missing"),
        (lambda d: d.pop("agencyComponent"), "agencyComponent: missing"),
        (lambda d: d.update(eidoVersion="2.0"), "eidoVersion: this is read in version 1.0 alone"),
        (lambda d: d.update(callComponent={}), "callComponent: not a list"),
        (lambda d: d.update(incidentComponent=[]), "incidentComponent: not an object"),
        (
            lambda d: d["callComponent"][0].pop("direction"),
            "callComponent[0].direction: missing",
        ),
        (
            lambda d: d["callComponent"][0].update(callStartTimestamp="2021-10-05T21:10:00"),
            "callComponent[0].callStartTimestamp: not a date and time with its UTC offset",
        ),
        (
            lambda d: d["callComponent"][0].update(callStartTimestamp="1850-10-05T21:10:00Z"),
            "callComponent[0].callStartTimestamp: lies outside 1968-2099",
        ),
        (
            lambda d: d["notesComponent"][0].update(notesActionComments=["x"]),
            "notesComponent[0].notesActionComments: not a text",
        ),
        (
            lambda d: d["notesComponent"][0].update(notesActionComments="x" * MAX_NARRATIVE + "y"),
            "notesComponent: holds more than 20,000 characters",
        ),
        (
            lambda d: d["incidentComponent"].update(notesReference="x"),
            "incidentComponent.notesReference: not a list",
        ),
        (
            lambda d: d["incidentComponent"].update(dispositionComponent=[{}]),
            "incidentComponent.dispositionComponent[0].$id: missing",
        ),
    ],
)
def test_the_message_names_the_element(change: Any, message: str) -> None:
    document = a_document(
        callComponent=[a_call()],
        notesComponent=[note("n", 12)],
        incidentComponent=an_incident(12),
    )
    to_call(Document(copy.deepcopy(document)))
    change(document)
    with pytest.raises(EidoError) as caught:
        to_call(Document(document))
    assert str(caught.value) == message


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=4)
    ),
)


@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), values, max_size=5))
def test_any_json_object_is_parsed_without_loss(content: Json) -> None:
    parsed = parse(serialise(content))
    assert json.dumps(parsed) == json.dumps(content)


@given(st.data())
def test_any_element_may_be_anything_and_is_read_or_refused(data: st.DataObject) -> None:
    document = a_document(
        callComponent=[a_call(notesReference=refer("n"))],
        notesComponent=[note("n", 12)],
        incidentComponent=an_incident(12, dispositionComponent=[]),
        personComponent=[part("p", 12, personIncidentRoleRegistryText=["Caller"])],
        locationComponent=[part("l", 12, locationTypeDescriptionRegistryText="x")],
        dispatchComponent=[part("d", 30)],
    )
    homes = [
        document,
        *(one for value in document.values() if isinstance(value, list) for one in value),
        document["incidentComponent"],
    ]
    home = data.draw(st.sampled_from(homes))
    home[data.draw(st.sampled_from(sorted(home)))] = data.draw(values)
    try:
        made = to_call(Document(document))
    except EidoError:
        return
    assert parse(serialise(write(made, ADVICE, document=document)))["notesComponent"]


# A fresh document


@given(calls())
def test_a_fresh_document_says_what_the_call_says(call: Call) -> None:
    bare = call.model_copy(update={"answers": {}})
    back = to_call(Document(parse(serialise(write(bare, ADVICE)))))
    assert back.received_at == call.received_at
    assert back.narrative == call.narrative.strip()
    assert back.call_source == call.call_source
    assert (back.latitude, back.longitude) == (call.latitude, call.longitude)
    assert back.premise_id == call.premise_id
    if call.call_type is not None and call.call_type.strip():
        assert back.call_type == call.call_type.strip()
    if call.priority is not None:
        assert back.priority == (call.priority.strip() or None)
    assert (back.language or "") == (call.language or "").split("-")[0]
    if call.neighborhood is not None and call.neighborhood.isprintable():
        assert back.neighborhood == (" ".join(call.neighborhood.split()) or None)


REQUIRED: dict[str, set[str]] = {
    "notesComponent": {"notesActionComments"},
    "cautionComponent": {
        "cautionTypeInternalText",
        "cautionTypeCommonRegistryText",
        "cautionSeverity",
    },
    "agentComponent": {"agentRoleRegistryText", "agencyReference"},
    "agencyComponent": {"agencyRoleDescriptionRegistryText", "agencyType"},
    "callComponent": {
        "callStateRegistryText",
        "standardPrimaryCallType",
        "direction",
        "callStartTimestamp",
    },
    "incidentComponent": {"incidentTypeCommonRegistryText"},
    "locationComponent": {"locationTypeDescriptionRegistryText"},
    "personComponent": {"personIncidentRoleRegistryText"},
}
"""What the standard requires of each component that is written, told anew."""


@given(calls())
def test_whatever_is_written_has_what_the_standard_requires(call: Call) -> None:
    made = write(call, ADVICE)
    prologue = {"$id", "lastUpdateTimeStamp", "updatedByAgencyReference"}
    assert made.keys() >= prologue | {"eidoVersion", "issuingElementIdentification"}
    assert {name for name in made if name.endswith("Component")} <= REQUIRED.keys()
    components = [
        (name, one)
        for name in REQUIRED.keys() & made.keys()
        for one in (made[name] if isinstance(made[name], list) else [made[name]])
    ]
    for name, one in components:
        assert one.keys() >= prologue | REQUIRED[name]
    ids = [one["$id"] for _, one in components]
    assert len(ids) == len(set(ids))
    references = json.dumps(made).count('"$ref"')
    known = sum(json.dumps(made).count(f'"$ref": {json.dumps(name)}') for name in ids)
    assert references == known  # none leads nowhere
    assert [one["cautionSeverity"] for one in made["cautionComponent"]] == ["normal"]
