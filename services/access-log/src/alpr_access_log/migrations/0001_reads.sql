-- Stored reads, one partition per UTC day of capture, so that retention drops a day as a whole.
--
-- Row-level security by agency is under everything. `FORCE` binds the owner too; the service's
-- runtime role owns nothing and reaches partitions through this table alone.
-- plate and match_key are collated "C": a prefix is then a range of the ordinary index. Ranges and
-- equality are leakproof, so a policy does not keep the planner from the index; LIKE is not, and
-- only filters what the range left over.
CREATE TABLE read (
    read_id uuid NOT NULL,
    captured_at timestamptz NOT NULL,
    agency_id text NOT NULL CHECK (agency_id <> ''),
    camera_id text NOT NULL,
    plate text COLLATE "C" NOT NULL,
    match_key text COLLATE "C" NOT NULL,
    jurisdiction text NOT NULL,
    latitude double precision NOT NULL,
    longitude double precision NOT NULL,
    message jsonb NOT NULL,
    stored_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (read_id, captured_at)
) PARTITION BY RANGE (captured_at);

COMMENT ON COLUMN read.message IS 'the message as it came, with fields that this version ignores';

CREATE INDEX read_plate ON read (agency_id, plate, captured_at);
CREATE INDEX read_match_key ON read (agency_id, match_key, captured_at);
-- For patterns that begin with a wildcard: newest first, ending as soon as the page is full.
CREATE INDEX read_captured ON read (agency_id, captured_at, read_id);

ALTER TABLE read ENABLE ROW LEVEL SECURITY;
ALTER TABLE read FORCE ROW LEVEL SECURITY;
CREATE POLICY read_of_agency ON read
    USING (agency_id = current_setting('alpr.agency_id', true))
    WITH CHECK (agency_id = current_setting('alpr.agency_id', true));

-- A stored read is never changed; days go by retention, as the owner.
REVOKE UPDATE, DELETE ON read FROM alpr_access_log;

-- The runtime role owns nothing and so cannot make a partition; this does it for one day.
-- The days are bounded, because a message with a wrong clock must not make thousands of tables.
CREATE FUNCTION ensure_read_partition(wanted date) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = access_log, pg_temp
AS $$
DECLARE
    today date := (now() AT TIME ZONE 'UTC')::date;
    partition text := 'read_' || to_char(wanted, 'YYYYMMDD');
    first_at timestamptz := wanted::timestamp AT TIME ZONE 'UTC';
    end_at timestamptz := (wanted + 1)::timestamp AT TIME ZONE 'UTC';
BEGIN
    IF to_regclass('access_log.' || partition) IS NOT NULL THEN
        RETURN;
    END IF;
    IF wanted < today - 3660 OR wanted > today + 1 THEN
        RAISE EXCEPTION 'no partition is made for %: too far from today', wanted
            USING ERRCODE = 'datetime_field_overflow';
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('access_log.ensure_read_partition'));
    -- Another replica may have made it while this one waited. Asked of the catalog itself: what
    -- to_regclass remembers is not refreshed by waiting for an advisory lock.
    IF EXISTS (
        SELECT FROM pg_class
        WHERE relname = partition AND relnamespace = 'access_log'::regnamespace
    ) THEN
        RETURN;
    END IF;
    EXECUTE format(
        'CREATE TABLE %I (LIKE read INCLUDING ALL,'
        ' CONSTRAINT day CHECK (captured_at >= %L AND captured_at < %L))',
        partition, first_at, end_at);
    -- No policy and no right: the partition itself shows its rows to nobody.
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', partition);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', partition);
    EXECUTE format('REVOKE ALL ON %I FROM alpr_access_log', partition);
    -- Attached rather than created in place: searches go on meanwhile.
    EXECUTE format(
        'ALTER TABLE read ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
        partition, first_at, end_at);
    EXECUTE format('ALTER TABLE %I DROP CONSTRAINT day', partition);
END
$$;
