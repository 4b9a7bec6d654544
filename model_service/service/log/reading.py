"""Questions that routes ask of the log."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Protocol

import orjson

from model_service.service.log.connection import Connection
from model_service.service.log.entry import Entry, stamp
from model_service.service.log.keys import KeysUnavailable, RecordKeys
from model_service.service.log.private import Broken, Locked, unlock

MAX_PAGE = 1000
"""Entries of the largest page."""

_TEXTS = 5000
"""Personal texts that are read at a time: far more than one entry has."""
_CLOCKS = timedelta(minutes=1)
"""How far the clocks of the hosts that write into one log may be apart."""

_KEPT = timedelta(days=1)
"""How much later than it was taken a decision may come into the log (`keeping.py`)."""


class Readable(Protocol):
    """What gives a connection to the log: its store, or a snapshot of it."""

    @property
    def keys(self) -> RecordKeys:
        """The keys of the personal text."""

    def reading(self) -> contextlib.AbstractContextManager[Connection]:
        """Give the connection for reading."""


class Snapshot:
    """A connection that somebody else opened and closes (`snapshot`).

    Parameters
    ----------
    connection : Connection
    keys : RecordKeys, optional
        Without them no personal text can be read.
    """

    def __init__(self, connection: Connection, keys: RecordKeys | None = None) -> None:
        self._connection = connection
        self._keys = keys

    @property
    def keys(self) -> RecordKeys:
        """The keys of the personal text.

        Raises
        ------
        KeysUnavailable
            If none were given.
        """
        if self._keys is None:
            raise KeysUnavailable(
                "the record keys are not at hand: say in CRISISCALL_RECORD_KEYS where they are"
            )
        return self._keys

    def reading(self) -> contextlib.AbstractContextManager[Connection]:
        """Give the connection for reading."""
        return contextlib.nullcontext(self._connection)


class Reader:
    """What can be read; over a store every method raises `LogUnavailable` if it can't be now.

    Parameters
    ----------
    store : Readable
    """

    def __init__(self, store: Readable) -> None:
        self._store = store

    def entry(self, seq: int) -> Entry | None:
        """Find an entry by its place."""
        return self._one("SELECT * FROM entries WHERE seq = ?", seq)

    def assessment(self, assessment_id: str) -> Entry | None:
        """Find an assessment by its id."""
        return self._one(
            "SELECT * FROM entries WHERE assessment_id = ? AND kind = 'assessment'", assessment_id
        )

    def decisions(self, assessment_id: str) -> list[Entry]:
        """List the decisions on an assessment, the first one first; the last one leads."""
        return self._all(
            "SELECT * FROM entries WHERE assessment_id = ? AND kind = 'decision' ORDER BY seq",
            assessment_id,
        )

    def of_call(self, call_id: str) -> list[Entry]:
        """List the assessments of a call and the decisions on it, in order."""
        return self._all(
            "SELECT * FROM entries"
            " WHERE call_id = ? AND kind IN ('assessment', 'decision') ORDER BY seq",
            call_id,
        )

    def about(self, call_id: str) -> list[Entry]:
        """List everything that happened to a call, in order."""
        return self._all(
            "SELECT * FROM entries WHERE call_id = ? OR assessment_id IN"
            " (SELECT assessment_id FROM entries WHERE call_id = ? AND kind = 'assessment')"
            " ORDER BY seq",
            call_id,
            call_id,
        )

    def decided_on(self, calls: Collection[str]) -> list[Entry]:
        """List the decisions on any of these calls, in order; not many calls at once."""
        marks = ", ".join("?" * len(calls))
        # Sorted here: asked for in order, SQLite would go through all decisions that there are.
        sql = f"SELECT * FROM entries WHERE call_id IN ({marks}) AND kind = 'decision'"
        return sorted(self._all(sql, *calls))

    def revision(self, call_id: str, revision: int) -> Entry | None:
        """Find the assessment of one revision of a call."""
        return self._one(
            "SELECT * FROM entries"
            " WHERE call_id = ? AND kind = 'assessment' AND revision = ? ORDER BY seq LIMIT 1",
            call_id,
            revision,
        )

    def assessments(self, call_id: str) -> list[Entry]:
        """List the assessments of a call, that of the latest revision first."""
        return self._all(
            "SELECT * FROM entries"
            " WHERE call_id = ? AND kind = 'assessment' ORDER BY revision DESC",
            call_id,
        )

    def latest(self, call_id: str) -> Entry | None:
        """Find the assessment of a call's latest revision, the one that leads."""
        return self._one(
            "SELECT * FROM entries"
            " WHERE call_id = ? AND kind = 'assessment' ORDER BY revision DESC LIMIT 1",
            call_id,
        )

    def outcome(self, call_id: str) -> Entry | None:
        """Find the last outcome that was recorded of a call."""
        return self._one(
            "SELECT * FROM entries WHERE call_id = ? AND kind = 'outcome'"
            " ORDER BY seq DESC LIMIT 1",
            call_id,
        )

    def decided(self, call_id: str) -> bool:
        """Say whether anything was decided on any revision of a call."""
        sql = "SELECT * FROM entries WHERE call_id = ? AND kind = 'decision' LIMIT 1"
        return self._one(sql, call_id) is not None

    def asked(self, idempotency: str) -> Entry | None:
        """Find the entry that was asked for with an idempotency key, by the key's digest."""
        return self._one(
            "SELECT * FROM entries WHERE seq = (SELECT seq FROM asked WHERE idempotency = ?)",
            idempotency,
        )

    def erasure(self, seq: int) -> Entry | None:
        """Find the entry that tells of the erasure of an entry's text."""
        return self._one(
            "SELECT * FROM entries WHERE seq = (SELECT by FROM erased WHERE seq = ?)", seq
        )

    def erased_calls(self, erasure: int) -> list[str]:
        """List the calls of which an erasure destroyed text."""
        with self._store.reading() as connection:
            rows: list[tuple[str]] = connection.execute(
                "SELECT DISTINCT call_id FROM erased JOIN entries USING (seq)"
                " WHERE by = ? AND call_id IS NOT NULL",
                (erasure,),
            ).fetchall()
        return [call_id for (call_id,) in rows]

    def last(self, kind: str) -> Entry | None:
        """Find the last entry of a kind."""
        return next(iter(self.recent(kind, 1)), None)

    def recent(self, kind: str, limit: int) -> list[Entry]:
        """List the last entries of a kind, the last one first."""
        sql = "SELECT * FROM entries WHERE kind = ? ORDER BY seq DESC LIMIT ?"
        return self._all(sql, kind, limit)

    def unserved(
        self,
        *,
        after: int = 0,
        limit: int = 100,
        response: str | None = None,
        reason: str | None = None,
    ) -> list[Entry]:
        """List the assessments in which a response fitted that could not be sent, in order.

        Parameters
        ----------
        after, limit : int
            As with `page`.
        response : str, optional
            Only where it is this one.
        reason : str, optional
            Only where it is for this reason.
        """
        wanted, values = "", []
        for name, value in (("response", response), ("reason", reason)):
            if value is not None:
                wanted += f" AND {name} = ?"
                values.append(value)
        sql = (
            "SELECT * FROM entries WHERE seq IN"
            f" (SELECT DISTINCT seq FROM unserved WHERE seq > ?{wanted} ORDER BY seq LIMIT ?)"
            " ORDER BY seq"
        )
        return self._all(sql, after, *values, min(limit, MAX_PAGE + 1))

    def page(self, *, after: int = 0, limit: int = 100, kind: str | None = None) -> list[Entry]:
        """List entries in order.

        Parameters
        ----------
        after : int
            Sequence that the page begins after: entries that arrive meanwhile never shift it.
        limit : int
            At most `MAX_PAGE`, and one more.
        kind : str, optional
        """
        limit = min(limit, MAX_PAGE + 1)  # one more tells whether there is a next page
        if kind is None:
            sql = "SELECT * FROM entries WHERE seq > ? ORDER BY seq LIMIT ?"
            return self._all(sql, after, limit)
        sql = "SELECT * FROM entries WHERE seq > ? AND kind = ? ORDER BY seq LIMIT ?"
        return self._all(sql, after, kind, limit)

    def digests(self, *, after: int, limit: int) -> list[bytes]:
        """List the digests of the entries after one, in order."""
        sql = "SELECT digest FROM entries WHERE seq > ? ORDER BY seq LIMIT ?"
        with self._store.reading() as connection:
            return [bytes.fromhex(found) for (found,) in connection.execute(sql, (after, limit))]

    def newest(self) -> int:
        """Tell the sequence of the last entry; 0 in an empty log."""
        with self._store.reading() as connection:
            row = connection.execute("SELECT max(seq) FROM entries").fetchone()
        return 0 if row is None else row[0] or 0

    def stretch(
        self,
        after: int,
        end: int,
        *,
        kind: str | None = None,
        since: str | None = None,
        until: str | None = None,
    ) -> list[Entry]:
        """List entries of a stretch of the log in order, at most `MAX_PAGE`.

        Parameters
        ----------
        after, end : int
            Sequences of the entry before the first and of the last.
        kind : str, optional
        since, until : str, optional
            Bounds of the time, as the log writes it; `until` is left out itself.
        """
        wanted, values = _narrowed(kind, since, until)
        sql = f"SELECT * FROM entries WHERE seq > ? AND seq <= ?{wanted} ORDER BY seq LIMIT ?"
        return self._all(sql, after, end, *values, MAX_PAGE)

    def span(self, since: datetime | None, until: datetime | None) -> tuple[int, int]:
        """Tell between which sequences the entries of a time lie, without looking at them all.

        Entries are in the order of their times but for what several hosts write at once, and for
        decisions that were kept: it is a little wider, and whoever asks looks at the times again.

        Returns
        -------
        int, int
            Sequences of the entry before the first and of the last.
        """
        newest = self.newest()
        after = 0 if since is None else self._before(stamp(since - _CLOCKS), newest)
        end = newest if until is None else self._before(stamp(until + _KEPT), newest)
        return after, end

    def _before(self, at: str, newest: int) -> int:
        """Find the last entry that is older than a time, by halving; 0 if none is."""
        low, high = 0, newest
        while low < high:
            middle = (low + high + 1) // 2
            later = self._one(
                "SELECT * FROM entries WHERE seq >= ?"
                " AND kind NOT IN ('decision', 'decision_refused') ORDER BY seq LIMIT 1",
                middle,
            )
            if later is None or later.at >= at:
                high = middle - 1
            else:
                low = later.seq
        return low

    def back(
        self,
        before: int,
        after: int,
        *,
        limit: int,
        kind: str | None = None,
        since: str | None = None,
        until: str | None = None,
    ) -> list[Entry]:
        """List entries of a stretch of the log, the last one first.

        Parameters
        ----------
        before, after : int
            Sequences of the entry after the last and of the one before the first.
        limit : int
            At most.
        kind, since, until
            As with `stretch`.
        """
        wanted, values = _narrowed(kind, since, until)
        sql = f"SELECT * FROM entries WHERE seq < ? AND seq > ?{wanted} ORDER BY seq DESC LIMIT ?"
        return self._all(sql, before, after, *values, min(limit, MAX_PAGE))

    def leading(
        self, before: int, after: int, *, limit: int, since: str, until: str
    ) -> list[Entry]:
        """List the assessments of calls' latest revisions, as `back` does; each call once."""
        return self._all(
            "SELECT * FROM entries AS one WHERE seq < ? AND seq > ? AND kind = 'assessment'"
            " AND at >= ? AND at < ? AND NOT EXISTS (SELECT 1 FROM entries AS other"
            " WHERE other.call_id = one.call_id AND other.kind = 'assessment'"
            " AND other.revision > one.revision) ORDER BY seq DESC LIMIT ?",
            before,
            after,
            since,
            until,
            min(limit, MAX_PAGE),
        )

    def texts(self, entries: Sequence[Entry], name: str) -> dict[int, bytes | None]:
        """Read one of the personal texts of entries, in one go; not of many at once.

        Returns
        -------
        dict of int to bytes or None
            Sequence → the text; None if it does not fit its key, or the digest in the chain.
            What was erased is not in it.
        """
        found: dict[int, bytes | None] = {}
        by_seq = {entry.seq: entry for entry in entries}
        marks = ", ".join("?" * len(by_seq))
        with self._store.reading() as connection:
            rows: list[tuple[int, bytes, bytes]] = connection.execute(
                f"SELECT seq, nonce, content FROM private WHERE seq IN ({marks}) AND name = ?",
                (*by_seq, name),
            ).fetchall()
            for seq, nonce, content in rows:
                entry = by_seq[seq]
                key = self._store.keys.get(seq, entry.digest)
                if key is None:
                    continue
                digest = entry.content().get("private", {}).get(name, "")
                try:
                    found[seq] = unlock(
                        key, Locked(nonce, content), entry=entry.digest, name=name, digest=digest
                    )
                except Broken:
                    found[seq] = None
        return found

    def private(self, entry: Entry) -> dict[str, bytes]:
        """Read the personal text of an entry that is still there.

        Raises
        ------
        Broken
            If it does not fit its key, or the digest in the chain, or is missing although
            nothing tells that it was erased.
        """
        digests = entry.content().get("private", {})
        with self._store.reading() as connection:
            rows: list[tuple[str, bytes, bytes]] = connection.execute(
                "SELECT name, nonce, content FROM private WHERE seq = ?", (entry.seq,)
            ).fetchall()
            key = self._store.keys.get(entry.seq, entry.digest) if rows else None
        texts = {
            name: unlock(
                key,
                Locked(nonce, content),
                entry=entry.digest,
                name=name,
                digest=digests.get(name, ""),
            )
            for name, nonce, content in rows
            if key is not None  # without its key a text is as good as gone
        }
        if digests.keys() - texts.keys() and self.erasure(entry.seq) is None:
            raise Broken("stored text is missing")
        return texts

    def erased(self, entry: Entry, texts: Collection[str]) -> Entry | None:
        """Find the erasure of an entry that names more than there is; None if it does not."""
        names = entry.content().get("private", {}).keys()
        return self.erasure(entry.seq) if names - set(texts) else None

    def personal(
        self, names: Collection[str], *, after: int = 0, call_id: str | None = None
    ) -> Iterator[tuple[int, str, bytes | None]]:
        """Read the personal text of these names that is still there, in order of its entries.

        Parameters
        ----------
        names : collection of str
        after : int
            Sequence of the entry to begin after.
        call_id : str, optional
            Only of this call.

        Yields
        ------
        int, str, bytes or None
            Sequence of the entry, the name and the text; None if it does not fit its key, or the
            digest in the chain.
        """
        marks = ", ".join("?" * len(names))
        call, called = ("", ()) if call_id is None else (" AND call_id = ?", (call_id,))
        sql = (
            "SELECT seq, name, nonce, content, digest, body"
            " FROM private JOIN entries USING (seq)"
            f" WHERE name IN ({marks}){call} AND seq > ? ORDER BY seq, name LIMIT ?"
        )
        more = True
        while more:
            with self._store.reading() as connection:
                rows = connection.execute(sql, (*names, *called, after, _TEXTS)).fetchall()
                more = len(rows) == _TEXTS
                if more:  # the last entry's may be cut
                    rows = [row for row in rows if row[0] < rows[-1][0]]
                keys = self._store.keys.between(rows[0][0], rows[-1][0]) if rows else {}
            for seq, name, nonce, content, entry, body in rows:
                digest = orjson.loads(body).get("private", {}).get(name, "")
                locked = Locked(nonce, content)
                key = keys.get((seq, entry), b"")
                try:
                    text = unlock(key, locked, entry=entry, name=name, digest=digest)
                    yield seq, name, text
                except Broken:
                    yield seq, name, None
                after = seq

    def _one(self, sql: str, *values: str | int) -> Entry | None:
        with self._store.reading() as connection:
            row = connection.execute(sql, values).fetchone()
        return None if row is None else Entry(*row)

    def _all(self, sql: str, *values: str | int) -> list[Entry]:
        with self._store.reading() as connection:
            return [Entry(*row) for row in connection.execute(sql, values)]


def _narrowed(kind: str | None, since: str | None, until: str | None) -> tuple[str, list[str]]:
    """Write what entries are wanted as terms of SQL, with their values."""
    given = {"kind =": kind, "at >=": since, "at <": until}
    values = {term: value for term, value in given.items() if value is not None}
    return "".join(f" AND {term} ?" for term in values), [*values.values()]
