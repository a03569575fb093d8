-- Legal holds, and what they keep out of the partitions' way (131.5-c).
--
-- hold_read says by id what a hold names; held_read is the copy, one for all holds that name a read.
-- The two are apart so that a hold can name a read that has not arrived yet: the copy follows, at the
-- latest before the read's day is purged.
CREATE TABLE hold (
    hold_id uuid PRIMARY KEY,
    agency_id text NOT NULL CHECK (agency_id <> ''),
    kind text NOT NULL CHECK (kind IN ('manual', 'alert')),
    reason text NOT NULL CHECK (btrim(reason) <> ''),
    case_number text,
    alert_id uuid,
    plate text COLLATE "C",
    lookalike boolean NOT NULL DEFAULT false,
    from_at timestamptz,
    to_at timestamptz,
    placed_at timestamptz NOT NULL,
    placed_by_id text NOT NULL,
    placed_by_name text NOT NULL,
    released_at timestamptz,
    released_by_id text,
    released_by_name text,
    release_reason text,
    CHECK (kind <> 'alert' OR alert_id IS NOT NULL),
    CHECK (kind <> 'manual' OR coalesce(btrim(case_number), '') <> ''),
    CHECK ((plate IS NULL) = (from_at IS NULL) AND (plate IS NULL) = (to_at IS NULL)),
    -- A second person, should the code ever err.
    CHECK (released_at IS NULL OR (released_by_id IS NOT NULL AND released_by_id <> placed_by_id
           AND coalesce(btrim(release_reason), '') <> '')),
    CHECK (released_at IS NOT NULL OR released_by_id IS NULL)
);
CREATE INDEX hold_order ON hold (agency_id, placed_at DESC, hold_id DESC);
CREATE INDEX hold_alert ON hold (agency_id, alert_id) WHERE alert_id IS NOT NULL;
CREATE INDEX hold_of_a_plate ON hold (agency_id) WHERE plate IS NOT NULL AND released_at IS NULL;

CREATE TABLE hold_read (
    hold_id uuid NOT NULL REFERENCES hold,
    read_id uuid NOT NULL,
    agency_id text NOT NULL,
    PRIMARY KEY (hold_id, read_id)
);
CREATE INDEX hold_read_read ON hold_read (read_id);

CREATE TABLE held_read (
    read_id uuid PRIMARY KEY,
    captured_at timestamptz NOT NULL,
    agency_id text NOT NULL CHECK (agency_id <> ''),
    camera_id text NOT NULL,
    plate text COLLATE "C" NOT NULL,
    match_key text COLLATE "C" NOT NULL,
    jurisdiction text NOT NULL,
    latitude double precision NOT NULL,
    longitude double precision NOT NULL,
    message jsonb NOT NULL,
    frame_object text NOT NULL,
    plate_object text NOT NULL,
    held_at timestamptz NOT NULL,
    -- For a read that became a hit of a category with a longer retention; holds have no end.
    keep_until timestamptz,
    pictures text NOT NULL DEFAULT 'waiting' CHECK (pictures IN ('waiting', 'kept', 'missing'))
);
COMMENT ON COLUMN held_read.pictures IS 'whether their copies under held/ exist yet';
CREATE INDEX held_read_plate ON held_read (agency_id, plate, captured_at);
CREATE INDEX held_read_match_key ON held_read (agency_id, match_key, captured_at);
CREATE INDEX held_read_captured ON held_read (agency_id, captured_at, read_id);
CREATE INDEX held_read_waiting ON held_read (agency_id, captured_at) WHERE pictures = 'waiting';
CREATE INDEX held_read_frame ON held_read (agency_id, frame_object);

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['hold', 'hold_read', 'held_read'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format(
            'CREATE POLICY %I ON %I USING (agency_id = current_setting(''alpr.agency_id'', true)) '
            'WITH CHECK (agency_id = current_setting(''alpr.agency_id'', true))',
            name || '_of_agency', name);
    END LOOP;
END
$$;

-- The running service can release a hold and add to it, and undo neither. Held reads go by
-- purge_held_reads alone (0021).
REVOKE UPDATE, DELETE ON hold, hold_read, held_read FROM alpr_access_log;
GRANT UPDATE (case_number, released_at, released_by_id, released_by_name, release_reason)
    ON hold TO alpr_access_log;
GRANT UPDATE (keep_until, pictures) ON held_read TO alpr_access_log;
