"""Personal text is encrypted and can be erased, and a request has its idempotency key."""

from alembic import op

from data.errors import InputError

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    r"""Make the tables fit.

    No release wrote text in the clear into a log on a server; what a trial wrote is not taken over,
    for nothing here has the keys.

    `asked_with` reads the key of a body as SQLite does, past an escaped NUL as `missed` does.
    """
    if op.get_bind().exec_driver_sql("SELECT EXISTS (SELECT 1 FROM private)").scalar():
        raise InputError(
            "this log holds personal text in the clear, of a trial before any release: begin with "
            "an empty database"
        )
    op.execute(
        r"""
        CREATE FUNCTION asked_with(body text) RETURNS text LANGUAGE sql IMMUTABLE STRICT AS $$
            SELECT CASE
                WHEN strpos(body, '"idempotency":') = 0 THEN NULL
                WHEN strpos(body, '\u0000') = 0 THEN body
                ELSE regexp_replace(body, '(?<!\\)((?:\\\\)*)\\u0000', '\1\\ufffd', 'g')
            END::json ->> 'idempotency'
        $$;
        ALTER TABLE private RENAME COLUMN salt TO nonce;
        CREATE TABLE erased (
            seq       bigint PRIMARY KEY REFERENCES entries (seq),
            by        bigint NOT NULL REFERENCES entries (seq),
            destroyed boolean NOT NULL DEFAULT false
        );
        CREATE INDEX erased_by ON erased (by);
        CREATE INDEX erased_unfinished ON erased (seq) WHERE NOT destroyed;
        CREATE UNIQUE INDEX entries_idempotency ON entries (asked_with(body))
            WHERE asked_with(body) IS NOT NULL;
        CREATE VIEW asked AS
            SELECT seq, asked_with(body) AS idempotency FROM entries
            WHERE asked_with(body) IS NOT NULL;
        """
    )
