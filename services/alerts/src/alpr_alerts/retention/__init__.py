"""Retention of alerts (131.7-1d): when their reads go, what is kept of them, and the proof."""
