"""Which entries are wanted: the same words for `log export` and for `GET /v1/log`.

An assessment tells what it recommends, of which release it is, where its call is from, and what was
decided on it last. A decision tells what was decided, and the rest by its assessment; an outcome
tells by its call's latest assessment. An entry that tells nothing of what is asked for is not
wanted.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime

import orjson

from model_service.service.asking import NO_DECISION, NO_NEIGHBORHOOD, WORDS
from model_service.service.log.entry import Entry, stamp
from model_service.service.log.reading import MAX_PAGE, Reader
from model_service.service.views import CALL

NAMES = (*list(WORDS)[:-1], "withheld", "unserved", list(WORDS)[-1])
"""Everything that can be asked for by words; what costs least to find out stands first."""

STRETCH = 10_000
"""Entries of the log that are passed over for one page of a filtered reading, at most."""


@dataclass(frozen=True)
class Filters:
    """Which entries are wanted; whatever is empty lets every one through.

    Parameters
    ----------
    since, until : datetime, optional
        Bounds of the time of the entry; `until` is left out itself.
    neighborhood, recommendation : tuple of str
        Any of these.
    decision : tuple of str
        The action of the decision that leads, or `none`.
    reason : tuple of str
        The override reason of the decision that leads.
    actor : tuple of str
        Who made the entry; of an assessment, also who decided on it.
    release : tuple of str
        Name or digest of the release.
    withheld : tuple of str
        Why advice was withheld when the call came in.
    unserved : tuple of str
        Why a response that fits could not be sent: a reason, or a response, a colon and a reason.
    latest : bool
        Whether every call is wanted once, as its latest revision; what was decided last is then
        what was decided last on any of its revisions.
    """

    since: datetime | None = None
    until: datetime | None = None
    neighborhood: tuple[str, ...] = ()
    recommendation: tuple[str, ...] = ()
    decision: tuple[str, ...] = ()
    reason: tuple[str, ...] = ()
    actor: tuple[str, ...] = ()
    release: tuple[str, ...] = ()
    withheld: tuple[str, ...] = ()
    unserved: tuple[str, ...] = ()
    latest: bool = False

    def words(self) -> str:
        """Write the filters in one line; empty where there is none.

        Examples
        --------
        >>> Filters(decision=("accept", "none"), actor=("desk",)).words()
        'decision=accept|none actor=desk'
        """
        parts = []
        for one in fields(self):
            value = getattr(self, one.name)
            if isinstance(value, datetime):
                parts.append(f"{one.name}={stamp(value)}")
            elif value is True:
                parts.append(one.name)
            elif value:
                parts.append(f"{one.name}={'|'.join(value)}")
        return " ".join(parts)

    def bounds(self) -> tuple[str | None, str | None]:
        """Give the bounds of the time as the log writes it."""
        since = None if self.since is None else stamp(self.since)
        return since, None if self.until is None else stamp(self.until)

    def takes(self, reader: Reader, entry: Entry) -> bool:
        """Say whether an entry is wanted.

        A neighbourhood lies in the personal text: it is asked last, and costs an entry's key and
        its decryption, some thirty microseconds.

        Raises
        ------
        Broken
            If the text that tells the neighbourhood does not fit the chain.
        """
        since, until = self.bounds()
        if (since and entry.at < since) or (until and entry.at >= until):
            return False
        if self.latest and not _leads(reader, entry):
            return False
        asked = ((name, getattr(self, name)) for name in NAMES)
        return all(
            not wanted or _told(reader, entry, name, whole_call=self.latest) & set(wanted)
            for name, wanted in asked
        )

    def page(
        self, reader: Reader, *, after: int, limit: int, kind: str | None = None
    ) -> tuple[list[Entry], int | None]:
        """List entries that are wanted, in order.

        No more than `STRETCH` entries are passed over, and `MAX_PAGE` of them looked at closely, so
        that a service is not held up: a page may be short, or empty, and there may be more.

        Parameters
        ----------
        reader : Reader
        after : int
            Sequence that the page begins after: entries that arrive meanwhile never shift it.
        limit : int
            At most.
        kind : str, optional

        Returns
        -------
        list of Entry, int or None
            And the sequence after which the next page begins; None at the end of the log.

        Raises
        ------
        LogUnavailable, Broken
        """
        newest = reader.newest()
        end = min(after + STRETCH, newest)
        since, until = self.bounds()
        entries = reader.stretch(after, end, kind=kind, since=since, until=until)
        found: list[Entry] = []
        if len(entries) == MAX_PAGE:
            end = entries[-1].seq
        for entry in entries:
            if self.takes(reader, entry):
                found.append(entry)
                if len(found) == limit:
                    end = entry.seq
                    break
        return found, end if end < newest else None


def _leads(reader: Reader, entry: Entry) -> bool:
    """Say whether an entry is the assessment of its call's latest revision."""
    latest = reader.latest(str(entry.call_id)) if entry.kind == "assessment" else None
    return latest is not None and latest.seq == entry.seq


def _told(reader: Reader, entry: Entry, name: str, *, whole_call: bool) -> set[str | None]:
    """Give what an entry tells of one of the words that can be asked for."""
    if name == "actor":
        decisions = _decisions(reader, entry, whole_call)
        return {entry.actor, *(decision.actor for decision in decisions)}
    if name in ("decision", "reason"):
        decided = [entry] if entry.kind == "decision" else _decisions(reader, entry, whole_call)
        if decided:
            return {decided[-1].content()["action" if name == "decision" else "reason"]}
        return {NO_DECISION} if name == "decision" and entry.kind == "assessment" else set()
    if name == "release" and entry.kind == "release":
        return _release(entry)
    about = _assessment(reader, entry)
    if about is None:
        return set()
    if name == "release":
        return _release(about)
    if name == "neighborhood":
        return {neighborhood_in(reader.private(about).get(CALL))}
    body = about.content()
    if name == "withheld":
        return {body.get("withheld")}
    given = body["recommendation"] or {}
    if name == "unserved":
        missed = [(one["response"], one["reason"]) for one in given.get("unserved", ())]
        return {word for response, why in missed for word in (why, f"{response}:{why}")}
    return {given.get("response")}


def neighborhood_in(call: bytes | None) -> str:
    """Tell from where a call is, or that nothing tells it, or no longer."""
    told: str | None = None if call is None else orjson.loads(call).get("neighborhood")
    return told or NO_NEIGHBORHOOD


def _release(entry: Entry) -> set[str | None]:
    model = entry.content()["model"]
    return {model["release"], model["digest"]}


def _decisions(reader: Reader, entry: Entry, whole_call: bool) -> list[Entry]:
    if entry.kind != "assessment":
        return []
    if whole_call:
        return reader.decided_on([str(entry.call_id)])
    return reader.decisions(str(entry.assessment_id))


def _assessment(reader: Reader, entry: Entry) -> Entry | None:
    """Find the assessment that an entry is, or is about."""
    if entry.kind == "assessment":
        return entry
    if entry.kind == "decision":
        return reader.assessment(str(entry.assessment_id))
    return reader.latest(str(entry.call_id)) if entry.kind == "outcome" else None
