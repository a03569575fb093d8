"""All SQL of the audit. Functions take a connection inside the caller's transaction, which was
opened for the agency: row-level security knows no other rows."""
