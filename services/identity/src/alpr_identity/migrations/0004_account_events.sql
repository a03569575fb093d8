-- What the yearly audit counts (131.5-d): sign-ins, locks, releases and changes of accounts.

-- The same facts go to alpr.audit.v1; here they can be counted without asking another service.
CREATE TABLE account_event (
    event_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    agency_id text NOT NULL,
    occurred_at timestamptz NOT NULL,
    action text NOT NULL,
    outcome text NOT NULL,
    subject text NOT NULL,
    actor_id text NOT NULL,
    actor_name text NOT NULL,
    address text,
    details jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX account_event_of_agency ON account_event (agency_id, occurred_at);
ALTER TABLE account_event ENABLE ROW LEVEL SECURITY;
ALTER TABLE account_event FORCE ROW LEVEL SECURITY;
CREATE POLICY account_event_of_agency ON account_event
    USING (agency_id = current_setting('alpr.agency_id', true))
    WITH CHECK (agency_id = current_setting('alpr.agency_id', true));
REVOKE UPDATE, DELETE ON account_event FROM alpr_identity;

-- Since when they are counted: a period that begins before says so instead of showing noughts.
CREATE TABLE account_event_since (since timestamptz PRIMARY KEY);
REVOKE INSERT, UPDATE, DELETE ON account_event_since FROM alpr_identity;
INSERT INTO account_event_since VALUES (now());

-- How the session was opened, and what it showed beside that.
ALTER TABLE session ADD COLUMN method text NOT NULL DEFAULT 'password'
    CHECK (method IN ('password', 'provider', 'passkey'));
-- From where it was refreshed last; `address` is from where it was opened.
ALTER TABLE session ADD COLUMN last_address text;
CREATE INDEX session_of_agency ON session (agency_id, created_at, session_id);
