-- Retention (131.7-1d): reads, plates and places of an alert go with their retention. What stays is a
-- record without them, and figures. Also: when an answer is due, which differs for stored reads.

-- An alert that nobody answered may end when its reads have to go; nothing follows from that.
ALTER TABLE alert DROP CONSTRAINT alert_check1;
ALTER TABLE alert ADD CONSTRAINT alert_is_answered
    CHECK (state IN ('new', 'rejected') OR (state = 'closed' AND last_step = 'expired')
           OR (answer_step IS NOT DISTINCT FROM 'accepted' AND answered_at IS NOT NULL));

ALTER TABLE alert ADD COLUMN due_at timestamptz;
ALTER TABLE open_alert ADD COLUMN due_at timestamptz;
-- Who ever had an alert: names alone, so without row-level security. The sweep looks here.
CREATE TABLE agency (agency_id text PRIMARY KEY);
REVOKE UPDATE, DELETE ON agency FROM alpr_alerts;

-- FORCE binds the owner too, who has to see all agencies once.
ALTER TABLE alert NO FORCE ROW LEVEL SECURITY;
ALTER TABLE alert_hit NO FORCE ROW LEVEL SECURITY;
UPDATE alert a SET due_at = a.created_at + CASE
        WHEN coalesce((h.hit ->> 'retrospective')::boolean, false) THEN interval '24 hours'
        ELSE interval '120 seconds' END
FROM alert_hit h WHERE h.hit_id = a.opening_hit_id;
UPDATE open_alert o SET due_at = a.due_at FROM alert a WHERE a.alert_id = o.alert_id;
INSERT INTO agency (agency_id) SELECT DISTINCT agency_id FROM alert;
ALTER TABLE alert FORCE ROW LEVEL SECURITY;
ALTER TABLE alert_hit FORCE ROW LEVEL SECURITY;
ALTER TABLE alert ALTER COLUMN due_at SET NOT NULL;
ALTER TABLE open_alert ALTER COLUMN due_at SET NOT NULL;
DROP INDEX open_alert_unanswered;
CREATE INDEX open_alert_unanswered ON open_alert (due_at) WHERE state = 'new' AND NOT escalated;

CREATE INDEX alert_by_capture ON alert (agency_id, first_captured_at);
CREATE INDEX stream_event_by_alert ON stream_event (alert_id);

-- Who did what and when, after the reads are gone: no plate, no place, no pictures.
CREATE TABLE alert_record (
    alert_id uuid PRIMARY KEY,
    agency_id text NOT NULL,
    ended_at timestamptz NOT NULL,
    record jsonb NOT NULL
);
CREATE INDEX alert_record_by_end ON alert_record (agency_id, ended_at);

-- What is left of the others.
CREATE TABLE alert_figure (
    agency_id text NOT NULL,
    day date NOT NULL,
    category text NOT NULL,
    outcome text NOT NULL CHECK (outcome IN ('rejected', 'enforced', 'closed', 'expired')),
    alerts bigint NOT NULL CHECK (alerts > 0),
    hits bigint NOT NULL CHECK (hits > 0),
    PRIMARY KEY (agency_id, day, category, outcome)
);

ALTER TABLE alert_record ENABLE ROW LEVEL SECURITY;
ALTER TABLE alert_record FORCE ROW LEVEL SECURITY;
CREATE POLICY own_agency ON alert_record
    USING (agency_id = current_setting('alpr.agency_id', true));
ALTER TABLE alert_figure ENABLE ROW LEVEL SECURITY;
ALTER TABLE alert_figure FORCE ROW LEVEL SECURITY;
CREATE POLICY own_agency ON alert_figure
    USING (agency_id = current_setting('alpr.agency_id', true));
REVOKE UPDATE, DELETE ON alert_record FROM alpr_alerts;
REVOKE DELETE ON alert_figure FROM alpr_alerts;

-- Nothing is removed without saying so on alpr.audit.v1 in the same transaction: the relay deletes
-- a row of the outbox only after the broker has it, so what is not there is not told.
CREATE FUNCTION refuse_uncertified_purge(agency text, certificate uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = alerts, pg_temp
AS $$
BEGIN
    IF NOT EXISTS (
        SELECT FROM outbox WHERE topic = 'alpr.audit.v1' AND key = agency
          AND convert_from(value, 'UTF8')::jsonb ->> 'audit_id' = certificate::text
    ) THEN
        RAISE EXCEPTION 'no certificate % of % is on its way to the log', certificate, agency;
    END IF;
END
$$;

CREATE FUNCTION purge_alerts(agency text, wanted uuid[], certificate uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = alerts, pg_temp
AS $$
BEGIN
    PERFORM refuse_uncertified_purge(agency, certificate);
    IF EXISTS (
        SELECT FROM alert a WHERE a.agency_id = agency AND a.alert_id = ANY (wanted)
          AND (a.state NOT IN ('rejected', 'enforced', 'closed')
               OR a.first_captured_at > now() - interval '1 day')
    ) THEN
        RAISE EXCEPTION 'an alert that is open, or younger than a day, is not purged';
    END IF;
    IF EXISTS (
        SELECT FROM alert a WHERE a.agency_id = agency AND a.alert_id = ANY (wanted)
          AND a.answer_step IS DISTINCT FROM 'rejected'
          AND NOT EXISTS (SELECT FROM alert_record r WHERE r.alert_id = a.alert_id)
    ) THEN
        RAISE EXCEPTION 'an alert that was acted on, or expired, has no record yet';
    END IF;
    DELETE FROM stream_event WHERE agency_id = agency AND alert_id = ANY (wanted);
    DELETE FROM alert_step WHERE agency_id = agency AND alert_id = ANY (wanted);
    DELETE FROM alert_hit WHERE agency_id = agency AND alert_id = ANY (wanted);
    DELETE FROM alert WHERE agency_id = agency AND alert_id = ANY (wanted);
END
$$;

CREATE FUNCTION purge_alert_records(agency text, wanted uuid[], certificate uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = alerts, pg_temp
AS $$
BEGIN
    PERFORM refuse_uncertified_purge(agency, certificate);
    IF EXISTS (
        SELECT FROM alert_record WHERE agency_id = agency AND alert_id = ANY (wanted)
          AND ended_at > now() - interval '730 days'
    ) THEN
        RAISE EXCEPTION 'a record is kept for two years at least';
    END IF;
    DELETE FROM alert_record WHERE agency_id = agency AND alert_id = ANY (wanted);
END
$$;
