-- Retro-match asks each agency's reads as that agency's own account. One whose account is refused,
-- or whose door does not answer, must not keep the others' entries waiting: what was answered is
-- noted with the entry, and only the rest waits on.

ALTER TABLE retro_wait ADD COLUMN answered_agency_ids text[] NOT NULL DEFAULT '{}';

-- Entries that wait for one of the agencies that can be asked now, or for none that has an account
-- at all. (The function of three arguments stays for replicas of the version before.)
CREATE FUNCTION retro_waiting(
    at timestamptz, queued_until timestamptz, with_account text[], asked text[], most integer)
RETURNS TABLE (entry_id uuid, version integer, message text, answered_agency_ids text[])
LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT
AS $$
    SELECT w.entry_id, w.version,
        CASE WHEN NOT e.retracted AND e.effective_at <= at
                AND (e.expires_at IS NULL OR e.expires_at > at)
            THEN json_strip_nulls(entry_message(e))::text END,
        w.answered_agency_ids
    FROM retro_wait w JOIN hotlist_entry e USING (entry_id)
    WHERE w.queued_at <= queued_until
      AND (NOT e.serves_agency_ids && with_account
           OR EXISTS (SELECT FROM unnest(e.serves_agency_ids) AS served
                      WHERE served = ANY (asked) AND served <> ALL (w.answered_agency_ids)))
    ORDER BY w.queued_at, w.entry_id LIMIT most
$$;
