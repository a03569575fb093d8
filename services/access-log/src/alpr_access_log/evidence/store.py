"""All SQL of evidence packages. Functions take a connection inside the caller's transaction, which
was opened for the agency: row-level security knows no other rows."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from alpr_common.messages.read import Read
from alpr_common.postgres import Connection

_MOST_RECORDS = 2000

_HELD = """
SELECT k.read_id, k.message::text AS message, k.pictures FROM held_read k
WHERE k.agency_id = $1 AND k.read_id = ANY ($2::uuid[]) AND EXISTS (
    SELECT FROM hold_read m JOIN hold h USING (hold_id)
    WHERE m.read_id = k.read_id AND h.released_at IS NULL)
ORDER BY k.captured_at, k.read_id
"""
_HOLDS = """
SELECT DISTINCT h.hold_id, h.kind, h.reason, h.case_number, h.alert_id, h.placed_at,
    h.placed_by_id, h.placed_by_name, h.released_at
FROM hold h JOIN hold_read m USING (hold_id)
WHERE h.agency_id = $1 AND m.read_id = ANY ($2::uuid[]) ORDER BY h.placed_at, h.hold_id
"""
# Newest last; of more than fit the oldest are left out.
_RECORDS = """
SELECT * FROM (
    SELECT record_id, record_sequence, occurred_at, person_id, person_name, service, action,
        subject, purpose, case_number
    FROM access_record
    WHERE agency_id = $1 AND outcome = 'done'
      AND (subject = ANY ($2::text[]) OR (case_number = $3 AND read_ids && $4::uuid[]))
    ORDER BY record_sequence DESC LIMIT $5
) newest ORDER BY record_sequence
"""
_NUMBER = """
INSERT INTO evidence_counter AS c (agency_id, year, last) VALUES ($1, $2, 1)
ON CONFLICT (agency_id, year) DO UPDATE SET last = c.last + 1 RETURNING last
"""
_INSERT = """
INSERT INTO evidence_package (evidence_id, agency_id, inventory_number, case_number, purpose,
    prepared_at, prepared_by_id, prepared_by_name, digest, object, size_bytes, read_ids, alert_ids,
    contents)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14::jsonb)
"""
_COLUMNS = """
SELECT evidence_id, agency_id, inventory_number, case_number, purpose, prepared_at, prepared_by_id,
    prepared_by_name, digest, object, size_bytes, read_ids, alert_ids, contents::text AS contents
FROM evidence_package WHERE agency_id = $1
"""
_ONE = _COLUMNS + " AND evidence_id = $2"
_LIST = (
    _COLUMNS
    + """
  AND ($2::text IS NULL OR case_number = $2)
  AND ($3::timestamptz IS NULL OR (prepared_at, evidence_id) < ($3, $4::uuid))
ORDER BY prepared_at DESC, evidence_id DESC LIMIT $5
"""
)
_ADD_RECEIPT = """
INSERT INTO evidence_receipt (receipt_id, evidence_id, agency_id, received_by, received_at, medium,
    serial, note, recorded_at, recorded_by_id, recorded_by_name)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
"""
_RECEIPTS = """
SELECT receipt_id, evidence_id, received_by, received_at, medium, serial, note, recorded_at,
    recorded_by_id, recorded_by_name
