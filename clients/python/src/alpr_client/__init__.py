"""The typed REST client and the alpr command."""
