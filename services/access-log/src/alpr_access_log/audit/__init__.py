"""The yearly audit (131.5-d): usage, passwords, training, the log itself, and what asks for a human
to look at it. Findings are hints with their reasons; nothing is decided here."""
