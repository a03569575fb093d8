-- Between the vacuum and the sampling of a table that was just filled, PostgreSQL knows of a million
-- rows and of no keys. It then looked for each key among the live entries of all lists, half a minute
-- for a portion. There is one good way to a key, whatever the statistics say: its index.
ALTER FUNCTION compose_records(text[], timestamptz) SET enable_bitmapscan TO off;
ALTER FUNCTION compose_records(text[], timestamptz) SET enable_seqscan TO off;
