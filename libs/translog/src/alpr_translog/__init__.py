"""A verifiable log, of which anybody can check that nothing was changed, removed or reordered.

RFC 9162 Merkle tree hashing, C2SP `tlog-tiles` layout, `tlog-checkpoint`s in `signed-note` form
with Ed25519. Only the standard library and `cryptography`: an auditor reads all of it in an hour,
and it knows nothing of how the log is stored.
"""
