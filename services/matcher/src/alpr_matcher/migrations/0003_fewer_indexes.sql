-- Every index is written a million times by a first import: one by match key serves the composing
-- of records (live entries), the search for a plate (all of them) and both under row security.
CREATE INDEX hotlist_entry_of_key ON hotlist_entry (match_key);
DROP INDEX hotlist_entry_by_key;
DROP INDEX hotlist_entry_by_agency_and_key;
