-- Wrong codes at the confirmation of a new secret: who only has the token must not find one.
ALTER TABLE second_factor ADD COLUMN pending_failures integer NOT NULL DEFAULT 0;
