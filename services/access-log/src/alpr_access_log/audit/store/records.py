"""Access records of a period, as the rules read them, and who is behind a person id."""

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from alpr_access_log.audit.records import Record
from alpr_access_log.audit.spoken import Words
from alpr_common.postgres import Connection, Database

_CHUNK = 5000

_COLUMNS = """record_sequence, record_id, occurred_at, service, action, outcome, person_id, role,
    session_id, address, purpose, case_number, suspicion, query ->> 'plate' AS plate, refusal_code,
    details ? 'approval_id' AS is_approved"""
# Services search for nobody's own sake.
_OF_PEOPLE = "role NOT IN ('service', 'operator')"
_PEOPLE = f"""
SELECT person_id, count(*) AS records FROM access_record
WHERE agency_id = $1 AND occurred_at >= $2 AND occurred_at < $3 AND {_OF_PEOPLE}
GROUP BY person_id ORDER BY person_id
"""  # noqa: S608 - constants
_AT_MOST = f"""
SELECT count(*) FROM (
    SELECT FROM access_record
    WHERE agency_id = $1 AND occurred_at >= $2 AND occurred_at < $3 AND {_OF_PEOPLE}
    LIMIT $4) AS counted
"""  # noqa: S608 - constants
_CHUNK_OF_PERSON = f"""
SELECT {_COLUMNS} FROM access_record
WHERE agency_id = $1 AND person_id = $2 AND {_OF_PEOPLE}
  AND occurred_at >= $3 AND occurred_at < $4
  AND (occurred_at, record_sequence) > ($5::timestamptz, $6::bigint)
ORDER BY occurred_at, record_sequence LIMIT $7
"""  # noqa: S608 - constants
_CHUNK_OF_WORDS = f"""
SELECT record_sequence, record_id, occurred_at, person_id, case_number, suspicion
FROM access_record
WHERE agency_id = $1 AND occurred_at >= $2 AND occurred_at < $3
  AND (occurred_at, record_sequence) > ($4::timestamptz, $5::bigint)
  AND service = 'access-log' AND action = 'search' AND outcome = 'done' AND suspicion <> ''
  AND {_OF_PEOPLE}
ORDER BY occurred_at, record_sequence LIMIT $6
"""  # noqa: S608 - constants
_BY_ID = f"SELECT {_COLUMNS} FROM access_record WHERE agency_id = $1 AND record_id = ANY ($2)"  # noqa: S608 - constants
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


async def people(
    database: Database, agency_id: str, begin: datetime, end: datetime
) -> dict[str, int]:
    """Who did anything in [begin, end), and how many records of it there are."""
    async with database.transaction(agency_id) as connection:
        rows = await connection.fetch(_PEOPLE, agency_id, begin, end)
    return {row["person_id"]: row["records"] for row in rows}


async def are_at_most(
    connection: Connection, agency_id: str, begin: datetime, end: datetime, most: int
) -> bool:
    """Whether people's records in [begin, end) are no more than that many; the others are not
    counted."""
    found: int = await connection.fetchval(_AT_MOST, agency_id, begin, end, most + 1)
    return found <= most


async def of_person(
    database: Database, agency_id: str, person_id: str, begin: datetime, end: datetime
) -> list[Record]:
    """A person's records in [begin, end) in order of time, read in chunks of transactions of
    their own."""
    found: list[Record] = []
    after: tuple[datetime, int] = (begin, 0)
    while True:
        async with database.transaction(agency_id) as connection:
            rows = await connection.fetch(
                _CHUNK_OF_PERSON, agency_id, person_id, begin, end, *after, _CHUNK
            )
        found += map(_record, rows)
        if len(rows) < _CHUNK:
            return found
        after = rows[-1]["occurred_at"], rows[-1]["record_sequence"]


async def words(
    database: Database, agency_id: str, begin: datetime, end: datetime
) -> AsyncIterator[list[Words]]:
    """What answered searches of people in [begin, end) gave as their suspicion, in order of time,
    some thousands at a time, each in a transaction of its own."""
    after: tuple[datetime, int] = (begin, 0)
    while True:
        async with database.transaction(agency_id) as connection:
            rows = await connection.fetch(_CHUNK_OF_WORDS, agency_id, begin, end, *after, _CHUNK)
        yield [
            Words(
                r["record_id"], r["occurred_at"], r["person_id"], r["case_number"], r["suspicion"]
            )
            for r in rows
        ]
        if len(rows) < _CHUNK:
            return
        after = rows[-1]["occurred_at"], rows[-1]["record_sequence"]


async def by_ids(
    database: Database, agency_id: str, record_ids: Sequence[UUID]
) -> dict[UUID, Record]:
    """Those of the records that there are."""
    async with database.transaction(agency_id) as connection:
        rows = await connection.fetch(_BY_ID, agency_id, list(record_ids))
    return {row["record_id"]: _record(row) for row in rows}


def _record(row: Any) -> Record:
    said = dict(row)
    del said["record_sequence"]
    return Record(**said)


async def named(connection: Connection, agency_id: str, people: Iterable[str]) -> dict[str, Named]:
    rows = await connection.fetch(_NAMES, agency_id, sorted(set(people)))
    return {r["person_id"]: Named(r["person_id"], r["person_name"], r["role"]) for r in rows}


async def existing(connection: Connection, agency_id: str, record_ids: list[UUID]) -> set[UUID]:
    """Those of the ids that the agency's log has."""
    rows = await connection.fetch(_EXISTING, agency_id, record_ids)
    return {row["record_id"] for row in rows}
