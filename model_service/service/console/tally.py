"""The calls of a period, each once, read from the log in small parts.

A call counts as its latest revision, at the time of that, and with what was decided last on any of
its revisions: just what the log page lists for `latest`. Between two parts the event loop goes
round, so that no call waits for whoever looks back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

from model_service.service.asking import NO_DECISION
from model_service.service.console.period import Period
from model_service.service.log import Entry
from model_service.service.log.entry import stamp
from model_service.service.log.filters import neighborhood_in
from model_service.service.log.reading import Reader
from model_service.service.views import CALL

PART = 40
"""Calls that are read in one go: less than ten milliseconds."""

MOST = 20_000
"""Calls that are counted at most, the latest of the period; it is told where there are more."""


class Counted(NamedTuple):
    """What is counted of a call; no text of it.

    Parameters
    ----------
    at : str
        As the log writes it.
    neighborhood : str
        Or `none`.
    response : str or None
        What was recommended; None where the model was not asked.
    withheld : str or None
    unserved : tuple of (str, str)
        Responses that fit and could not be sent, and why.
    action : str
        What was decided last, or `none`.
    reason : str or None
        Of an override.
    decided_ms : int or None
        How long the first decision took, since the assessment that it is on.
    """

    at: str
    neighborhood: str
    response: str | None
    withheld: str | None
    unserved: tuple[tuple[str, str], ...]
    action: str
    reason: str | None
    decided_ms: int | None


class Tally(NamedTuple):
    """The calls of a period, the latest first.

    Parameters
    ----------
    calls : list of Counted
    names : dict of str to str
        Response → its name, of all that were recommended.
    more : bool
        There are more than were counted.
    broken : int
        Records whose text does not fit the chain; they count as from nowhere.
    """

    calls: list[Counted]
    names: dict[str, str]
    more: bool
    broken: int


async def tally(reader: Reader, period: Period, *, most: int = MOST) -> Tally:
    """Count the calls of a period.

    Parameters
    ----------
    reader : Reader
    period : Period
    most : int
        Calls to count.

    Raises
    ------
    LogUnavailable
    """
    after, end = reader.span(period.since, period.until)
    since, until = stamp(period.since), stamp(period.until)
    before = end + 1
    calls: list[Counted] = []
    names: dict[str, str] = {}
    broken = 0
    while len(calls) <= most:
        part = reader.leading(before, after, limit=PART, since=since, until=until)
        texts = reader.texts(part, CALL) if part else {}
        decided = _decided(reader, part)
        for entry in part:
            body = entry.content()
            given = body["recommendation"] or {}
            if given:
                names.setdefault(given["response"], given["name"])
            broken += entry.seq in texts and texts[entry.seq] is None
            decisions = decided.get(str(entry.call_id), [])
            last = decisions[-1].content() if decisions else None
            calls.append(
                Counted(
                    entry.at,
                    neighborhood_in(texts.get(entry.seq)),
                    given.get("response"),
                    body.get("withheld"),
                    tuple((one["response"], one["reason"]) for one in given.get("unserved", ())),
                    NO_DECISION if last is None else last["action"],
                    None if last is None else last["reason"],
                    decisions[0].content()["time_to_decide_ms"] if decisions else None,
                )
            )
        if len(part) < PART:
            break
        before = part[-1].seq
        await asyncio.sleep(0)
    return Tally(calls[:most], names, len(calls) > most, broken)


def _decided(reader: Reader, part: Sequence[Entry]) -> dict[str, list[Entry]]:
    found: dict[str, list[Entry]] = {}
    for decision in reader.decided_on([str(entry.call_id) for entry in part]) if part else ():
        found.setdefault(str(decision.call_id), []).append(decision)
    return found
