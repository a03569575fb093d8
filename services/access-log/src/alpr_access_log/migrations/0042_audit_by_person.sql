-- The audit looks at a year person by person, so that it never holds more than one person's months.
CREATE INDEX access_record_person_time
    ON access_record (agency_id, person_id, occurred_at, record_sequence);
