"""SQL of access records: appending, listing, and what somebody was given access to."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import structlog

from alpr_access_log.domain import AccessRecord, Query
from alpr_access_log.log import leaves as log_leaves
from alpr_access_log.log import store as log_store
from alpr_access_log.refusals import RecordNotWritten
from alpr_common.messages.audit import AuditRecord
from alpr_common.postgres import Connection, Database

log = structlog.get_logger()
_APPEND = """
INSERT INTO access_record (record_id, agency_id, access_id, occurred_at, service, person_id,
    person_name, role, session_id, address, action, subject, purpose, case_number, suspicion,
    query, returned_count, read_ids, outcome, refusal_code, refusal_clause, refusal_detail, details)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16::jsonb, $17, $18,
    $19, $20, $21, $22, $23::jsonb)
"""
_APPEND_AUDIT = """
INSERT INTO access_record (record_id, agency_id, occurred_at, service, person_id, person_name,
    role, session_id, address, action, subject, purpose, case_number, outcome, details)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15::jsonb)
ON CONFLICT (record_id) DO NOTHING
"""
_LAST_SUSPICION = """
SELECT suspicion FROM access_record
WHERE agency_id = $1 AND person_id = $2 AND action = 'search' AND outcome = 'done'
ORDER BY record_sequence DESC LIMIT 1
"""
_ACCESS = """
SELECT record_id, occurred_at, purpose, case_number, suspicion, query::text AS query
FROM access_record
WHERE agency_id = $1 AND person_id = $2 AND record_id = $3 AND action = 'search'
  AND outcome = 'done'
"""
_RETURNED_AT = """
SELECT max(occurred_at) FROM access_record
WHERE agency_id = $1 AND person_id = $2 AND access_id = $3 AND $4 = ANY(read_ids)
  AND action IN ('search', 'search.page') AND outcome = 'done'
"""
_LIST = """
SELECT record_id, record_sequence, access_id, occurred_at, recorded_at, service, person_id,
    person_name, role, session_id, address, action, subject, purpose, case_number, suspicion,
    query::text AS query, returned_count, read_ids, outcome, refusal_code, refusal_clause,
    refusal_detail, details::text AS details
FROM access_record
WHERE agency_id = $1
  AND ($2::bigint IS NULL OR record_sequence < $2)
  AND ($3::text IS NULL OR person_id = $3)
  AND ($4::text IS NULL OR action = $4)
  AND ($5::text IS NULL OR outcome = $5)
  AND ($6::timestamptz IS NULL OR occurred_at >= $6)
  AND ($7::timestamptz IS NULL OR occurred_at < $7)
ORDER BY record_sequence DESC LIMIT $8
"""
# What leaves here rests on the record being on disk, whatever the server's default is.
_BE_DURABLE = "SELECT set_config('synchronous_commit', 'on', true)"


@dataclass(frozen=True)
class Access:
    """What a person was given access to, and why."""

    access_id: UUID
    occurred_at: datetime
    purpose: str
    case_number: str
    suspicion: str
    query: Query


@asynccontextmanager
async def recording(database: Database, agency_id: str) -> AsyncIterator[Connection]:
    """A transaction in which something is shown or refused *and* recorded.

    Raises `RecordNotWritten` for whatever PostgreSQL says against it, at the commit as well:
    without the record there is no answer.
    """
    try:
        async with database.transaction(agency_id) as connection:
            await connection.execute(_BE_DURABLE)
            yield connection
    except asyncpg.PostgresError as error:
        log.exception("access.not_recorded", error=repr(error))
        raise RecordNotWritten("The access log did not take the record. Try again.") from error


async def append_audits(connection: Connection, records: Sequence[AuditRecord]) -> None:
    """Append what other services report of one agency; those already known change nothing."""
    once = list({record.audit_id: record for record in records}.values())
    leaves = [log_leaves.access_leaf(log_leaves.record_of(record)) for record in once]
    new = await log_store.append_leaves(connection, once[0].agency_id, leaves)
    await connection.executemany(
        _APPEND_AUDIT,
        [
            (
                r.audit_id, r.agency_id, r.occurred_at, r.service, r.person_id, r.person_name,
                r.role, r.session_id, r.address, r.action, r.subject, r.purpose, r.case_number,
                r.outcome, json.dumps(r.details),
            )
            for r in once
            if r.audit_id in new
        ],
    )  # fmt: skip


async def append(connection: Connection, record: AccessRecord) -> None:
    """Append one record, and its leaf to the agency's log; its id must be new."""
    await log_store.append_leaves(
        connection, record.who.agency_id, [log_leaves.access_leaf(record)]
    )
    who, refusal = record.who, record.refusal
    await connection.execute(
        _APPEND, record.record_id, who.agency_id, record.access_id, record.occurred_at,
        record.service, who.person_id, who.person_name, who.role, who.session_id, who.address,
        record.action, record.subject, record.purpose, record.case_number, record.suspicion,
        None if record.query is None else json.dumps(record.query),
        len(record.returned), list(record.returned), record.outcome,
        refusal and refusal.code, refusal and refusal.clause, refusal and refusal.detail,
        json.dumps(record.details),
    )  # fmt: skip


async def last_suspicion(connection: Connection, agency_id: str, person_id: str) -> str | None:
    """The suspicion of the person's last search that was answered."""
    text: str | None = await connection.fetchval(_LAST_SUSPICION, agency_id, person_id)
    return text


async def find_access(
    connection: Connection, agency_id: str, person_id: str, access_id: UUID
) -> Access | None:
    """The person's own answered search of that id."""
    row = await connection.fetchrow(_ACCESS, agency_id, person_id, access_id)
    if row is None:
        return None
    return Access(
        row["record_id"], row["occurred_at"], row["purpose"], row["case_number"],
        row["suspicion"], Query.from_record(json.loads(row["query"])),
    )  # fmt: skip


async def returned_at(
    connection: Connection, agency_id: str, person_id: str, access_id: UUID, read_id: UUID
) -> datetime | None:
    """When the person's access last returned that read; None if it never did."""
    at: datetime | None = await connection.fetchval(
        _RETURNED_AT, agency_id, person_id, access_id, read_id
    )
    return at


@dataclass(frozen=True)
class RecordFilter:
    """Which access records are listed; None does not narrow."""

    person_id: str | None = None
    action: str | None = None
    outcome: str | None = None
    from_at: datetime | None = None
    to_at: datetime | None = None


async def list_records(
    connection: Connection, agency_id: str, wanted: RecordFilter, before: int | None, most: int
) -> list[dict[str, Any]]:
    """Access records of the agency, newest first, as rows of the API."""
    rows = await connection.fetch(
        _LIST, agency_id, before, wanted.person_id, wanted.action, wanted.outcome,
        wanted.from_at, wanted.to_at, most,
    )  # fmt: skip
    return [
        dict(row)
        | {
            "query": json.loads(row["query"]) if row["query"] else None,
            "details": json.loads(row["details"]),
        }
        for row in rows
    ]
