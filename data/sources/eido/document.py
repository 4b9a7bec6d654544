"""An EIDO as it came: parsed without loss, checked for what the standard requires, never changed.

What is required here follows from the schema of NENA-STA-021.1 (version 1.0.0): whatever is valid
against it passes, and whatever passes has every data component whole as far as its own required
elements go. The NIEM parts inside a component are not looked into. The schema lets a reference be
anything that is no object; such a one leads nowhere.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from data.errors import InputError

VERSION = "1.0"
"""The only version of the structure that there is: element `eidoVersion`."""

MAX_DEPTH = 200
"""Levels of nesting; a deeper document is refused."""

PROLOGUE = ("$id", "lastUpdateTimeStamp", "updatedByAgencyReference")
"""What every data component begins with."""

INCIDENT = "incidentComponent"
"""The one component that is no list."""

REQUIRED: dict[str, tuple[str, ...]] = {
    "mergeComponent": ("incidentMergeDirectionCode", "incidentTrackingIdentifier"),
    "linkComponent": ("incidentTrackingIdentifier", "linkDirectionCode"),
    INCIDENT: ("incidentTypeCommonRegistryText",),
    "callComponent": (
        "callStateRegistryText",
        "standardPrimaryCallType",
        "direction",
        "callStartTimestamp",
    ),
    "callbackComponent": (),
    "dispatchComponent": (),
    "notesComponent": ("notesActionComments",),
    "emergencyResourceComponent": (
        "agentReference",
        "emergencyResourceTypeCommonRegistryText",
        "primaryUnitStatusRegistryText",
        "resourceAttributeRegistryText",
        "secondaryUnitStatusRegistryText",
    ),
    "alarmsSensorsComponent": (),
    "agencyComponent": ("agencyRoleDescriptionRegistryText", "agencyType"),
    "agentComponent": ("agentRoleRegistryText", "agencyReference"),
    "additionalDataComponent": (),
    "locationComponent": ("locationTypeDescriptionRegistryText",),
    "personComponent": ("personIncidentRoleRegistryText",),
    "vehicleComponent": ("vehicleRelationshipType", "vehicleRelationshipTimeStamp"),
    "cautionComponent": (
        "cautionTypeInternalText",
        "cautionTypeCommonRegistryText",
        "cautionSeverity",
    ),
    "mediaComponent": ("uri", "contentType"),
    "sharedCommunicationResourceComponent": ("sharedCommunicationResourceType",),
    "externalInformationSourceComponent": ("externalSourceRegistryText",),
}
"""Data component → its required elements beside the prologue."""

ROOT = (*PROLOGUE, "eidoVersion", "issuingElementIdentification", "agencyComponent")
"""What a document itself requires."""

_DISPOSITION = f"{INCIDENT}.dispositionComponent"

_LISTS = frozenset(
    [
        "notesReference",
        "locationReference",
        "personReference",
        "cautionReference",
        "localIdentifier",
        "personIncidentRoleRegistryText",
    ]
)
_TEXTS = frozenset(
    [
        "$id",
        "issuingElementIdentification",
        "incidentTypeCommonRegistryText",
        "incidentTypeInternalText",
        "incidentTypeInternalCode",
        "incidentPriorityInternalText",
        "callStartTimestamp",
        "standardPrimaryCallType",
        "localCallType",
        "direction",
        "notesActionComments",
        "locationTypeDescriptionRegistryText",
        "locationByValue",
        "cautionTypeInternalText",
    ]
)
"""Elements that are read, by the form that they must have."""

Json = dict[str, Any]


class EidoError(InputError):
    """What was given is no EIDO that can be used.

    Parameters
    ----------
    path : str
        The element, dotted; empty for the document as a whole.
    what : str
        What is wrong there; it repeats nothing of the content.
    """

    def __init__(self, path: str, what: str) -> None:
        super().__init__(f"{path or 'the document'}: {what}")
        self.path = path
        self.what = what


@dataclass(frozen=True)
class Component:
    """A data component and where in the document it stands."""

    path: str
    content: Json

    @property
    def id(self) -> str:
        """The identifier by which others refer to it."""
        return str(self.content["$id"])

    @cached_property
    def updated_at(self) -> datetime:
        """When it was last changed."""
        return self.time("lastUpdateTimeStamp")

    def text(self, name: str) -> str | None:
        """Give an element's text; None if there is none but white space."""
        value = self.content.get(name)
        return value if isinstance(value, str) and value.strip() else None

    def time(self, name: str) -> datetime:
        """Give an element that is a time.

        Raises
        ------
        EidoError
            If it is no date and time with an offset from UTC (RFC 3339).
        """
        value = self.content.get(name)
        made = read_time(value) if isinstance(value, str) else None
        if made is None:
            raise EidoError(f"{self.path}{name}", "not a date and time with its UTC offset")
        return made

    def texts(self, name: str) -> list[str]:
        """List the texts of an element."""
        return [value for value in self.content.get(name, ()) if isinstance(value, str)]

    def references(self, name: str) -> list[str]:
        """List the identifiers that an element refers to."""
        return [found for value in self.content.get(name, ()) if (found := reference(value))]


