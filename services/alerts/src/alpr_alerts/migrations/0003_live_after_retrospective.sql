-- A read that was found among the stored ones may be hit live afterwards: the same hit, by its id.
-- Then its alert is no longer one of a stored read. Null: it was live from the start, or is not yet.
ALTER TABLE alert ADD COLUMN became_live_at timestamptz;

-- Which of the hits that came as retrospective came live as well. Append-only, like the hits.
CREATE TABLE alert_hit_live (
    hit_id uuid PRIMARY KEY REFERENCES alert_hit ON DELETE CASCADE,
    alert_id uuid NOT NULL,
    agency_id text NOT NULL,
    matched_at timestamptz NOT NULL,
    seen_live_at timestamptz NOT NULL
);
ALTER TABLE alert_hit_live ENABLE ROW LEVEL SECURITY;
ALTER TABLE alert_hit_live FORCE ROW LEVEL SECURITY;
CREATE POLICY own_agency ON alert_hit_live
    USING (agency_id = current_setting('alpr.agency_id', true));
REVOKE UPDATE, DELETE ON alert_hit_live FROM alpr_alerts;
