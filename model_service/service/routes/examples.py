"""Made-up calls for the documentation; no such call was ever made."""

from typing import Any

CALLS: dict[str, Any] = {
    "notes so far": {
        "call_id": "EXAMPLE-0001",
        "received_at": "2021-10-05T21:14:00-04:00",
        "revision": 1,
        "narrative": "brother has not slept in days, talking to people who are not there, "
        "no weapons seen, wants help",
        "call_type": "EDP",
        "call_source": "911",
        "caller_role": "family",
        "language": "en",
        "neighborhood": "Dorchester",
        "answers": {"weapon": "no", "violence": "no", "hallucinations": "yes"},
    },
    "the notes grew": {
        "call_id": "EXAMPLE-0001",
        "received_at": "2021-10-05T21:14:00-04:00",
        "revision": 2,
        "narrative": "brother has not slept in days, talking to people who are not there, "
        "no weapons seen, wants help // now holding a kitchen knife",
        "call_type": "EDP",
        "call_source": "911",
        "caller_role": "family",
        "language": "en",
        "neighborhood": "Dorchester",
        "answers": {"weapon": "yes", "violence": "no", "hallucinations": "yes"},
    },
    "the least": {"call_id": "EXAMPLE-0002", "received_at": "2021-10-05T21:20:00-04:00"},
}

DECISIONS: dict[str, Any] = {
    "accept": {"action": "accept"},
    "override": {
        "action": "override",
        "response": "police_clinician",
        "reason": "information_not_in_notes",
        "note": "officer on scene reports a second person",
    },
    "where no advice was shown": {"action": "commit", "response": "emt_clinician"},
}

OUTCOMES: dict[str, Any] = {
    "at clearance": {
        "call_id": "EXAMPLE-0001",
        "recorded_at": "2021-10-05T22:40:00-04:00",
        "final_call_type": "EDP",
        "clinician_finding": "crisis",
        "weapon_found": False,
        "violence_occurred": False,
        "force_used": False,
    }
}

_AGENCY = {"$ref": "psap.example"}


def _of_example(name: str, at: str, **more: Any) -> dict[str, Any]:
    return {
        "$id": name,
        "lastUpdateTimeStamp": f"2021-10-05T21:{at}-04:00",
        "updatedByAgencyReference": _AGENCY,
        **more,
    }


EIDOS: dict[str, Any] = {
    "notes so far": _of_example(
        "urn:emergency:uid:incidentid:example0003:psap.example",
        "16:00",
        eidoVersion="1.0",
        issuingElementIdentification="cad.psap.example",
        incidentComponent=_of_example(
            "incident-3",
            "16:00",
            incidentTypeCommonRegistryText="EDP",
            notesReference=[{"$ref": "note-3"}],
        ),
        callComponent=[
            _of_example(
                "urn:emergency:uid:callid:example0003:psap.example",
                "14:00",
                callStateRegistryText="callAnswered",
                standardPrimaryCallType="emergency",
                direction="incoming",
                callStartTimestamp="2021-10-05T21:14:00-04:00",
            )
        ],
        notesComponent=[
            _of_example(
                "note-3",
                "15:30",
                notesActionComments="<p>brother has not slept in days, talking to people who are "
                "not there, no weapons seen, wants help</p>",
            )
        ],
        agencyComponent=[
            _of_example(
                "psap.example",
                "14:00",
                agencyRoleDescriptionRegistryText=["CallReceiving"],
                agencyType=["psap"],
            )
        ],
    )
}
