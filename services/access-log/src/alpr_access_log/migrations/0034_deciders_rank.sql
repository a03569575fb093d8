-- The rank of who decided, as it was then; NULL: not on record.
ALTER TABLE search_approval ADD COLUMN decided_by_rank text CHECK (decided_by_rank <> '');
GRANT UPDATE (decided_by_rank) ON search_approval TO alpr_access_log;
