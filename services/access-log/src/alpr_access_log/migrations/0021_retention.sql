-- What retention needs: which agency has reads of which day, functions that purge only with a
-- certificate in the log, and a queue of pictures that are to be deleted after the rows.

-- Names and days alone, so without row-level security: the purge looks here for its work.
CREATE TABLE read_day (
    agency_id text NOT NULL,
    day date NOT NULL,
    purged_at timestamptz,
    certificate_id uuid,
    PRIMARY KEY (agency_id, day),
    CHECK ((purged_at IS NULL) = (certificate_id IS NULL))
);
CREATE INDEX read_day_stored ON read_day (day) WHERE purged_at IS NULL;
REVOKE INSERT, UPDATE, DELETE ON read_day FROM alpr_access_log;

-- By trigger: no way of storing reads can leave their day out.
CREATE FUNCTION note_read_days() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = access_log, pg_temp
AS $$
BEGIN
    -- In order, so that two batches with the same new days do not wait for each other.
    INSERT INTO read_day (agency_id, day)
    SELECT DISTINCT agency_id, (captured_at AT TIME ZONE 'UTC')::date FROM added ORDER BY 1, 2
    ON CONFLICT (agency_id, day) DO NOTHING;
    -- Apart: DO UPDATE would lock the row of today for every batch.
    UPDATE read_day d SET purged_at = NULL, certificate_id = NULL
    FROM (SELECT DISTINCT agency_id, (captured_at AT TIME ZONE 'UTC')::date AS day FROM added) a
    WHERE d.agency_id = a.agency_id AND d.day = a.day AND d.purged_at IS NOT NULL;
    RETURN NULL;
END
$$;
CREATE TRIGGER note_read_days AFTER INSERT ON read
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION note_read_days();

-- Days that are stored already. FORCE binds the owner too, who has to see all agencies once.
ALTER TABLE read NO FORCE ROW LEVEL SECURITY;
INSERT INTO read_day (agency_id, day)
SELECT DISTINCT agency_id, (captured_at AT TIME ZONE 'UTC')::date FROM read;
ALTER TABLE read FORCE ROW LEVEL SECURITY;

-- Pictures of a whole day of an agency, or one held copy. Written in the transaction that removes
-- the rows, emptied after the pictures are gone: a crash between the two leaves no orphan.
CREATE TABLE picture_removal (
    removal_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    agency_id text NOT NULL,
    day date,
    object text,
    queued_at timestamptz NOT NULL,
    CHECK ((day IS NULL) <> (object IS NULL))
);
CREATE INDEX picture_removal_agency ON picture_removal (agency_id, removal_id);
ALTER TABLE picture_removal ENABLE ROW LEVEL SECURITY;
ALTER TABLE picture_removal FORCE ROW LEVEL SECURITY;
CREATE POLICY picture_removal_of_agency ON picture_removal
    USING (agency_id = current_setting('alpr.agency_id', true))
    WITH CHECK (agency_id = current_setting('alpr.agency_id', true));

-- Whoever has the service's password can still purge nothing younger than this (no topic keeps
-- reads longer either), nothing without a certificate in the log, and nothing under a hold.
CREATE FUNCTION refuse_uncertified_purge(agency text, wanted date, certificate uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = access_log, pg_temp
AS $$
BEGIN
    IF wanted > (now() AT TIME ZONE 'UTC')::date - 14 THEN
        RAISE EXCEPTION 'reads of % are too young to be purged', wanted;
    END IF;
    IF NOT EXISTS (SELECT FROM log_leaf WHERE record_id = certificate AND agency_id = agency) THEN
        RAISE EXCEPTION 'the log of % holds no certificate %', agency, certificate;
    END IF;
END
$$;

-- An agency's day is over: it says so in read_day. The rows go with the partition, or one by one
-- (`row_by_row`) where another agency may still see the day.
CREATE FUNCTION purge_day(
    agency text, wanted date, certificate uuid, at timestamptz, row_by_row boolean
) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = access_log, pg_temp
AS $$
DECLARE
    first_at timestamptz := wanted::timestamp AT TIME ZONE 'UTC';
    end_at timestamptz := (wanted + 1)::timestamp AT TIME ZONE 'UTC';
BEGIN
    PERFORM refuse_uncertified_purge(agency, wanted, certificate);
    IF EXISTS (
        SELECT FROM read r JOIN hold_read m USING (read_id) JOIN hold h USING (hold_id)
        WHERE r.agency_id = agency AND r.captured_at >= first_at AND r.captured_at < end_at
          AND h.agency_id = agency AND h.released_at IS NULL
          AND NOT EXISTS (SELECT FROM held_read k WHERE k.read_id = r.read_id)
    ) THEN
        RAISE EXCEPTION 'a read of % is under a hold and has no copy yet', wanted;
    END IF;
    IF row_by_row THEN
        DELETE FROM read
        WHERE agency_id = agency AND captured_at >= first_at AND captured_at < end_at;
    END IF;
    UPDATE read_day SET purged_at = at, certificate_id = certificate
    WHERE agency_id = agency AND day = wanted;
    INSERT INTO picture_removal (agency_id, day, queued_at) VALUES (agency, wanted, at);
END
$$;

-- A day that no agency may see any more goes as a whole.
CREATE FUNCTION drop_read_partition(wanted date) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = access_log, pg_temp
AS $$
BEGIN
    IF EXISTS (SELECT FROM read_day WHERE day = wanted AND purged_at IS NULL)
       OR wanted > (now() AT TIME ZONE 'UTC')::date - 14 THEN
        RAISE EXCEPTION 'an agency may still see reads of %', wanted;
    END IF;
    EXECUTE format('DROP TABLE IF EXISTS %I', 'read_' || to_char(wanted, 'YYYYMMDD'));
END
$$;

-- Held reads that nothing keeps any more, with their copies of pictures.
CREATE FUNCTION purge_held_reads(
    agency text, read_ids uuid[], certificate uuid, at timestamptz
) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = access_log, pg_temp
AS $$
DECLARE
    gone bigint;
BEGIN
    PERFORM refuse_uncertified_purge(
        agency, (SELECT max((captured_at AT TIME ZONE 'UTC')::date) FROM held_read
                 WHERE agency_id = agency AND read_id = ANY (read_ids)), certificate);
    WITH removed AS (
        DELETE FROM held_read k
        WHERE k.agency_id = agency AND k.read_id = ANY (read_ids)
          AND (k.keep_until IS NULL OR k.keep_until <= at)
          AND NOT EXISTS (
              SELECT FROM hold_read m JOIN hold h USING (hold_id)
              WHERE m.read_id = k.read_id AND h.released_at IS NULL)
        RETURNING frame_object, plate_object
    ), queued AS (
        INSERT INTO picture_removal (agency_id, object, queued_at)
        SELECT agency, frame_object, at FROM removed
        UNION SELECT agency, plate_object, at FROM removed
    )
    SELECT count(*) INTO gone FROM removed;
    RETURN gone;
END
$$;
