-- The verifiable log: one Merkle tree per agency over what access_record says (131.7-3a).
--
-- Everything here is only ever added to, but the queue and the salts. Hashes are stored one row each
-- instead of as tiles: a row never changes when the tree grows, and every tile of every width, also
-- of a tree of long ago, is a range of rows.
CREATE TABLE log_leaf (
    -- Order of appending. It has gaps where a transaction was rolled back; entry_index has none.
    leaf_sequence bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    record_id uuid NOT NULL UNIQUE,
    agency_id text NOT NULL CHECK (agency_id <> ''),
    entry bytea NOT NULL CHECK (octet_length(entry) BETWEEN 1 AND 65535),
    appended_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON COLUMN log_leaf.entry IS 'canonical JSON, the bytes that are hashed';

-- What makes the texts in access_record provable that a leaf holds only hashes of. Erasing text and
-- salt forgets the text; the leaf, and so the tree, stays as it is.
CREATE TABLE log_salt (
    record_id uuid NOT NULL REFERENCES log_leaf (record_id),
    field text NOT NULL,
    agency_id text NOT NULL,
    salt bytea CHECK (octet_length(salt) = 32),
    forgotten_at timestamptz,
    PRIMARY KEY (record_id, field),
    CHECK ((salt IS NULL) = (forgotten_at IS NOT NULL))
);

-- Leaves that have no place in the tree yet. A pointer without content, so without row-level
-- security: the sequencer looks here for agencies that have work.
CREATE TABLE log_pending (
    agency_id text NOT NULL,
    leaf_sequence bigint NOT NULL REFERENCES log_leaf,
    PRIMARY KEY (agency_id, leaf_sequence)
);

CREATE TABLE log_entry (
    agency_id text NOT NULL,
    entry_index bigint NOT NULL CHECK (entry_index >= 0),
    leaf_sequence bigint NOT NULL UNIQUE REFERENCES log_leaf,
    leaf_hash bytea NOT NULL CHECK (octet_length(leaf_hash) = 32),
    PRIMARY KEY (agency_id, entry_index)
);

-- Hashes of complete subtrees of 256**level leaves, level 1 and above (level 0 is in log_entry).
CREATE TABLE log_node (
    agency_id text NOT NULL,
    level smallint NOT NULL CHECK (level >= 1),
    node_index bigint NOT NULL CHECK (node_index >= 0),
    hash bytea NOT NULL CHECK (octet_length(hash) = 32),
    PRIMARY KEY (agency_id, level, node_index)
);

CREATE TABLE log_checkpoint (
    agency_id text NOT NULL,
    size bigint NOT NULL CHECK (size > 0),
    root bytea NOT NULL CHECK (octet_length(root) = 32),
    note text NOT NULL,
    signed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (agency_id, size)
);
COMMENT ON COLUMN log_checkpoint.note IS 'the signed note as it is served';

-- Which agencies have a tree; names alone, so without row-level security.
CREATE TABLE log_agency (agency_id text PRIMARY KEY);

-- A record without its leaf cannot be committed, whatever the program does. NOT VALID: records from
-- before the log are not in it.
ALTER TABLE access_record ADD CONSTRAINT access_record_is_in_the_log
    FOREIGN KEY (record_id) REFERENCES log_leaf (record_id) NOT VALID;

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['log_leaf', 'log_salt', 'log_entry', 'log_node', 'log_checkpoint']
    LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format(
            'CREATE POLICY %I ON %I USING (agency_id = current_setting(''alpr.agency_id'', true)) '
            'WITH CHECK (agency_id = current_setting(''alpr.agency_id'', true))',
            name || '_of_agency', name);
    END LOOP;
END
$$;

REVOKE UPDATE, DELETE ON log_leaf, log_salt, log_node, log_checkpoint, log_agency
    FROM alpr_access_log;
-- These two change only together, by sequence_leaves and the trigger: no leaf can be dropped from
-- the queue without having got its place, and none can stay out of the queue.
REVOKE INSERT, UPDATE, DELETE ON log_pending, log_entry FROM alpr_access_log;

CREATE FUNCTION queue_leaves() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = access_log, pg_temp
AS $$
BEGIN
    INSERT INTO log_pending (agency_id, leaf_sequence) SELECT agency_id, leaf_sequence FROM added;
    RETURN NULL;
END
$$;
CREATE TRIGGER queue_leaves AFTER INSERT ON log_leaf
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION queue_leaves();

-- Gives waiting leaves of one agency the next indexes, without gaps, and returns their hashes in
-- that order. The caller holds the agency's advisory lock; the primary key stands behind it.
CREATE FUNCTION sequence_leaves(agency text, most integer)
RETURNS TABLE (entry_index bigint, leaf_hash bytea, appended_at timestamptz)
LANGUAGE sql SECURITY DEFINER SET search_path = access_log, pg_temp
AS $$
    WITH begin_at AS (
        SELECT coalesce(max(e.entry_index) + 1, 0) AS first_index
        FROM log_entry e WHERE e.agency_id = agency
    ), chosen AS (
        SELECT p.leaf_sequence, l.entry, l.appended_at
        FROM log_pending p JOIN log_leaf l USING (leaf_sequence)
        WHERE p.agency_id = agency ORDER BY p.leaf_sequence LIMIT most
    ), gone AS (
        DELETE FROM log_pending p USING chosen c
        WHERE p.agency_id = agency AND p.leaf_sequence = c.leaf_sequence
    ), numbered AS (
        SELECT c.leaf_sequence, c.appended_at,
            b.first_index + row_number() OVER (ORDER BY c.leaf_sequence) - 1 AS entry_index,
            sha256('\x00'::bytea || c.entry) AS leaf_hash
        FROM chosen c CROSS JOIN begin_at b
    ), entered AS (
        INSERT INTO log_entry (agency_id, entry_index, leaf_sequence, leaf_hash)
        SELECT agency, n.entry_index, n.leaf_sequence, n.leaf_hash FROM numbered n
    )
    SELECT n.entry_index, n.leaf_hash, n.appended_at FROM numbered n ORDER BY n.entry_index
$$;
