-- Under which secret a recovery code was hashed: one that no code rests on any more can go.
-- NULL: from before this was noted.
ALTER TABLE recovery_code ADD COLUMN key_id text;
