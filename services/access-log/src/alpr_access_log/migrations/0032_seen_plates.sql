-- Which plates an agency saw on which day, without where and when: what a pattern is answered from.
--
-- An index over pieces of plates can only be asked with operators that are not leakproof, and under a
-- policy PostgreSQL does not ask an index so: it would show rows to an operator before the policy
-- has. So pieces are looked up here, by a function that itself asks for the agency's alone and is
-- the only way in, and with the plates that it names the reads are found under their policy, by
-- comparisons (docs/decisions/0012).
CREATE TABLE seen_plate (
    day date NOT NULL,
    agency_id text NOT NULL CHECK (agency_id <> ''),
    plate text COLLATE "C" NOT NULL,
    match_key text COLLATE "C" NOT NULL,
    -- Begins with what a look-up by pairs does not compare, so that the key cannot stand in for them.
    PRIMARY KEY (agency_id, plate, day)
) PARTITION BY RANGE (day);
COMMENT ON TABLE seen_plate IS
    'which plates an agency saw on which day; asked by seen_plates() alone (docs/decisions/0012)';

-- Every two characters that follow each other, beginning and end marked, the agency behind them: an
-- agency's pieces are keys of their own, and what other agencies saw does not slow it down.
CREATE INDEX seen_plate_pairs ON seen_plate USING gin ((ARRAY[
    substr('^' || match_key || '$', 1, 2) || agency_id,
    substr('^' || match_key || '$', 2, 2) || agency_id,
    substr('^' || match_key || '$', 3, 2) || agency_id,
    substr('^' || match_key || '$', 4, 2) || agency_id,
    substr('^' || match_key || '$', 5, 2) || agency_id,
    substr('^' || match_key || '$', 6, 2) || agency_id,
    substr('^' || match_key || '$', 7, 2) || agency_id,
    substr('^' || match_key || '$', 8, 2) || agency_id,
    substr('^' || match_key || '$', 9, 2) || agency_id,
    substr('^' || match_key || '$', 10, 2) || agency_id,
    substr('^' || match_key || '$', 11, 2) || agency_id,
    substr('^' || match_key || '$', 12, 2) || agency_id,
    substr('^' || match_key || '$', 13, 2) || agency_id]));

-- Not FORCE: the function below is the owner's and has to see what no policy could let it look up.
-- The runtime role has no right here at all.
ALTER TABLE seen_plate ENABLE ROW LEVEL SECURITY;
CREATE POLICY seen_plate_of_agency ON seen_plate
    USING (agency_id = current_setting('alpr.agency_id', true))
    WITH CHECK (agency_id = current_setting('alpr.agency_id', true));
REVOKE ALL ON seen_plate FROM alpr_access_log;

-- Plates of the transaction's agency, and on which day each was seen. `pairs` are those that every
-- plate of the pattern has; `pattern` is of the match key when `folded`.
--
-- One plan for all questions: to plan thirty days anew costs more than to look in them. Such a plan
-- cannot know how little a span of days narrows within a day's partition and would read the whole
-- day of the agency from the key; so beside pairs, which name the agency too, it is compared in a
-- way that no index serves.
CREATE FUNCTION seen_plates(pairs text[], pattern text, folded boolean, from_day date,
    to_day date)
RETURNS TABLE (plate text, first_at timestamptz, end_at timestamptz)
LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 200
SET search_path = access_log, pg_temp SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    agency text := current_setting('alpr.agency_id', true);
    of_agency text[] := ARRAY(SELECT pair || agency FROM unnest(pairs) AS pair);
BEGIN
    IF coalesce(agency, '') = '' THEN
        RETURN;
    END IF;
    IF cardinality(pairs) = 0 THEN
        RETURN QUERY
        SELECT s.plate, s.day::timestamp AT TIME ZONE 'UTC',
            (s.day + 1)::timestamp AT TIME ZONE 'UTC'
        FROM seen_plate s
        WHERE s.day >= from_day AND s.day <= to_day AND s.agency_id = agency
          AND CASE WHEN folded THEN s.match_key ELSE s.plate END LIKE pattern;
        RETURN;
    END IF;
    RETURN QUERY
    SELECT s.plate, s.day::timestamp AT TIME ZONE 'UTC', (s.day + 1)::timestamp AT TIME ZONE 'UTC'
    FROM seen_plate s
    WHERE s.day >= from_day AND s.day <= to_day AND s.agency_id || '' = agency
      AND (ARRAY[
          substr('^' || s.match_key || '$', 1, 2) || s.agency_id,
          substr('^' || s.match_key || '$', 2, 2) || s.agency_id,
          substr('^' || s.match_key || '$', 3, 2) || s.agency_id,
          substr('^' || s.match_key || '$', 4, 2) || s.agency_id,
          substr('^' || s.match_key || '$', 5, 2) || s.agency_id,
          substr('^' || s.match_key || '$', 6, 2) || s.agency_id,
          substr('^' || s.match_key || '$', 7, 2) || s.agency_id,
          substr('^' || s.match_key || '$', 8, 2) || s.agency_id,
          substr('^' || s.match_key || '$', 9, 2) || s.agency_id,
          substr('^' || s.match_key || '$', 10, 2) || s.agency_id,
          substr('^' || s.match_key || '$', 11, 2) || s.agency_id,
          substr('^' || s.match_key || '$', 12, 2) || s.agency_id,
          substr('^' || s.match_key || '$', 13, 2) || s.agency_id])
          @> of_agency
      AND CASE WHEN folded THEN s.match_key ELSE s.plate END LIKE pattern;
