"""Random EIDOs, and what must be read of each.

A maker makes a document and its components at random: `SchemaMaker` whatever NENA's schema allows,
`HandMaker` what is required and little more, for where the schema is not at hand. `planted` puts
facts into a document that a call is to be read from, and tells the call.
"""

from __future__ import annotations

import random
import string
import uuid
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any, Protocol

from data.call import Call
from data.sources.eido.codes import LANGUAGES, incident_types
from tests import eido_schema

Json = dict[str, Any]

LISTS = [
    "mergeComponent",
    "linkComponent",
    "callComponent",
    "callbackComponent",
    "dispatchComponent",
    "notesComponent",
    "emergencyResourceComponent",
    "alarmsSensorsComponent",
    "agencyComponent",
    "agentComponent",
    "additionalDataComponent",
    "locationComponent",
    "personComponent",
    "vehicleComponent",
    "cautionComponent",
    "mediaComponent",
    "sharedCommunicationResourceComponent",
    "externalInformationSourceComponent",
]

_ALPHABETS = (
    string.ascii_letters + "  ",
    string.printable,
    "äöüßéñç¿¡ł中文字日本語한국어العربيةעברית हिन्दी",
    "\U0001f600\U0001f9e0\u200b\u2028\ufeff\u0301\0\x1f\x7f<>&;\"'\\/",
)


def a_text(rng: random.Random) -> str:
    """Make a text of any kind: empty, long, markup, other scripts, control characters."""
    length = rng.choice([0, 1, 5, 5, 12, 12, 40, 300])
    return "".join(rng.choices(rng.choice(_ALPHABETS), k=length))


def a_zone(rng: random.Random) -> timezone:
    return timezone(timedelta(minutes=rng.choice([0, -240, -480, 330, 845, -719, 1439, -1439])))


def a_time(rng: random.Random) -> str:
    """Make an RFC 3339 time, extreme ones too."""
    extremes = (
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59.999999999+23:59",
        "0001-01-01T00:00:00+14:00",
        "2016-12-31T23:59:60Z",
        "1999-12-31t23:59:59.1z",
        "2024-02-29T12:00:00-12:00",
    )
    if rng.random() < 0.3:
        return rng.choice(extremes)
    moment = datetime(1970, 1, 1) + timedelta(seconds=rng.randrange(4_000_000_000))
    return moment.replace(tzinfo=a_zone(rng)).isoformat()


class Maker(Protocol):
    """Makes what is put together into a document."""

    rng: random.Random

    def root(self) -> Json: ...

    def component(self, name: str) -> Json: ...


class HandMaker:
    """What the standard requires of a component, and a little that it does not know."""

    _OWN: dict[str, tuple[str, ...]] = {
        "mergeComponent": ("incidentMergeDirectionCode=SPLIT", "incidentTrackingIdentifier"),
        "linkComponent": ("incidentTrackingIdentifier", "linkDirectionCode=CHILD"),
        "incidentComponent": ("incidentTypeCommonRegistryText",),
        "callComponent": (
            "callStateRegistryText",
            "standardPrimaryCallType",
            "direction=outgoing",
            "callStartTimestamp@",
        ),
        "notesComponent": ("notesActionComments",),
        "emergencyResourceComponent": (
            "agentReference[]",
            "emergencyResourceTypeCommonRegistryText",
            "primaryUnitStatusRegistryText",
            "resourceAttributeRegistryText[]",
            "secondaryUnitStatusRegistryText[]",
        ),
        "agencyComponent": ("agencyRoleDescriptionRegistryText[]", "agencyType[]"),
        "agentComponent": ("agentRoleRegistryText[]", "agencyReference*"),
        "locationComponent": ("locationTypeDescriptionRegistryText",),
        "personComponent": ("personIncidentRoleRegistryText[]",),
        "vehicleComponent": ("vehicleRelationshipType[]", "vehicleRelationshipTimeStamp@"),
        "cautionComponent": (
            "cautionTypeInternalText",
            "cautionTypeCommonRegistryText",
            "cautionSeverity=low",
        ),
        "mediaComponent": ("uri", "contentType"),
        "sharedCommunicationResourceComponent": ("sharedCommunicationResourceType",),
        "externalInformationSourceComponent": ("externalSourceRegistryText",),
    }

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng

    def root(self) -> Json:
        return {
            **self._prologue(),
            "eidoVersion": "1.0",
            "issuingElementIdentification": a_text(self.rng),
            "agencyComponent": [self.component("agencyComponent")],
            **{
                name: [self.component(name) for _ in range(self.rng.choice([0, 1, 3]))]
                for name in LISTS
                if self.rng.random() < 0.3 and name != "agencyComponent"
            },
        }

    def component(self, name: str) -> Json:
        return self._prologue() | dict(self._element(told) for told in self._OWN.get(name, ()))

    def _prologue(self) -> Json:
        made = {
            "$id": a_text(self.rng),
            "lastUpdateTimeStamp": a_time(self.rng),
            "updatedByAgencyReference": self.rng.choice([{"$ref": a_text(self.rng)}, "quirk", 1]),
        }
        if self.rng.random() < 0.3:
            made["unheardOf"] = {a_text(self.rng): [10**30, -0.0, 1e-300, None, True, []]}
        return made

    def _element(self, told: str) -> tuple[str, Any]:
        name, _, value = told.partition("=")
        if value:
            return name, value
        text = a_text(self.rng)
        if name.endswith("[]"):
            return name[:-2], [text] * self.rng.choice([1, 1, 2, 30])
        if name.endswith("*"):
            return name[:-1], {"$ref": text}
        return (name[:-1], a_time(self.rng)) if name.endswith("@") else (name, text)


