"""The log in a PostgreSQL database, to which several processes and hosts append.

The place in the chain is taken within the transaction, under an advisory lock that all writers
take: the service's role may add rows and nothing else, not even lock one. The tables are made by
`crisiscall log migrate`, as their owner; here it is only checked that they are as they should be.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence
from importlib import resources

import orjson

from model_service.service.log import scrub
from model_service.service.log.connection import Connection
from model_service.service.log.entry import GENESIS, Entry
from model_service.service.log.keys import RecordKeys
from model_service.service.log.session import UNDEFINED, ServerError, ServerLine, Session
from model_service.service.log.store import Head, LogStore, LogUnavailable, PrivateRow
from model_service.service.postgres import PostgresURL

REVISION = "0002"
"""The schema that this program reads and writes, as `migrations/` numbers them."""

VERSION_TABLE = "log_version"

_TABLES = "('entries'::regclass, 'private'::regclass, 'erased'::regclass)"
_GUARDS = f"""
SELECT 'trigger ' || tgname, pg_get_triggerdef(oid, true), tgenabled IN ('O', 'A') FROM pg_trigger
WHERE NOT tgisinternal AND tgrelid IN {_TABLES}
UNION ALL
SELECT 'function ' || proname, prosrc || CASE
        WHEN proconfig = ARRAY['search_path=' || quote_ident(current_schema()) || ', pg_temp']
        THEN 'FROM CURRENT' ELSE coalesce(proconfig::text, '') END, true
FROM pg_proc WHERE pronamespace = current_schema()::regnamespace AND pronargs = 0
UNION ALL
SELECT 'rule ' || rulename, '', true FROM pg_rewrite WHERE ev_class IN {_TABLES}
"""
"""What there is of guards, their text as PostgreSQL writes it, and whether they act."""

_MADE = re.compile(
    r"^CREATE OR REPLACE (?:FUNCTION (\w+)(.*?)\$\$(.*?)\$\$|TRIGGER ((\w+).*?));",
    re.DOTALL | re.MULTILINE,
)

_VERSION = f"SELECT version_num FROM {VERSION_TABLE}"
_STATE = """
SELECT current_setting('server_encoding') <> 'UTF8', current_setting('fsync') <> 'on',
    has_table_privilege('entries', 'UPDATE') OR has_table_privilege('entries', 'DELETE')
        OR has_table_privilege('entries', 'TRUNCATE')
