"""Retro-match: stored reads against new hot list entries, a logged system access."""
