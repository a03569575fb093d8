-- Hot list entries as they are now, every change that led there, and the outbox.

CREATE TABLE hotlist_entry (
    entry_id uuid PRIMARY KEY,
    version integer NOT NULL CHECK (version >= 1),
    agency_id text NOT NULL,
    serves_agency_ids text[] NOT NULL CHECK (cardinality(serves_agency_ids) > 0),
    plate text NOT NULL CHECK (plate ~ '^[A-Z0-9]{1,12}$'),
    match_key text NOT NULL,
    jurisdiction text,
    category text NOT NULL,
    priority smallint NOT NULL CHECK (priority BETWEEN 1 AND 5),
    source text NOT NULL,
    reason text NOT NULL CHECK (reason <> ''),
    case_number text,
    vehicle text,
    caution text,
    effective_at timestamptz NOT NULL,
    expires_at timestamptz,
    lookalike_positions smallint CHECK (lookalike_positions BETWEEN 0 AND 2),
    retracted boolean NOT NULL DEFAULT false,
    -- Whether the compacted topic may still hold it; the sweep clears this for expired entries.
    on_topic boolean NOT NULL DEFAULT true,
    added_at timestamptz NOT NULL,
    added_by text NOT NULL,
    added_by_name text NOT NULL,
    changed_at timestamptz NOT NULL
);
CREATE INDEX hotlist_entry_by_key ON hotlist_entry (match_key) WHERE NOT retracted;
CREATE INDEX hotlist_entry_by_agency ON hotlist_entry (agency_id, added_at DESC, entry_id DESC);
CREATE INDEX hotlist_entry_by_agency_and_key ON hotlist_entry (agency_id, match_key);
CREATE INDEX hotlist_entry_to_expire ON hotlist_entry (expires_at) WHERE on_topic AND NOT retracted;

CREATE TABLE hotlist_entry_version (
    entry_id uuid NOT NULL REFERENCES hotlist_entry,
    version integer NOT NULL,
    agency_id text NOT NULL,
    change text NOT NULL CHECK (change IN ('added', 'changed', 'retracted')),
    changed_at timestamptz NOT NULL,
    person_id text NOT NULL,
    person_name text NOT NULL,
    why text NOT NULL,
    before jsonb,
    after jsonb NOT NULL,
    PRIMARY KEY (entry_id, version)
);
-- History is written once. The running service cannot rewrite it, nor remove an entry from it.
REVOKE UPDATE, DELETE, TRUNCATE ON hotlist_entry_version FROM alpr_matcher;
REVOKE DELETE, TRUNCATE ON hotlist_entry FROM alpr_matcher;

ALTER TABLE hotlist_entry ENABLE ROW LEVEL SECURITY;
ALTER TABLE hotlist_entry FORCE ROW LEVEL SECURITY;
CREATE POLICY own_agency ON hotlist_entry
    USING (agency_id = current_setting('alpr.agency_id', true));
ALTER TABLE hotlist_entry_version ENABLE ROW LEVEL SECURITY;
ALTER TABLE hotlist_entry_version FORCE ROW LEVEL SECURITY;
CREATE POLICY own_agency ON hotlist_entry_version
    USING (agency_id = current_setting('alpr.agency_id', true));

-- One record on the topic holds the entries of all agencies with one key, so it is composed across
-- agencies: by these three functions alone, which run as the owner of the tables.
CREATE POLICY composing_records ON hotlist_entry TO CURRENT_USER USING (true);

CREATE FUNCTION entries_with_keys(wanted text[], expired_until timestamptz)
RETURNS SETOF hotlist_entry
LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT
AS $$
    SELECT * FROM hotlist_entry
    WHERE match_key = ANY (wanted) AND NOT retracted
      AND (expires_at IS NULL OR expires_at > expired_until)
    ORDER BY match_key, entry_id
$$;

CREATE FUNCTION keys_with_expired_entries(expired_until timestamptz, most integer)
RETURNS SETOF text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT
AS $$
    SELECT DISTINCT match_key FROM hotlist_entry
    WHERE on_topic AND NOT retracted AND expires_at <= expired_until
    LIMIT most
$$;

CREATE FUNCTION note_expired_off_topic(wanted text[], expired_until timestamptz)
RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path FROM CURRENT
AS $$
    UPDATE hotlist_entry SET on_topic = false
    WHERE match_key = ANY (wanted) AND on_topic AND NOT retracted AND expires_at <= expired_until
$$;

CREATE TABLE outbox (
    outbox_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    topic text NOT NULL,
    key text NOT NULL,
    value bytea,
    headers jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now()
);
