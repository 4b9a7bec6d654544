"""The log as a page: the entries that the filters in its URL let through, the latest first."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import tzinfo
from typing import Any, NamedTuple, get_args

from fastapi import Request
from starlette.datastructures import QueryParams
from starlette.responses import Response

from data.logged import Withheld
from model_service.model.teams import UnservedReason
from model_service.service.asking import CHOICES, WORDS
from model_service.service.auth import signed_in
from model_service.service.console.calls import names_of
from model_service.service.console.ledger import find
from model_service.service.console.links import log_url
from model_service.service.console.page import ASKING, page_router, render
from model_service.service.console.period import moment
from model_service.service.console.telling import KINDS, UNSERVED, WITHHELD, tell
from model_service.service.console.words import spoken
from model_service.service.log import Entry
from model_service.service.log.filters import Filters
from model_service.service.log.private import Broken
from model_service.service.problems import FieldError, follow_protocol, invalid
from model_service.service.routes.pages.reviewing import clock, plan_of, reader_of, zone_of
from model_service.service.routes.parts import assessor_of

router = page_router()

LARGEST = 2**63 - 1
ROWS = 50
LONGEST = 200
MANY = 40

_CHOICES: Mapping[str, tuple[str, ...]] = {
    **CHOICES,
    "withheld": get_args(Withheld),
    "kind": tuple(KINDS),
}
_REASONS = get_args(UnservedReason)


class Asked(NamedTuple):
    """What the URL asks for."""

    filters: Filters
    kind: str | None
    before: int | None
    given: Mapping[str, list[str]]

    @property
    def nothing(self) -> bool:
        """Whether every entry is let through."""
        return self.filters == Filters() and self.kind is None


class Row(NamedTuple):
    """An entry as a row; `record` is an assessment of the call that it is about."""

    entry: Entry
    record: str | None
    kind: str
    words: str
    decided: str


@router.get("/log", name="log_page")
async def log_page(request: Request) -> Response:
    """List entries."""
    zone = zone_of(request)
    asked = asked_in(request.query_params, zone)
    reader = reader_of(request)
    names = names_of(plan_of(request))
    try:
        found = await find(reader, asked.filters, kind=asked.kind, before=asked.before, limit=ROWS)
    except Broken:
        raise follow_protocol("a record does not fit its digest: verify the log") from None
    who, assessor = signed_in(request), assessor_of(request)
    rows = []
    for entry in found.entries:
        assessed = entry.kind == "assessment"
        advice = not assessed or assessor.withheld(entry, who) is None
        decided = ""
        if assessed:
            about = (
                reader.decided_on([str(entry.call_id)])
                if asked.filters.latest
                else reader.decisions(str(entry.assessment_id))
            )
            decided = f"{tell(about[-1], names)}, by {about[-1].actor}" if about else "undecided"
        record = entry.assessment_id
        if record is None and entry.call_id is not None:
            latest = reader.latest(entry.call_id)
            record = latest and latest.assessment_id
        rows.append(
            Row(entry, record, KINDS[entry.kind], tell(entry, names, advice=advice), decided)
        )
    return render(
        request,
        "log.html",
        policy=ASKING,
        rows=rows,
        asked=asked,
        older=found.before and _again(request, before=str(found.before)),
        newest=asked.before and _again(request, before=None),
        whole=found.whole,
        looked_until=found.before,
        fields=_fields(names),
        at=clock(zone),
        local=lambda at: at.astimezone(zone).strftime("%Y-%m-%dT%H:%M:%S"),
        zone=str(zone),
        clear=log_url(),
    )


def asked_in(query: QueryParams, zone: tzinfo) -> Asked:
    """Read what a URL asks for; a field of the form that was left empty asks for nothing.

    Parameters
    ----------
    query : QueryParams
    zone : tzinfo
        Of times that tell none.

    Raises
    ------
    Problem
        422 if it can't be asked for.
    """
    given: dict[str, list[str]] = {}
    for name, value in query.multi_items():
        if value:
            given.setdefault(name, []).append(value)
    if any(len(values) > MANY or max(map(len, values)) > LONGEST for values in given.values()):
        raise _wrong("*", "too long")
    for name, choices in _CHOICES.items():
        if set(given.get(name, ())) - set(choices):
            raise _wrong(name, f"one of {', '.join(choices)}")
    if any(word.rpartition(":")[2] not in _REASONS for word in given.get("unserved", ())):
        raise _wrong("unserved", f"one of {', '.join(_REASONS)}")
    before = given.get("before", [None])[0]
    if before is not None and not (before.isdecimal() and 0 < int(before) <= LARGEST):
        raise _wrong("before", "must be the number of an entry")
    times: dict[str, Any] = {
        name: moment(given[name][0], zone, name) for name in ("since", "until") if name in given
    }
    words: dict[str, Any] = {
        name: tuple(given[name]) for name in (*WORDS, "withheld", "unserved") if name in given
    }
    kind = given.get("kind", [None])[0]
    filters = Filters(**times, **words, latest="calls" in given)
    return Asked(filters, kind, None if before is None else int(before), given)


def _wrong(name: str, message: str) -> Exception:
    return invalid([FieldError(name, message)], what="request")


def _again(request: Request, *, before: str | None) -> str:
    """Give the address of the same list from another entry on."""
    kept = [(name, value) for name, value in request.query_params.multi_items() if value]
    query = QueryParams([pair for pair in kept if pair[0] != "before"])
    more = [] if before is None else [("before", before)]
    return f"{request.url.path}?{QueryParams([*query.multi_items(), *more])}"


def _fields(names: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """List what the form lets one choose from: field → value → words."""
    plain = {
        name: {value: spoken(value) for value in CHOICES[name]} for name in ("decision", "reason")
    }
    return {
        "kind": KINDS,
        "recommendation": dict(names),
        "decision": {**plain["decision"], "none": "undecided"},
        "reason": plain["reason"],
        "unserved": UNSERVED,
        "withheld": WITHHELD,
    }
