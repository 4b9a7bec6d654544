"""Erasing personal text: on record first, then its ciphertext, then its keys.

One transaction of the log appends an entry of kind `erasure`, which names the entries whose text
goes and holds nothing of it, deletes the ciphertext, and notes that keys have to go. Then the keys
are destroyed, and that is noted. Whatever stops it in between, the next opening of the log goes on
(`scrub.finish`): nothing is erased without a record, and nothing on record stays undone.

It works beside a running service, which sees the entry and forgets what it holds of these calls.

SQLite overwrites what is deleted with zeros (`secure_delete`), in both files, and their
write-ahead logs are emptied. PostgreSQL lets deleted rows lie until VACUUM, and its write-ahead
log until it is recycled. File systems that copy on write, flash drives, snapshots and backups
may keep the files as they were: the ciphertext there can't be read without the record keys, and
these not without the key-encryption key (`keys.py`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from datetime import datetime
from typing import Any, NamedTuple

from data.logged import ErasureReason
from model_service.service.log.entry import Draft, stamp
from model_service.service.log.store import LogStore, prepare

AT_ONCE = 500
"""Entries that one entry of the log erases at most, so that a service waits for none long."""


class Erasable(NamedTuple):
    """An entry that has personal text."""

    seq: int
    at: str
    kind: str
    call_id: str | None


class Erased(NamedTuple):
    """What an erasure did.

    Parameters
    ----------
    entries : int
        Whose text is gone.
    calls : int
    scrubbed : bool
        The write-ahead logs are emptied too; if not, another process was reading them, and it
        happens when they are next opened.
    """

    entries: int
    calls: int
    scrubbed: bool


def erasable(
    store: LogStore,
    *,
    call_id: str | None = None,
    before: datetime | None = None,
    kinds: Collection[str] | None = None,
) -> list[Erasable]:
    """List the entries that have personal text, in order.

    Parameters
    ----------
    store : LogStore
    call_id : str, optional
        Only those of this call.
    before : datetime, optional
        Only those written earlier.
    kinds : collection of str, optional
        Only those of these kinds.

    Raises
    ------
    LogUnavailable
    """
    wanted, values = "seq > 0", []
    if call_id is not None:
        wanted += " AND call_id = ?"
        values.append(call_id)
    if before is not None:
        wanted += " AND at < ?"
        values.append(stamp(before))
    if kinds is not None:
        wanted += f" AND kind IN ({', '.join('?' * len(kinds))})"
        values.extend(kinds)
    with store.reading() as connection:
        return [
            Erasable(*row)
            for row in connection.execute(
                f"SELECT seq, at, kind, call_id FROM entries WHERE {wanted}"
                " AND EXISTS (SELECT 1 FROM private WHERE private.seq = entries.seq) ORDER BY seq",
                values,
            )
        ]


def erase(
    store: LogStore,
    entries: Iterable[Erasable],
    *,
    actor: str,
    reason: ErasureReason,
    rule: str | None = None,
) -> Erased:
    """Erase the personal text of entries.

    Parameters
    ----------
    store : LogStore
    entries : iterable of Erasable
    actor : str
        Who erases.
    reason : str
        One of `ERASURE_REASONS`.
    rule : str, optional
        Name of the rule of retention by which it is done.

    Raises
    ------
    LogUnavailable
        What was erased by then is on record.
    """
    done, calls, scrubbed = 0, set(), True
    for batch in _batches(list(entries)):
        named = sorted({entry.call_id for entry in batch if entry.call_id is not None})
        body: dict[str, Any] = {
            "reason": reason,
            "rule": rule,
            "entries": [entry.seq for entry in batch],
        }
        one = named[0] if len(named) == 1 else None
        store.write([prepare(Draft("erasure", actor, body, call_id=one))])
        scrubbed &= store.finish()
        done += len(batch)
        calls.update(named)
    return Erased(done, len(calls), scrubbed)


def _batches(entries: list[Erasable]) -> Iterator[list[Erasable]]:
    for start in range(0, len(entries), AT_ONCE):
        yield entries[start : start + AT_ONCE]
