"""Walks the chain, compares it with checkpoints that were kept, and names the first bad entry."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from model_service.service.log.checkpoint import MARK, Checkpoint, Kept
from model_service.service.log.entry import GENESIS, digest
from model_service.service.log.keys import Place as KeyPlace
from model_service.service.log.keys import RecordKeys
from model_service.service.log.merkle import Range
from model_service.service.log.place import Place
from model_service.service.log.private import Broken, Locked, unlock
from model_service.service.log.snapshot import View, snapshot
from model_service.service.log.store import Head

PROGRESS = 4096
"""Entries after which progress is told."""

KEYS_AT_ONCE = 1000
"""Entries whose keys are read together: each question to a server takes its time."""

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Fault:
    """The first entry that is not as it was written.

    Parameters
    ----------
    seq : int
    what : str
    until : int
        Where only a checkpoint tells, and has no mark of the entry: the last one that it may be.
    """

    seq: int
    what: str
    until: int = 0

    def words(self) -> str:
        """Tell it in one line."""
        if self.until > self.seq:
            return f"one of the entries {self.seq} to {self.until}: {self.what}"
        return f"entry {self.seq}: {self.what}"


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
    beside : tuple of str
        What is wrong with the guards, with the file or with a checkpoint, and with no entry.
    covered : int
        Entries that a checkpoint vouches for.
    """

    entries: int
    head: Head
    fault: Fault | None
    beside: tuple[str, ...] = ()
    covered: int = 0

    @property
    def whole(self) -> bool:
        """Whether every entry is as it was written, and everything that protects them."""
        return self.fault is None and not self.beside


def verify(
    place: Place,
    *,
    expected: Head | None = None,
    kept: Kept | None = None,
    keys: RecordKeys | None = None,
    progress: Callable[[int], None] | None = None,
) -> Verification:
    """Check every entry of a log, and the personal text beside it, against the chain.

    Parameters
    ----------
    place : Path or PostgresURL
    expected : (int, str), optional
        Sequence and digest of an entry that somebody was given, such as the `log` of an answer.
    kept : Kept, optional
        Checkpoints. Without any, and with nothing expected, a log whose last entries were cut off
        can't be told from a younger one, nor one that was made anew from a true one.
    keys : RecordKeys, optional
        Keys of the personal text. Without them it is checked that what the chain names is there,
        or on record as erased, and not that it is as it was written.
    progress : callable, optional
        Called now and then with the number of entries since it was called last.

    Raises
    ------
    UnreadableLog
        If it can't be read as a decision log at all.
    KeysUnavailable
        If the keys can't be read.
    """
    kept = kept or Kept()
    with snapshot(place) as view:
        walk = _Walk(kept.checkpoints, expected, _Texts(view, keys))
        entries = _rows(view, "SELECT * FROM entries ORDER BY seq")
        texts = _rows(view, "SELECT seq, name, nonce, content FROM private ORDER BY seq")
        fault = walk.through(entries, texts, progress)
        beside = (*view.faults(), *kept.faults)
    return Verification(walk.seq, (walk.seq, walk.previous), fault, beside, walk.covered)


_UNREADABLE: Row = (None,)
"""Stands for the row that can't be read, and for all after it."""


def _rows(view: View, sql: str) -> Iterator[Row]:
    """Read rows by their number, up to the first that can't be read or is not in its place."""
    rows: Iterator[Row] | None = None
    last = -(2**63)
    while True:
        try:
            rows = rows or iter(view.execute(sql))
            row = next(rows, None)
        except view.unreadable:
            row = _UNREADABLE
        if row is None:
            return
        if type(row[0]) is not int or row[0] < last:
            yield _UNREADABLE
            return
        last = row[0]
        yield row


