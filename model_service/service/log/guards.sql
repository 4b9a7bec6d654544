-- What keeps the log append-only whoever writes to it. Run by every `crisiscall log migrate`, as
-- the tables' owner and within the schema that holds them, so that a guard that is gone comes back.
-- The functions look the tables up there and nowhere else. Triggers are written as PostgreSQL writes
-- them out, which is what they are compared with.

CREATE OR REPLACE FUNCTION lock_head() RETURNS TABLE (seq bigint, digest text)
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    -- Whoever waits here sees, in the next statement, what the one before has committed.
    PERFORM pg_advisory_xact_lock(x'43524C31'::int, 'entries'::regclass::oid::int);
    RETURN QUERY SELECT e.seq, e.digest FROM entries e ORDER BY e.seq DESC LIMIT 1;
END $$;

CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the log is append-only' USING ERRCODE = 'integrity_constraint_violation';
END $$;

CREATE OR REPLACE FUNCTION append_entry() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE last record;
BEGIN
    SELECT seq, digest INTO last FROM entries ORDER BY seq DESC LIMIT 1;
    IF NEW.seq IS DISTINCT FROM coalesce(last.seq, 0) + 1
        OR NEW.previous IS DISTINCT FROM coalesce(last.digest, repeat('0', 64))
    THEN
        RAISE EXCEPTION 'the log is append-only' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE OR REPLACE FUNCTION append_private() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    -- Text comes with its entry, in one transaction, or never.
    IF NOT EXISTS (
        SELECT 1 FROM entries WHERE seq = NEW.seq AND xmin = pg_current_xact_id()::xid
    ) THEN
        RAISE EXCEPTION 'the log is append-only' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE OR REPLACE FUNCTION delete_private() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM erased WHERE seq = OLD.seq) THEN
        RAISE EXCEPTION 'no entry tells of this erasure'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN OLD;
END $$;

CREATE OR REPLACE FUNCTION append_erased() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    -- The note comes with the entry that tells of it, in one transaction, or never.
    IF NOT EXISTS (
        SELECT 1 FROM entries
        WHERE seq = NEW."by" AND kind = 'erasure' AND xmin = pg_current_xact_id()::xid
    ) THEN
        RAISE EXCEPTION 'no entry tells of this erasure'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE OR REPLACE TRIGGER entries_append BEFORE INSERT ON entries
    FOR EACH ROW EXECUTE FUNCTION append_entry();
CREATE OR REPLACE TRIGGER entries_no_change BEFORE DELETE OR UPDATE ON entries
    FOR EACH ROW EXECUTE FUNCTION refuse();
CREATE OR REPLACE TRIGGER entries_no_truncate BEFORE TRUNCATE ON entries
    FOR EACH STATEMENT EXECUTE FUNCTION refuse();
CREATE OR REPLACE TRIGGER private_append BEFORE INSERT ON private
    FOR EACH ROW EXECUTE FUNCTION append_private();
CREATE OR REPLACE TRIGGER private_no_change BEFORE UPDATE ON private
    FOR EACH ROW EXECUTE FUNCTION refuse();
CREATE OR REPLACE TRIGGER private_no_delete BEFORE DELETE ON private
    FOR EACH ROW EXECUTE FUNCTION delete_private();
CREATE OR REPLACE TRIGGER private_no_truncate BEFORE TRUNCATE ON private
    FOR EACH STATEMENT EXECUTE FUNCTION refuse();
CREATE OR REPLACE TRIGGER erased_append BEFORE INSERT ON erased
    FOR EACH ROW EXECUTE FUNCTION append_erased();
CREATE OR REPLACE TRIGGER erased_no_change BEFORE UPDATE OF seq, by ON erased
    FOR EACH ROW EXECUTE FUNCTION refuse();
CREATE OR REPLACE TRIGGER erased_no_delete BEFORE DELETE ON erased
    FOR EACH ROW EXECUTE FUNCTION refuse();
CREATE OR REPLACE TRIGGER erased_no_truncate BEFORE TRUNCATE ON erased
    FOR EACH STATEMENT EXECUTE FUNCTION refuse();

ALTER TABLE entries ENABLE TRIGGER USER;
ALTER TABLE private ENABLE TRIGGER USER;
ALTER TABLE erased ENABLE TRIGGER USER;
