-- What is to be told on the topics: keys alone. Their records are composed when they are sent, of
-- what holds then, so that no order of waiting, and no older copy, can put an old state over a new
-- one. Urgent ones (changes by hand) are sent before all others, however many of those wait.
CREATE TABLE hotlist_untold (
    urgent boolean NOT NULL,
    untold_id bigint GENERATED ALWAYS AS IDENTITY,
    is_pattern boolean NOT NULL,
    key text NOT NULL, -- a match key; of a pattern, its entry's id
    headers jsonb,
    queued_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (urgent, untold_id)
);
-- Records that were composed before, and wait in the outbox, would come over newer ones.
INSERT INTO hotlist_untold (urgent, is_pattern, key)
    SELECT DISTINCT false, topic = 'alpr.hotlist-patterns.v1', key FROM outbox
    WHERE topic IN ('alpr.hotlist.v1', 'alpr.hotlist-patterns.v1');
DELETE FROM outbox WHERE topic IN ('alpr.hotlist.v1', 'alpr.hotlist-patterns.v1');

-- One message per wildcard entry; those that ended, or are no patterns any more, have no value.
DROP FUNCTION compose_patterns(text[], timestamptz);
CREATE FUNCTION compose_patterns(wanted text[], expired_until timestamptz)
RETURNS TABLE (key text, value bytea)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT
AS $$
    SELECT w.key, CASE WHEN e.entry_id IS NOT NULL THEN
        convert_to(json_strip_nulls(json_build_object('entry', entry_message(e)))::text, 'UTF8') END
    FROM (SELECT DISTINCT unnest(wanted) AS key) w
    LEFT JOIN hotlist_entry e ON e.entry_id = w.key::uuid AND e.is_pattern AND NOT e.retracted
        AND (e.expires_at IS NULL OR e.expires_at > expired_until)
$$;

-- Entries that expired until then leave the topics: theirs are queued, `most` entries at a time.
-- What an import has in hand is left for the next time.
DROP FUNCTION keys_with_expired_entries(timestamptz, integer);
DROP FUNCTION note_expired_off_topic(text[], timestamptz);
CREATE FUNCTION queue_expired(expired_until timestamptz, most integer)
RETURNS bigint
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path FROM CURRENT
AS $$
    WITH ended AS (
        UPDATE hotlist_entry SET on_topic = false WHERE entry_id IN (
            SELECT entry_id FROM hotlist_entry
            WHERE on_topic AND NOT retracted AND expires_at <= expired_until
            LIMIT most FOR UPDATE SKIP LOCKED)
        RETURNING is_pattern, CASE WHEN is_pattern THEN entry_id::text ELSE match_key END AS key),
    queued AS (
        INSERT INTO hotlist_untold (urgent, is_pattern, key)
        SELECT DISTINCT false, is_pattern, key FROM ended)
    SELECT count(*) FROM ended
$$;
