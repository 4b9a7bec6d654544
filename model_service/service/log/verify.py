"""Walks the chain and names the first bad entry."""

from __future__ import annotations

from dataclasses import dataclass

import orjson

from model_service.service.log.entry import GENESIS, Entry, digest
from model_service.service.log.place import Place
from model_service.service.log.private import Broken, unseal
from model_service.service.log.snapshot import snapshot
from model_service.service.log.store import Connection, Head


@dataclass(frozen=True, slots=True)
class Fault:
    """The first entry that is not as it was written."""

    seq: int
    what: str


@dataclass(frozen=True, slots=True)
class Verification:
    """What a walk along the chain found.

    Parameters
    ----------
    entries : int
        Entries that were found good, from the first on.
    head : (int, str)
        Sequence and digest of the last good entry.
    fault : Fault or None
    """

    entries: int
    head: Head
    fault: Fault | None

    @property
    def whole(self) -> bool:
        """Whether every entry is as it was written."""
        return self.fault is None


def verify(path: Place, *, expected: Head | None = None) -> Verification:
    """Check every entry of a log, and the personal text beside it, against the chain.

    Parameters
    ----------
    path : Path or PostgresURL
    expected : (int, str), optional
        Sequence and digest of an entry that somebody was given, such as the `log` of an answer:
        without it, a log whose last entries were cut off can't be told from a younger one.

    Raises
    ------
    UnreadableLog
        If it can't be read as a decision log at all.
    """
    with snapshot(path) as connection:
        return _walk(connection, expected)


def _walk(connection: Connection, expected: Head | None) -> Verification:
    previous, seq = GENESIS, 0
    private = connection.execute("SELECT seq, name, salt, content FROM private ORDER BY seq")
    row = private.fetchone()
    for values in connection.execute("SELECT * FROM entries ORDER BY seq"):
        entry = Entry(*values)
        texts: dict[str, tuple[bytes, bytes]] = {}
        while row is not None and row[0] == entry.seq:
            texts[row[1]] = (row[2], row[3])
            row = private.fetchone()
        what = _wrong(entry, seq + 1, previous, texts)
        if what is None and row is not None and row[0] < entry.seq:
            return Verification(seq, (seq, previous), Fault(row[0], "text of no entry"))
        if what is None and expected is not None and expected[0] == entry.seq:
            what = None if expected[1] == entry.digest else "not the entry that was expected"
        if what is not None:
            # A gap shows at the entry after it; the first bad one is the one that is gone.
            return Verification(seq, (seq, previous), Fault(seq + 1, what))
        seq, previous = entry.seq, entry.digest
    if row is not None:
        return Verification(seq, (seq, previous), Fault(row[0], "text of no entry"))
    if expected is not None and expected[0] > seq:
        return Verification(seq, (seq, previous), Fault(seq + 1, "missing"))
    return Verification(seq, (seq, previous), None)


def _wrong(
    entry: Entry, seq: int, previous: str, texts: dict[str, tuple[bytes, bytes]]
) -> str | None:
    if entry.seq != seq:
        return "missing" if entry.seq > seq else "out of place"
    if entry.previous != previous:
        return "does not follow the entry before it"
    try:
        if digest(*entry[:-1]) != entry.digest:
            return "changed"
        digests = orjson.loads(entry.body).get("private", {})
        if texts.keys() - digests.keys():
            return "has text that it does not name"
        if digests.keys() - texts.keys():
            return "its text is missing"
        for name, (salt, content) in texts.items():
            unseal(salt, content, digests[name])
    except Broken:
        return "its text was changed"
    except (ValueError, TypeError, AttributeError):
        return "changed"
    return None
