"""A call and what is recommended → an EIDO, with everything kept that came in.

To a document that came in, this adds and changes nothing else:

- an agent, this software, and its agency if the document does not list it;
- a note of that agent, with the recommendation and its reasons, and a reference to the note from
  the incident, or from the first call where nothing is said of the incident;
- where it is asked for, a caution that the note refers to.

The time and the author of the document as a whole stay: what came in was theirs. A call that did
not come in as an EIDO gets a fresh one.

Registries that the schema only names can't be looked up in it. Where the standard wants a value
of one, `AGENT_ROLE` and the constants after it say what is written; a centre whose functional
elements check the registries changes it here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from data.call import QUESTION_TEXTS, Call
from data.sources.eido.codes import CODES_OF_LANGUAGES, PRIMARY_TYPES, UNKNOWN_TYPE, incident_types
from data.sources.eido.document import INCIDENT, VERSION, Json, reference
from data.sources.eido.location import Place, write_location
from data.sources.eido.notes import paragraphs, to_html
from data.sources.eido.read import AGENT, UNKNOWN_SOURCE

AGENT_ROLE = "Other"
CAUTION_TYPE = "Other"
AGENCY_ROLE = "CallReceiving"
AGENCY_TYPE = "psap"
CALLER_ROLE = "Caller"
LOCATION_TYPE = "Caller"
CALL_STATE = "callAnswered"

CAUTION_SEVERITY = "normal"
"""The middle of the standard's five degrees: what was found speaks for itself."""

NO_AGENCY = "agency.invalid"
"""Stands for the agency where neither the plan nor the document names one (RFC 2606)."""

NOTICE = "Automated recommendation; a person decides."
"""How every note of this software begins."""


@dataclass(frozen=True)
class Advice:
    """What is recommended for a call, in words.

    Parameters
    ----------
    assessment_id : str
    at : str
        When it was given, RFC 3339.
    response : str
        The team's name.
    reasons : sequence of str
        Neutral sentences.
    made_by : str
        Release and plan.
    caution : sequence of str
        What threatens the safety of people by what was said or answered; no caution if empty.
    """

    assessment_id: str
    at: str
    response: str
    reasons: Sequence[str]
    made_by: str
    caution: Sequence[str] = ()


def to_eido(
    call: Call, advice: Advice | None, *, document: Json | None = None, agency: str | None = None
) -> Json:
    """Write a call and what is recommended for it as an EIDO.

    Parameters
    ----------
    call : Call
    advice : Advice or None
        None where it is withheld: then nothing is added.
    document : dict, optional
        The EIDO as which the call came in, valid; it is not changed but copied.
    agency : str, optional
        Identifier of the centre's agency; the one that sent the document if not given.

    Returns
    -------
    dict
        A document that is valid against the schema of NENA-STA-021.1, version 1.0.0.
    """
    if document is None:
        document = _fresh(call, agency or NO_AGENCY)
    if advice is None:
        return document
    sender = reference(document["updatedByAgencyReference"])
    return _advised(document, advice, agency or sender or NO_AGENCY)


def _advised(document: Json, advice: Advice, agency: str) -> Json:
    agent = f"{AGENT}{agency}"
    prologue = {
        "lastUpdateTimeStamp": advice.at,
        "updatedByAgencyReference": {"$ref": agency},
        "updatedByAgentReference": {"$ref": agent},
    }
    note: Json = {
        "$id": f"urn:crisiscall:note:{advice.assessment_id}",
        **prologue,
        "notesActionComments": paragraphs(
            NOTICE,
            f"Recommended: {advice.response}.",
            advice.reasons,
            f"{advice.made_by}, assessment {advice.assessment_id}.",
        ),
        "agentReference": {"$ref": agent},
    }
    made = dict(document)
    if agency != reference(document["updatedByAgencyReference"]):
        _add(made, "agencyComponent", {**_agency(agency), "lastUpdateTimeStamp": advice.at})
    _add(
        made,
        "agentComponent",
        {
            "$id": agent,
            **prologue,
            "agentRoleRegistryText": [AGENT_ROLE],
            "agencyReference": {"$ref": agency},
        },
    )
    if advice.caution:
        caution = {
            "$id": f"urn:crisiscall:caution:{advice.assessment_id}",
            **prologue,
            "cautionTypeInternalText": "; ".join(advice.caution),
            "cautionTypeCommonRegistryText": CAUTION_TYPE,
            "cautionSeverity": CAUTION_SEVERITY,
            "cautionSource": agent,
        }
        note["cautionReference"] = [{"$ref": caution["$id"]}]
        _add(made, "cautionComponent", caution)
    _add(made, "notesComponent", note)
    _refer(made, note["$id"])
    return made


