"""Everything about one call in order: what was known when, recommended, decided and learned."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

from model_service.service.accounts import Identity
from model_service.service.assessor import Assessor
from model_service.service.console.telling import KINDS, Names, tell
from model_service.service.log import Entry
from model_service.service.log.reading import Reader
from model_service.service.views import NOTE, OUTCOME


class Happening(NamedTuple):
    """One thing that happened to a call.

    Parameters
    ----------
    entry : Entry
    kind : str
        In words.
    words : str
        What the chain tells of it; nothing personal.
    assessment : dict or None
        As the interface answers with it, to this reader, if it is one.
    said : dict or None
        What is personal, if it is to be shown: the `call` of an assessment, the `note` of a
        decision, the `outcome`.
    erased : bool
        Text of it was erased.
    """

    entry: Entry
    kind: str
    words: str
    assessment: dict[str, Any] | None
    said: dict[str, Any] | None
    erased: bool


def happenings(
    reader: Reader, assessor: Assessor, call_id: str, who: Identity, names: Names, *, said: bool
) -> list[Happening]:
    """List what happened to a call.

    Parameters
    ----------
    reader : Reader
    assessor : Assessor
        Which knows what is withheld from whom.
    call_id : str
    who : Identity
        Who reads it.
    names : mapping of str to str
    said : bool
        Whether what is personal is to be shown.

    Raises
    ------
    LogUnavailable, Broken, Problem
    """
    return [
        _happening(reader, assessor, entry, who, names, said=said)
        for entry in reader.about(call_id)
    ]


def _happening(
    reader: Reader, assessor: Assessor, entry: Entry, who: Identity, names: Names, *, said: bool
) -> Happening:
    private = reader.private(entry)
    erased = reader.erased(entry, private) is not None
    assessment, shown, advice = None, None, True
    if entry.kind == "assessment":
        record = _read(assessor.record(str(entry.assessment_id), who))
        assessment = record["assessment"]
        advice = assessment["withheld"] is None
        shown = {"call": record["call"], "history": record["history"]}
    elif NOTE in private:
        shown = {"note": private[NOTE].decode()}
    elif OUTCOME in private:
        shown = {"outcome": _stated(orjson.loads(private[OUTCOME]))}
    return Happening(
        entry,
        KINDS[entry.kind],
        tell(entry, names, advice=advice),
        assessment,
        shown if said else None,
        erased,
    )


def _read(record: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads(orjson.dumps(record))
    return found


def _stated(outcome: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in outcome.items() if value is not None}
