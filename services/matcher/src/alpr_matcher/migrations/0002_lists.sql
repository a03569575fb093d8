-- Lists with an owner and subscribers, wildcard entries, second-person checks, imports in bulk, and
-- entries that wait for their comparison with stored reads.

CREATE TABLE hotlist_list (
    list_id uuid PRIMARY KEY,
    version integer NOT NULL CHECK (version >= 1),
    agency_id text NOT NULL,
    -- The list's word: what its entries carry as `source`, and what an import names.
    source text NOT NULL CHECK (source ~ '^[a-z0-9][a-z0-9_-]{0,31}$' AND source <> 'manual'),
    name text NOT NULL CHECK (name <> ''),
    kind text NOT NULL CHECK (kind IN ('agency', 'state', 'national', 'neighbour', 'covert')),
    subscribed_agency_ids text[] NOT NULL DEFAULT '{}',
    mapper text NOT NULL DEFAULT 'house-csv',
    import_mode text NOT NULL DEFAULT 'delta' CHECK (import_mode IN ('delta', 'refresh')),
    refreshed_at timestamptz,
    created_at timestamptz NOT NULL,
    changed_at timestamptz NOT NULL,
    UNIQUE (agency_id, source),
    CHECK (kind IN ('state', 'national', 'neighbour') OR subscribed_agency_ids = '{}')
);
CREATE TABLE hotlist_list_version (
    list_id uuid NOT NULL REFERENCES hotlist_list,
    version integer NOT NULL,
    agency_id text NOT NULL,
    changed_at timestamptz NOT NULL,
    person_id text NOT NULL,
    person_name text NOT NULL,
    why text NOT NULL,
    before jsonb,
    after jsonb NOT NULL,
    PRIMARY KEY (list_id, version)
);
REVOKE UPDATE, DELETE, TRUNCATE ON hotlist_list_version FROM alpr_matcher;
REVOKE DELETE, TRUNCATE ON hotlist_list FROM alpr_matcher;

ALTER TABLE hotlist_entry
    ADD COLUMN list_id uuid REFERENCES hotlist_list,
    ADD COLUMN covert boolean NOT NULL DEFAULT false,
    ADD COLUMN forbidden_hit_kinds text[] NOT NULL DEFAULT '{}',
    ADD COLUMN vehicle_type text,
    ADD COLUMN vehicle_make text,
    ADD COLUMN vehicle_model text,
    ADD COLUMN vehicle_colour text,
    ADD COLUMN vehicle_year smallint,
    ADD COLUMN is_pattern boolean NOT NULL GENERATED ALWAYS AS (plate ~ '[?*]') STORED,
    -- The second person (131.6-7). NULL due: entries of an imported list need none.
    ADD COLUMN check_due_at timestamptz,
    ADD COLUMN checked_at timestamptz,
    ADD COLUMN checked_by text,
    ADD COLUMN checked_by_name text,
    ADD COLUMN unchecked_told_at timestamptz,
    ADD CONSTRAINT checked_by_another CHECK (checked_by IS DISTINCT FROM added_by),
    ADD CONSTRAINT covert_serves_its_owner CHECK (NOT covert OR serves_agency_ids = ARRAY[agency_id]),
    DROP CONSTRAINT hotlist_entry_plate_check,
    ADD CONSTRAINT hotlist_entry_plate_check CHECK (plate ~ '^[A-Z0-9?*]{1,12}$');
-- A foreign key is looked up once per row: a million times in an import. Entries are never deleted,
-- and history is written in the statement that writes its entry.
ALTER TABLE hotlist_entry_version DROP CONSTRAINT hotlist_entry_version_entry_id_fkey;
CREATE INDEX hotlist_entry_of_list ON hotlist_entry (list_id) WHERE NOT retracted;
CREATE INDEX hotlist_entry_patterns ON hotlist_entry (match_key) WHERE is_pattern;
CREATE INDEX hotlist_entry_unchecked ON hotlist_entry (check_due_at)
    WHERE checked_at IS NULL AND check_due_at IS NOT NULL AND NOT retracted;
CREATE INDEX hotlist_entry_served ON hotlist_entry USING gin (serves_agency_ids)
    WHERE cardinality(serves_agency_ids) > 1;

