"""Access records of a period, as the rules read them, and who is behind a person id."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from alpr_access_log.audit.records import Record
from alpr_common.postgres import Connection, Database

_CHUNK = 5000

_CHUNK_OF_PERIOD = """
SELECT record_sequence, record_id, occurred_at, service, action, outcome, person_id, role,
    session_id, address, purpose, case_number, suspicion, query ->> 'plate' AS plate, refusal_code,
    details ? 'approval_id' AS is_approved
FROM access_record
WHERE agency_id = $1 AND occurred_at >= $2 AND occurred_at < $3
  AND (occurred_at, record_sequence) > ($4::timestamptz, $5::bigint)
ORDER BY occurred_at, record_sequence LIMIT $6
"""
# The name that somebody had last; one that was forgotten is empty.
_NAMES = """
SELECT DISTINCT ON (person_id) person_id, person_name, role FROM access_record
WHERE agency_id = $1 AND person_id = ANY ($2::text[])
ORDER BY person_id, record_sequence DESC
"""
_EXISTING = """
SELECT record_id FROM access_record WHERE agency_id = $1 AND record_id = ANY ($2::uuid[])
"""


@dataclass(frozen=True)
class Named:
    """Who is behind a person id, as the log knew them last."""

    person_id: str
    name: str
    role: str


async def of_period(
    database: Database, agency_id: str, begin: datetime, end: datetime
) -> list[Record]:
    """Records in [begin, end) in order of time, read in chunks of transactions of their own."""
    found: list[Record] = []
    after: tuple[datetime, int] = (begin, 0)
    while True:
        async with database.transaction(agency_id) as connection:
            rows = await connection.fetch(_CHUNK_OF_PERIOD, agency_id, begin, end, *after, _CHUNK)
        for row in rows:
            said = dict(row)
            sequence = said.pop("record_sequence")
            found.append(Record(**said))
            after = (row["occurred_at"], sequence)
        if len(rows) < _CHUNK:
            return found


async def named(connection: Connection, agency_id: str, people: Iterable[str]) -> dict[str, Named]:
    rows = await connection.fetch(_NAMES, agency_id, sorted(set(people)))
    return {r["person_id"]: Named(r["person_id"], r["person_name"], r["role"]) for r in rows}


async def existing(connection: Connection, agency_id: str, record_ids: list[UUID]) -> set[UUID]:
    """Those of the ids that the agency's log has."""
    rows = await connection.fetch(_EXISTING, agency_id, record_ids)
    return {row["record_id"] for row in rows}
