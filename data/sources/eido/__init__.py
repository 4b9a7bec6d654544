"""NENA's Emergency Incident Data Object: JSON in, a `Call` out, and back with a recommendation.

The standard is NENA-STA-021.1, the EIDO; the facts used here (names of elements, what each must
hold, enumerated codes) are those of its published schema, OpenAPI document "Emergency Incident
Data Object (EIDO)" of version 1.0.0 with its NIEM components, `eidoVersion` 1.0, and of the
published sample call transfer. Neither file is part of this project.

document.py         JSON to a checked document, nothing lost
read.py             a document to a call: what was known before a unit was sent
write.py            a call and its recommendation to a document
notes.py            HTML of notes, and text
location.py         PIDF-LO: a point and a neighbourhood
codes.py            incident types, languages, ways in
incident_types.yaml APCO's incident-type codes and our call types, one to one
folder.py           a folder of EIDO files to a `Dataset`
"""

from data.sources.eido.document import Document, EidoError, parse, serialise
from data.sources.eido.read import call_id_of, to_call
from data.sources.eido.write import Advice, to_eido

__all__ = [
    "Advice",
    "Document",
    "EidoError",
    "call_id_of",
    "parse",
    "serialise",
    "to_call",
    "to_eido",
]
