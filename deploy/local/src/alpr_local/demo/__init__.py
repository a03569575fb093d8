"""`make demo`: street scenes of our own, the whole line started, a page to look at."""
