-- Every instance on this database hears at the commit that the log of revocations has grown or that the signing keys are
-- others. Triggers, so that whoever writes tells it: endpoints, the command `keys`, an instance of another version. The
-- payload is only the number of the row: what it says is read from the table.
CREATE FUNCTION portcullis_tell() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify(TG_ARGV[0], to_jsonb(NEW) ->> TG_ARGV[1]);
    RETURN NULL;
END
$$;

CREATE TRIGGER revocations_told AFTER INSERT ON revocations
    FOR EACH ROW EXECUTE FUNCTION portcullis_tell('portcullis_revocations', 'sequence');
CREATE TRIGGER signing_key_turn_told AFTER UPDATE ON signing_key_turn
    FOR EACH ROW EXECUTE FUNCTION portcullis_tell('portcullis_keys', 'turn');