def _add(document: Json, name: str, component: Json) -> None:
    """Add a component to a list, unless one of its identifier is there."""
    there: list[Json] = document.get(name, [])
    if all(one.get("$id") != component["$id"] for one in there):
        document[name] = [*there, component]


def _refer(document: Json, note: str) -> None:
    """Let the incident, or else the first call, refer to a note."""

    def referring(component: Json) -> Json:
        return {
            **component,
            "notesReference": [*component.get("notesReference", []), {"$ref": note}],
        }

    if INCIDENT in document:
        document[INCIDENT] = referring(document[INCIDENT])
    elif document.get("callComponent"):
        first, *others = document["callComponent"]
        document["callComponent"] = [referring(first), *others]


def _agency(agency: str) -> Json:
    return {
        "$id": agency,
        "updatedByAgencyReference": {"$ref": agency},
        "agencyRoleDescriptionRegistryText": [AGENCY_ROLE],
        "agencyType": [AGENCY_TYPE],
    }


def _fresh(call: Call, agency: str) -> Json:
    """Write a call that did not come in as an EIDO: what it says, and nothing besides."""
    number = quote(call.call_id, safe="")
    at = call.received_at.isoformat()
    prologue = {"lastUpdateTimeStamp": at, "updatedByAgencyReference": {"$ref": agency}}

    def component(kind: str, **more: Any) -> Json:
        return {"$id": f"urn:emergency:uid:{kind}:{number}:{agency}", **prologue, **more}

    source = call.call_source or UNKNOWN_SOURCE
    primary = PRIMARY_TYPES.get(source, PRIMARY_TYPES["911"])
    the_call = component(
        "callid",
        standardPrimaryCallType=primary,
        localCallType=source,
        direction="incoming",
        callStartTimestamp=at,
        callStateRegistryText=CALL_STATE,
    )
    document: Json = {
        **component("incidentid"),
        "eidoVersion": VERSION,
        "issuingElementIdentification": f"crisiscall.{agency}",
        "callComponent": [the_call],
        "agencyComponent": [{**_agency(agency), "lastUpdateTimeStamp": at}],
    }
    if call.call_type is not None or call.priority is not None:
        document[INCIDENT] = component("incident", **_incident(call))
    notes = [
        component(f"note{index}", notesActionComments=text)
        for index, text in enumerate(_notes(call), 1)
    ]
    if notes:
        document["notesComponent"] = notes
        the_call["notesReference"] = [{"$ref": note["$id"]} for note in notes]
    place = _place(call)
    if place is not None:
        document["locationComponent"] = [component("location", **place)]
        the_call["locationReference"] = [{"$ref": document["locationComponent"][0]["$id"]}]
    code = _language(call.language)
    if code is not None:
        spoken = {"primaryLanguage": [{"languageCode": [{"simpleType": code}]}]}
        document["personComponent"] = [
            component(
                "caller",
                personIncidentRoleRegistryText=[CALLER_ROLE],
                callIdentifier=[the_call["$id"]],
                ncPersonComponent=spoken,
            )
        ]
        the_call["personReference"] = [{"$ref": document["personComponent"][0]["$id"]}]
    return document


def _incident(call: Call) -> Json:
    told = call.call_type or ""
    incident: Json = {
        "incidentTypeCommonRegistryText": incident_types().write(told) or UNKNOWN_TYPE
    }
    if call.call_type is not None:
        incident["incidentTypeInternalText"] = call.call_type
    if call.priority is not None:
        incident["incidentPriorityInternalText"] = call.priority
    return incident


def _notes(call: Call) -> list[str]:
    notes = [to_html(call.narrative)] if call.narrative.strip() else []
    answered = [
        f"{text} {call.answers[question]}"
        for question, text in QUESTION_TEXTS.items()
        if question in call.answers
    ]
    if answered:
        notes.append(paragraphs("Protocol questions:", answered))
    return notes


def _place(call: Call) -> Json | None:
    point = None
    if call.latitude is not None and call.longitude is not None:
        point = (call.latitude, call.longitude)
    if point is None and call.neighborhood is None and call.premise_id is None:
        return None
    place: Json = {"locationTypeDescriptionRegistryText": LOCATION_TYPE}
    if point is not None or call.neighborhood is not None:
        place["locationByValue"] = write_location(Place(point, call.neighborhood))
    if call.premise_id is not None:
        place["localIdentifier"] = [call.premise_id]
    return place


def _language(tag: str | None) -> str | None:
    """Give the ISO 639-3 code of a tag's language; None if it has none."""
    primary = "" if tag is None else tag.split("-")[0].lower()
    if len(primary) == 3:
        return primary
    return CODES_OF_LANGUAGES.get(primary)
