-- The yearly audit (131.5-d): prepared packages, findings and what people said to them, and the lists
-- that an agency gives for it.
CREATE TABLE audit_package (
    package_id uuid PRIMARY KEY,
    agency_id text NOT NULL CHECK (agency_id <> ''),
    from_at timestamptz NOT NULL,
    to_at timestamptz NOT NULL CHECK (to_at > from_at),
    prepared_at timestamptz NOT NULL,
    prepared_by_id text NOT NULL,
    prepared_by_name text NOT NULL,
    -- The figures that page, sheet and tables are drawn from.
    summary jsonb NOT NULL,
    -- Name, object, bytes and SHA-256 of each file.
    files jsonb NOT NULL
);
CREATE INDEX audit_package_order ON audit_package (agency_id, prepared_at DESC, package_id DESC);

-- A hint to a human. Its id is made from rule, person, what it is about and month, so that the daily
-- run, a package and an analysis of the same month mean the same one.
CREATE TABLE audit_finding (
    finding_id uuid PRIMARY KEY,
    finding_sequence bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    agency_id text NOT NULL CHECK (agency_id <> ''),
    rule text NOT NULL,
    person_id text NOT NULL,
    last_at timestamptz NOT NULL,
    found_at timestamptz NOT NULL,
    record_count integer NOT NULL CHECK (record_count >= 0),
    finding jsonb NOT NULL
);
CREATE INDEX audit_finding_order ON audit_finding (agency_id, finding_sequence DESC);

CREATE TABLE audit_review (
    review_id uuid PRIMARY KEY,
    finding_id uuid NOT NULL REFERENCES audit_finding,
    agency_id text NOT NULL,
    outcome text NOT NULL CHECK (outcome IN ('explained', 'referred')),
    note text NOT NULL CHECK (btrim(note) <> ''),
    reviewed_at timestamptz NOT NULL,
    reviewed_by_id text NOT NULL,
    reviewed_by_name text NOT NULL
);
CREATE INDEX audit_review_finding ON audit_review (finding_id, reviewed_at);

-- Which days were looked through already, so that of any number of replicas one does it.
CREATE TABLE audit_day (
    agency_id text NOT NULL,
    day date NOT NULL,
    analysed_at timestamptz NOT NULL,
    PRIMARY KEY (agency_id, day)
);

-- What an agency's list covers. A person without a shift in it is not judged by it.
CREATE TABLE audit_list (
    agency_id text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('shifts', 'cases', 'plates')),
    from_at timestamptz,
    to_at timestamptz NOT NULL,
    entries integer NOT NULL,
    given_at timestamptz NOT NULL,
    given_by_id text NOT NULL,
    given_by_name text NOT NULL,
    PRIMARY KEY (agency_id, kind)
);
COMMENT ON COLUMN audit_list.to_at IS 'until when the list is complete';

CREATE TABLE audit_shift (
    agency_id text NOT NULL,
    person_id text NOT NULL,
    begins_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL CHECK (ends_at > begins_at),
    PRIMARY KEY (agency_id, person_id, begins_at)
);

CREATE TABLE audit_case (
    agency_id text NOT NULL,
    case_key text NOT NULL,
    PRIMARY KEY (agency_id, case_key)
);

-- Own and relatives' plates as keyed hashes over agency, person and match key: without the service's
-- key nobody learns from this table which plate it is about, nor that two people share one.
CREATE TABLE audit_plate (
    agency_id text NOT NULL,
    person_id text NOT NULL,
    plate_mac bytea NOT NULL CHECK (octet_length(plate_mac) = 32),
    key_id text NOT NULL,
    PRIMARY KEY (agency_id, person_id, plate_mac)
);
COMMENT ON COLUMN audit_plate.key_id IS 'of which key the hash was made; another key finds nothing';

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['audit_package', 'audit_finding', 'audit_review', 'audit_day',
        'audit_list', 'audit_shift', 'audit_case', 'audit_plate'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format(
            'CREATE POLICY %I ON %I USING (agency_id = current_setting(''alpr.agency_id'', true)) '
            'WITH CHECK (agency_id = current_setting(''alpr.agency_id'', true))',
            name || '_of_agency', name);
    END LOOP;
END
$$;

-- What was prepared, found and said stays; a finding only grows while its month goes on.
REVOKE UPDATE, DELETE ON audit_package, audit_review, audit_day FROM alpr_access_log;
REVOKE DELETE ON audit_finding FROM alpr_access_log;
REVOKE UPDATE ON audit_finding FROM alpr_access_log;
GRANT UPDATE (last_at, found_at, record_count, finding) ON audit_finding TO alpr_access_log;

-- A period of the log is read in the order of time.
CREATE INDEX access_record_time ON access_record (agency_id, occurred_at, record_sequence);
