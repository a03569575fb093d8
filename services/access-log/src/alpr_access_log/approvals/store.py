"""SQL of search approvals; as `store`, inside the caller's transaction."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from alpr_access_log.domain import Query, Reason
from alpr_common.policy import ApprovalKind
from alpr_common.postgres import Connection

_COLUMNS = """approval_id, approval_sequence, requested_by_id, requested_by_name, requested_at,
    expires_at, purpose, case_number, suspicion, query::text AS query, decision, decided_by_id,
    decided_by_name, decided_by_rank, decided_at, note, access_id, used_at"""
_ADD = """
INSERT INTO search_approval (approval_id, agency_id, requested_by_id, requested_by_name,
    requested_at, expires_at, purpose, case_number, suspicion, query)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10::jsonb)
"""
_LOCK = f"""
SELECT {_COLUMNS} FROM search_approval WHERE agency_id = $1 AND approval_id = $2 FOR UPDATE
"""  # noqa: S608 - constants
_LIST = f"""
SELECT {_COLUMNS} FROM search_approval
WHERE agency_id = $1 AND ($2::text IS NULL OR requested_by_id = $2)
  AND (NOT $3::boolean OR (decision IS NULL AND expires_at > $4))
  AND ($5::bigint IS NULL OR approval_sequence < $5)
ORDER BY approval_sequence DESC LIMIT $6
"""  # noqa: S608 - constants
_DECIDE = """
UPDATE search_approval SET decision = $3, decided_by_id = $4, decided_by_name = $5,
    decided_at = $6, note = $7, decided_by_rank = $8
WHERE agency_id = $1 AND approval_id = $2
"""
_USE = """
UPDATE search_approval SET access_id = $3, used_at = $4
WHERE agency_id = $1 AND approval_id = $2
"""
# Ordinary searches of one person wait for each other, so that two at once cannot both be the last
# one that is allowed.
_ONE_AT_A_TIME = "SELECT pg_advisory_xact_lock(hashtextextended('search:' || $1 || ':' || $2, 0))"
_PLATES_SINCE = """
SELECT query->>'plate' AS plate FROM access_record
WHERE agency_id = $1 AND person_id = $2 AND action = 'search' AND outcome = 'done'
  AND occurred_at > $3
"""
_NOTE_HITS = """
INSERT INTO read_hit (agency_id, read_id, captured_at)
SELECT $1, * FROM unnest($2::uuid[], $3::timestamptz[]) ON CONFLICT DO NOTHING
"""

Decision = Literal["approved", "denied"]


@dataclass(frozen=True)
class Approval:
    """What somebody asked to search for, and what was decided about it."""

    approval_id: UUID
    approval_sequence: int
    requested_by_id: str
    requested_by_name: str
    requested_at: datetime
    expires_at: datetime
    reason: Reason
    query: Query
    decision: Decision | None
    decided_by_id: str | None
    decided_by_name: str | None
    decided_by_rank: str | None
    decided_at: datetime | None
    note: str | None
    access_id: UUID | None
    used_at: datetime | None

    @property
    def kind(self) -> ApprovalKind:
        if self.query.convoy is not None:
            return "convoy"
        return "sweep" if self.query.plate is None else "repeated_plate"

    def state(self, now: datetime) -> Literal["pending", "approved", "denied", "used", "expired"]:
        if self.used_at is not None:
            return "used"
        if self.decision == "denied":
            return "denied"
        if now >= self.expires_at:
            return "expired"
        return "approved" if self.decision == "approved" else "pending"


async def add(connection: Connection, agency_id: str, approval: Approval) -> None:
    reason = approval.reason
    await connection.execute(
        _ADD, approval.approval_id, agency_id, approval.requested_by_id,
        approval.requested_by_name, approval.requested_at, approval.expires_at, reason.purpose,
        reason.case_number, reason.suspicion, json.dumps(approval.query.to_record()),
    )  # fmt: skip


async def lock(connection: Connection, agency_id: str, approval_id: UUID) -> Approval | None:
    """Locked, so that it is decided once and used once."""
    row = await connection.fetchrow(_LOCK, agency_id, approval_id)
    return _approval(row) if row else None


async def list_approvals(
    connection: Connection, agency_id: str, requested_by: str | None, pending: bool,
    now: datetime, before: int | None, most: int,
) -> list[Approval]:  # fmt: skip
    """Newest first; None does not narrow."""
    rows = await connection.fetch(_LIST, agency_id, requested_by, pending, now, before, most)
    return [_approval(row) for row in rows]


async def decide(connection: Connection, agency_id: str, decided: Approval) -> None:
    """Store the decision that `decided` holds."""
    await connection.execute(
        _DECIDE, agency_id, decided.approval_id, decided.decision, decided.decided_by_id,
        decided.decided_by_name, decided.decided_at, decided.note, decided.decided_by_rank,
    )  # fmt: skip


async def use(
    connection: Connection, agency_id: str, approval_id: UUID, access_id: UUID, now: datetime
) -> None:
    await connection.execute(_USE, agency_id, approval_id, access_id, now)


async def plates_searched_since(
    connection: Connection, agency_id: str, person_id: str, since: datetime
) -> list[str | None]:
    """What the person's answered searches asked for; later ones of theirs wait for this one."""
    await connection.execute(_ONE_AT_A_TIME, agency_id, person_id)
    rows = await connection.fetch(_PLATES_SINCE, agency_id, person_id, since)
    return [row["plate"] for row in rows]


async def note_hits(
    connection: Connection, agency_id: str, reads: list[tuple[UUID, datetime]]
) -> None:
    """Mark reads that were hits; again changes nothing."""
    ids, times = [read_id for read_id, _ in reads], [at for _, at in reads]
    await connection.execute(_NOTE_HITS, agency_id, ids, times)


def _approval(row: Any) -> Approval:
    said = dict(row)
    reason = Reason(said.pop("purpose"), said.pop("case_number"), said.pop("suspicion"))
    query = Query.from_record(json.loads(said.pop("query")))
    return Approval(reason=reason, query=query, **said)
