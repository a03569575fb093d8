"""Puts hits before people and records what they decide."""
