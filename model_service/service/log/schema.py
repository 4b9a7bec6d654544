"""The tables, and the guards that keep them append-only.

`INSERT OR REPLACE` deletes rows without firing DELETE triggers unless the connection that does it
has `recursive_triggers` on, so the guards on INSERT refuse whatever could replace a row, and no
unique index but the primary key is there to be fallen foul of.
"""

APPLICATION_ID = 0x43524C31  # "CRL1"
VERSION = 2
"""1 kept personal text in the clear (`upgrade.py`)."""

UNSERVED = "kind = 'assessment' AND json_array_length(body, '$.recommendation.unserved') > 0"
"""Entries of calls for which a response fitted that could not be sent."""

IDEMPOTENCY = "iif(json_valid(body), body ->> '$.idempotency', NULL)"
"""The digest of the idempotency key that an entry was asked for with."""

TABLES = (
    """
CREATE TABLE IF NOT EXISTS entries (
    seq           INTEGER PRIMARY KEY,
    at            TEXT NOT NULL,
    kind          TEXT NOT NULL,
    call_id       TEXT,
    revision      INTEGER,
    assessment_id TEXT,
    actor         TEXT NOT NULL,
    body          TEXT NOT NULL,
    previous      TEXT NOT NULL,
    digest        TEXT NOT NULL
) STRICT;

CREATE TABLE IF NOT EXISTS private (
    seq     INTEGER NOT NULL REFERENCES entries (seq),
    name    TEXT NOT NULL,
    nonce   BLOB NOT NULL,
    content BLOB NOT NULL,
    PRIMARY KEY (seq, name)
) STRICT;

CREATE TABLE IF NOT EXISTS erased (
    seq       INTEGER PRIMARY KEY REFERENCES entries (seq),
    by        INTEGER NOT NULL REFERENCES entries (seq),
    destroyed INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX IF NOT EXISTS erased_by ON erased (by);
CREATE INDEX IF NOT EXISTS erased_unfinished ON erased (seq) WHERE NOT destroyed;

CREATE TABLE IF NOT EXISTS probe (id INTEGER PRIMARY KEY CHECK (id = 1), at TEXT) STRICT;

CREATE INDEX IF NOT EXISTS entries_call ON entries (call_id, kind, revision)
    WHERE call_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS entries_assessment ON entries (assessment_id, kind)
    WHERE assessment_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS entries_kind ON entries (kind);
"""
    + f"CREATE INDEX IF NOT EXISTS entries_idempotency ON entries ({IDEMPOTENCY})"
    f" WHERE {IDEMPOTENCY} IS NOT NULL;\n"
    f"CREATE INDEX IF NOT EXISTS entries_unserved ON entries (seq) WHERE {UNSERVED};\n"
    f"""
CREATE VIEW IF NOT EXISTS asked AS
    SELECT seq, {IDEMPOTENCY} AS idempotency FROM entries WHERE {IDEMPOTENCY} IS NOT NULL;
CREATE VIEW IF NOT EXISTS unserved AS
    SELECT seq, missed.value ->> 'response' AS response, missed.value ->> 'reason' AS reason
    FROM entries INDEXED BY entries_unserved,
        json_each(body, '$.recommendation.unserved') AS missed
    WHERE {UNSERVED};
"""
)

GUARDS = {
    "entries_append": f"""
CREATE TRIGGER IF NOT EXISTS entries_append BEFORE INSERT ON entries
WHEN NEW.seq IS NOT (SELECT coalesce(max(seq), 0) + 1 FROM entries)
  OR NEW.previous IS NOT coalesce(
        (SELECT digest FROM entries ORDER BY seq DESC LIMIT 1), printf('%064d', 0))
  OR (NEW.kind = 'assessment' AND EXISTS (
        SELECT 1 FROM entries
        WHERE call_id = NEW.call_id AND kind = 'assessment' AND revision = NEW.revision))
  OR (NEW.body ->> '$.idempotency' IS NOT NULL AND EXISTS (
        SELECT 1 FROM entries WHERE {IDEMPOTENCY} = NEW.body ->> '$.idempotency'))
BEGIN SELECT raise(ABORT, 'the log is append-only'); END;
""",
    "entries_no_update": """
CREATE TRIGGER IF NOT EXISTS entries_no_update BEFORE UPDATE ON entries
BEGIN SELECT raise(ABORT, 'the log is append-only'); END;
""",
    "entries_no_delete": """
CREATE TRIGGER IF NOT EXISTS entries_no_delete BEFORE DELETE ON entries
BEGIN SELECT raise(ABORT, 'the log is append-only'); END;
""",
    "private_append": """
CREATE TRIGGER IF NOT EXISTS private_append BEFORE INSERT ON private
WHEN NEW.seq IS NOT (SELECT max(seq) FROM entries)
  OR EXISTS (SELECT 1 FROM private WHERE seq = NEW.seq AND name = NEW.name)
BEGIN SELECT raise(ABORT, 'the log is append-only'); END;
""",
    "private_no_update": """
CREATE TRIGGER IF NOT EXISTS private_no_update BEFORE UPDATE ON private
BEGIN SELECT raise(ABORT, 'the log is append-only'); END;
""",
    "private_no_delete": """
CREATE TRIGGER IF NOT EXISTS private_no_delete BEFORE DELETE ON private
WHEN NOT EXISTS (SELECT 1 FROM erased WHERE seq = OLD.seq)
BEGIN SELECT raise(ABORT, 'no entry tells of this erasure'); END;
""",
    "erased_append": """
CREATE TRIGGER IF NOT EXISTS erased_append BEFORE INSERT ON erased
WHEN NOT EXISTS (SELECT 1 FROM entries WHERE seq = NEW.by AND kind = 'erasure')
  OR EXISTS (SELECT 1 FROM erased WHERE seq = NEW.seq)
BEGIN SELECT raise(ABORT, 'no entry tells of this erasure'); END;
""",
    "erased_no_update": """
CREATE TRIGGER IF NOT EXISTS erased_no_update BEFORE UPDATE OF seq, by ON erased
BEGIN SELECT raise(ABORT, 'the log is append-only'); END;
""",
    "erased_no_delete": """
CREATE TRIGGER IF NOT EXISTS erased_no_delete BEFORE DELETE ON erased
BEGIN SELECT raise(ABORT, 'the log is append-only'); END;
""",
}
"""Trigger → the statement that makes it. A private row may be deleted where it is on record that
its entry was erased."""

SCHEMA = TABLES + "".join(GUARDS.values())
