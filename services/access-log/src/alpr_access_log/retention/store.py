"""All SQL of the purge. Rows are removed by functions of the schema's owner, which ask for a
certificate in the log first (migrations/0021_retention.sql)."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

import asyncpg

from alpr_access_log.log.tree import Edge
from alpr_common.errors import Outage
from alpr_common.postgres import Connection, Database
from alpr_translog.merkle import leaf_hash

_LONG_SECONDS = 6 * 3600
"""What one statement over a whole day of reads may take."""

_TRY_ALONE = "SELECT pg_try_advisory_xact_lock(hashtext('access_log.retention'))"
_BE_DURABLE = "SELECT set_config('synchronous_commit', 'on', true)"
_AS_AGENCY = "SELECT set_config('alpr.agency_id', $1, true)"
# DROP waits for searches that are under way, and everybody behind it waits for it.
_LOCK_TIMEOUT = "SELECT set_config('lock_timeout', '10s', true)"
_AGENCIES = """
SELECT agency_id FROM read_day UNION SELECT agency_id FROM log_agency ORDER BY agency_id
"""
_DAYS = """
SELECT day, array_agg(agency_id ORDER BY agency_id) AS agencies
FROM read_day WHERE purged_at IS NULL AND day <= $1 GROUP BY day ORDER BY day
"""
_IS_STORED = """
SELECT EXISTS (SELECT FROM read_day WHERE agency_id = $1 AND day = $2 AND purged_at IS NULL)
"""
_GONE = """
SELECT r.read_id, r.captured_at FROM read r
WHERE r.agency_id = $1 AND r.captured_at >= $2 AND r.captured_at < $3
  AND NOT EXISTS (SELECT FROM held_read k WHERE k.read_id = r.read_id)
ORDER BY r.read_id
"""
_KEPT = """
SELECT count(*) FROM read r JOIN held_read k USING (read_id)
WHERE r.agency_id = $1 AND r.captured_at >= $2 AND r.captured_at < $3
"""
_UNHELD = """
SELECT k.read_id, k.captured_at FROM held_read k
WHERE k.agency_id = $1 AND k.captured_at < $2 AND (k.keep_until IS NULL OR k.keep_until <= $3)
  AND NOT EXISTS (
      SELECT FROM hold_read m JOIN hold h USING (hold_id)
      WHERE m.read_id = k.read_id AND h.released_at IS NULL)
ORDER BY k.read_id
"""
_PURGE_DAY = "SELECT purge_day($1, $2, $3, $4, $5)"
_DROP_DAY = "SELECT drop_read_partition($1)"
_PURGE_HELD = "SELECT purge_held_reads($1, $2, $3, $4)"
_QUEUE_DAY = "INSERT INTO picture_removal (agency_id, day, queued_at) VALUES ($1, $2, $3)"
# A held read's pictures are copied before its day's are deleted.
_REMOVALS = """
SELECT removal_id, day, object FROM picture_removal p
WHERE agency_id = $1 AND removal_id > $2 AND (day IS NULL OR NOT EXISTS (
    SELECT FROM held_read k
    WHERE k.agency_id = $1 AND k.pictures = 'waiting'
      AND k.captured_at >= p.day::timestamp AT TIME ZONE 'UTC'
      AND k.captured_at < (p.day + 1)::timestamp AT TIME ZONE 'UTC'))
ORDER BY removal_id LIMIT 1 FOR UPDATE SKIP LOCKED
"""
_STILL_HELD = """
SELECT EXISTS (
    SELECT FROM held_read WHERE agency_id = $1 AND (frame_object = $2 OR plate_object = $2))
