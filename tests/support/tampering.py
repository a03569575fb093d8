"""Logs as files, and what an attacker may do to them, before and after the key was changed."""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from alpr_translog.checkpoint import Checkpoint
from alpr_translog.handover import KIND, HandOver
from alpr_translog.merkle import root_of
from alpr_translog.note import SignerKey, VerifierKey, sign_note
from alpr_translog.tiles import build_tiles, bundles_of, encode_bundle, hash_reader
from alpr_translog.verify import Fetch


def _signer(seed: int) -> SignerKey:
    return SignerKey("alpr.example/log", Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32))


SIGNER, NEXT, THIEF = _signer(7), _signer(8), _signer(9)
"""The log's key, the one that it hands over to, and one of somebody else's making."""
Files = dict[str, bytes]
TRIALS = 240
"""Seeds of the tampering trials: each of the 13 kinds of attack eighteen times and more."""


def log_files(entries: list[bytes], *signers: SignerKey) -> Files:
    """A log as its owner (or an attacker with the owner's keys) publishes it."""
    tiles = build_tiles(entries)
    files = {tile.path: data for tile, data in tiles.items()}
    for bundle in bundles_of(len(entries)):
        begin = bundle.index * 256
        files[bundle.path] = encode_bundle(entries[begin : begin + bundle.width])
    checkpoint = Checkpoint(SIGNER.name, len(entries), root(entries))
    files["checkpoint"] = checkpoint.sign(*(signers or (SIGNER,))).encode()
    return files


def note(entries: list[bytes], *signers: SignerKey) -> str:
    """The checkpoint over those entries."""
    return log_files(entries, *signers)["checkpoint"].decode()


def root(entries: list[bytes]) -> bytes:
    return root_of(hash_reader(build_tiles(entries).__getitem__, len(entries)), len(entries))


def hand_over(
    before: list[bytes], old: SignerKey = SIGNER, new: SignerKey = NEXT,
    forger: SignerKey | None = None,
) -> bytes:  # fmt: skip
    """The entry after those that hands over from `old` to `new`; a forger signs in `old`'s name."""
    made = HandOver(len(before), root(before), old.verifier, new.verifier)
    signature = (forger or old).private_key.sign(made.text.encode())
    named = base64.b64encode(old.verifier.key_id + signature).decode()
    statement = f"{sign_note(made.text, new)}\u2014 {old.name} {named}\n"
    said = {"agency_id": "IL0222900", "kind": KIND, "statement": statement, "version": 1}
    return json.dumps(said, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()


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


@dataclass(frozen=True)
class Attack:
    """What an outsider has, a key and a checkpoint, and the log that they are shown."""

    kind: str
    key: VerifierKey
    held: Sequence[str]
    entries: list[bytes]
    files: Files


def attack(trial: int) -> Attack:
    """By somebody who has the database and, where the attack's name says nothing else, all keys
    that signed the log."""
    rng = random.Random(trial)
    number = trial % (len(ATTACKS) + len(ROTATED))
    covered = rng.randrange(2, 600)
    entries = [b"entry %d" % n for n in range(covered + rng.randrange(0, 300))]
    if number < len(ATTACKS):
        change = ATTACKS[number]
        key, held, signers = SIGNER, [note(entries[:covered])], (SIGNER,)
        return _attack(change.__name__, (key, held, change(entries, rng, covered), signers))
    made = ROTATED[number - len(ATTACKS)]
    return _attack(made.__name__, made(entries, rng, covered))


def _attack(name: str, shown: Shown) -> Attack:
    key, held, entries, signers = shown
    return Attack(name, key.verifier, held, entries, log_files(entries, *signers))


Shown = tuple[SignerKey, list[str], list[bytes], tuple[SignerKey, ...]]
"""The outsider's key, their checkpoints, the entries that they are shown, and who signed them."""


def rotated(entries: list[bytes], at: int) -> list[bytes]:
    """The log with a hand-over from SIGNER to NEXT as entry `at`."""
    return [*entries[:at], hand_over(entries[:at]), *entries[at:]]


def rewritten_after_both_signed(entries: list[bytes], rng: random.Random, covered: int) -> Shown:
    """The whole log anew, with its hand-over made again, by who has both keys."""
    true = rotated(entries, covered)
    held = rng.choice([note(true[:covered]), note(true[: covered + 1], NEXT, SIGNER)])
    attacked = rotated(rng.choice([edit, delete, reorder])(entries, rng, covered), covered - 1)
    return rng.choice([SIGNER, NEXT]), [held], attacked, (NEXT, SIGNER)


def handed_over_without_the_old_key(entries: list[bytes], rng: random.Random, at: int) -> Shown:
    forged = hand_over(entries[:at], SIGNER, THIEF, forger=THIEF)
    return rng.choice([SIGNER, THIEF]), [], [*entries[:at], forged, *entries[at:]], (THIEF,)


def history_rewritten_with_the_new_key_alone(
    entries: list[bytes], rng: random.Random, at: int
) -> Shown:
    true = rotated(entries, at)
    attacked = rng.choice([edit, reorder])(true, rng, at)
    return rng.choice([SIGNER, NEXT]), [], attacked, (NEXT,)


def hand_over_left_out(entries: list[bytes], rng: random.Random, covered: int) -> Shown:
    return SIGNER, [], entries, (NEXT,)


def handed_over_twice(entries: list[bytes], rng: random.Random, at: int) -> Shown:
    """The true hand-over, and a later one by who stole the old key."""
    true = rotated(entries, at)
    second = hand_over(true, SIGNER, THIEF)
    signers = rng.choice([(NEXT,), (THIEF,), (NEXT, SIGNER, THIEF)])
    return rng.choice([SIGNER, NEXT, THIEF]), [], [*true, second], signers


def handed_over_elsewhere_by_a_stolen_key(
    entries: list[bytes], rng: random.Random, at: int
) -> Shown:
    """Somebody saw the true hand-over, or has its key; the thief hands over another way."""
    true = rotated(entries, at)
    early = rng.randrange(1, at)
    fork_ = [*entries[:early], hand_over(entries[:early], SIGNER, THIEF), *entries[early:]]
    key, held = rng.choice([(NEXT, []), (SIGNER, [note(true, NEXT, SIGNER)])])
    return key, held, fork_, (THIEF, SIGNER)


def gone_on_with_a_retired_key(entries: list[bytes], rng: random.Random, at: int) -> Shown:
    """By who stole the old key; after the hand-over it counts no more."""
    true = rotated(entries, at)
    if rng.random() < 0.5:
        return rng.choice([SIGNER, NEXT]), [], true, (SIGNER,)
    return SIGNER, [note([*true, b"another"], SIGNER)], [*true, b"one more"], (NEXT,)


def hand_over_moved(entries: list[bytes], rng: random.Random, at: int) -> Shown:
    true = rotated(entries, at)
    moved = [*true[:at], *true[at + 1 :]]
    to = rng.choice([n for n in range(len(moved) + 1) if n != at])
    moved.insert(to, true[at])
    return rng.choice([SIGNER, NEXT]), [], moved, (NEXT,)


ROTATED: list[Callable[[list[bytes], random.Random, int], Shown]] = [
    rewritten_after_both_signed,
    handed_over_without_the_old_key,
    history_rewritten_with_the_new_key_alone,
    hand_over_left_out,
    handed_over_twice,
    handed_over_elsewhere_by_a_stolen_key,
    gone_on_with_a_retired_key,
    hand_over_moved,
]
