"""YAML that people write by hand, read so that no slip of the pen passes for something else.

YAML 1.1 reads the hour `16:00` as the number 960, takes the last of two equal keys, and fails in
ways that are no `YAMLError` on a day such as 2021-02-30. A response plan is a safety document:
hours stay text here, and a key that is given twice is a mistake.
"""

from __future__ import annotations

import re
from collections import Counter
from datetime import date, datetime
from typing import Annotated, Any

import yaml
from pydantic import BeforeValidator, ValidationError


class DocumentError(ValueError):
    """A text that is no YAML; the message is one line."""


def _day(value: Any) -> date:
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    try:
        return date.fromisoformat(value)
    except (TypeError, ValueError):
        raise ValueError("write a day as YYYY-MM-DD, such as 2021-09-01") from None


Day = Annotated[date, BeforeValidator(_day)]
"""A day in a document. A number is none, though Pydantic would count seconds from 1970."""


class _Strict:
    """What both of PyYAML's safe loaders lack: they take the last of two equal keys."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        twice = next((key for key, n in Counter(keys).items() if n > 1), None)
        if twice is not None:
            raise yaml.constructor.ConstructorError(
                None, None, f"the key {twice!r} is given twice", node.start_mark
            )
        found: dict[Any, Any] = super().construct_mapping(node, deep)  # type: ignore[misc]
        return found


class _Loader(_Strict, yaml.SafeLoader):
    """PyYAML's own reader, whose messages name the line that is wrong."""


class _Quick(_Strict, getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """The reader in C, where it was built: several times as fast."""


_SIXTIES = re.compile(r"[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?")
for _each in (_Loader, _Quick):
    _each.yaml_implicit_resolvers = {
        first: list(resolvers)
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    for _first in "-+0123456789":
        # Asked before the numbers: whoever comes first is right.
        _each.yaml_implicit_resolvers.setdefault(_first, []).insert(
            0, ("tag:yaml.org,2002:str", re.compile(rf"^(?:{_SIXTIES.pattern})$"))
        )


def read_document(text: str, *, quick: bool = False) -> Any:
    """Read one YAML document.

    Parameters
    ----------
    text : str
    quick : bool
        For long lists that come with the project or a signed release: read by PyYAML's C part.

    Returns
    -------
    dict, list, str, number, bool, date or None

    Raises
    ------
    DocumentError
        If it is no YAML, holds a key twice, or a day that does not exist.

    Examples
    --------
    >>> read_document("from: 16:00")
    {'from': '16:00'}
    """
    try:
        # Both are subclasses of a safe loader.
        return yaml.load(text, Loader=_Quick if quick else _Loader)  # noqa: S506
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = "" if mark is None else f" (line {mark.line + 1})"
        problem = getattr(error, "problem", None)
        raise DocumentError(
            f"not valid YAML{where}" + (f": {' '.join(problem.split())}" if problem else "")
        ) from None
    except (ValueError, RecursionError) as error:
        # A date that does not exist, or nesting without end.
        what = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise DocumentError(f"not valid YAML: {what}") from None


def mistakes(error: ValidationError, whole: str) -> list[str]:
    """Say in one line each where a document goes wrong, and how.

    Parameters
    ----------
    error : pydantic.ValidationError
    whole : str
        What to name where the mistake is in no single field, such as "the plan".
    """
    found = []
    for one in error.errors(include_url=False, include_context=False):
        path = ".".join(str(part) for part in one["loc"]) or whole
        found.append(f"{path}: {one['msg'].removeprefix('Value error, ')}")
    return found


def first_mistake(error: ValidationError, whole: str) -> str:
    """Say in one line where a document goes wrong first, and how; see `mistakes`."""
    return mistakes(error, whole)[0]
