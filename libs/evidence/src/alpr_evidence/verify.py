"""Checks a package offline: every byte against its manifests, the seal, and the log's proofs."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from alpr_evidence.bag import SIGNATURE, TAG_MANIFEST, Bag, BagInvalid, bag_info, read_bag
from alpr_evidence.package import CHECKPOINT, HAND_OVERS, PROOFS, signed_text
from alpr_translog.checkpoint import Checkpoint
from alpr_translog.handover import HandOverInvalid, Lineage, claimed_by
from alpr_translog.merkle import ProofInvalid, leaf_hash, verify_consistency, verify_inclusion
from alpr_translog.note import NoteInvalid, VerifierKey, open_note
from alpr_translog.proven import Consistency, ProvenHandOver, opened, signer_among
from alpr_translog.proven import read as read_hand_overs


@dataclass(frozen=True)
class Beside:
    """What somebody has of the log beside its key; all of it may be missing."""

    hand_overs: Sequence[ProvenHandOver] = ()
    """Those since the package was sealed, proven towards its checkpoint."""
    held: Sequence[str] = ()
    """Checkpoints of the log that were kept elsewhere; they stand in for the key, too."""
    consistency: Sequence[Consistency] = ()
    """Proofs between the sizes of those and of the package's checkpoint."""


NOTHING: Final = Beside()


@dataclass
class Report:
    """What was found; the package is good when `faults` is empty."""

    inventory_number: str = ""
    info: dict[str, str] = field(default_factory=dict)
    files: int = 0
    log_entries: int = 0
    lineage: Lineage | None = None
    """The log's keys, as far as they are known here."""
    held: list[int] = field(default_factory=list)
    """Sizes of the held checkpoints that the package's was found to be of one log with."""
    faults: list[str] = field(default_factory=list)

    @property
    def is_good(self) -> bool:
        return not self.faults


def verify_package(
    source: Path, seal_key: VerifierKey, log_key: VerifierKey | None = None,
    beside: Beside = NOTHING,
) -> Report:  # fmt: skip
    """Check the package. When it carries proofs from the access log, `log_key` is needed (any that
    the log ever had, if hand-overs lead from it to the one that signed) or a held checkpoint."""
    report = Report()
    try:
        bag = read_bag(source)
    except BagInvalid as error:
        report.faults.append(str(error))
        return report
    report.inventory_number, report.info = bag.name, bag_info(bag)
    report.files = len(bag.payload)
    report.faults += bag.faults
    _check_seal(bag, seal_key, report)
    if PROOFS in bag.payload:
        _check_proofs(bag, log_key, beside, report)
    return report


def log_size(source: Path) -> int | None:
    """How many entries the package's checkpoint says that the log had; None where it has none.

    Nothing is checked: it is what to ask the log's hand-overs for. Raises `BagInvalid`.
    """
    note = read_bag(source).payload.get(CHECKPOINT)
    if note is None:
        return None
    text = note.decode("utf-8", "replace")
    try:
        return claimed_by(text, text.partition("\n")[0]).size
    except NoteInvalid:
        return None


def _check_seal(bag: Bag, key: VerifierKey, report: Report) -> None:
    if SIGNATURE not in bag.tags:
        report.faults.append("the package is not signed")
        return
    try:
        text = open_note(bag.tags[SIGNATURE].decode("utf-8", "replace"), key)
    except NoteInvalid as error:
        report.faults.append(f"seal: {error}")
        return
    digest = hashlib.sha256(bag.tags[TAG_MANIFEST]).hexdigest()
    if text != signed_text(bag.name, digest):
        report.faults.append("seal: it was put on another package")


def _check_proofs(bag: Bag, key: VerifierKey | None, beside: Beside, report: Report) -> None:
    try:
        given = [*_carried(bag), *beside.hand_overs]
        note = bag.payload.get(CHECKPOINT, b"").decode("utf-8", "replace")
        checkpoint = _trusted(note, key, given, beside, report)
        for proof in json.loads(bag.payload[PROOFS]):
            leaf = leaf_hash(bytes.fromhex(proof["entry"]))
            path = [bytes.fromhex(part) for part in proof["path"]]
            verify_inclusion(leaf, int(proof["index"]), checkpoint.size, path, checkpoint.root)
            report.log_entries += 1
    except (NoteInvalid, ProofInvalid, HandOverInvalid) as error:
        report.faults.append(f"log: {error}")
    except (ValueError, KeyError, TypeError) as error:
        report.faults.append(f"log: the proofs are malformed: {error!r}")


def _carried(bag: Bag) -> list[ProvenHandOver]:
    return read_hand_overs(bag.payload[HAND_OVERS]) if HAND_OVERS in bag.payload else []


def _trusted(
    note: str, key: VerifierKey | None, given: Sequence[ProvenHandOver], beside: Beside,
    report: Report,
) -> Checkpoint:  # fmt: skip
    """The package's checkpoint: signed by the key, or by one that hand-overs lead to from there,
    or part of the log that a held checkpoint is of. Raises what is wrong."""
    for held in beside.held if key is None else ():
        key = signer_among(held, given) if key is None else key
    if key is None:
        return _held_alone(note, beside, report)
    try:
        checkpoint, report.lineage = opened(note, key, given)
    except NoteInvalid as error:
        if given:
            raise
        raise NoteInvalid(
            f"{error}; if the log's key was changed since, give the log's hand-overs, too"
        ) from error
    for held in beside.held:
        _compare(report.lineage.open(held), checkpoint, beside, report)
    return checkpoint


def _held_alone(note: str, beside: Beside, report: Report) -> Checkpoint:
    """Without any key: a held checkpoint vouches for what is not larger."""
    if not beside.held:
        raise NoteInvalid("the package has proofs; give the log's verifier key")
    origin = note.partition("\n")[0]
    checkpoint = claimed_by(note, origin)
    held = [claimed_by(one, origin) for one in beside.held]
    if max(one.size for one in held) < checkpoint.size:
        raise NoteInvalid(
            f"the package's checkpoint has {checkpoint.size} entries, more than what is held; give "
            "the log's verifier key, too"
        )
    for one in held:
        _compare(one, checkpoint, beside, report)
    return checkpoint


def _compare(held: Checkpoint, checkpoint: Checkpoint, beside: Beside, report: Report) -> None:
    """Raise `ProofInvalid` unless both are of one log."""
    if held.size == checkpoint.size:
        if held.root != checkpoint.root:
            raise ProofInvalid(f"the held checkpoint of {held.size} entries is of another log")
    else:
        small, large = sorted((held, checkpoint), key=lambda one: one.size)
        sizes = small.size, large.size
        paths = [one.path for one in beside.consistency if (one.old_size, one.new_size) == sizes]
        if not paths:
            raise ProofInvalid(
                f"the held checkpoint of {held.size} entries cannot be compared: give the log's "
                f"proof of consistency with old_size={small.size} and new_size={large.size}"
            )
        try:
            verify_consistency(*sizes, small.root, large.root, paths[0])
        except ProofInvalid as error:
            raise ProofInvalid(
                f"the held checkpoint of {held.size} entries is of another log: {error}"
            ) from error
    report.held.append(held.size)
