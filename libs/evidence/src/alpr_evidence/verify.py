"""Checks a package offline: every byte against its manifests, the seal, and the log's proofs."""

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path

from alpr_evidence.bag import SIGNATURE, TAG_MANIFEST, Bag, BagInvalid, bag_info, read_bag
from alpr_evidence.package import CHECKPOINT, PROOFS, signed_text
from alpr_translog.checkpoint import Checkpoint
from alpr_translog.merkle import ProofInvalid, leaf_hash, verify_inclusion
from alpr_translog.note import NoteInvalid, VerifierKey, open_note


@dataclass
class Report:
    """What was found; the package is good when `faults` is empty."""

    inventory_number: str = ""
    info: dict[str, str] = field(default_factory=dict)
    files: int = 0
    log_entries: int = 0
    faults: list[str] = field(default_factory=list)

    @property
    def is_good(self) -> bool:
        return not self.faults


def verify_package(
    source: Path, seal_key: VerifierKey, log_key: VerifierKey | None = None
) -> Report:
    """Check the package; `log_key` is needed when it carries proofs from the access log."""
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
        _check_proofs(bag, log_key, report)
    return report


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


def _check_proofs(bag: Bag, key: VerifierKey | None, report: Report) -> None:
    if key is None:
        report.faults.append("log: the package has proofs; give the log's verifier key")
        return
    try:
        note = bag.payload.get(CHECKPOINT, b"").decode("utf-8", "replace")
        checkpoint = Checkpoint.open(note, key)
        for proof in json.loads(bag.payload[PROOFS]):
            leaf = leaf_hash(bytes.fromhex(proof["entry"]))
            path = [bytes.fromhex(part) for part in proof["path"]]
            verify_inclusion(leaf, int(proof["index"]), checkpoint.size, path, checkpoint.root)
            report.log_entries += 1
    except (NoteInvalid, ProofInvalid) as error:
        report.faults.append(f"log: {error}")
    except (ValueError, KeyError, TypeError) as error:
        report.faults.append(f"log: the proofs are malformed: {error!r}")