class SchemaMaker:
    """Whatever the schema allows, to a limit of what one document holds."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self._left = rng.choice([0, 60, 200, 500])
        self._share = rng.choice([0.1, 0.3, 0.6])

    def root(self) -> Json:
        made: Json = self._make({"$ref": eido_schema.ROOT}, eido_schema.ROOT, 0)
        return made

    def component(self, name: str) -> Json:
        own, base = eido_schema.resolved({"$ref": eido_schema.ROOT}, eido_schema.ROOT)
        schema = own["allOf"][1]["properties"][name]
        made: Json = self._make(schema.get("items", schema), base, 1)
        return made

    def _make(self, schema: Any, base: str, depth: int) -> Any:
        schema, base = eido_schema.resolved(schema, base)
        self._left -= 1
        if "enum" in schema:
            return self.rng.choice(schema["enum"])
        kind = schema.get("type", "object")
        if kind == "object":
            return self._object(list(_parts(schema, base)), depth)
        if kind == "array":
            least = schema.get("minItems", 0)
            most = self.rng.choice([0, 1, 1, 2, 3, 25]) if self._left > 0 else 0
            return [self._make(schema["items"], base, depth + 1) for _ in range(max(least, most))]
        if kind == "string":
            return a_time(self.rng) if schema.get("format") == "date-time" else a_text(self.rng)
        if kind == "boolean":
            return self.rng.random() < 0.5
        if schema.get("format") == "int32":
            return self.rng.choice([0, -1, 2**31 - 1, -(2**31)])
        assert kind in ("number", "integer"), kind
        return self.rng.choice([0, -7, 0.1, 1e-300, 123456789.125, 10**25])

    def _object(self, parts: list[tuple[Json, str]], depth: int) -> Json:
        required = {name for part, _ in parts for name in part.get("required", ())}
        told = [
            (name, schema, base)
            for part, base in parts
            for name, schema in part.get("properties", {}).items()
        ]
        self.rng.shuffle(told)
        names = Counter(name for name, _, _ in told)
        made = {}
        for name, schema, base in told:
            # What a NIEM type says anew of what it extends, no value may fit both.
            free = names[name] == 1 and self._left > 0
            share = self._share * 0.5 ** max(0, depth - 2)
            if name in required or (free and self.rng.random() < share):
                made[name] = self._make(schema, base, depth + 1)
        for name in sorted(required):
            made.setdefault(name, a_text(self.rng))  # required, and nothing is said of it
        if self._left > 0 and self.rng.random() < 0.05:
            made["unheardOf"] = {a_text(self.rng): [10**30, 0.5, None, False, {}]}
        return made


def _parts(schema: Json, base: str) -> Iterator[tuple[Json, str]]:
    """Give an object's schema and all that it is made of."""
    schema, base = eido_schema.resolved(schema, base)
    yield schema, base
    for part in schema.get("allOf", ()):
        yield from _parts(part, base)


def planted(maker: Maker) -> tuple[Json, Call]:
    """Make a document with facts in it, and the call that must be read from it."""
    return _Planting(maker).made()


