"""What the verifiable log says of one access: the leaf's bytes. Pure.

A leaf is canonical JSON: UTF-8, members sorted, no spaces, integers and strings alone. What may
have to be forgotten one day (a name, free text) is in it only as a salted SHA-256; text and salt
are stored beside, and a leaf stays true when both are erased.
"""

import hashlib
import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from alpr_access_log.domain import AccessRecord, Who
from alpr_common.messages.audit import AuditRecord
from alpr_translog.tiles import ENTRY_MAX_BYTES

VERSION = 1
FORGETTABLE = ("person_name", "suspicion", "refusal_detail", "details")
"""Columns of an access record that a leaf holds as salted hashes."""
SALT_BYTES = 32
_NEVER_FOLDED = frozenset({"version", "kind", "record_id", "agency_id", "occurred_at"})

NewSalt = Callable[[], bytes]


@dataclass(frozen=True)
class Leaf:
    """One entry of an agency's log, and the salts of what it holds hashed, by field."""

    record_id: UUID
    agency_id: str
    entry: bytes
    salts: Mapping[str, bytes] = field(default_factory=dict)


def new_salt() -> bytes:
    return secrets.token_bytes(SALT_BYTES)


def text_digest(salt: bytes, text: str) -> str:
    """SHA-256 of salt and UTF-8 text, in hex. Without the salt the text cannot be guessed."""
    return hashlib.sha256(salt + text.encode()).hexdigest()


def access_leaf(record: AccessRecord, salt: NewSalt = new_salt) -> Leaf:
    """The leaf of an access record: who, what, why, when, outcome."""
    texts = forgettable_texts(record)
    salts = {name: salt() for name in texts}
    who, refusal = record.who, record.refusal
    said: dict[str, Any] = {
        "who": _present(
            person_id=who.person_id, role=who.role, session_id=who.session_id, address=who.address
        ),
        "service": record.service,
        "action": record.action,
        "subject": record.subject,
        "outcome": record.outcome,
        "access_id": record.access_id and str(record.access_id),
        "purpose": record.purpose,
        "case_number": record.case_number,
        "query": record.query,
        "returned_count": len(record.returned),
        "read_ids": [str(read_id) for read_id in record.returned] or None,
        "refusal": refusal and _present(code=refusal.code, clause=refusal.clause),
        "salted_sha256": {n: text_digest(salts[n], text) for n, text in texts.items()} or None,
    }
    entry = _entry("access", record.record_id, who.agency_id, record.occurred_at, said)
    return Leaf(record.record_id, who.agency_id, entry, salts)


def statement_leaf(
    kind: str, record_id: UUID, agency_id: str, occurred_at: datetime, facts: Mapping[str, Any]
) -> Leaf:
    """The leaf of something that the system itself states, a purge certificate for example.

    `facts` are JSON values without floats, and nothing that may have to be forgotten.
    """
    return Leaf(record_id, agency_id, _entry(kind, record_id, agency_id, occurred_at, facts))


def forgettable_texts(record: AccessRecord) -> dict[str, str]:
    """What the record says that may have to be forgotten, by field; what is empty is left out."""
    texts = {
        "person_name": record.who.person_name,
        "suspicion": record.suspicion,
        "refusal_detail": record.refusal and record.refusal.detail,
        "details": canonical(record.details).decode() if record.details else None,
    }
    return {name: text for name, text in texts.items() if text}


def record_of(audit: AuditRecord) -> AccessRecord:
    """Another service's audit record as an access record."""
    return AccessRecord(
        record_id=audit.audit_id,
        who=Who(
            audit.person_id, audit.person_name, audit.agency_id, audit.role, audit.session_id,
            audit.address,
        ),
        occurred_at=audit.occurred_at,
        action=audit.action,
        subject=audit.subject,
        outcome=audit.outcome,
        service=audit.service,
        purpose=audit.purpose,
        case_number=audit.case_number,
        details=dict(audit.details),
    )  # fmt: skip


def canonical(value: Any) -> bytes:
    """The one JSON text of a value without floats."""
    return json.dumps(
        value, ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":")
    ).encode()


def hundredths(at: datetime) -> str:
    """A time in UTC to the hundredth of a second, as the order of AU-8 wants it; cut, not rounded,
    so that no entry is later than what it tells of."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds")[:22] + "Z"


def _entry(
    kind: str, record_id: UUID, agency_id: str, occurred_at: datetime, facts: Mapping[str, Any]
) -> bytes:
    said = _present(**facts) | {
        "version": VERSION,
        "kind": kind,
        "record_id": str(record_id),
        "agency_id": agency_id,
        "occurred_at": hundredths(occurred_at),
    }
    entry = canonical(said)
    # A bundle holds 64 KiB per entry at most. What is longer keeps its proof and loses its text:
    # the record beside has it.
    texts = {name: canonical(value) for name, value in said.items() if name not in _NEVER_FOLDED}
    for name in sorted(texts, key=lambda name: (len(texts[name]), name), reverse=True):
        if len(entry) <= ENTRY_MAX_BYTES:
            break
        digest = hashlib.sha256(texts[name]).hexdigest()
        said[name] = {"sha256": digest, "bytes": len(texts[name])}
        entry = canonical(said)
    return entry


def _present(**members: Any) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}
