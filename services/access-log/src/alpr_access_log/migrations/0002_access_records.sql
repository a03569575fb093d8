-- Who asked for stored data, why, what was shown, how it ended (131.7-3a); refusals too, and what
-- the other services report on alpr.audit.v1. Append-only.
CREATE TABLE access_record (
    record_id uuid PRIMARY KEY,
    -- The order in which records were appended. It has gaps where a transaction was rolled back.
    record_sequence bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    agency_id text NOT NULL CHECK (agency_id <> ''),
    -- The access that this record belongs to: a search's own id, and the same id on its further
    -- pages and on the pictures opened from it. NULL where nothing was shown here.
    access_id uuid,
    occurred_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    service text NOT NULL,
    person_id text NOT NULL,
    person_name text NOT NULL,
    role text NOT NULL,
    session_id text,
    address text,
    action text NOT NULL,
    subject text NOT NULL,
    purpose text,
    case_number text,
    suspicion text,
    query jsonb,
    returned_count integer NOT NULL DEFAULT 0,
    read_ids uuid[] NOT NULL DEFAULT '{}',
    outcome text NOT NULL CHECK (outcome IN ('done', 'refused', 'failed')),
    refusal_code text,
    refusal_clause text,
    refusal_detail text,
    details jsonb NOT NULL DEFAULT '{}',
    CHECK (returned_count = cardinality(read_ids))
);

CREATE INDEX access_record_order ON access_record (agency_id, record_sequence);
CREATE INDEX access_record_access ON access_record (access_id) WHERE access_id IS NOT NULL;
CREATE INDEX access_record_person ON access_record (agency_id, person_id, record_sequence);

ALTER TABLE access_record ENABLE ROW LEVEL SECURITY;
ALTER TABLE access_record FORCE ROW LEVEL SECURITY;
CREATE POLICY access_record_of_agency ON access_record
    USING (agency_id = current_setting('alpr.agency_id', true))
    WITH CHECK (agency_id = current_setting('alpr.agency_id', true));

REVOKE UPDATE, DELETE ON access_record FROM alpr_access_log;