class _Planting:
    def __init__(self, maker: Maker) -> None:
        self.maker, self.rng = maker, maker.rng
        start = datetime(1970, 1, 1) + timedelta(seconds=self.rng.randrange(4_000_000_000))
        self.begin = start.replace(tzinfo=a_zone(self.rng))
        dispatched = self.rng.random() < 0.5
        self.dispatch = self.begin + timedelta(minutes=10) if dispatched else None
        self.fields: Json = {"received_at": self.begin}
        self.names = (uuid.UUID(int=self.rng.getrandbits(128)).hex for _ in iter(int, 1))

    def made(self) -> tuple[Json, Call]:
        self.document = self.maker.root()
        self.document["$id"] = identifier = self.rng.choice(
            [f"urn:emergency:uid:incidentid:{next(self.names)[:20]}:x.us", "I-1", "!~"]
        )
        self.fields["call_id"] = identifier
        self.document["lastUpdateTimeStamp"] = self.at(self.begin + timedelta(days=1))
        self.incident = self.an_incident() if self.rng.random() < 0.7 else None
        self.call = self.some_calls()
        self.person = self.some_people()
        self.some_dispatches()
        self.some_notes()
        self.some_locations()
        if self.incident is not None:
            self.document["incidentComponent"] = self.incident
        else:
            self.document.pop("incidentComponent", None)
        return self.document, Call(**self.fields)

    def at(self, time: datetime) -> str:
        return time.astimezone(a_zone(self.rng)).isoformat()

    def a_component(self, name: str, at: datetime, **more: Any) -> Json:
        """Make a component that nothing refers to, and that refers to nothing that is planted."""
        made = self.maker.component(name)
        for element in ("notesReference", "locationReference", "personReference"):
            made.pop(element, None)
        made.update({"$id": next(self.names), "lastUpdateTimeStamp": self.at(at), **more})
        return made

    def before(self) -> datetime:
        return self.begin + timedelta(seconds=self.rng.randrange(600))

    def after(self) -> datetime:
        return self.begin + timedelta(seconds=self.rng.randrange(601, 9999))

    def known(self, at: datetime) -> bool:
        return self.dispatch is None or at <= self.dispatch

    def some_time(self) -> datetime:
        return self.rng.choice([self.before, self.after])()

    def an_incident(self) -> Json:
        at = self.some_time()
        code, words = self.rng.choice(list(incident_types().words.items()))
        incident = self.a_component("incidentComponent", at, incidentTypeCommonRegistryText=code)
        for name in ("incidentTypeInternalText", "incidentPriorityInternalText"):
            incident.pop(name, None)
        incident["dispositionComponent"] = []
        told = self.rng.choice([None, "Psych/AMS 中", "A" * 200, "A" * 201])
        if told is not None:
            incident["incidentTypeInternalText"] = told
        priority = self.rng.choice([None, "P1", "x" * 33])
        if priority is not None:
            incident["incidentPriorityInternalText"] = priority
        if self.known(at):
            fits = told is not None and len(told) <= 200
            self.fields["call_type"] = told if fits else words
            self.fields["priority"] = priority if priority == "P1" else None
        return incident

    def some_calls(self) -> Json:
        primary, source = self.rng.choice(
            [("emergency", "911"), ("nonEmergency", "non_emergency"), ("intervene", None)]
        )
        first = self.a_component(
            "callComponent",
            self.after(),
            direction="incoming",
            callStartTimestamp=self.begin.isoformat(),
            standardPrimaryCallType=primary,
        )
        first.pop("localCallType", None)
        self.fields["call_source"] = source
        later = [
            self.a_component(
                "callComponent", self.after(), callStartTimestamp=self.at(self.after())
            )
            for _ in range(self.rng.choice([0, 1, 5]))
        ]
        outgoing = self.a_component(
            "callComponent",
            self.after(),
            direction="outgoing",
            callStartTimestamp=self.at(self.begin - timedelta(hours=1)),
        )
        calls = [*later, first, outgoing]
        self.rng.shuffle(calls)
        self.document["callComponent"] = calls
        return first

    def some_people(self) -> Json:
        at = self.some_time()
        three, two = self.rng.choice(list(LANGUAGES.items()))
        caller = self.a_component(
            "personComponent", at, personIncidentRoleRegistryText=["Caller", "Patient"]
        )
        caller["ncPersonComponent"] = {
            **caller.get("ncPersonComponent", {}),
            "primaryLanguage": [{}, {"languageCode": [{}, {"simpleType": three}]}],
        }
        if self.known(at):
            self.fields |= {"language": two, "caller_role": "self"}
        others = [
            self.a_component(
                "personComponent", self.before(), personIncidentRoleRegistryText=["Witness"]
            )
            for _ in range(self.rng.choice([0, 2]))
        ]
        self.document["personComponent"] = [*others, caller]
        return caller

    def some_dispatches(self) -> None:
        for name in ("dispatchComponent", "emergencyResourceComponent"):
            self.document.pop(name, None)
        if self.dispatch is None:
            return
        name, other = self.rng.sample(["dispatchComponent", "emergencyResourceComponent"], 2)
        long_before = self.begin - timedelta(days=300)  # says nothing of this call
        self.document[name] = [
            self.a_component(name, at) for at in (self.after(), self.dispatch, long_before)
        ]
        if self.rng.random() < 0.5:
            self.document[other] = [self.a_component(other, self.after())]

    def some_notes(self) -> None:
        agency = self.document["agencyComponent"]
        agency.append(self.a_component("agencyComponent", self.before()))
        homes: list[tuple[Json | None, bool]] = [
            (None, True),
            (self.call, True),
            (self.person, True),
            (agency[-1], False),
        ]
        if self.incident is not None:
            disposition = {"$id": next(self.names), "dispositionCommonRegistryCode": "x"} | {
                name: self.document[name]
                for name in ("lastUpdateTimeStamp", "updatedByAgencyReference")
            }
            self.incident["dispositionComponent"] = [disposition]
            homes += [(self.incident, True), (disposition, False)]
        homes += [
            (one, False)
            for name in ("dispatchComponent", "emergencyResourceComponent")
            for one in self.document.get(name, ())
        ]
        told: list[tuple[datetime, str]] = []
        notes = []
        for number in range(self.rng.choice([0, 1, 3, 12])):
            at = self.some_time() + timedelta(milliseconds=number)
            text, markup = self.rng.choice(
                [
                    (f"n{number} knife & <unk> male", f"n{number} knife & <unk> male"),
                    (f"n{number}\nBP<90", f"<p>n{number}</p>\n <p class='x'>BP&lt;90</p>"),
                    (f"n{number} 刀 \U0001f52a", f"<b>n{number}</b> 刀 &#x1F52A;"),
                ]
            )
            note = self.a_component("notesComponent", at, notesActionComments=markup)
            for name in ("cautionReference", "agentReference", "updatedByAgentReference"):
                note.pop(name, None)
            home, counts = self.rng.choice(homes)
            if home is not None:
                home.setdefault("notesReference", []).append({"$ref": note["$id"]})
            if counts and self.known(at):
                told.append((at, text))
            notes.append(note)
        self.document["notesComponent"] = notes
        self.fields["narrative"] = "\n".join(text for _, text in sorted(told))

    def some_locations(self) -> None:
        latitude = self.rng.choice([-90.0, 0.0, 42.3601, 89.99999999999])
        longitude = self.rng.choice([-180.0, -0.0, -71.0589, 179.99999999999])
        at = self.some_time()
        xml = (
            '<?xml version="1.0" encoding="UTF-8"?>'
            '<presence xmlns="urn:ietf:params:xml:ns:pidf" xmlns:g="http://www.opengis.net/gml"'
            ' xmlns:c="urn:ietf:params:xml:ns:pidf:geopriv10:civicAddr">'
            f"<g:Point srsName='urn:ogc:def:crs:EPSG::4326'><g:pos> {latitude}\n{longitude}"
            "</g:pos></g:Point><c:civicAddress><c:A4>Ward 3</c:A4><c:A5>Mission Hill</c:A5>"
            "</c:civicAddress></presence>"
        )
        here = self.a_component(
            "locationComponent",
            at,
            locationTypeDescriptionRegistryText="Caller",
            locationByValue=xml,
            localIdentifier=["premise-77"],
        )
        unit = self.a_component("locationComponent", self.before(), locationByValue=xml)
        self.document["locationComponent"] = [unit, here]
        for one in self.document.get("emergencyResourceComponent", ()):
            one["unitLocationReference"] = {"$ref": unit["$id"]}
        home = self.call if self.incident is None else self.incident
        home["locationReference"] = [{"$ref": "elsewhere"}, {"$ref": here["$id"]}]
        if self.known(at):
            self.fields |= {
                "latitude": latitude,
                "longitude": longitude,
                "neighborhood": "Mission Hill",
                "premise_id": "premise-77",
            }
