"""People, roles, training, sign-in and tokens."""
