-- A version of an import keeps what was before it, and no copy of what it made: that is the next
-- version's `before`, or the entry as it is now. It was two thirds of what an import writes.
ALTER TABLE hotlist_entry_version ALTER COLUMN after DROP NOT NULL;
-- Ascending, read backwards: an import's entries come in the order of their ids, at its end.
CREATE INDEX hotlist_entry_of_agency ON hotlist_entry (agency_id, added_at, entry_id);
DROP INDEX hotlist_entry_by_agency;
