-- An alert: a hit put before a person, and how it stands. What happened to it is in alert_step.
CREATE TABLE alert (
    alert_id uuid PRIMARY KEY,
    agency_id text NOT NULL,
    entry_id uuid NOT NULL,
    plate text NOT NULL,
    camera_id text NOT NULL,
    opening_hit_id uuid NOT NULL UNIQUE,
    opened_captured_at timestamptz NOT NULL,
    first_captured_at timestamptz NOT NULL,
    last_captured_at timestamptz NOT NULL,
    hit_count integer NOT NULL CHECK (hit_count > 0),
    category text NOT NULL,
    state text NOT NULL
        CHECK (state IN ('new', 'accepted', 'rejected', 'actionable', 'enforced', 'closed')),
    sequence integer NOT NULL CHECK (sequence > 0),
    last_step text NOT NULL,
    last_person_id text,
    last_person_name text NOT NULL,
    last_role text NOT NULL,
    last_step_at timestamptz NOT NULL,
    answer_step text CHECK (answer_step IN ('accepted', 'rejected')),
    answer_person_id text,
    answer_person_name text,
    answer_role text,
    answered_at timestamptz,
    confirmed_jurisdiction text,
    status_confirmed_at timestamptz,
    incident_number text,
    handed_off_at timestamptz,
    escalated_at timestamptz,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    -- Two replicas that both believe a hit is the first of its window: one of them fails here.
    UNIQUE (agency_id, entry_id, plate, camera_id, opened_captured_at),
    CHECK (first_captured_at <= opened_captured_at AND opened_captured_at <= last_captured_at),
    -- The guards of 131.6-4a, 131.6-4b and 131.6-6 once more, should the code ever err.
    CHECK (state IN ('new', 'rejected')
           OR (answer_step IS NOT DISTINCT FROM 'accepted' AND answered_at IS NOT NULL)),
    CHECK (state NOT IN ('actionable', 'enforced') OR status_confirmed_at IS NOT NULL),
    CHECK (state <> 'enforced' OR coalesce(btrim(incident_number), '') <> '')
);
CREATE INDEX alert_by_window
    ON alert (agency_id, entry_id, plate, camera_id, last_captured_at);
CREATE INDEX alert_by_age ON alert (agency_id, created_at DESC, alert_id DESC);
CREATE INDEX alert_open_by_age ON alert (agency_id, created_at DESC, alert_id DESC)
    WHERE state IN ('new', 'accepted', 'actionable');

-- The hits of an alert, with read and entry as they were when they agreed.
CREATE TABLE alert_hit (
    hit_id uuid PRIMARY KEY,
    alert_id uuid NOT NULL REFERENCES alert,
    agency_id text NOT NULL,
    captured_at timestamptz NOT NULL,
    hit jsonb NOT NULL,
    attached_at timestamptz NOT NULL
);
CREATE INDEX alert_hit_by_alert ON alert_hit (alert_id, captured_at);

-- Who did what, when, on what evidence. Append-only.
CREATE TABLE alert_step (
    alert_id uuid NOT NULL REFERENCES alert,
    sequence integer NOT NULL CHECK (sequence > 0),
    agency_id text NOT NULL,
    step text NOT NULL,
    state text NOT NULL,
    person_id text,
    person_name text NOT NULL,
    role text NOT NULL,
    session_id text,
    details jsonb NOT NULL,
    occurred_at timestamptz NOT NULL,
    PRIMARY KEY (alert_id, sequence)
);

-- What streams tell, in one order for all. The number comes from stream_clock, whose row stays
-- locked until the transaction ends: so numbers become visible in their order and a rollback gives
-- its number back. Whoever has seen n has seen everything before n. (A sequence would do neither.)
CREATE TABLE stream_event (
    position bigint PRIMARY KEY,
    agency_id text NOT NULL,
    alert_id uuid NOT NULL REFERENCES alert,
    created_at timestamptz NOT NULL
);
CREATE INDEX stream_event_by_agency ON stream_event (agency_id, position);
CREATE TABLE stream_clock (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    position bigint NOT NULL DEFAULT 0
);
INSERT INTO stream_clock DEFAULT VALUES;

-- What the loops that serve all agencies may know of an open alert: no plate, place or person.
-- It is without row-level security for that reason; escalation and figures read nothing else.
CREATE TABLE open_alert (
    alert_id uuid PRIMARY KEY REFERENCES alert,
    agency_id text NOT NULL,
    category text NOT NULL,
    state text NOT NULL,
    escalated boolean NOT NULL,
    created_at timestamptz NOT NULL
);
CREATE INDEX open_alert_unanswered ON open_alert (created_at)
    WHERE state = 'new' AND NOT escalated;

CREATE TABLE outbox (
    outbox_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    topic text NOT NULL,
    key text NOT NULL,
    value bytea,
    headers jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now()
);

ALTER TABLE alert ENABLE ROW LEVEL SECURITY;
ALTER TABLE alert FORCE ROW LEVEL SECURITY;
CREATE POLICY own_agency ON alert USING (agency_id = current_setting('alpr.agency_id', true));
ALTER TABLE alert_hit ENABLE ROW LEVEL SECURITY;
ALTER TABLE alert_hit FORCE ROW LEVEL SECURITY;
CREATE POLICY own_agency ON alert_hit USING (agency_id = current_setting('alpr.agency_id', true));
ALTER TABLE alert_step ENABLE ROW LEVEL SECURITY;
ALTER TABLE alert_step FORCE ROW LEVEL SECURITY;
CREATE POLICY own_agency ON alert_step USING (agency_id = current_setting('alpr.agency_id', true));
ALTER TABLE stream_event ENABLE ROW LEVEL SECURITY;
ALTER TABLE stream_event FORCE ROW LEVEL SECURITY;
CREATE POLICY own_agency ON stream_event
    USING (agency_id = current_setting('alpr.agency_id', true));

-- The running service appends to these and can change nothing of them, whatever its code does.
REVOKE UPDATE, DELETE ON alert_hit, alert_step, stream_event FROM alpr_alerts;
REVOKE DELETE ON alert FROM alpr_alerts;
REVOKE INSERT, DELETE ON stream_clock FROM alpr_alerts;
