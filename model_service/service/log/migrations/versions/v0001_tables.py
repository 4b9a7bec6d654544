"""The tables of the log, as SQLite has them (`schema.py`)."""

from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables.

    Text is compared byte by byte, so that it sorts alike on every server. The bodies are kept as
    text, for their very bytes are in the digests. PostgreSQL takes an escaped NUL in JSON as it
    stands, and fails on reading it: `missed` puts U+FFFD there, for questions alone.
    """
    op.execute(
        r"""
        CREATE FUNCTION missed(body text) RETURNS json LANGUAGE sql IMMUTABLE STRICT AS $$
            SELECT CASE
                WHEN strpos(body, '\u0000') = 0 THEN body
                ELSE regexp_replace(body, '(?<!\\)((?:\\\\)*)\\u0000', '\1\\ufffd', 'g')
            END::json #> '{recommendation,unserved}'
        $$;
        CREATE TABLE entries (
            seq           bigint PRIMARY KEY,
            at            text COLLATE "C" NOT NULL,
            kind          text COLLATE "C" NOT NULL,
            call_id       text COLLATE "C",
            revision      bigint,
            assessment_id text COLLATE "C",
            actor         text COLLATE "C" NOT NULL,
            body          text COLLATE "C" NOT NULL,
            previous      text COLLATE "C" NOT NULL,
            digest        text COLLATE "C" NOT NULL
        );
        CREATE TABLE private (
            seq     bigint NOT NULL REFERENCES entries (seq),
            name    text COLLATE "C" NOT NULL,
            salt    bytea NOT NULL,
            content bytea NOT NULL,
            PRIMARY KEY (seq, name)
        );
        CREATE UNIQUE INDEX entries_revision ON entries (call_id, revision)
            WHERE kind = 'assessment';
        CREATE INDEX entries_call ON entries (call_id, kind, revision) WHERE call_id IS NOT NULL;
        CREATE INDEX entries_assessment ON entries (assessment_id, kind)
            WHERE assessment_id IS NOT NULL;
        CREATE INDEX entries_kind ON entries (kind, seq);
        CREATE INDEX entries_unserved ON entries (seq) WHERE kind = 'assessment'
            AND json_array_length(missed(body)) > 0;
        CREATE VIEW unserved AS
            SELECT seq, one ->> 'response' AS response, one ->> 'reason' AS reason
            FROM entries, json_array_elements(missed(body)) AS one
            WHERE kind = 'assessment' AND json_array_length(missed(body)) > 0;
        """
    )
