"""Seeded synthetic pictures of plates: lettering, capture faults, whole scenes."""
