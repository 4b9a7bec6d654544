"""The EIDO schema, read from where it lies; it can't be part of this project.

It is an OpenAPI 3.0 document in YAML whose references lead to NIEM components beside it. Three of
its slips are mended on the way: `minItems: 1,` is a text, one reference has two slashes, and words
such as `NO` among the codes are texts, whatever YAML 1.1 makes of them.
"""

from __future__ import annotations

import os
import re
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import pytest
import yaml
from jsonschema import Draft202012Validator, FormatChecker
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

VARIABLE = "CRISISCALL_EIDO_SCHEMA"
FOLDER = Path(
    os.environ.get(VARIABLE) or Path(__file__).parents[2] / "shared" / "data" / "eido" / "schema"
)
SAMPLE = FOLDER.parent / "sample-call-transfer.json"
NOT_VALIDATED = (
    f"the EIDO schema is not at {FOLDER}: no EIDO was validated against NENA's schema; set "
    f"{VARIABLE} to the folder that holds openapi.yaml and NIEMComponents/"
)

needs_schema = pytest.mark.skipif(not (FOLDER / "openapi.yaml").is_file(), reason=NOT_VALIDATED)

_BASE = "http://eido.invalid/"
ROOT = f"{_BASE}openapi.yaml#/components/schemas/EmergencyIncidentDataObjectType"


def read_schema(uri: str) -> Any:
    """Read one file of the schema."""
    path = FOLDER / uri.removeprefix(_BASE).replace("//", "/")
    with path.open(encoding="utf-8") as file:
        return _mended(yaml.load(file, Loader=getattr(yaml, "CBaseLoader", yaml.BaseLoader)))


def _mended(node: Any) -> Any:
    if isinstance(node, dict):
        made = {key: _mended(value) for key, value in node.items()}
        if isinstance(made.get("minItems"), str):
            made["minItems"] = int(made["minItems"].rstrip(","))
        return made
    return [_mended(item) for item in node] if isinstance(node, list) else node


@cache
def _resource(uri: str) -> Resource[Any]:
    return DRAFT202012.create_resource(read_schema(uri))


registry: Registry[Any] = Registry(retrieve=_resource)

_formats = FormatChecker(formats=())
_TIME = re.compile(
    r"(\d{4}-\d\d-\d\dT\d\d:\d\d):(\d\d)(\.\d+)?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)", re.IGNORECASE
)


@_formats.checks("date-time", raises=ValueError)
def _is_time(value: object) -> bool:
    match = _TIME.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return not isinstance(value, str)
    return datetime.fromisoformat(match[1].upper()) is not None and int(match[2]) <= 60


@_formats.checks("int32")
def _is_int32(value: object) -> bool:
    return not isinstance(value, int) or -(2**31) <= value < 2**31


@cache
def validator() -> Draft202012Validator:
    """Make the validator of a whole document, formats of times and numbers included."""
    return Draft202012Validator({"$ref": ROOT}, registry=registry, format_checker=_formats)


def faults(document: Any) -> list[str]:
    """List where a document is not valid."""
    errors = validator().iter_errors(document)
    return [f"{error.json_path}: {error.message[:200]}" for error in errors]


def resolved(schema: Any, base: str) -> tuple[Any, str]:
    """Follow the reference that a schema is, if it is one; gives the schema and its file."""
    while isinstance(schema, dict) and isinstance(schema.get("$ref"), str):
        uri, _, pointer = urljoin(base, schema["$ref"]).partition("#")
        schema, base = _resource(uri).contents, uri
        for part in pointer.strip("/").split("/"):
            schema = schema[part]
    return schema, base
