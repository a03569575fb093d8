-- Patterns that begin with a wildcard ("*2345") end in characters that are known: read backwards they
-- are a range as prefixes are. A stored column, because a policy lets an index serve a comparison
-- (leakproof) and not reverse(); of the match key, because that serves look-alikes as well and an
-- exact pattern is filtered from what the range leaves.
ALTER TABLE read ADD COLUMN match_key_reversed text COLLATE "C"
    GENERATED ALWAYS AS (reverse(match_key)) STORED;
CREATE INDEX read_match_key_reversed ON read (agency_id, match_key_reversed, captured_at);
ALTER TABLE held_read ADD COLUMN match_key_reversed text COLLATE "C"
    GENERATED ALWAYS AS (reverse(match_key)) STORED;
CREATE INDEX held_read_match_key_reversed ON held_read (agency_id, match_key_reversed, captured_at);
