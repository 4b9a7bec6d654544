"""Mappings as files: reading one, and finding the one that fits an export.

Every scalar of the YAML is read as text, so that `yes`, `1` and `2015-01-01` stay the codes they
are.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from data import mappings
from data.errors import InputError
from data.sources.cad.rules import Mapping

MAX_MAPPING_BYTES = 1_000_000

M = TypeVar("M", bound=BaseModel)


class MappingError(InputError):
    """A mapping, or a file that does not fit it."""


class _Loader(yaml.BaseLoader):
    """Every scalar is text, and a key given twice is a mistake."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value]
        twice = [key for key in keys if keys.count(key) > 1]
        if twice:
            raise yaml.constructor.ConstructorError(
                None, None, f"the key {twice[0]!r} is given twice", node.start_mark
            )
        return super().construct_mapping(node, deep)


@dataclass(frozen=True)
class MappingFile:
    """A mapping with its name and the SHA-256 of its file."""

    name: str
    digest: str
    rules: Mapping


def load(path: Path) -> MappingFile:
    """Read a mapping and check it.

    Parameters
    ----------
    path : Path

    Returns
    -------
    MappingFile

    Raises
    ------
    MappingError
        If the file can't be read, is not YAML, or a key is wrong; the message names the key.
    """
    rules, digest = read_rules(path, Mapping)
    return MappingFile(path.stem, digest, rules)


def read_rules(path: Path, model: type[M]) -> tuple[M, str]:
    """Read rules from YAML, every scalar of it as text.

    Parameters
    ----------
    path : Path
    model : type of pydantic model

    Returns
    -------
    model, str
        The rules, and the SHA-256 of the file.

    Raises
    ------
    MappingError
        As by `load`.
    """
    try:
        raw = path.read_bytes()
        if len(raw) > MAX_MAPPING_BYTES:
            raise MappingError(f"{path} is too large for a mapping")
        content = yaml.load(raw.decode("utf-8-sig"), Loader=_Loader)  # noqa: S506 - text only
    except OSError as error:
        raise MappingError(f"{path} can't be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise MappingError(f"{path} is not UTF-8 text") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = "" if mark is None else f" (line {mark.line + 1})"
        what = getattr(error, "problem", None) or "not YAML"
        raise MappingError(f"{path} is not a mapping{where}: {what}") from None
    if not isinstance(content, dict):
        raise MappingError(f"{path} is not a mapping; see data/mappings/example.yaml")
    try:
        return model.model_validate(content), hashlib.sha256(raw).hexdigest()
    except ValidationError as error:
        raise MappingError(f"{path}: {_explain(error)}") from None


def _explain(error: ValidationError) -> str:
    lines = []
    for problem in error.errors(include_url=False, include_input=False)[:3]:
        where = ".".join(str(part) for part in problem["loc"])
        what = problem["msg"].removeprefix("Value error, ")
        lines.append(f"{where}: {what}" if where else what)
    more = error.error_count() - len(lines)
    return "; ".join(lines) + (f"; and {more} more" if more > 0 else "")


def choose(source: str, header: list[str], file: Path) -> MappingFile:
    """Pick the mapping of an agency whose columns a file has.

    Parameters
    ----------
    source : str
        An agency, such as `seattle`, or the name of one mapping, such as `seattle_2015`.
    header : list of str
        The file's columns.
    file : Path
        For the message.

    Returns
    -------
    MappingFile
        Of those that fit, the one that reads the most columns.

    Raises
    ------
    MappingError
        If no mapping is of that agency, or none fits; then it names the columns that the nearest
        one lacks.
    """
    files = [load(path) for path in mappings.paths()]
    family = [item for item in files if source in (item.rules.agency, item.name)]
    if not family:
        known = sorted({item.rules.agency for item in files})
        raise MappingError(
            f"no mapping of an agency {source!r}; there are {', '.join(known)}, "
            "or give your own with --mapping FILE.yaml"
        )
    lacks = {item.name: sorted(item.rules.columns - set(header)) for item in family}
    fitting = [item for item in family if not lacks[item.name]]
    if not fitting:
        nearest = min(family, key=lambda item: (len(lacks[item.name]), item.name))
        raise MappingError(lacking(file, nearest.name, lacks[nearest.name]))
    return max(fitting, key=lambda item: (len(item.rules.columns), item.name))


def lacking(file: Path, name: str, columns: list[str]) -> str:
    """Say which columns of a mapping a file lacks."""
    shown = ", ".join(columns[:8]) + (f" and {len(columns) - 8} more" if len(columns) > 8 else "")
    return f"{file} does not fit the mapping {name}: it lacks the column {shown}"