END
$$;
REVOKE ALL ON FUNCTION seen_plates FROM PUBLIC;
GRANT EXECUTE ON FUNCTION seen_plates TO alpr_access_log;

CREATE FUNCTION ensure_seen_plate_partition(wanted date) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = access_log, pg_temp
AS $$
DECLARE
    partition text := 'seen_plate_' || to_char(wanted, 'YYYYMMDD');
BEGIN
    IF to_regclass('access_log.' || partition) IS NULL THEN
        EXECUTE format('CREATE TABLE %I (LIKE seen_plate INCLUDING ALL)', partition);
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', partition);
        EXECUTE format('REVOKE ALL ON %I FROM alpr_access_log', partition);
        EXECUTE format('ALTER TABLE seen_plate ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
            partition, wanted, wanted + 1);
    END IF;
END
$$;
REVOKE ALL ON FUNCTION ensure_seen_plate_partition FROM PUBLIC, alpr_access_log;

-- As in 0001, and with it the day's plates.
CREATE OR REPLACE FUNCTION ensure_read_partition(wanted date) RETURNS void
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
    IF EXISTS (
        SELECT FROM pg_class
        WHERE relname = partition AND relnamespace = 'access_log'::regnamespace
    ) THEN
        RETURN;
    END IF;
    PERFORM ensure_seen_plate_partition(wanted);
    EXECUTE format(
        'CREATE TABLE %I (LIKE read INCLUDING ALL,'
        ' CONSTRAINT day CHECK (captured_at >= %L AND captured_at < %L))',
        partition, first_at, end_at);
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', partition);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', partition);
    EXECUTE format('REVOKE ALL ON %I FROM alpr_access_log', partition);
    EXECUTE format(
        'ALTER TABLE read ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
        partition, first_at, end_at);
    EXECUTE format('ALTER TABLE %I DROP CONSTRAINT day', partition);
END
$$;

-- By trigger, as the days: no way of storing reads can leave a plate out.
CREATE FUNCTION note_seen_plates() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = access_log, pg_temp
AS $$
BEGIN
    -- In order, so that two batches with the same new plates do not wait for each other.
    INSERT INTO seen_plate (day, agency_id, plate, match_key)
    SELECT DISTINCT (captured_at AT TIME ZONE 'UTC')::date, agency_id, plate, match_key
    FROM added ORDER BY 1, 2, 3
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END
$$;
CREATE TRIGGER note_seen_plates AFTER INSERT ON read
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION note_seen_plates();

-- They go with their reads: one by one where another agency may still see the day, and otherwise
-- with the day.
CREATE FUNCTION purge_seen_plates() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = access_log, pg_temp
AS $$
BEGIN
    DELETE FROM seen_plate
    WHERE agency_id = NEW.agency_id AND day = NEW.day AND EXISTS (
        SELECT FROM read_day d
        WHERE d.day = NEW.day AND d.agency_id <> NEW.agency_id AND d.purged_at IS NULL);
    RETURN NULL;
END
$$;
CREATE TRIGGER purge_seen_plates AFTER UPDATE OF purged_at ON read_day
    FOR EACH ROW WHEN (NEW.purged_at IS NOT NULL) EXECUTE FUNCTION purge_seen_plates();

CREATE OR REPLACE FUNCTION drop_read_partition(wanted date) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = access_log, pg_temp
AS $$
BEGIN
    IF EXISTS (SELECT FROM read_day WHERE day = wanted AND purged_at IS NULL)
       OR wanted > (now() AT TIME ZONE 'UTC')::date - 14 THEN
        RAISE EXCEPTION 'an agency may still see reads of %', wanted;
    END IF;
    EXECUTE format('DROP TABLE IF EXISTS %I', 'read_' || to_char(wanted, 'YYYYMMDD'));
    EXECUTE format('DROP TABLE IF EXISTS %I', 'seen_plate_' || to_char(wanted, 'YYYYMMDD'));
END
$$;

-- What is stored already. FORCE binds the owner too, who has to see all agencies once.
SELECT ensure_seen_plate_partition(day) FROM (
    SELECT to_date(right(c.relname, 8), 'YYYYMMDD') AS day
    FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'read'::regclass
) stored;
ALTER TABLE read NO FORCE ROW LEVEL SECURITY;
INSERT INTO seen_plate (day, agency_id, plate, match_key)
SELECT DISTINCT (captured_at AT TIME ZONE 'UTC')::date, agency_id, plate, match_key FROM read
ON CONFLICT DO NOTHING;
ALTER TABLE read FORCE ROW LEVEL SECURITY;

-- Endings are found by their pairs now; few reads are held, and those are looked through.
DROP INDEX read_match_key_reversed, held_read_match_key_reversed;
ALTER TABLE read DROP COLUMN match_key_reversed;
ALTER TABLE held_read DROP COLUMN match_key_reversed;
