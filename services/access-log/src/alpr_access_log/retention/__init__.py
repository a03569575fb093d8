"""Retention: what has passed its time goes, with a certificate in the log."""