def reference(value: Any) -> str | None:
    """Give the identifier that a reference holds, if it holds one."""
    found = value.get("$ref") if isinstance(value, dict) else None
    return found if isinstance(found, str) else None


def read_time(text: str) -> datetime | None:
    """Read an RFC 3339 date and time; None if it is none. A leap second counts as the one before.

    Examples
    --------
    >>> read_time("2021-04-30T14:42:00.0-04:00").isoformat()
    '2021-04-30T14:42:00-04:00'
    >>> read_time("2021-04-30T14:42:00") is None
    True
    """
    plain = text.upper()
    if plain[16:19] == ":60":
        plain = f"{plain[:16]}:59{plain[19:]}"
    if plain[10:11] != "T":
        return None
    try:
        made = datetime.fromisoformat(plain)
    except ValueError:
        return None
    return made if made.tzinfo is not None else None


class Document:
    """An EIDO, as it came.

    Parameters
    ----------
    content : dict
        As `parse` gives it; not changed by anything here.

    Raises
    ------
    EidoError
        If something that the standard requires is missing or has another form.
    """

    def __init__(self, content: Json) -> None:
        self.content = content
        self.root = Component("", content)
        _require(content, "", ROOT)
        if content["eidoVersion"] != VERSION:
            raise EidoError("eidoVersion", f"this is read in version {VERSION} alone")
        self._components: dict[str, list[Component]] = {}
        for name, required in REQUIRED.items():
            self._components[name] = list(_components(content, name))
            for component in self._components[name]:
                _require(component.content, component.path, (*PROLOGUE, *required))
        for component in self.dispositions:
            required = (*PROLOGUE, "dispositionCommonRegistryCode")
            _require(component.content, component.path, required)

    def all(self, *names: str) -> list[Component]:
        """List the data components of these kinds, in the document's order."""
        return [component for name in names for component in self._components[name]]

    @cached_property
    def dispositions(self) -> list[Component]:
        """List what is said of how the incident was closed."""
        if self.incident is None or "dispositionComponent" not in self.incident.content:
            return []
        return list(_list(self.incident.content["dispositionComponent"], _DISPOSITION))

    @cached_property
    def incident(self) -> Component | None:
        """What is said of the incident as a whole, if anything."""
        return next(iter(self.all(INCIDENT)), None)


def _components(content: Json, name: str) -> Iterator[Component]:
    if name not in content:
        return
    value = content[name]
    if name == INCIDENT:
        if not isinstance(value, dict):
            raise EidoError(name, "not an object")
        yield Component(f"{name}.", value)
        return
    yield from _list(value, name)


def _list(value: Any, name: str) -> Iterator[Component]:
    if not isinstance(value, list):
        raise EidoError(name, "not a list")
    for index, item in enumerate(value):
        if not isinstance(item, dict):
            raise EidoError(f"{name}[{index}]", "not an object")
        yield Component(f"{name}[{index}].", item)


def _require(content: Json, path: str, required: tuple[str, ...]) -> None:
    for name in required:
        if name not in content:
            raise EidoError(f"{path}{name}", "missing")
    for name in _TEXTS & content.keys():
        if not isinstance(content[name], str):
            raise EidoError(f"{path}{name}", "not a text")
    for name in _LISTS & content.keys():
        if not isinstance(content[name], list):
            raise EidoError(f"{path}{name}", "not a list")
    Component(path, content).time("lastUpdateTimeStamp")


def parse(body: bytes) -> Json:
    """Read JSON so that nothing of it is lost, or refuse it.

    Whole numbers keep every digit; those with a fraction are read to double precision.

    Parameters
    ----------
    body : bytes

    Raises
    ------
    EidoError
        If it is no JSON object in UTF-8, holds a name twice in one object, a number past all
        bounds, a lone surrogate, or more than `MAX_DEPTH` levels.
    """
    try:
        content = json.loads(
            body.decode("utf-8"), object_pairs_hook=_once, parse_constant=_no_number
        )
        if _depth(content) > MAX_DEPTH:
            raise EidoError("", f"nested in more than {MAX_DEPTH} levels")
        serialise(content)
    except (UnicodeError, RecursionError):
        raise EidoError("", "not JSON in UTF-8, or nested too deeply") from None
    except EidoError:
        raise
    except ValueError:
        raise EidoError("", "not JSON") from None
    if not isinstance(content, dict):
        raise EidoError("", "not a JSON object")
    return content


def serialise(content: Json) -> bytes:
    """Write a document as JSON in UTF-8; `parse` reads the same again."""
    return json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode(
        "utf-8"
    )


def _once(pairs: list[tuple[str, Any]]) -> Json:
    made = dict(pairs)
    if len(made) < len(pairs):
        raise EidoError("", "an object holds a name twice")
    return made


def _no_number(_: str) -> None:
    raise EidoError("", "holds a number that JSON has not")


def _depth(content: Any) -> int:
    depth, level = 0, [content]
    while level:
        depth += 1
        inner: list[Any] = []
        for value in level:
            if isinstance(value, dict):
                inner.extend(value.values())
            elif isinstance(value, list):
                inner.extend(value)
        level = inner
    return depth