"""
_REMOVED = "DELETE FROM picture_removal WHERE agency_id = $1 AND removal_id = $2"


class PurgeNotDone(Outage):
    """PostgreSQL said no to a purge: nothing of it was done, and it is tried again."""

    title = "A purge was not done"
    clause = "131.7-1d"


@dataclass(frozen=True)
class Tally:
    """What goes: how many reads, from when to when, and the Merkle root over their ids."""

    count: int
    oldest_at: datetime | None
    newest_at: datetime | None
    ids_root: str
    kept: int = 0
    """Reads of the same range that a hold or their category keeps."""


@dataclass(frozen=True)
class Removal:
    removal_id: int
    day: date | None
    object: str | None


@asynccontextmanager
async def alone(database: Database) -> AsyncIterator[bool]:
    """Whether this is the only purge of the installation, until the block ends."""
    async with database.transaction() as connection:
        mine: bool = await connection.fetchval(_TRY_ALONE)
        yield mine


@asynccontextmanager
async def purging(database: Database) -> AsyncIterator[Connection]:
    """A transaction in which rows go and their certificates come, on disk when it ends.

    Raises `PurgeNotDone` for whatever PostgreSQL says against it.
    """
    try:
        async with database.transaction() as connection:
            await connection.execute(_BE_DURABLE)
            await connection.execute(_LOCK_TIMEOUT)
            yield connection
    except asyncpg.PostgresError as error:
        raise PurgeNotDone(f"The purge was not done: {error!r}") from error


async def as_agency(connection: Connection, agency_id: str) -> None:
    """Go on in the same transaction as that agency."""
    await connection.execute(_AS_AGENCY, agency_id)


async def agencies(connection: Connection) -> list[str]:
    """Agencies that have or had anything here."""
    return [row["agency_id"] for row in await connection.fetch(_AGENCIES)]


async def stored_days(connection: Connection, until: date) -> list[tuple[date, list[str]]]:
    """Days up to `until` of which reads are stored, oldest first, each with its agencies."""
    return [(row["day"], row["agencies"]) for row in await connection.fetch(_DAYS, until)]


async def is_stored(connection: Connection, agency_id: str, day: date) -> bool:
    stored: bool = await connection.fetchval(_IS_STORED, agency_id, day)
    return stored


async def tally_day(
    connection: Connection, agency_id: str, begin: datetime, end: datetime
) -> Tally:
    """What goes when an agency's day is purged, read once in the order of ids: of any number of
    reads only the tree's edge is held in memory."""
    tally = await _tally(connection, _GONE, agency_id, begin, end)
    kept = await connection.fetchval(_KEPT, agency_id, begin, end, timeout=_LONG_SECONDS)
    return Tally(tally.count, tally.oldest_at, tally.newest_at, tally.ids_root, kept)


async def _tally(connection: Connection, statement: str, *arguments: object) -> Tally:
    edge, oldest, newest = Edge(0, {}), None, None
    async for row in connection.cursor(statement, *arguments, prefetch=5000, timeout=_LONG_SECONDS):
        edge.append(leaf_hash(row["read_id"].bytes))
        at = row["captured_at"]
        oldest = at if oldest is None else min(oldest, at)
        newest = at if newest is None else max(newest, at)
    return Tally(edge.size, oldest, newest, edge.root().hex())


async def unheld(
    connection: Connection, agency_id: str, before: datetime, now: datetime
) -> list[tuple[UUID, datetime]]:
    """Held reads (id, time) of days that are purged and that nothing keeps any more."""
    rows = await connection.fetch(_UNHELD, agency_id, before, now, timeout=_LONG_SECONDS)
    return [(row["read_id"], row["captured_at"]) for row in rows]


async def purge_day(
    connection: Connection,
    agency_id: str,
    day: date,
    certificate_id: UUID,
    now: datetime,
    *,
    row_by_row: bool,
) -> None:
    """End an agency's day; without `row_by_row` the rows stay for `drop_day` to take."""
    await connection.execute(
        _PURGE_DAY, agency_id, day, certificate_id, now, row_by_row, timeout=_LONG_SECONDS
    )


async def drop_day(connection: Connection, day: date) -> None:
    """Drop the partition of a day that no agency may see any more."""
    await connection.execute(_DROP_DAY, day)


async def purge_held(
    connection: Connection, agency_id: str, read_ids: Sequence[UUID], certificate_id: UUID,
    now: datetime,
) -> int:  # fmt: skip
    """Remove held reads, queue their copies of pictures for deletion; returns how many went."""
    gone: int = await connection.fetchval(
        _PURGE_HELD, agency_id, list(read_ids), certificate_id, now, timeout=_LONG_SECONDS
    )
    return gone


async def queue_day(connection: Connection, agency_id: str, day: date, now: datetime) -> None:
    """Have the pictures of an agency's day deleted."""
    await connection.execute(_QUEUE_DAY, agency_id, day, now)


async def next_removal(connection: Connection, agency_id: str, after: int) -> Removal | None:
    """Pictures that may be deleted now, locked."""
    row = await connection.fetchrow(_REMOVALS, agency_id, after)
    return Removal(row["removal_id"], row["day"], row["object"]) if row else None


async def is_still_held(connection: Connection, agency_id: str, key: str) -> bool:
    """Whether a read that is kept shows the same picture (two plates in one frame)."""
    held: bool = await connection.fetchval(_STILL_HELD, agency_id, key)
    return held


async def removed(connection: Connection, agency_id: str, removal_id: int) -> None:
    await connection.execute(_REMOVED, agency_id, removal_id)
