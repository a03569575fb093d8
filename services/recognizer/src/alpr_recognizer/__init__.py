"""Turns frames into plate crops and reads."""
