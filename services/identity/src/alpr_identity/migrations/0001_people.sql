-- People of the agencies, their training, and their sessions.
CREATE TABLE person (
    person_id uuid PRIMARY KEY,
    agency_id text NOT NULL CHECK (agency_id <> ''),
    -- Folded to lower case. Unique across agencies: whoever signs in names no agency.
    username text COLLATE "C" NOT NULL UNIQUE CHECK (username <> ''),
    name text NOT NULL,
    rank text NOT NULL DEFAULT '',
    role text NOT NULL,
    active boolean NOT NULL DEFAULT true,
    password_hash text NOT NULL,
    password_changed_at timestamptz NOT NULL,
    locked_at timestamptz,
    signed_in_at timestamptz,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);
CREATE INDEX person_agency ON person (agency_id, username);
ALTER TABLE person ENABLE ROW LEVEL SECURITY;
ALTER TABLE person FORCE ROW LEVEL SECURITY;
CREATE POLICY person_of_agency ON person
    USING (agency_id = current_setting('alpr.agency_id', true))
    WITH CHECK (agency_id = current_setting('alpr.agency_id', true));
-- Signing in begins with a username alone: exactly that person's row can be looked at.
CREATE POLICY person_signing_in ON person FOR SELECT
    USING (username = current_setting('alpr.signing_in', true));
-- People are deactivated; what they did keeps its name.
REVOKE DELETE ON person FROM alpr_identity;

-- History: the row recorded last is what holds, so that a mistake is mended by a further row.
CREATE TABLE training (
    training_sequence bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    agency_id text NOT NULL,
    person_id uuid NOT NULL REFERENCES person,
    kind text NOT NULL CHECK (kind IN ('leads', 'alpr')),
    -- NULL: the training does not hold any more.
    valid_until date,
    certificate text,
    recorded_by text NOT NULL,
    recorded_at timestamptz NOT NULL
);
CREATE INDEX training_current ON training (person_id, kind, training_sequence DESC);
ALTER TABLE training ENABLE ROW LEVEL SECURITY;
ALTER TABLE training FORCE ROW LEVEL SECURITY;
CREATE POLICY training_of_agency ON training
    USING (agency_id = current_setting('alpr.agency_id', true))
    WITH CHECK (agency_id = current_setting('alpr.agency_id', true));
REVOKE UPDATE, DELETE ON training FROM alpr_identity;
