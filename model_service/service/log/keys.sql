-- The tables of the record keys, in a database of their own; as in a file (`keys.py`). Run by every
-- `crisiscall log migrate` that is told where they are, as the tables' owner.

CREATE TABLE IF NOT EXISTS keys (
    seq     bigint NOT NULL,
    entry   text COLLATE "C" NOT NULL,
    master  text COLLATE "C" NOT NULL,
    wrapped bytea NOT NULL,
    PRIMARY KEY (seq, entry)
);
CREATE INDEX IF NOT EXISTS keys_master ON keys (master);
CREATE TABLE IF NOT EXISTS master (
    id   integer PRIMARY KEY CHECK (id = 1),
    name text COLLATE "C" NOT NULL
);
CREATE TABLE IF NOT EXISTS keys_version (number integer PRIMARY KEY);
INSERT INTO keys_version VALUES (1) ON CONFLICT DO NOTHING;
