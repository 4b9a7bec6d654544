"""The two halves of an erasure: the ciphertext within its transaction, the keys after it."""

from __future__ import annotations

from model_service.service.log.connection import Connection
from model_service.service.log.entry import Entry
from model_service.service.log.keys import RecordKeys

_AT_ONCE = 1000


def delete(connection: Connection, erasure: Entry) -> None:
    """Delete the ciphertext of what an entry erases, and note that its keys have to go.

    Parameters
    ----------
    connection : Connection
        To the log, in the transaction in which the entry is appended.
    erasure : Entry
    """
    entries = erasure.content()["entries"]
    if not entries:
        return
    these = _these(entries)
    connection.execute(
        "INSERT INTO erased (seq, by) SELECT DISTINCT seq, CAST(? AS bigint) FROM private"
        f" WHERE {these}",
        (erasure.seq, *entries),
    )
    connection.execute(f"DELETE FROM private WHERE {these}", entries)


def finish(connection: Connection, keys: RecordKeys) -> bool:
    """Destroy the keys of everything that is on record as erased.

    Parameters
    ----------
    connection : Connection
        To the log, with no transaction under way.
    keys : RecordKeys

    Returns
    -------
    bool
        Whether nothing is left in a write-ahead log of the keys.

    Raises
    ------
    KeysUnavailable
        And whatever the connection raises.
    """
    scrubbed = True
    while places := connection.execute(
        "SELECT seq, digest FROM erased JOIN entries USING (seq) WHERE NOT destroyed"
        f" LIMIT {_AT_ONCE}"
    ).fetchall():
        scrubbed &= keys.destroy(places)
        done = [seq for seq, _ in places]
        connection.execute(f"UPDATE erased SET destroyed = TRUE WHERE {_these(done)}", done)
    return scrubbed


def _these(entries: list[int]) -> str:
    return f"seq IN ({', '.join('?' * len(entries))})"
