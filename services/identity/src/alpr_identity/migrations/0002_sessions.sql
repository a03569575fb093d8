-- Written before a password is checked and removed when it was right, so that guesses made at
-- the same moment count as well.
CREATE TABLE sign_in_failure (
    failure_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    agency_id text NOT NULL,
    person_id uuid NOT NULL REFERENCES person,
    failed_at timestamptz NOT NULL
);
CREATE INDEX sign_in_failure_person ON sign_in_failure (person_id, failed_at);
ALTER TABLE sign_in_failure ENABLE ROW LEVEL SECURITY;
ALTER TABLE sign_in_failure FORCE ROW LEVEL SECURITY;
CREATE POLICY sign_in_failure_of_agency ON sign_in_failure
    USING (agency_id = current_setting('alpr.agency_id', true))
    WITH CHECK (agency_id = current_setting('alpr.agency_id', true));

CREATE TABLE session (
    session_id uuid PRIMARY KEY,
    agency_id text NOT NULL,
    person_id uuid NOT NULL REFERENCES person,
    address text,
    created_at timestamptz NOT NULL,
    refreshed_at timestamptz NOT NULL,
    ended_at timestamptz,
    ended_because text,
    CHECK ((ended_at IS NULL) = (ended_because IS NULL))
);
CREATE INDEX session_person ON session (person_id) WHERE ended_at IS NULL;
ALTER TABLE session ENABLE ROW LEVEL SECURITY;
ALTER TABLE session FORCE ROW LEVEL SECURITY;
CREATE POLICY session_of_agency ON session
    USING (agency_id = current_setting('alpr.agency_id', true))
    WITH CHECK (agency_id = current_setting('alpr.agency_id', true));

-- Only hashes. Used ones are kept while their session lives: one that comes back was stolen.
CREATE TABLE refresh_token (
    token_sha256 bytea PRIMARY KEY,
    agency_id text NOT NULL,
    session_id uuid NOT NULL REFERENCES session,
    issued_at timestamptz NOT NULL,
    used_at timestamptz
);
CREATE INDEX refresh_token_session ON refresh_token (session_id);
ALTER TABLE refresh_token ENABLE ROW LEVEL SECURITY;
ALTER TABLE refresh_token FORCE ROW LEVEL SECURITY;
CREATE POLICY refresh_token_of_agency ON refresh_token
    USING (agency_id = current_setting('alpr.agency_id', true))
    WITH CHECK (agency_id = current_setting('alpr.agency_id', true));

-- In transit to alpr.audit.v1; the relay sends every agency's rows and deletes them.
CREATE TABLE outbox (
    outbox_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    topic text NOT NULL,
    key text NOT NULL,
    value bytea,
    headers jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now()
);
