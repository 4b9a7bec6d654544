"""A log of version 1, which kept personal text in the clear, becomes one of this version.

It is done when the log is first opened for writing, in one transaction, and the file is then
written anew, so that no page of it holds what it held. The chain stays as it is to the letter: its
digests are of salt and text, and both are there still, encrypted.
"""

from __future__ import annotations

import os
from itertools import islice
from typing import Any

import apsw

from model_service.service.database import empty_wal
from model_service.service.log import schema
from model_service.service.log.keys import KEY_BYTES, RecordKeys
from model_service.service.log.private import lock

_AT_ONCE = 1000


def upgrade(connection: apsw.Connection, keys: RecordKeys) -> None:
    """Encrypt what a log of version 1 keeps apart from the chain.

    Parameters
    ----------
    connection : apsw.Connection
        To the log, with no transaction under way.
    keys : RecordKeys
        Where the new keys go.

    Raises
    ------
    apsw.Error, KeysUnavailable
        The log is as it was.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        if connection.pragma("user_version") == 1:  # another process may have been first
            _upgrade(connection, keys)
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("VACUUM")
    empty_wal(connection)


def _upgrade(connection: apsw.Connection, keys: RecordKeys) -> None:
    for name in schema.GUARDS:
        connection.execute(f"DROP TRIGGER IF EXISTS {name}")
    connection.execute("ALTER TABLE private RENAME TO plain")
    connection.execute(schema.TABLES)
    rows = connection.execute(
        "SELECT seq, name, salt, content, digest FROM plain JOIN entries USING (seq)"
        " ORDER BY seq, name"
    )
    while batch := list(islice(rows, _AT_ONCE)):
        _encrypt(connection, keys, batch)
    connection.execute("DROP TABLE plain")
    connection.execute("".join(schema.GUARDS.values()))
    connection.pragma("user_version", schema.VERSION)


def _encrypt(connection: apsw.Connection, keys: RecordKeys, rows: list[Any]) -> None:
    made: dict[tuple[int, str], bytes] = {}
    locked = []
    for seq, name, salt, content, entry in rows:
        place = (seq, entry)
        if place not in made:
            # The rows of one entry may lie in two batches, or an upgrade was broken off.
            made[place] = keys.get(*place) or os.urandom(KEY_BYTES)
        text = lock(made[place], salt + content, entry=entry, name=name)
        locked.append((seq, name, *text))
    keys.put([(*place, key) for place, key in made.items()])
    connection.executemany("INSERT INTO private VALUES (?, ?, ?, ?)", locked)
