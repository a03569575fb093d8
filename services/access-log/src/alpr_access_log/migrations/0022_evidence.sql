-- Evidence packages (131.7-2): the inventory, and who received which portable medium. The files lie
-- in the object store; what is in them is sealed there.
CREATE TABLE evidence_package (
    evidence_id uuid PRIMARY KEY,
    agency_id text NOT NULL CHECK (agency_id <> ''),
    inventory_number text NOT NULL,
    case_number text NOT NULL CHECK (btrim(case_number) <> ''),
    purpose text NOT NULL,
    prepared_at timestamptz NOT NULL,
    prepared_by_id text NOT NULL,
    prepared_by_name text NOT NULL,
    digest text NOT NULL CHECK (digest ~ '^[0-9a-f]{64}$'),
    object text NOT NULL,
    size_bytes bigint NOT NULL CHECK (size_bytes > 0),
    read_ids uuid[] NOT NULL,
    alert_ids uuid[] NOT NULL,
    contents jsonb NOT NULL,
    UNIQUE (agency_id, inventory_number)
);
COMMENT ON COLUMN evidence_package.digest IS 'SHA-256 of the tag manifest: what the seal is over';
CREATE INDEX evidence_package_order
    ON evidence_package (agency_id, prepared_at DESC, evidence_id DESC);

-- The last number that was given out, per agency and year. The row stays locked until the package
-- that got the number is stored, so the inventory has no gaps.
CREATE TABLE evidence_counter (
    agency_id text NOT NULL,
    year integer NOT NULL,
    last integer NOT NULL CHECK (last > 0),
    PRIMARY KEY (agency_id, year)
);

CREATE TABLE evidence_receipt (
    receipt_id uuid PRIMARY KEY,
    evidence_id uuid NOT NULL REFERENCES evidence_package,
    agency_id text NOT NULL,
    received_by text NOT NULL CHECK (btrim(received_by) <> ''),
    received_at timestamptz NOT NULL,
    medium text NOT NULL CHECK (btrim(medium) <> ''),
    serial text NOT NULL CHECK (btrim(serial) <> ''),
    note text,
    recorded_at timestamptz NOT NULL,
    recorded_by_id text NOT NULL,
    recorded_by_name text NOT NULL
);
CREATE INDEX evidence_receipt_package ON evidence_receipt (evidence_id, received_at);

-- Which accesses led to a package: by what they were of, and by their case.
CREATE INDEX access_record_subject ON access_record (agency_id, subject);
CREATE INDEX access_record_case ON access_record (agency_id, case_number)
    WHERE case_number IS NOT NULL;

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['evidence_package', 'evidence_counter', 'evidence_receipt'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format(
            'CREATE POLICY %I ON %I USING (agency_id = current_setting(''alpr.agency_id'', true)) '
            'WITH CHECK (agency_id = current_setting(''alpr.agency_id'', true))',
            name || '_of_agency', name);
    END LOOP;
END
$$;

-- An inventory is only ever added to.
REVOKE UPDATE, DELETE ON evidence_package, evidence_receipt FROM alpr_access_log;
REVOKE DELETE ON evidence_counter FROM alpr_access_log;