-- Lists that were there before this migration by their name alone.
INSERT INTO hotlist_list (list_id, version, agency_id, source, name, kind, refreshed_at, created_at,
        changed_at)
    SELECT gen_random_uuid(), 1, agency_id, source, source, 'agency', max(changed_at), now(), now()
    FROM hotlist_entry WHERE source <> 'manual' GROUP BY agency_id, source;
UPDATE hotlist_entry e SET list_id = l.list_id
    FROM hotlist_list l WHERE l.agency_id = e.agency_id AND l.source = e.source;

ALTER TABLE hotlist_list ENABLE ROW LEVEL SECURITY;
ALTER TABLE hotlist_list FORCE ROW LEVEL SECURITY;
CREATE POLICY own_agency ON hotlist_list
    USING (agency_id = current_setting('alpr.agency_id', true));
CREATE POLICY subscribed ON hotlist_list FOR SELECT
    USING (current_setting('alpr.agency_id', true) = ANY (subscribed_agency_ids));
CREATE POLICY across_agencies ON hotlist_list TO CURRENT_USER USING (true);
ALTER TABLE hotlist_list_version ENABLE ROW LEVEL SECURITY;
ALTER TABLE hotlist_list_version FORCE ROW LEVEL SECURITY;
CREATE POLICY own_agency ON hotlist_list_version
    USING (agency_id = current_setting('alpr.agency_id', true));
-- A subscriber may see what its reads are compared with.
CREATE POLICY served ON hotlist_entry FOR SELECT
    USING (current_setting('alpr.agency_id', true) = ANY (serves_agency_ids) AND NOT covert);

-- What was imported by whom, also what failed. `report` is what the importer was told.
CREATE TABLE hotlist_import (
    import_id uuid PRIMARY KEY,
    agency_id text NOT NULL,
    source text NOT NULL,
    file_name text NOT NULL,
    mapper text NOT NULL,
    import_mode text NOT NULL,
    dry_run boolean NOT NULL,
    person_id text NOT NULL,
    person_name text NOT NULL,
    started_at timestamptz NOT NULL,
    ended_at timestamptz,
    state text NOT NULL CHECK (state IN ('reading', 'applying', 'done', 'refused', 'failed')),
    lines_read bigint NOT NULL DEFAULT 0,
    report jsonb
);
CREATE INDEX hotlist_import_by_agency ON hotlist_import (agency_id, started_at DESC);
REVOKE DELETE, TRUNCATE ON hotlist_import FROM alpr_matcher;
ALTER TABLE hotlist_import ENABLE ROW LEVEL SECURITY;
ALTER TABLE hotlist_import FORCE ROW LEVEL SECURITY;
CREATE POLICY own_agency ON hotlist_import
    USING (agency_id = current_setting('alpr.agency_id', true));

-- Entries to be compared with stored reads: ids alone, of no agency.
CREATE TABLE retro_wait (
    entry_id uuid PRIMARY KEY,
    version integer NOT NULL,
    queued_at timestamptz NOT NULL
);

-- An entry as messages say it, and as the history keeps it. Without a search_path of their own, so
-- that the planner takes them into the query: they are computed a million times.
CREATE FUNCTION entry_message(e hotlist_entry) RETURNS json
LANGUAGE sql STABLE
AS $$
    SELECT json_build_object(
        'entry_id', e.entry_id, 'version', e.version, 'agency_id', e.agency_id,
        'serves_agency_ids', e.serves_agency_ids, 'plate', e.plate, 'match_key', e.match_key,
        'jurisdiction', e.jurisdiction, 'category', e.category, 'priority', e.priority,
        'source', e.source, 'reason', e.reason, 'case_number', e.case_number,
        'vehicle', e.vehicle, 'caution', e.caution, 'effective_at', e.effective_at,
        'expires_at', e.expires_at, 'lookalike_positions', e.lookalike_positions,
        'covert', e.covert, 'forbidden_hit_kinds', e.forbidden_hit_kinds,
        'vehicle_type', e.vehicle_type, 'vehicle_make', e.vehicle_make,
        'vehicle_model', e.vehicle_model, 'vehicle_colour', e.vehicle_colour,
        'vehicle_year', e.vehicle_year, 'list_id', e.list_id)
