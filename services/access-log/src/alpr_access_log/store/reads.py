"""SQL of stored reads: storing a batch, finding, and one read again."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

import asyncpg

from alpr_access_log.domain import Position, Query
from alpr_access_log.search_sql import HELD_SHOWN, find_statement, spans
from alpr_common.messages.read import Read
from alpr_common.postgres import Connection

STORED_COLUMNS = (
    "read_id", "captured_at", "agency_id", "camera_id", "plate", "match_key", "jurisdiction",
    "latitude", "longitude", "message",
)  # fmt: skip
_COLUMNS = ", ".join(STORED_COLUMNS)

_ENSURE_PARTITION = "SELECT ensure_read_partition($1::date)"
# One statement and so one round trip: on a busy machine those cost a batch more than the rows do.
# COPY is not open to a role that row-level security binds.
_STORE = f"""
INSERT INTO read ({_COLUMNS})
SELECT {_COLUMNS} FROM unnest($1::uuid[], $2::timestamptz[], $3::text[], $4::text[], $5::text[],
    $6::text[], $7::text[], $8::float8[], $9::float8[], $10::jsonb[]) AS given ({_COLUMNS})
ON CONFLICT (read_id, captured_at) DO NOTHING
"""  # noqa: S608 - constants

_READ = f"""
SELECT message::text FROM read
WHERE agency_id = $1 AND read_id = $2 AND captured_at >= $3 AND captured_at < $4
  AND captured_at >= $5::timestamptz
UNION ALL
SELECT message::text FROM held_read
WHERE agency_id = $1 AND read_id = $2 AND captured_at >= $3 AND captured_at < $4
  AND {HELD_SHOWN.format(held="held_read").replace("$8", "$5").replace("$9", "$6")}
LIMIT 1
"""  # noqa: S608 - constants
# A plan that fits the start of every pattern walks the whole window for most; one made for these
# values takes the index. Planning 30 partitions costs more than an exact search or a look-up of
# plates and days, whose plans fit all.
_PLAN = "SELECT set_config('plan_cache_mode', $1, true)"


@dataclass(frozen=True)
class Found:
    """A stored read: its place in the order, and the message as it came."""

    read_id: UUID
    captured_at: datetime
    message: dict[str, Any]


async def ensure_partitions(connection: Connection, days: Sequence[date]) -> None:
    """Make the days' partitions where they are missing."""
    for day in days:
        await connection.execute(_ENSURE_PARTITION, day)


class PartitionMissing(Exception):
    """A read's day has no partition yet, or not any more; nothing was stored."""


async def store_reads(connection: Connection, reads: Sequence[tuple[Read, bytes]]) -> int:
    """Store reads of one agency with the messages they came in; returns how many were new.

    Raises `PartitionMissing`; the transaction is lost with it.
    """
    columns = zip(
        *(
            (
                read.read_id, read.captured_at, read.agency_id, read.camera_id, read.plate,
                read.match_key, read.jurisdiction, read.latitude, read.longitude,
                message.decode(),
            )
            for read, message in reads
        ),
        strict=True,
    )  # fmt: skip
    try:
        status: str = await connection.execute(_STORE, *columns)
    except asyncpg.CheckViolationError as error:
        if error.constraint_name is not None:
            raise
        raise PartitionMissing from error  # the one check that has no name
    return int(status.rsplit(" ", 1)[-1])


@dataclass(frozen=True)
class Kept:
    """What may still be shown: reads captured since `since`, and what something keeps at `now`."""

    since: datetime
    now: datetime


async def find_reads(
    connection: Connection,
    agency_id: str,
    query: Query,
    after: Position | None,
    most: int,
    kept: Kept,
) -> list[Found]:
    """Reads that the query asks for, newest first, at most `most`, behind `after`."""
    statement, narrowing = find_statement(query)
    question = query.plate_question
    if question is None or question.equal is None:
        once = question is not None and question.pairs is not None
        mode = "force_generic_plan" if once else "force_custom_plan"
        await connection.execute(_PLAN, mode)
    found: list[Found] = []
    for from_at, to_at in spans(query, after):
        rows = await connection.fetch(
            statement, agency_id, from_at, to_at, list(query.camera_ids) or None,
            after and after.captured_at, after and after.read_id, most - len(found),
            kept.since, kept.now, *narrowing,
        )  # fmt: skip
        found += (Found(r["read_id"], r["captured_at"], json.loads(r["message"])) for r in rows)
        if len(found) == most:
            break
    return found


async def read_message(
    connection: Connection, agency_id: str, read_id: UUID, query: Query, kept: Kept
) -> Read | None:
    """The stored read, looked for in the days that the query covers."""
    text = await connection.fetchval(
        _READ, agency_id, read_id, query.from_at, query.to_at, kept.since, kept.now
    )
    return Read.model_validate_json(text) if text is not None else None
