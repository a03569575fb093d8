"""Legal holds: what is named is copied out of retention's way."""