$$;
CREATE FUNCTION entry_history(e hotlist_entry) RETURNS jsonb
LANGUAGE sql STABLE
AS $$
    SELECT jsonb_strip_nulls(to_jsonb(e)) - '{on_topic,is_pattern,unchecked_told_at}'::text[]
$$;

-- Records of the topics are composed across agencies: by these functions, as the tables' owner.
DROP FUNCTION entries_with_keys(text[], timestamptz);

CREATE FUNCTION compose_records(wanted text[], expired_until timestamptz)
RETURNS TABLE (key text, value bytea)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT
AS $$
    SELECT w.key, CASE WHEN count(e.entry_id) > 0 THEN convert_to(json_strip_nulls(
        json_build_object('match_key', w.key,
            'entries', json_agg(entry_message(e) ORDER BY e.entry_id)))::text, 'UTF8') END
    FROM (SELECT DISTINCT unnest(wanted) AS key) w
    LEFT JOIN hotlist_entry e ON e.match_key = w.key AND NOT e.retracted AND NOT e.is_pattern
        AND (e.expires_at IS NULL OR e.expires_at > expired_until)
    GROUP BY w.key
$$;

-- One message per wildcard entry with one of these keys; those that ended have no value.
CREATE FUNCTION compose_patterns(wanted text[], expired_until timestamptz)
RETURNS TABLE (key text, value bytea)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT
AS $$
    SELECT e.entry_id::text, CASE WHEN NOT e.retracted
            AND (e.expires_at IS NULL OR e.expires_at > expired_until) THEN
        convert_to(json_strip_nulls(json_build_object('entry', entry_message(e)))::text, 'UTF8') END
    FROM hotlist_entry e WHERE e.is_pattern AND e.match_key = ANY (wanted)
$$;

-- Entries by hand whose second person is overdue and nobody was told of; says so once.
CREATE FUNCTION note_unchecked(at timestamptz, most integer)
RETURNS TABLE (entry_id uuid, agency_id text, plate text, category text, added_by text,
    added_by_name text, check_due_at timestamptz)
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path FROM CURRENT
AS $$
    UPDATE hotlist_entry e SET unchecked_told_at = at
    WHERE e.entry_id IN (
        SELECT d.entry_id FROM hotlist_entry d
        WHERE d.check_due_at <= at AND d.checked_at IS NULL AND NOT d.retracted
          AND d.unchecked_told_at IS NULL AND (d.expires_at IS NULL OR d.expires_at > at)
        ORDER BY d.check_due_at LIMIT most)
    RETURNING e.entry_id, e.agency_id, e.plate, e.category, e.added_by, e.added_by_name,
        e.check_due_at
$$;
CREATE FUNCTION count_unchecked(at timestamptz)
RETURNS TABLE (agency_id text, unchecked bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT
AS $$
    SELECT agency_id, count(*) FROM hotlist_entry
    WHERE check_due_at <= at AND checked_at IS NULL AND NOT retracted
      AND (expires_at IS NULL OR expires_at > at)
    GROUP BY agency_id
$$;

CREATE FUNCTION refreshed_lists()
RETURNS TABLE (agency_id text, source text, refreshed_at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT
AS $$
    SELECT agency_id, source, refreshed_at FROM hotlist_list WHERE refreshed_at IS NOT NULL
$$;

CREATE FUNCTION retro_waiting(at timestamptz, queued_until timestamptz, most integer)
RETURNS TABLE (entry_id uuid, version integer, message text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT
AS $$
    SELECT w.entry_id, w.version,
        CASE WHEN NOT e.retracted AND e.effective_at <= at
                AND (e.expires_at IS NULL OR e.expires_at > at)
            THEN json_strip_nulls(entry_message(e))::text END
    FROM (SELECT * FROM retro_wait WHERE queued_at <= queued_until
          ORDER BY queued_at, entry_id LIMIT most) w
    JOIN hotlist_entry e USING (entry_id)
$$;
CREATE INDEX retro_wait_by_age ON retro_wait (queued_at, entry_id);
