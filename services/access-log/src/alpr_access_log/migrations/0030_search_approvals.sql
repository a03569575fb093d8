-- What a supervisor has to approve before it is searched for, and which reads were hits.
CREATE TABLE search_approval (
    approval_id uuid PRIMARY KEY,
    approval_sequence bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    agency_id text NOT NULL CHECK (agency_id <> ''),
    requested_by_id text NOT NULL,
    requested_by_name text NOT NULL,
    requested_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    purpose text NOT NULL,
    case_number text NOT NULL,
    suspicion text NOT NULL,
    query jsonb NOT NULL,
    decision text CHECK (decision IN ('approved', 'denied')),
    decided_by_id text,
    decided_by_name text,
    decided_at timestamptz,
    note text,
    -- The search that used it up.
    access_id uuid UNIQUE,
    used_at timestamptz,
    CHECK ((decision IS NULL) = (decided_at IS NULL) AND (decision IS NULL) = (decided_by_id IS NULL)),
    -- A second person, should the code ever err.
    CHECK (decided_by_id <> requested_by_id),
    CHECK ((used_at IS NULL) = (access_id IS NULL)),
    CHECK (used_at IS NULL OR decision = 'approved')
);
CREATE INDEX search_approval_order ON search_approval (agency_id, approval_sequence DESC);

-- Ids alone: a search can ask for reads that were hits, or for those that were none.
CREATE TABLE read_hit (
    agency_id text NOT NULL,
    read_id uuid NOT NULL,
    captured_at timestamptz NOT NULL,
    PRIMARY KEY (agency_id, read_id)
);
CREATE INDEX read_hit_captured ON read_hit (agency_id, captured_at);

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['search_approval', 'read_hit'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format(
            'CREATE POLICY %I ON %I USING (agency_id = current_setting(''alpr.agency_id'', true)) '
            'WITH CHECK (agency_id = current_setting(''alpr.agency_id'', true))',
            name || '_of_agency', name);
    END LOOP;
END
$$;

-- What was asked for stays as it was asked.
REVOKE UPDATE, DELETE ON search_approval, read_hit FROM alpr_access_log;
GRANT UPDATE (decision, decided_by_id, decided_by_name, decided_at, note, access_id, used_at)
    ON search_approval TO alpr_access_log;

-- Markers go with their reads: when an agency's day is purged, its markers are.
CREATE FUNCTION purge_read_hits() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = access_log, pg_temp
AS $$
BEGIN
    DELETE FROM read_hit
    WHERE agency_id = NEW.agency_id
      AND captured_at >= NEW.day::timestamp AT TIME ZONE 'UTC'
      AND captured_at < (NEW.day + 1)::timestamp AT TIME ZONE 'UTC'
      AND NOT EXISTS (SELECT FROM held_read k WHERE k.read_id = read_hit.read_id);
    RETURN NULL;
END
$$;
CREATE TRIGGER purge_read_hits AFTER UPDATE OF purged_at ON read_day
    FOR EACH ROW WHEN (NEW.purged_at IS NOT NULL) EXECUTE FUNCTION purge_read_hits();
