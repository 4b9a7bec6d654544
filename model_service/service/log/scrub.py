"""The two halves of an erasure: the ciphertext within its transaction, the keys after it."""

from __future__ import annotations

import apsw

from model_service.service.database import empty_wal
from model_service.service.log.entry import Entry
from model_service.service.log.keys import RecordKeys

_NOTE = "INSERT INTO erased (seq, by) SELECT seq, ? FROM private WHERE seq = ? LIMIT 1"


def delete(connection: apsw.Connection, erasure: Entry) -> None:
    """Delete the ciphertext of what an entry erases, and note that its keys have to go.

    Parameters
    ----------
    connection : apsw.Connection
        To the log, in the transaction in which the entry is appended.
    erasure : Entry
    """
    for seq in erasure.content()["entries"]:
        connection.execute(_NOTE, (erasure.seq, seq))
        connection.execute("DELETE FROM private WHERE seq = ?", (seq,))


def finish(connection: apsw.Connection, keys: RecordKeys) -> bool:
    """Destroy the keys of everything that is on record as erased, and empty the logs.

    Parameters
    ----------
    connection : apsw.Connection
        To the log, with no transaction under way.
    keys : RecordKeys

    Returns
    -------
    bool
        Whether nothing is left in the write-ahead logs.

    Raises
    ------
    apsw.Error, KeysUnavailable
    """
    places: list[tuple[int, str]] = connection.execute(
        "SELECT seq, digest FROM erased JOIN entries USING (seq) WHERE NOT destroyed"
    ).fetchall()  # type: ignore[assignment]
    if not places:
        return True
    scrubbed = keys.destroy(places)
    with connection:
        connection.executemany(
            "UPDATE erased SET destroyed = 1 WHERE seq = ?", [(seq,) for seq, _ in places]
        )
    return empty_wal(connection) and scrubbed
