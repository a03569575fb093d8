"""Hand-overs outside of their log, each with the proof that one checkpoint is of the same log.

Who has a single checkpoint and not the log (that of an evidence package) gets with them from the
key that they trust to the one that signed it. The statement of a hand-over alone would not do: a
key that was stolen after it had handed over can still sign, and so what it signed has to be proven
to be part of what it handed over.
"""

import base64
import binascii
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from alpr_translog.checkpoint import Checkpoint
from alpr_translog.handover import HandOver, HandOverInvalid, Lineage, hand_over_in
from alpr_translog.merkle import ProofInvalid, leaf_hash, verify_consistency, verify_inclusion
from alpr_translog.note import NoteInvalid, VerifierKey

Path = tuple[bytes, ...]


@dataclass(frozen=True)
class ProvenHandOver:
    """A hand-over's entry, and its proofs towards a checkpoint of some size; None: not given."""

    index: int
    entry: bytes
    consistency: Path | None = None
    """That of the tree before the entry and the checkpoint's the smaller is the other's begin."""
    inclusion: Path | None = None
    """That the checkpoint's tree holds the entry, where it is large enough."""

    def to_json(self) -> dict[str, Any]:
        said: dict[str, Any] = {"index": self.index, "entry": _text(self.entry)}
        for name, path in (("consistency", self.consistency), ("inclusion", self.inclusion)):
            if path is not None:
                said[name] = [_text(part) for part in path]
        return said


def to_json(given: Iterable[ProvenHandOver]) -> bytes:
    """As a file, which `read` reads; the log's server answers the same."""
    said = {"items": [one.to_json() for one in given]}
    return json.dumps(said, indent=1, sort_keys=True).encode()


def read(content: bytes) -> list[ProvenHandOver]:
    """From a file or from a server's answer; raises `HandOverInvalid`, and nothing else."""
    try:
        return [
            ProvenHandOver(
                _number(item["index"]), _bytes(item["entry"]), _path(item.get("consistency")),
                _path(item.get("inclusion")),
            )
            for item in json.loads(content)["items"]
        ]  # fmt: skip
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise HandOverInvalid(f"these are no hand-overs: {error!r}") from error


def opened(
    note: str, key: VerifierKey, given: Sequence[ProvenHandOver]
) -> tuple[Checkpoint, Lineage]:
    """The checkpoint in a note, signed by the key of its size, to which hand-overs lead from `key`.

    Whatever is given is checked, needed or not; what is needed has to be proven. Raises
    `HandOverInvalid`, `NoteInvalid`, `ProofInvalid`.
    """
    chain = _chain(given)
    lineage = Lineage.through(key, [found for found, _ in chain])
    checkpoint = lineage.open(note)
    places = sorted((lineage.keys.index(key), _place(lineage, checkpoint.size)))
    for number, (found, proof) in enumerate(chain):
        _check(found, proof, checkpoint, is_needed=places[0] <= number < places[1])
    return checkpoint, lineage


def _place(lineage: Lineage, size: int) -> int:
    return lineage.keys.index(lineage.key_at(size))


def _chain(given: Sequence[ProvenHandOver]) -> list[tuple[HandOver, ProvenHandOver]]:
    """In the log's order, each entry once, with the proofs of whoever gave some."""
    entries: dict[int, ProvenHandOver] = {}
    for one in given:
        known = entries.setdefault(one.index, one)
        if known.entry != one.entry:
            raise HandOverInvalid(f"entry {one.index}: there are two different hand-overs")
        if known.consistency is None:
            entries[one.index] = one
    chain = []
    for index, one in sorted(entries.items()):
        found = hand_over_in(one.entry, index)
        if found is None:
            raise HandOverInvalid(f"entry {index}: this is no hand-over")
        chain.append((found, one))
    return chain


def _check(
    found: HandOver, proof: ProvenHandOver, checkpoint: Checkpoint, *, is_needed: bool
) -> None:
    is_within = found.size < checkpoint.size
    if proof.consistency is None or (is_within and proof.inclusion is None):
        if is_needed:
            raise HandOverInvalid(
                f"entry {found.size}: nothing proves that the log that was handed over is that of "
                f"the checkpoint; ask the log for its hand-overs with size={checkpoint.size}"
            )
        return
    try:
        if is_within and proof.inclusion is not None:
            leaf = leaf_hash(proof.entry)
            verify_inclusion(leaf, found.size, checkpoint.size, proof.inclusion, checkpoint.root)
        ends = sorted(((found.size, found.root), (checkpoint.size, checkpoint.root)))
        (old_size, old_root), (new_size, new_root) = ends
        if old_size:  # everything extends a log without entries
            verify_consistency(old_size, new_size, old_root, new_root, proof.consistency)
    except ProofInvalid as error:
        raise ProofInvalid(
            f"entry {found.size}: {found.old.key_id.hex()} handed over another log than that of "
            f"the checkpoint: {error}"
        ) from error


@dataclass(frozen=True)
class Consistency:
    """The proof that a tree of `old_size` entries is the begin of one of `new_size`."""

    old_size: int
    new_size: int
    path: Path

    @classmethod
    def read(cls, content: bytes) -> "Consistency":
        """From a file or from a server's answer; raises `ProofInvalid`, and nothing else."""
        try:
            said = json.loads(content)
            path = _path(said["path"])
            if path is None:
                raise ValueError("no path")
            return cls(_number(said["old_size"]), _number(said["new_size"]), path)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise ProofInvalid(f"this is no proof of consistency: {error!r}") from error


def signer_among(note: str, given: Sequence[ProvenHandOver]) -> VerifierKey | None:
    """Which of the keys in hand-overs signed a note that one trusts; None for none of them.

    Raises `HandOverInvalid`.
    """
    for found, _ in _chain(given):
        for key in (found.old, found.new):
            try:
                Checkpoint.open(note, key)
            except NoteInvalid:
                continue
            return key
    return None


def _number(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(f"{value!r} is no number of entries")
    return value


def _path(value: object) -> Path | None:
    if value is None:
        return None
    if not isinstance(value, list):
        raise ValueError("a proof is a list of hashes")
    return tuple(_bytes(part) for part in value)


def _bytes(value: object) -> bytes:
    if not isinstance(value, str):
        raise ValueError("bytes are written as base64")
    try:
        return base64.b64decode(value, validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from error


def _text(value: bytes) -> str:
    return base64.b64encode(value).decode()
