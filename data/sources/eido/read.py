"""An EIDO → `Call`: what it says of the time before a unit was sent, and nothing later.

| field of the call | where it comes from |
|---|---|
| `call_id` | `$id` of the document, the incident's tracking identifier; see `call_id_of` |
| `received_at` | `callStartTimestamp` of the first incoming call; else the earliest change |
| `narrative` | `notesComponent`, by time, with the words of the cautions that a note refers to |
| `call_type` | `incidentTypeInternalText`, else the call type of `incidentTypeCommonRegistryText` |
| `priority` | `incidentPriorityInternalText` |
| `call_source` | `standardPrimaryCallType`, or a `localCallType` that is one of our words |
| `caller_role` | a second role in `personIncidentRoleRegistryText` of the caller |
| `language` | the caller's first `primaryLanguage` |
| `neighborhood`, `latitude`, `longitude` | `locationByValue` of the incident, else of the call |
| `premise_id` | the `localIdentifier` of that location, where it has one and only one |

What is missing, longer than the field allows, or in doubt is missing in the call; the document
keeps it. Protocol answers have no element in an EIDO, and a narrative too long is refused.

**Time of knowledge.** An EIDO says of each component only when it was last changed, and of dispatch
nothing but that its components are there. So the first dispatch is taken to be no later than the
earliest change of a `dispatchComponent` or an `emergencyResourceComponent` (one that is active on
the incident, as the standard has it) since the call came in. Every component that was changed later
is left out, the incident's type and priority too: nobody can tell whether they were known before.
Notes of dispatches, units, dispositions, agencies, agents and talk groups are left out whatever
their time, and so is what this software itself wrote. Of a call component only facts of its first
moment are read, so its own time does not matter.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from functools import cached_property
from typing import Any, get_args

from data.call import EARLIEST, LATEST, MAX_NARRATIVE, Call, CallerRole, CallSource
from data.sources.eido.codes import CALLER, LANGUAGES, ROLES, SOURCES, incident_types
from data.sources.eido.document import Component, Document, EidoError, reference
from data.sources.eido.location import Place, read_location
from data.sources.eido.notes import to_text

AGENT = "urn:crisiscall:agent:"
"""How the identifier of this software as an agent begins; what it wrote is no part of a call."""

HASHED = "urn:crisiscall:eido:"
"""How a call's number begins that stands for a document's identifier of another form."""

_LANGUAGE = re.compile(r"(?!und|mul|mis|zxx)[a-z]{3}")  # four codes stand for no one language
_ID = re.compile(r"[!-~]{1,64}")
_BEFORE = (
    "callComponent",
    "personComponent",
    "locationComponent",
    "vehicleComponent",
    "alarmsSensorsComponent",
    "additionalDataComponent",
    "callbackComponent",
)
_NOT_OF_THE_CALL = (
    "dispatchComponent",
    "emergencyResourceComponent",
    "agencyComponent",
    "agentComponent",
    "sharedCommunicationResourceComponent",
)
_ROUTING = "routinglocation"

UNKNOWN_SOURCE = "unknown"
"""The `localCallType` that says that the way a call came in is not known."""


def to_call(document: Document, *, revision: int = 1) -> Call:
    """Read an EIDO as a call.

    Parameters
    ----------
    document : Document
    revision : int
        An EIDO does not number its updates; whoever knows the earlier ones does.

    Returns
    -------
    Call

    Raises
    ------
    EidoError
        If a time that is read is no time, the call came in at no time that can be, or the notes
        are longer together than a narrative may be. The message names the element.
    """
    return _Reading(document).call(revision)


def call_id_of(document: Document) -> str:
    """Give the number of a document's call.

    The identifier itself, where it is printable ASCII without spaces and of at most 64 characters.
    Any other is stood for by a digest of it, 160 bits of SHA-256, so that two incidents never
    share a number; the document, which is kept whole, holds the identifier.

    Examples
    --------
    >>> _number("urn:emergency:uid:incidentid:a56e556d871:bcf.state.pa.us")
    'urn:emergency:uid:incidentid:a56e556d871:bcf.state.pa.us'
    >>> _number("incident 7")
    'urn:crisiscall:eido:a59b25c77c19a35b3e40f16967d43d8e9a30f3b2'
    """
    return _number(document.root.id)


def _number(identifier: str) -> str:
    if _ID.fullmatch(identifier) and not identifier.startswith(HASHED):
        return identifier
    return HASHED + hashlib.sha256(identifier.encode()).hexdigest()[:40]


def late_call_type(document: Document) -> str | None:
    """Give the incident's type where it was set, or may have been, after dispatch; else None."""
    return _Reading(document).late_call_type()


