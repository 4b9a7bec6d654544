"""Walks the chain and names the first bad entry."""

from __future__ import annotations

from dataclasses import dataclass

import orjson

from model_service.service.log.connection import Connection
from model_service.service.log.entry import GENESIS, Entry, digest
from model_service.service.log.keys import RecordKeys
from model_service.service.log.place import Place
from model_service.service.log.private import Broken, Locked, unlock
from model_service.service.log.snapshot import snapshot
from model_service.service.log.store import Head


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


def verify(
    path: Place, *, expected: Head | None = None, keys: RecordKeys | None = None
) -> Verification:
    """Check every entry of a log, and the personal text beside it, against the chain.

    Parameters
    ----------
    path : Path or PostgresURL
    keys : RecordKeys, optional
        Keys of the personal text. Without them it is checked that what the chain names is there,
        or on record as erased, and not that it is as it was written.
    expected : (int, str), optional
        Sequence and digest of an entry that somebody was given, such as the `log` of an answer:
        without it, a log whose last entries were cut off can't be told from a younger one.

    Raises
    ------
    UnreadableLog
        If it can't be read as a decision log at all.
    """
    with snapshot(path) as connection:
        return _walk(connection, expected, keys)


def _walk(connection: Connection, expected: Head | None, keys: RecordKeys | None) -> Verification:
    previous, seq = GENESIS, 0
    erased = _erased(connection)
    private = connection.execute("SELECT seq, name, nonce, content FROM private ORDER BY seq")
    row = private.fetchone()
    for values in connection.execute("SELECT * FROM entries ORDER BY seq"):
        entry = Entry(*values)
        texts: dict[str, Locked] = {}
        while row is not None and row[0] == entry.seq:
            texts[row[1]] = Locked(row[2], row[3])
            row = private.fetchone()
        what = _wrong(entry, seq + 1, previous, texts, keys, entry.seq in erased)
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
    noted: dict[int, int] = dict(connection.execute("SELECT seq, by FROM erased").fetchall())
    for wrong in sorted(noted.items() ^ erased.items()):
        what = "the note of its erasure fits no entry"
        return Verification(seq, (seq, previous), Fault(wrong[0], what))
    return Verification(seq, (seq, previous), None)


def _erased(connection: Connection) -> dict[int, int]:
    """Collect what was erased, and by which entry, from the chain itself; it is checked later."""
    found: dict[int, int] = {}
    rows = connection.execute("SELECT seq, body FROM entries WHERE kind = 'erasure' ORDER BY seq")
    for by, body in rows:
        try:
            for seq in orjson.loads(body)["entries"]:
                found.setdefault(int(seq), by)
        except (ValueError, TypeError, KeyError):
            continue  # it was changed, and its digest will tell
    return found


def _wrong(
    entry: Entry,
    seq: int,
    previous: str,
    texts: dict[str, Locked],
    keys: RecordKeys | None,
    erased: bool,
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
        if erased:
            return "its text was erased, and is there" if texts else None
        if digests.keys() - texts.keys():
            return "its text is missing"
        if keys is None or not texts:
            return None
        key = keys.get(entry.seq, entry.digest)
        if key is None:
            return "the key of its text is missing"
        for name, locked in texts.items():
            unlock(key, locked, entry=entry.digest, name=name, digest=digests[name])
    except Broken:
        return "its text was changed"
    except (ValueError, TypeError, AttributeError):
        return "changed"
    return None
