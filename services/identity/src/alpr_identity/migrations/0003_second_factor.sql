-- Second factors, withdrawn rights, reminders of training, and who has been away for too long.

-- Grows whenever what the person may do is narrowed; every service refuses tokens of a lower one.
ALTER TABLE person ADD COLUMN rights_version integer NOT NULL DEFAULT 0;
-- Since when the account counts as in use when nobody signed in: NULL is since it was made.
ALTER TABLE person ADD COLUMN active_since timestamptz;
-- When this session showed a second factor; NULL: it rests on the password alone.
ALTER TABLE session ADD COLUMN second_factor_at timestamptz;

-- Secrets are sealed with a key that is not in this database.
CREATE TABLE second_factor (
    person_id uuid PRIMARY KEY REFERENCES person,
    agency_id text NOT NULL,
    sealed_secret bytea,
    confirmed_at timestamptz,
    -- The newest step of time whose code was accepted: that one and all before it are spent.
    last_step bigint NOT NULL DEFAULT 0,
    -- One that was shown and not confirmed yet; the confirmed one works until then.
    pending_secret bytea,
    pending_until timestamptz,
    CHECK ((sealed_secret IS NULL) = (confirmed_at IS NULL)),
    CHECK ((pending_secret IS NULL) = (pending_until IS NULL))
);

-- Keyed hashes; a code is deleted when it is used.
CREATE TABLE recovery_code (
    person_id uuid NOT NULL REFERENCES person,
    agency_id text NOT NULL,
    code_hash bytea NOT NULL,
    PRIMARY KEY (person_id, code_hash)
);

CREATE TABLE training_reminder (
    person_id uuid NOT NULL REFERENCES person,
    agency_id text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('leads', 'alpr')),
    -- The day it is about: a renewed training is reminded of anew.
    valid_until date NOT NULL,
    days_before integer NOT NULL,
    reminded_at timestamptz NOT NULL,
    PRIMARY KEY (person_id, kind, valid_until, days_before)
);

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['second_factor', 'recovery_code', 'training_reminder'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format(
            'CREATE POLICY %I ON %I USING (agency_id = current_setting(''alpr.agency_id'', true)) '
            'WITH CHECK (agency_id = current_setting(''alpr.agency_id'', true))',
            name || '_of_agency', name);
    END LOOP;
END
$$;

-- Which agencies there are: names alone, so that the upkeep can go through them one by one.
CREATE TABLE agency (agency_id text PRIMARY KEY);
REVOKE INSERT, UPDATE, DELETE ON agency FROM alpr_identity;
ALTER TABLE person NO FORCE ROW LEVEL SECURITY;
INSERT INTO agency SELECT DISTINCT agency_id FROM person;
ALTER TABLE person FORCE ROW LEVEL SECURITY;
CREATE FUNCTION note_agency() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = identity, pg_temp
AS $$
BEGIN
    INSERT INTO agency VALUES (NEW.agency_id) ON CONFLICT DO NOTHING;
    RETURN NULL;
END
$$;
CREATE TRIGGER note_agency AFTER INSERT ON person FOR EACH ROW EXECUTE FUNCTION note_agency();
