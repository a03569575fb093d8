-- Which of the policy's supervisor ranks somebody has; '': not on record. `rank` stays as it was,
-- the title in the agency's own words: authority does not follow from what was once typed there.
ALTER TABLE person ADD COLUMN supervisor_rank text NOT NULL DEFAULT '';
