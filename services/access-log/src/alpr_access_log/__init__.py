"""Stored reads and the only door to them."""
