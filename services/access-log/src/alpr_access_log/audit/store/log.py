"""Which checkpoints an agency's log had in a period."""

from dataclasses import dataclass
from datetime import datetime

from alpr_common.postgres import Connection

_SPAN = """
SELECT size, root, note, signed_at FROM log_checkpoint
WHERE agency_id = $1 AND signed_at {when} ORDER BY size {order} LIMIT 1
"""
_FIRST = _SPAN.format(when=">= $2 AND signed_at < $3", order="")
_LAST = _SPAN.format(when=">= $2 AND signed_at < $3", order="DESC")
_BEFORE = _SPAN.format(when="< $2", order="DESC")
_TIMES = """
SELECT size, signed_at FROM log_checkpoint
WHERE agency_id = $1 AND signed_at >= $2 AND signed_at < $3 ORDER BY size
"""
_NOTES = """
SELECT size, root, note, signed_at FROM log_checkpoint
WHERE agency_id = $1 AND size = ANY ($2::bigint[]) ORDER BY size
"""


@dataclass(frozen=True)
class Signed:
    """A checkpoint as it is stored."""

    size: int
    root: bytes
    note: str
    signed_at: datetime


async def first(
    connection: Connection, agency_id: str, begin: datetime, end: datetime
) -> Signed | None:
    """The first checkpoint in [begin, end)."""
    row = await connection.fetchrow(_FIRST, agency_id, begin, end)
    return Signed(**dict(row)) if row else None


async def last(
    connection: Connection, agency_id: str, begin: datetime, end: datetime
) -> Signed | None:
    row = await connection.fetchrow(_LAST, agency_id, begin, end)
    return Signed(**dict(row)) if row else None


async def newest_before(connection: Connection, agency_id: str, at: datetime) -> Signed | None:
    row = await connection.fetchrow(_BEFORE, agency_id, at)
    return Signed(**dict(row)) if row else None


async def times(
    connection: Connection, agency_id: str, begin: datetime, end: datetime
) -> list[tuple[int, datetime]]:
    """Size and time of every checkpoint in [begin, end), in order of size."""
    rows = await connection.fetch(_TIMES, agency_id, begin, end)
    return [(row["size"], row["signed_at"]) for row in rows]


async def notes(connection: Connection, agency_id: str, sizes: list[int]) -> list[Signed]:
    """The checkpoints of these sizes, in order."""
    rows = await connection.fetch(_NOTES, agency_id, sizes)
    return [Signed(**dict(row)) for row in rows]
