"""The verifiable log: every access record has its leaf in its agency's Merkle tree."""
