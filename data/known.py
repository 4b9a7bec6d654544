"""The guard: nothing that is known only after dispatch becomes a feature.

`data.call.KNOWN_AT` says for every field when its value is known. Here is what follows from it: a
name can be asked about (`known_at`), a list of features is refused by name (`refuse_later`), and
the columns of an export are judged by what they are called unless a mapping states when they are
known (`sounds_later`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from data.call import ANSWER_PREFIX, KNOWN_AT, QUESTIONS, Known
from data.dataset import ASSESSED_DTYPES
from data.errors import InputError
from data.labels import DTYPES as LABEL_DTYPES
from data.labels import SOURCES
from data.premise import HISTORY_PREFIX

DERIVED: dict[str, Known] = {"hour": Known.RECEIVED, "weekday": Known.RECEIVED}
"""What is computed of a call's fields alone."""

_LATER = frozenset(
    ["recorded_at", "outcome", "decision", "mental_health_crisis", "safety_risk", *SOURCES]
) | (frozenset([*LABEL_DTYPES, *ASSESSED_DTYPES]) - {"call_id", "revision"})

_SOUNDS_LATER = re.compile(
    r"\b(?:final|clear(?:ed|ance|ing)?|clos(?:ed|e|ing)|dispo(?:s|sition|sal)?|outcome|result"
    r"|finding|found|arriv(?:al|ed|e)|on ?scene|at ?scene|en ?route|dispatched"
    r"|dispatch (?:time|date|dt|at)|completed?|finish(?:ed)?"
    r"|resolution|resolved|arrest(?:ed|s)?|transport(?:ed)?|report no|case no"
    r"|use of force|force used|injur(?:ies|y) sustained)\b"
)
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_SIGNS = re.compile(r"[\W_]+")


class LeakError(InputError):
    """A feature that could only be known later."""


def known_at(name: str) -> Known | None:
    """Tell when the value of a field is known; None for what is no field.

    Examples
    --------
    >>> known_at("narrative"), known_at("disposition"), known_at("shoe_size")
    (<Known.INTERVIEW: 'interview'>, <Known.AFTER_DISPATCH: 'after_dispatch'>, None)
    """
    if name in KNOWN_AT:
        return KNOWN_AT[name]
    if name in _LATER:
        return Known.AFTER_DISPATCH
    if name.startswith(ANSWER_PREFIX) and name[len(ANSWER_PREFIX) :] in QUESTIONS:
        return KNOWN_AT["answers"]
    if name.startswith(HISTORY_PREFIX):
        return Known.RECEIVED
    return DERIVED.get(name)


def refuse_later(names: Iterable[str], where: str) -> None:
    """Refuse features that are known only after dispatch.

    Parameters
    ----------
    names : iterable of str
    where : str
        What names them, for the message.

    Raises
    ------
    LeakError
        It names every one of them.
    """
    later = sorted({name for name in names if known_at(name) is Known.AFTER_DISPATCH})
    if later:
        raise LeakError(
            f"{where}: {', '.join(later)} is known only after dispatch and can't be a feature"
        )


def sounds_later(column: str) -> bool:
    """Tell whether a column of an export is called like something that is known after dispatch.

    A name is a hint, not a proof; a mapping overrules it by stating when the column is known.

    Examples
    --------
    >>> [sounds_later(name) for name in ("Final.Call.Type", "DispoCode", "At Scene Time", "CLR_CD")]
    [True, True, True, False]
    >>> [sounds_later(name) for name in ("Initial Call Type", "Remarks", "Dispatch Group")]
    [False, False, False]
    """
    words = _SIGNS.sub(" ", _CAMEL.sub(" ", column)).casefold()
    return _SOUNDS_LATER.search(words) is not None
