"""Entries of the log for a page, the latest first, found in small parts.

A page goes on before an entry, so that entries that come in meanwhile never shift it. A search that
would take long stops, and says from where it can go on.
"""

from __future__ import annotations

import asyncio
from typing import NamedTuple

from model_service.service.log import Entry
from model_service.service.log.filters import Filters
from model_service.service.log.reading import Reader

PART = 40
"""Entries that are looked at in one go: less than ten milliseconds."""

LOOKED_AT = 5000
"""Entries that are looked at closely for one page, at most."""


class Found(NamedTuple):
    """A page of entries.

    Parameters
    ----------
    entries : list of Entry
        The latest first.
    before : int or None
        Sequence before which the next page begins; None at the end.
    whole : bool
        Whether the page is full, or the end was reached; if not, the search was cut short.
    """

    entries: list[Entry]
    before: int | None
    whole: bool


async def find(
    reader: Reader,
    filters: Filters,
    *,
    kind: str | None = None,
    before: int | None = None,
    limit: int = 50,
) -> Found:
    """List entries that are wanted.

    Parameters
    ----------
    reader : Reader
    filters : Filters
    kind : str, optional
    before : int, optional
        Sequence of the entry to begin before; the end of the log if not given.
    limit : int
        At most.

    Raises
    ------
    LogUnavailable, Broken
    """
    if filters.latest:
        kind = "assessment"
    after, end = reader.span(filters.since, filters.until)
    at = end + 1 if before is None else min(before, end + 1)
    since, until = filters.bounds()
    found: list[Entry] = []
    for _ in range(LOOKED_AT // PART):
        part = reader.back(at, after, limit=PART, kind=kind, since=since, until=until)
        for entry in part:
            if filters.takes(reader, entry):
                if len(found) == limit:
                    return Found(found, found[-1].seq, True)
                found.append(entry)
        if len(part) < PART:
            return Found(found, None, True)
        at = part[-1].seq
        await asyncio.sleep(0)
    return Found(found, at, False)
