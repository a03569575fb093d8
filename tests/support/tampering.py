"""Logs as files, and what an attacker may do to them."""

from __future__ import annotations

import random
from collections.abc import Callable

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from alpr_translog.checkpoint import Checkpoint
from alpr_translog.merkle import root_of
from alpr_translog.note import SignerKey
from alpr_translog.tiles import build_tiles, bundles_of, encode_bundle, hash_reader
from alpr_translog.verify import Fetch

SIGNER = SignerKey("alpr.example/log", Ed25519PrivateKey.from_private_bytes(b"\x07" * 32))
Files = dict[str, bytes]
TRIALS = 200
"""Seeds of the tampering trials."""


def log_files(entries: list[bytes]) -> Files:
    """A log as its owner (or an attacker with the owner's key) publishes it."""
    tiles = build_tiles(entries)
    files = {tile.path: data for tile, data in tiles.items()}
    for bundle in bundles_of(len(entries)):
        begin = bundle.index * 256
        files[bundle.path] = encode_bundle(entries[begin : begin + bundle.width])
    root = root_of(hash_reader(tiles.__getitem__, len(entries)), len(entries))
    checkpoint = Checkpoint(SIGNER.name, len(entries), root)
    files["checkpoint"] = checkpoint.sign(SIGNER).encode()
    return files


def source(files: Files) -> Fetch:
    def fetch(path: str) -> bytes:
        if path not in files:
            raise FileNotFoundError(path)
        return files[path]

    return fetch


def edit(entries: list[bytes], rng: random.Random, covered: int) -> list[bytes]:
    at = rng.randrange(covered)
    return [*entries[:at], entries[at] + b"!", *entries[at + 1 :]]


def delete(entries: list[bytes], rng: random.Random, covered: int) -> list[bytes]:
    at = rng.randrange(covered)
    return entries[:at] + entries[at + 1 :]


def reorder(entries: list[bytes], rng: random.Random, covered: int) -> list[bytes]:
    a, b = rng.sample(range(covered), 2)
    changed = list(entries)
    changed[a], changed[b] = changed[b], changed[a]
    return changed


def truncate(entries: list[bytes], rng: random.Random, covered: int) -> list[bytes]:
    return entries[: rng.randrange(1, covered)]


def fork(entries: list[bytes], rng: random.Random, covered: int) -> list[bytes]:
    at = rng.randrange(covered)
    return entries[:at] + [b"another %d" % n for n in range(len(entries) - at)]


ATTACKS: list[Callable[[list[bytes], random.Random, int], list[bytes]]] = [
    edit,
    delete,
    reorder,
    truncate,
    fork,
]


def attack(trial: int) -> tuple[str, list[bytes]]:
    """A held checkpoint (signed note), and the attacked entries of the log that it covered."""
    rng = random.Random(trial)
    covered = rng.randrange(2, 600)
    entries = [b"entry %d" % n for n in range(covered + rng.randrange(0, 300))]
    held = log_files(entries[:covered])["checkpoint"].decode()
    return held, ATTACKS[trial % len(ATTACKS)](entries, rng, covered)
