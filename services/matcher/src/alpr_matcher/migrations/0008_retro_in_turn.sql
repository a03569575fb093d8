-- While an agency cannot be asked, its entries pile up. They are put off until it may be asked again,
-- so that nobody looks at each of them every second to find the few that others wait for.

ALTER TABLE retro_wait ADD COLUMN put_off_until timestamptz NOT NULL DEFAULT '-infinity';
DROP INDEX retro_wait_by_age;
CREATE INDEX retro_wait_in_turn ON retro_wait (put_off_until, queued_at, entry_id);

-- (The functions that this one follows stay for replicas of the version before.)
CREATE FUNCTION retro_in_turn(at timestamptz, queued_until timestamptz, most integer)
RETURNS TABLE (entry_id uuid, version integer, queued_at timestamptz, message text,
    answered_agency_ids text[], put_off boolean)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT
AS $$
    SELECT w.entry_id, w.version, w.queued_at,
        CASE WHEN NOT e.retracted AND e.effective_at <= at
                AND (e.expires_at IS NULL OR e.expires_at > at)
            THEN json_strip_nulls(entry_message(e))::text END,
        w.answered_agency_ids, w.put_off_until > '-infinity'
    FROM (SELECT * FROM retro_wait o
          WHERE o.put_off_until <= at AND o.queued_at <= queued_until
          ORDER BY o.put_off_until, o.queued_at, o.entry_id LIMIT most) w
    JOIN hotlist_entry e USING (entry_id)
    ORDER BY w.put_off_until, w.queued_at, w.entry_id
$$;