def is_ours(component: Component) -> bool:
    """Say whether this software wrote a component."""
    authors = (
        reference(component.content.get(name))
        for name in ("agentReference", "updatedByAgentReference")
    )
    return any(author is not None and author.startswith(AGENT) for author in authors)


class _Reading:
    """One reading of a document; each field is asked for once."""

    def __init__(self, document: Document) -> None:
        self.document = document

    def call(self, revision: int) -> Call:
        place = self.place
        latitude, longitude = place.point or (None, None)
        return Call(
            call_id=call_id_of(self.document),
            received_at=self.received_at,
            revision=revision,
            narrative=self.narrative(),
            call_type=self.call_type(),
            call_source=self.call_source(),
            priority=self.priority(),
            caller_role=self.caller_role(),
            language=self.language(),
            neighborhood=_short(place.neighborhood, 200),
            latitude=latitude,
            longitude=longitude,
            premise_id=self.premise_id(),
        )

    @cached_property
    def first_call(self) -> Component | None:
        calls = self.document.all("callComponent")
        incoming = [call for call in calls if call.content["direction"] == "incoming"]
        return min(
            incoming or calls, key=lambda call: call.time("callStartTimestamp"), default=None
        )

    @cached_property
    def received_at(self) -> datetime:
        if self.first_call is not None:
            path = f"{self.first_call.path}callStartTimestamp"
            at = self.first_call.time("callStartTimestamp")
        else:
            changed = (
                self.document.root,
                *self.document.all("incidentComponent", "notesComponent", "alarmsSensorsComponent"),
            )
            earliest = min(changed, key=lambda component: component.updated_at)
            path, at = f"{earliest.path}lastUpdateTimeStamp", earliest.updated_at
        if not EARLIEST <= at < LATEST:
            raise EidoError(path, "lies outside 1968-2099")
        return at

    @cached_property
    def dispatched_by(self) -> datetime | None:
        sent = self.document.all("dispatchComponent", "emergencyResourceComponent")
        times = (one.updated_at for one in sent)
        return min((at for at in times if at >= self.received_at), default=None)

    def known(self, component: Component) -> bool:
        return self.dispatched_by is None or component.updated_at <= self.dispatched_by

    # --- words -------------------------------------------------------------------------------

    def narrative(self) -> str:
        cautions = {
            caution.id: caution
            for caution in self.document.all("cautionComponent")
            if self.known(caution) and not is_ours(caution)
        }
        parts = []
        for note in self.notes():
            parts.append(to_text(note.content["notesActionComments"]))
            for identifier in note.references("cautionReference"):
                caution = cautions.pop(identifier, None)
                if caution is not None:
                    parts.append(f"caution: {to_text(caution.content['cautionTypeInternalText'])}")
        text = "\n".join(part for part in parts if part)
        if len(text) > MAX_NARRATIVE:
            raise EidoError("notesComponent", f"holds more than {MAX_NARRATIVE:,} characters")
        return text

    def notes(self) -> list[Component]:
        kept = set(_notes_of(self.document.all("incidentComponent", *_BEFORE)))
        later = [*self.document.all(*_NOT_OF_THE_CALL), *self.document.dispositions]
        left_out = set(_notes_of(later)) - kept
        notes = [
            note
            for note in self.document.all("notesComponent")
            if note.id not in left_out and self.known(note) and not is_ours(note)
        ]
        return sorted(notes, key=lambda note: note.updated_at)

    # --- the incident and the call -----------------------------------------------------------

    def call_type(self) -> str | None:
        incident = self.document.incident
        return None if incident is None or not self.known(incident) else _type_of(incident)

    def late_call_type(self) -> str | None:
        incident = self.document.incident
        return None if incident is None or self.known(incident) else _type_of(incident)

    def priority(self) -> str | None:
        incident = self.document.incident
        if incident is None or not self.known(incident):
            return None
        return _short(incident.text("incidentPriorityInternalText"), 32)

    def call_source(self) -> CallSource | None:
        call = self.first_call
        if call is None:
            return "alarm" if self.document.all("alarmsSensorsComponent") else None
        local = call.text("localCallType")
        for source in get_args(CallSource):
            if local == source:
                return source  # type: ignore[no-any-return]
        if local == UNKNOWN_SOURCE:
            return None
        return SOURCES.get(call.content["standardPrimaryCallType"].casefold())

    # --- who and where -----------------------------------------------------------------------

    @cached_property
    def callers(self) -> list[Component]:
        named = self.first_call.references("personReference") if self.first_call else []
        people = [one for one in self.document.all("personComponent") if self.known(one)]
        by_role = [one for one in people if CALLER in _roles(one)]
        return by_role or [one for one in people if one.id in named]

    def caller_role(self) -> CallerRole | None:
        told = {ROLES[role] for one in self.callers for role in _roles(one) if role in ROLES}
        return told.pop() if len(told) == 1 else None

    def language(self) -> str | None:
        for one in self.callers:
            person = one.content.get("ncPersonComponent")
            for code in _at(person, "primaryLanguage", "languageCode"):
                three = code.get("simpleType") if isinstance(code, dict) else None
                if isinstance(three, str) and _LANGUAGE.fullmatch(three):
                    return LANGUAGES.get(three, three)
        return None

    @cached_property
    def locations(self) -> list[Component]:
        """Locations of the incident, then those of the call and its caller; routing's come last."""
        about = [one for one in (self.document.incident, self.first_call, *self.callers) if one]
        by_id = {one.id: one for one in self.document.all("locationComponent") if self.known(one)}
        named = (ref for one in about for ref in one.references("locationReference"))
        found = [by_id[ref] for ref in dict.fromkeys(named) if ref in by_id]
        return sorted(found, key=_is_routing)

    @cached_property
    def place(self) -> Place:
        places = [
            read_location(xml) for one in self.locations if (xml := one.text("locationByValue"))
        ]
        return Place(
            next((one.point for one in places if one.point is not None), None),
            next((one.neighborhood for one in places if one.neighborhood is not None), None),
        )

    def premise_id(self) -> str | None:
        for one in self.locations:
            names = one.texts("localIdentifier")
            if names:
                return names[0] if len(names) == 1 and _ID.fullmatch(names[0]) else None
        return None


def _type_of(incident: Component) -> str | None:
    code = incident.text("incidentTypeCommonRegistryText")
    common = None if code is None else incident_types().read(code) or code
    return _short(incident.text("incidentTypeInternalText"), 200) or _short(common, 200)


def _short(text: str | None, most: int) -> str | None:
    plain = "" if text is None else text.strip()
    return plain if 0 < len(plain) <= most else None


def _roles(person: Component) -> list[str]:
    return [role.strip().casefold() for role in person.texts("personIncidentRoleRegistryText")]


def _notes_of(components: Iterable[Component]) -> Iterator[str]:
    for component in components:
        yield from component.references("notesReference")


def _is_routing(location: Component) -> bool:
    role: str = location.content["locationTypeDescriptionRegistryText"]
    return role.strip().casefold() == _ROUTING


def _at(value: Any, *names: str) -> list[Any]:
    """Give what lies at a path through objects and lists of them."""
    found = [value]
    for name in names:
        inner = (one.get(name) for one in found if isinstance(one, dict))
        found = [item for one in inner if isinstance(one, list) for item in one]
    return found
