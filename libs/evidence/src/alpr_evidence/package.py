"""Sealing a package: payload, tag files, and a signature over them all."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from alpr_evidence.bag import SIGNATURE, TAG_MANIFEST, tag_files, write_bag
from alpr_translog.note import SignerKey, sign_note
from alpr_translog.proven import ProvenHandOver
from alpr_translog.proven import to_json as hand_overs_json

FORMAT = "alpr evidence package v1"
LOG_FOLDER = "data/log/"
CHECKPOINT = LOG_FOLDER + "checkpoint"
PROOFS = LOG_FOLDER + "proofs.json"
HAND_OVERS = LOG_FOLDER + "hand-overs.json"


@dataclass(frozen=True)
class LogProof:
    """One entry of the access log and where it is in the tree that the checkpoint commits to."""

    index: int
    entry: bytes
    path: tuple[bytes, ...]


@dataclass(frozen=True)
class Custody:
    """One link of the chain of custody."""

    at: datetime
    person: str
    action: str


@dataclass(frozen=True)
class Contents:
    """What goes into a package. Files are by path below `data/`, without it."""

    inventory_number: str
    case_number: str
    agency_id: str
    prepared_by: str
    prepared_at: datetime
    files: Mapping[str, bytes]
    custody: Sequence[Custody]
    checkpoint: str | None = None
    """A signed checkpoint of the access log; needed when there are proofs."""
    proofs: Sequence[LogProof] = field(default_factory=tuple)
    hand_overs: Sequence[ProvenHandOver] = field(default_factory=tuple)
    """Those of the log so far, proven towards the checkpoint: whoever has one of the log's earlier
    keys alone gets from it to the one that signed."""


def seal(target: Path, contents: Contents, signer: SignerKey) -> str:
    """Write the package to `target` (which must not exist); returns its tag manifest's SHA-256.

    Raises ValueError when the contents cannot be packed.
    """
    payload = {f"data/{path}": data for path, data in contents.files.items()}
    payload["data/custody.json"] = _json(
        [{"at": c.at.isoformat(), "person": c.person, "action": c.action} for c in contents.custody]
    )
    if contents.proofs:
        if contents.checkpoint is None:
            raise ValueError("log proofs need the checkpoint that they lead to")
        payload[CHECKPOINT] = contents.checkpoint.encode()
        payload[PROOFS] = _json([_proof(proof) for proof in contents.proofs])
        if contents.hand_overs:
            payload[HAND_OVERS] = hand_overs_json(contents.hand_overs)
    tags = tag_files(
        payload,
        [
            ("Source-Organization", contents.agency_id),
            ("External-Identifier", contents.inventory_number),
            ("External-Description", f"Evidence for case {contents.case_number}"),
            ("Contact-Name", contents.prepared_by),
            ("Bagging-Date", contents.prepared_at.date().isoformat()),
        ],
    )
    digest = hashlib.sha256(tags[TAG_MANIFEST]).hexdigest()
    note = sign_note(signed_text(contents.inventory_number, digest), signer)
    write_bag(target, contents.inventory_number, payload, {**tags, SIGNATURE: note.encode()})
    return digest


def signed_text(inventory_number: str, digest: str) -> str:
    """What the signature is over: format, inventory number, hash of the tag manifest."""
    return f"{FORMAT}\n{inventory_number}\n{digest}\n"


def _proof(proof: LogProof) -> dict[str, Any]:
    return {
        "index": proof.index,
        "entry": proof.entry.hex(),
        "path": [part.hex() for part in proof.path],
    }


def _json(value: Any) -> bytes:
    return json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False).encode()