"""
_MAY_ERASE = (
    "SELECT has_table_privilege('private', 'DELETE')"
    " AND has_column_privilege('erased', 'destroyed', 'UPDATE')"
)

_LOCK = "SELECT seq, digest FROM lock_head()"
# One statement for a batch of any size. JSON carries every text as it is: a body's escapes are
# escaped once more, and its bytes come out of it as they went in.
_INSERT = (
    "INSERT INTO entries SELECT * FROM json_to_recordset(?::json) AS new (seq bigint, at text,"
    " kind text, call_id text, revision bigint, assessment_id text, actor text, body text,"
    " previous text, digest text) ORDER BY seq"
)
_INSERT_PRIVATE = (
    "INSERT INTO private SELECT seq, name, decode(nonce, 'hex'), decode(content, 'hex')"
    " FROM json_to_recordset(?::json) AS new (seq bigint, name text, nonce text, content text)"
)
_LAST_TEXTS = (
    "SELECT seq, digest FROM entries"
    " WHERE seq IN (SELECT DISTINCT seq FROM private ORDER BY seq DESC LIMIT 100)"
)
_PROBE = "SELECT pg_logical_emit_message(true, 'crisiscall', 'probe')"


class PostgresStore(LogStore):
    """The log's database.

    The server overwrites in its own time what was deleted (VACUUM, the WAL's recycling).

    Parameters
    ----------
    url : PostgresURL
    keys : RecordKeys
        Keys of the personal text, where every process that writes to this log finds them.
    busy_timeout_ms : int
        How long to wait for another process's lock.
    """

    def __init__(self, url: PostgresURL, keys: RecordKeys, *, busy_timeout_ms: int = 500) -> None:
        super().__init__(keys, ServerLine(url, busy_timeout_ms=busy_timeout_ms, look=self._look))

    def _place(self, connection: Connection) -> Head:
        row = connection.execute(_LOCK).fetchone()
        return (0, GENESIS) if row is None else (row[0], row[1])

    def _insert(
        self,
        connection: Connection,
        entries: Sequence[Entry],
        rows: Mapping[int, Sequence[PrivateRow]],
    ) -> None:
        connection.execute(_INSERT, (_json([entry._asdict() for entry in entries]),))
        private = [
            {**row._asdict(), "nonce": row.nonce.hex(), "content": row.content.hex()}
            for of_entry in rows.values()
            for row in of_entry
        ]
        if private:
            connection.execute(_INSERT_PRIVATE, (_json(private),))

    def _try(self, connection: Connection) -> None:
        connection.execute(_PROBE)  # into the server's own log

    def _look(self, session: Session) -> None:
        """Look at a new connection before it is used."""
        check_version(session)
        _check_state(session)
        self._compare(session)
        self._check_keys(session)
        ((may_erase,),) = session.execute(_MAY_ERASE)
        if may_erase:  # what was broken off is finished by whoever may
            scrub.finish(session, self.keys)

    def _check_keys(self, session: Session) -> None:
        """Refuse keys of another log: what is written with them nobody else could read."""
        texts = set(session.execute(_LAST_TEXTS))
        if not texts:
            return
        keys = self.keys.between(min(texts)[0], max(texts)[0])
        if not texts & keys.keys() and texts & set(session.execute(_LAST_TEXTS)):
            raise LogUnavailable(
                "the record keys of the log are not there: say in CRISISCALL_RECORD_KEYS where "
                "they are"
            )


def check_version(session: Session) -> None:
    """Refuse a database whose schema is not this program's.

    Raises
    ------
    LogUnavailable
        The message says what to do.
    ServerError
    """
    try:
        row = session.execute(_VERSION).fetchone()
    except ServerError as error:
        if error.code != UNDEFINED:
            raise
        row = None
    if row is None:
        raise LogUnavailable("no decision log is there yet: run `crisiscall log migrate`")
    if row[0] < REVISION:
        raise LogUnavailable("the decision log's schema is older: run `crisiscall log migrate`")
    if row[0] > REVISION:
        raise LogUnavailable("the decision log's schema is newer: update this crisiscall")


def _check_state(session: Session) -> None:
    (row,) = session.execute(_STATE)
    encoded, unsynced, free = row
    if encoded:
        raise LogUnavailable("the decision log's database must be encoded in UTF8")
    if unsynced:
        raise LogUnavailable("the database's server runs with fsync off: a record might not last")
    if wrong_guards(session):
        raise LogUnavailable("a guard of the decision log is gone: run `crisiscall log migrate`")
    if free:
        raise LogUnavailable(
            "this role may change the decision log: give the service a role of its own with"
            " `crisiscall log migrate --grant-to ROLE`"
        )


def wrong_guards(session: Session) -> tuple[str, ...]:
    """List what keeps the log append-only and is not as `guards.sql` makes it.

    Raises
    ------
    ServerError
    """
    due = _due_guards()
    rows = session.execute(_GUARDS)
    there = {name: _plain(made) if enabled else None for name, made, enabled in rows}
    others = [name for name in there if name not in due and not name.startswith("function ")]
    return tuple(sorted([*others, *(name for name in due if there.get(name) != due[name])]))


@functools.cache
def _due_guards() -> dict[str, str]:
    script = resources.files(__package__).joinpath("guards.sql").read_text(encoding="utf-8")
    found = {}
    for function, options, body, trigger, name in _MADE.findall(script):
        if function:
            where = "FROM CURRENT" if "SET search_path FROM CURRENT" in options else ""
            found[f"function {function}"] = _plain(body + where)
        else:
            found[f"trigger {name}"] = _plain(f"CREATE TRIGGER {trigger}")
    return found


def _plain(statement: str) -> str:
    return " ".join(statement.split())


def _json(value: object) -> str:
    return orjson.dumps(value).decode()
