-- A record is composed as text: `json_build_object` looks up the type of each of an entry's fields
-- anew, and `json_strip_nulls` reads the whole again. Byte by byte the same records as before.

-- An entry as messages say it, without what is not said. Everything that a person or a file wrote goes
-- through to_json. Without a search_path of its own, so that the planner takes it into the query: it
-- is computed a million times.
CREATE FUNCTION entry_text(e hotlist_entry) RETURNS text
LANGUAGE sql STABLE
AS $$
    SELECT concat('{"entry_id":"', e.entry_id, '","version":', e.version,
        ',"agency_id":', to_json(e.agency_id), ',"serves_agency_ids":', to_json(e.serves_agency_ids),
        ',"plate":', to_json(e.plate), ',"match_key":', to_json(e.match_key),
        ',"jurisdiction":' || to_json(e.jurisdiction), ',"category":', to_json(e.category),
        ',"priority":', e.priority, ',"source":', to_json(e.source),
        ',"reason":', to_json(e.reason), ',"case_number":' || to_json(e.case_number),
        ',"vehicle":' || to_json(e.vehicle), ',"caution":' || to_json(e.caution),
        ',"effective_at":', to_json(e.effective_at), ',"expires_at":' || to_json(e.expires_at),
        ',"lookalike_positions":' || e.lookalike_positions, ',"covert":', to_json(e.covert),
        ',"forbidden_hit_kinds":', to_json(e.forbidden_hit_kinds),
        ',"vehicle_type":' || to_json(e.vehicle_type), ',"vehicle_make":' || to_json(e.vehicle_make),
        ',"vehicle_model":' || to_json(e.vehicle_model),
        ',"vehicle_colour":' || to_json(e.vehicle_colour), ',"vehicle_year":' || e.vehicle_year,
        ',"list_id":"' || e.list_id || '"', '}')
$$;
CREATE OR REPLACE FUNCTION entry_message(e hotlist_entry) RETURNS json
LANGUAGE sql STABLE
AS $$ SELECT entry_text(e)::json $$;

-- Each key by itself, so that it is looked up in the index: joined with a portion of keys, a table of
-- some hundred thousand entries was read from end to end for every portion.
CREATE OR REPLACE FUNCTION compose_records(wanted text[], expired_until timestamptz)
RETURNS TABLE (key text, value bytea)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT
AS $$
    SELECT w.key, (
        SELECT convert_to(concat('{"match_key":', to_json(w.key), ',"entries":[',
            string_agg(entry_text(e), ',' ORDER BY e.entry_id), ']}'), 'UTF8')
        FROM hotlist_entry e
        WHERE e.match_key = w.key AND NOT e.retracted AND NOT e.is_pattern
            AND (e.expires_at IS NULL OR e.expires_at > expired_until)
        HAVING count(*) > 0)
    FROM (SELECT DISTINCT unnest(wanted) AS key) w
$$;
CREATE OR REPLACE FUNCTION compose_patterns(wanted text[], expired_until timestamptz)
RETURNS TABLE (key text, value bytea)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT
AS $$
    SELECT w.key, (
        SELECT convert_to(concat('{"entry":', entry_text(e), '}'), 'UTF8')
        FROM hotlist_entry e
        WHERE e.entry_id = w.key::uuid AND e.is_pattern AND NOT e.retracted
            AND (e.expires_at IS NULL OR e.expires_at > expired_until))
    FROM (SELECT DISTINCT unnest(wanted) AS key) w
$$;
