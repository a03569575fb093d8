"""SQL of what is kept of each import: who imported what, how far it is, and its report."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from alpr_common.postgres import Connection

_LOCK_RECORD = "SELECT pg_advisory_xact_lock(hashtextextended('hot list import ' || $1, 0))"
_TRY_RECORD = "SELECT pg_try_advisory_xact_lock(hashtextextended('hot list import ' || $1, 0))"
_BEGIN = """
INSERT INTO hotlist_import (import_id, agency_id, source, file_name, mapper, import_mode, dry_run,
    person_id, person_name, started_at, state)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 'reading')
ON CONFLICT (import_id) DO NOTHING RETURNING import_id
"""
_PROGRESS = "UPDATE hotlist_import SET state = $2, lines_read = $3 WHERE import_id = $1"
_END = """
UPDATE hotlist_import SET state = $2, lines_read = greatest(lines_read, $3), ended_at = $4,
    report = $5::jsonb
WHERE import_id = $1 AND ended_at IS NULL
"""
_RECORDS = """
SELECT import_id, source, file_name, mapper, import_mode AS mode, dry_run, person_id, person_name,
    started_at, ended_at, state, lines_read, report::text AS report
FROM hotlist_import WHERE ($1::uuid IS NULL OR import_id = $1)
ORDER BY started_at DESC LIMIT $2
"""


@dataclass(frozen=True)
class ImportRecord:
    """Who imports what, as it is kept."""

    import_id: UUID
    agency_id: str
    source: str
    file_name: str
    mapper: str
    import_mode: str
    dry_run: bool
    person_id: str
    person_name: str
    started_at: datetime


async def hold_record(connection: Connection, import_id: UUID) -> None:
    """Show others, to the end of the transaction, that the import is alive."""
    await connection.execute(_LOCK_RECORD, str(import_id))


async def begin_record(connection: Connection, record: ImportRecord) -> bool:
    """False when there is an import of that id."""
    made = await connection.fetchval(
        _BEGIN, record.import_id, record.agency_id, record.source, record.file_name, record.mapper,
        record.import_mode, record.dry_run, record.person_id, record.person_name, record.started_at,
    )  # fmt: skip
    return made is not None


async def note_progress(connection: Connection, import_id: UUID, state: str, lines: int) -> None:
    await connection.execute(_PROGRESS, import_id, state, lines)


async def end_record(
    connection: Connection, import_id: UUID, state: str, lines: int, report: dict[str, Any],
    now: datetime,
) -> None:  # fmt: skip
    await connection.execute(_END, import_id, state, lines, now, json.dumps(report))


async def records(
    connection: Connection, import_id: UUID | None, most: int
) -> list[dict[str, Any]]:
    """Imports of the agency, newest first."""
    return [
        dict(row) | {"report": row["report"] and json.loads(row["report"])}
        for row in await connection.fetch(_RECORDS, import_id, most)
    ]


async def is_dead(connection: Connection, import_id: UUID) -> bool:
    """Whether nobody holds the record of an import that has not ended."""
    free: bool = await connection.fetchval(_TRY_RECORD, str(import_id))
    return free
