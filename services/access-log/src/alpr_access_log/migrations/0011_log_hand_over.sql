-- The log's signing key is handed over by an entry of the log (docs/decisions/0006).

-- Where those are. By what the entries say and not by a column beside, which could say otherwise.
-- The entry of an access begins otherwise, whatever somebody typed into it. By record_id for the
-- planner's sake: the statement that asks says why. Nothing is appended to the log while this is
-- built, which reads all entries.
CREATE INDEX log_leaf_hand_overs ON log_leaf (agency_id, record_id)
    WHERE position('{"agency_id":'::bytea IN entry) = 1
      AND position('"kind":"log.key_rotated"'::bytea IN entry) > 0;

-- A hand-over names the size of the tree that the old key vouches for, and so has to be the very
-- next entry: it does not wait behind leaves that were appended before. As sequence_leaves otherwise.
CREATE FUNCTION sequence_hand_over(agency text, record uuid)
RETURNS TABLE (entry_index bigint, leaf_hash bytea, appended_at timestamptz)
LANGUAGE sql SECURITY DEFINER SET search_path = access_log, pg_temp
AS $$
    WITH begin_at AS (
        SELECT coalesce(max(e.entry_index) + 1, 0) AS next_index
        FROM log_entry e WHERE e.agency_id = agency
    ), chosen AS (
        SELECT l.leaf_sequence, l.entry, l.appended_at
        FROM log_pending p JOIN log_leaf l USING (leaf_sequence)
        WHERE p.agency_id = agency AND l.record_id = record
          AND position('{"agency_id":'::bytea IN l.entry) = 1
          AND position('"kind":"log.key_rotated"'::bytea IN l.entry) > 0
    ), gone AS (
        DELETE FROM log_pending p USING chosen c
        WHERE p.agency_id = agency AND p.leaf_sequence = c.leaf_sequence
    ), entered AS (
        INSERT INTO log_entry (agency_id, entry_index, leaf_sequence, leaf_hash)
        SELECT agency, b.next_index, c.leaf_sequence, sha256('\x00'::bytea || c.entry)
        FROM chosen c CROSS JOIN begin_at b
        RETURNING entry_index, leaf_hash
    )
    SELECT e.entry_index, e.leaf_hash, c.appended_at FROM entered e CROSS JOIN chosen c
$$;