class _Walk:
    """A walk along the entries; where it stands, and what it has to compare on the way."""

    def __init__(
        self, checkpoints: Sequence[Checkpoint], expected: Head | None, texts: _Texts
    ) -> None:
        self.seq, self.previous = 0, GENESIS
        self.covered, self._covered_head = 0, GENESIS
        self._texts = texts
        self._expected = {} if expected is None else dict([expected])
        self._tree = Range()
        self._ends: dict[int, list[Checkpoint]] = {}
        for one in checkpoints:
            self._ends.setdefault(one.size, []).append(one)
        self._due = sorted(checkpoints, key=lambda one: one.marked, reverse=True)
        self._marks: dict[int, str] = {}
        self._most = max(self._ends, default=0)

    def through(
        self, entries: Iterator[Row], texts: Iterator[Row], progress: Callable[[int], None] | None
    ) -> Fault | None:
        """Go on until the end or the first bad entry."""
        text = next(texts, None)
        for row in entries:
            seq = row[0]
            found: dict[str, Row] = {}
            while text is not None and text[0] == seq:
                found[text[1]] = text[2:]
                text = next(texts, None)
            what = self._wrong(row)
            if what is None and text is not None and text is not _UNREADABLE and text[0] < seq:
                what = "there is text of no entry before it"
            if what is None:
                what = self._texts.wrong(row, found, readable=text is not _UNREADABLE)
            if what is not None:
                # A gap shows at the entry after it; the first bad one is the one that is gone.
                return Fault(self.seq + 1, what)
            fault = self._compared(row[9])
            if fault is not None:
                return fault
            self._texts.passed(row)
            if progress is not None and seq % PROGRESS == 0:
                progress(PROGRESS)
        return self._at_end(text)

    def _compared(self, entry_digest: str) -> Fault | None:
        """Compare a good next entry with what was kept of it, and step onto it."""
        seq = self.seq + 1
        while self._due and self._due[-1].marked <= seq:
            self._marks.update(self._due.pop().marks_by_entry())
        mark = self._marks.pop(seq, None)
        if mark is not None and mark != entry_digest[:MARK]:
            return Fault(seq, "not the entry that was checkpointed")
        if self._expected.get(seq, entry_digest) != entry_digest:
            return Fault(seq, "not the entry that was expected")
        if self._most:
            self._tree.append(bytes.fromhex(entry_digest))
            for one in self._ends.get(seq, ()):
                if one.head != entry_digest or one.root != self._tree.root().hex():
                    self.seq, self.previous = self.covered, self._covered_head
                    return Fault(self.covered + 1, "not what was checkpointed", until=seq)
                self.covered, self._covered_head = seq, entry_digest
        self.seq, self.previous = seq, entry_digest
        return None

    def _at_end(self, text: Row | None) -> Fault | None:
        least = max(self._most, *self._expected, 0)
        if least > self.seq:
            return Fault(self.seq + 1, "missing")
        fault = self._texts.at_end()
        if fault is not None:
            return fault
        if text is _UNREADABLE:
            return Fault(self.seq + 1, "text that can't be read")
        return None if text is None else Fault(text[0], "text of no entry")

    def _wrong(self, row: Row) -> str | None:
        seq = row[0]
        if row is _UNREADABLE:
            return "can't be read"
        if seq != self.seq + 1:
            return "missing" if seq > self.seq + 1 else "out of place"
        if row[8] != self.previous:
            return "does not follow the entry before it"
        try:
            # The same bytes as no text would have the same digest.
            same = type(row[7]) is str and digest(*row[:9]) == row[9]
            return None if same else "changed"
        except (ValueError, TypeError):
            return "changed"


class _Texts:
    """The personal text beside the chain, and what of it the chain says was erased.

    Text that is not there is judged only at the end, for any later entry may have erased it.
    """

    def __init__(self, view: View, keys: RecordKeys | None) -> None:
        self._view = view
        self._keys = keys
        self._near: dict[KeyPlace, bytes] = {}
        self._until = 0
        self._lacking: dict[int, str] = {}
        self._erased: dict[int, int] = {}

    def wrong(self, row: Row, texts: dict[str, Row], *, readable: bool) -> str | None:
        """Compare the personal text of an entry that is good itself with what its body names.

        Parameters
        ----------
        row : tuple
            The entry.
        texts : dict of str to tuple
            Its text, as it is stored.
        readable : bool
            Whether all text up to here could be read.
        """
        seq, body, entry = row[0], row[7], row[9]
        if not texts and '"private":' not in body:
            return None  # an entry without personal text need not be parsed
        try:
            digests = orjson.loads(body).get("private", {})
            if texts.keys() - digests.keys():
                return "has text that it does not name"
            if digests.keys() - texts.keys():
                self._lacking[seq] = "its text is missing" if readable else "its text can't be read"
                return None
            if self._keys is None or not texts:
                return None
            key = self._key(self._keys, seq, entry)
            if key is None:
                self._lacking[seq] = "the key of its text is missing"
                return None
            for name, locked in texts.items():
                unlock(key, Locked(*locked), entry=entry, name=name, digest=digests[name])
        except Broken:
            return "its text was changed"
        except (ValueError, TypeError, AttributeError):
            return "changed"
        return None

    def _key(self, keys: RecordKeys, seq: int, entry: str) -> bytes | None:
        """Find the key of an entry among the next ones, which are read together."""
        if seq >= self._until:
            self._until = seq + KEYS_AT_ONCE
            self._near = keys.between(seq, self._until - 1)
        return self._near.get((seq, entry))

    def passed(self, row: Row) -> None:
        """Take note of what a good entry erased."""
        if row[2] != "erasure":
            return
        with contextlib.suppress(ValueError, TypeError, KeyError):
            for seq in orjson.loads(row[7])["entries"]:
                self._erased.setdefault(int(seq), row[0])

    def at_end(self) -> Fault | None:
        """Find the first entry whose text is not there, or is, against what the chain says."""
        found = {seq: what for seq, what in self._lacking.items() if seq not in self._erased}
        # By these notes text may be deleted, so that each has to stand for an erasure.
        rows = _rows(self._view, "SELECT seq, by FROM erased ORDER BY seq")
        noted: dict[Any, Any] = dict(row for row in rows if row is not _UNREADABLE)
        for seq, _ in noted.items() ^ self._erased.items():
            found[seq] = "the note of its erasure fits no entry"
        sql = "SELECT seq FROM private JOIN erased USING (seq) ORDER BY seq"
        for row in _rows(self._view, sql):
            if row[0] in self._erased:
                found[row[0]] = "its text was erased, and is there"
        first = min(found, default=None)
        return None if first is None else Fault(first, found[first])