FROM evidence_receipt WHERE agency_id = $1 AND evidence_id = $2 ORDER BY received_at, receipt_id
"""


@dataclass(frozen=True)
class HeldRead:
    """A read under a hold, and the message as it came."""

    read: Read
    message: dict[str, Any]


@dataclass(frozen=True)
class HoldOnIt:
    """A hold that names one of the reads."""

    hold_id: UUID
    kind: str
    reason: str
    case_number: str | None
    alert_id: UUID | None
    placed_at: datetime
    placed_by_id: str
    placed_by_name: str
    released_at: datetime | None


@dataclass(frozen=True)
class Led:
    """An access record of what led to the package."""

    record_id: UUID
    occurred_at: datetime
    person_id: str
    person_name: str
    service: str
    action: str
    subject: str
    purpose: str | None
    case_number: str | None


@dataclass(frozen=True)
class Package:
    """A package of the inventory. `contents` are its files: path, bytes, SHA-256."""

    evidence_id: UUID
    agency_id: str
    inventory_number: str
    case_number: str
    purpose: str
    prepared_at: datetime
    prepared_by_id: str
    prepared_by_name: str
    digest: str
    object: str
    size_bytes: int
    read_ids: tuple[UUID, ...]
    alert_ids: tuple[UUID, ...]
    contents: list[dict[str, Any]]

    def to_json(self) -> dict[str, Any]:
        return {
            "evidence_id": self.evidence_id,
            "agency_id": self.agency_id,
            "inventory_number": self.inventory_number,
            "case_number": self.case_number,
            "purpose": self.purpose,
            "prepared_at": self.prepared_at,
            "prepared_by": {"person_id": self.prepared_by_id, "name": self.prepared_by_name},
            "digest": self.digest,
            "size_bytes": self.size_bytes,
            "read_ids": list(self.read_ids),
            "alert_ids": list(self.alert_ids),
            "contents": self.contents,
        }


@dataclass(frozen=True)
class Receipt:
    """Who got the package on which portable medium."""

    receipt_id: UUID
    evidence_id: UUID
    received_by: str
    received_at: datetime
    medium: str
    serial: str
    note: str | None
    recorded_at: datetime
    recorded_by_id: str
    recorded_by_name: str

    def to_json(self) -> dict[str, Any]:
        return {
            "receipt_id": self.receipt_id,
            "evidence_id": self.evidence_id,
            "received_by": self.received_by,
            "received_at": self.received_at,
            "medium": self.medium,
            "serial": self.serial,
            "note": self.note,
            "recorded_at": self.recorded_at,
            "recorded_by": {"person_id": self.recorded_by_id, "name": self.recorded_by_name},
        }


async def held_reads(
    connection: Connection, agency_id: str, read_ids: Sequence[UUID]
) -> list[HeldRead]:
    """Those of the reads that are under a hold in force, as they were captured."""
    rows = await connection.fetch(_HELD, agency_id, list(read_ids))
    return [
        HeldRead(Read.model_validate_json(row["message"]), json.loads(row["message"]))
        for row in rows
    ]


async def holds_on(
    connection: Connection, agency_id: str, read_ids: Sequence[UUID]
) -> list[HoldOnIt]:
    rows = await connection.fetch(_HOLDS, agency_id, list(read_ids))
    return [HoldOnIt(**dict(row)) for row in rows]


async def records_that_led(
    connection: Connection,
    agency_id: str,
    subjects: Sequence[str],
    case_number: str,
    read_ids: Sequence[UUID],
) -> list[Led]:
    """Answered accesses to these subjects, or to these reads under this case, in order."""
    rows = await connection.fetch(
        _RECORDS, agency_id, list(subjects), case_number, list(read_ids), _MOST_RECORDS
    )
    return [Led(**{n: v for n, v in row.items() if n != "record_sequence"}) for row in rows]


async def next_number(connection: Connection, agency_id: str, year: int) -> int:
    """The agency's next inventory number of that year; others wait until the transaction ends."""
    number: int = await connection.fetchval(_NUMBER, agency_id, year)
    return number


async def insert(connection: Connection, package: Package) -> None:
    await connection.execute(
        _INSERT, package.evidence_id, package.agency_id, package.inventory_number,
        package.case_number, package.purpose, package.prepared_at, package.prepared_by_id,
        package.prepared_by_name, package.digest, package.object, package.size_bytes,
        list(package.read_ids), list(package.alert_ids), json.dumps(package.contents),
    )  # fmt: skip


async def find(connection: Connection, agency_id: str, evidence_id: UUID) -> Package | None:
    row = await connection.fetchrow(_ONE, agency_id, evidence_id)
    return _package(row) if row else None


async def page(
    connection: Connection,
    agency_id: str,
    case_number: str | None,
    after: tuple[datetime, UUID] | None,
    most: int,
) -> list[Package]:
    """Packages of the agency, newest first."""
    rows = await connection.fetch(
        _LIST, agency_id, case_number, after and after[0], after and after[1], most
    )
    return [_package(row) for row in rows]


async def add_receipt(connection: Connection, agency_id: str, receipt: Receipt) -> None:
    await connection.execute(
        _ADD_RECEIPT, receipt.receipt_id, receipt.evidence_id, agency_id, receipt.received_by,
        receipt.received_at, receipt.medium, receipt.serial, receipt.note, receipt.recorded_at,
        receipt.recorded_by_id, receipt.recorded_by_name,
    )  # fmt: skip


async def receipts(connection: Connection, agency_id: str, evidence_id: UUID) -> list[Receipt]:
    """Receipts of a package, oldest first."""
    rows = await connection.fetch(_RECEIPTS, agency_id, evidence_id)
    return [Receipt(**dict(row)) for row in rows]


def _package(row: Any) -> Package:
    said = dict(row)
    said |= {
        "read_ids": tuple(row["read_ids"]),
        "alert_ids": tuple(row["alert_ids"]),
        "contents": json.loads(row["contents"]),
    }
    return Package(**said)
