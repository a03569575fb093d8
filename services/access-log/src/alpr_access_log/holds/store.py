"""All SQL of legal holds and of the reads that they keep. Functions take a connection inside the
caller's transaction, which was opened for the agency: row-level security knows no other rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from alpr_access_log.holds.domain import Hold, PlateRange
from alpr_common.messages.read import Read
from alpr_common.plates import match_key
from alpr_common.postgres import Connection

_COLUMNS = (
    "read_id, captured_at, agency_id, camera_id, plate, match_key, jurisdiction, latitude, "
    "longitude, message"
)
# Shared by those who hold, alone for who purges: between a purge's last look at the holds and the
# end of the rows no hold can come.
_LOCK_SHARED = "SELECT pg_advisory_xact_lock_shared(hashtextextended('access_log.held:' || $1, 0))"
_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('access_log.held:' || $1, 0))"
_INSERT = """
INSERT INTO hold (hold_id, agency_id, kind, reason, case_number, alert_id, plate, lookalike,
    from_at, to_at, placed_at, placed_by_id, placed_by_name)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
ON CONFLICT (hold_id) DO NOTHING
"""
_NAME = """
INSERT INTO hold_read (hold_id, read_id, agency_id)
SELECT $1, read_id, $2 FROM unnest($3::uuid[]) AS given (read_id)
ON CONFLICT DO NOTHING RETURNING read_id
"""
_VISIBLE = """
SELECT read_id FROM read
WHERE agency_id = $1 AND read_id = ANY ($2::uuid[]) AND captured_at >= $3
UNION SELECT read_id FROM held_read WHERE agency_id = $1 AND read_id = ANY ($2::uuid[])
"""
_OF_A_PLATE = """
SELECT read_id FROM read
WHERE agency_id = $1 AND {column} = $2 AND captured_at >= greatest($3, $5::timestamptz)
  AND captured_at < $4
UNION SELECT read_id FROM held_read
WHERE agency_id = $1 AND {column} = $2 AND captured_at >= $3 AND captured_at < $4
"""
_BY_COLUMN = {c: _OF_A_PLATE.format(column=c) for c in ("plate", "match_key")}
_COPY = f"""
INSERT INTO held_read ({_COLUMNS}, frame_object, plate_object, held_at)
SELECT {_COLUMNS}, message->>'frame_object', message->>'plate_object', $2
FROM (
    SELECT DISTINCT m.read_id FROM hold_read m JOIN hold h USING (hold_id)
    WHERE h.agency_id = $1 AND h.released_at IS NULL
      AND NOT EXISTS (SELECT FROM held_read k WHERE k.read_id = m.read_id)
) waiting JOIN read USING (read_id)
WHERE agency_id = $1
ON CONFLICT (read_id) DO NOTHING RETURNING read_id
"""  # noqa: S608 - constants
_KEEP = f"""
INSERT INTO held_read ({_COLUMNS}, frame_object, plate_object, held_at, keep_until)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10::jsonb, $11, $12, $13, $14)
ON CONFLICT (read_id) DO UPDATE SET keep_until = greatest(held_read.keep_until, $14)
WHERE held_read.keep_until IS DISTINCT FROM greatest(held_read.keep_until, $14)
"""  # noqa: S608 - constants
_ACTIVE_PLATES = """
SELECT hold_id, plate, lookalike, from_at, to_at FROM hold
WHERE agency_id = $1 AND plate IS NOT NULL AND released_at IS NULL ORDER BY hold_id
"""
_HOLD = """
SELECT h.*, coalesce(n.named, 0) AS named_count, coalesce(n.held, 0) AS held_count
FROM hold h LEFT JOIN LATERAL (
    SELECT count(*) AS named, count(k.read_id) AS held
    FROM hold_read m LEFT JOIN held_read k USING (read_id) WHERE m.hold_id = h.hold_id
) n ON true
WHERE h.agency_id = $1
"""
_ONE = _HOLD + " AND h.hold_id = $2"
_OF_ALERT = _HOLD + " AND h.alert_id = $2 AND h.kind = 'alert' ORDER BY h.placed_at DESC LIMIT 1"
_LIST = (
    _HOLD
    + """
  AND ($2::boolean IS NULL OR (h.released_at IS NULL) = $2)
  AND ($3::timestamptz IS NULL OR (h.placed_at, h.hold_id) < ($3, $4::uuid))
ORDER BY h.placed_at DESC, h.hold_id DESC LIMIT $5
"""
)
_RELEASE = """
UPDATE hold SET released_at = $3, released_by_id = $4, released_by_name = $5, release_reason = $6
WHERE agency_id = $1 AND hold_id = $2 AND released_at IS NULL RETURNING hold_id
"""
_SET_CASE = "UPDATE hold SET case_number = $3 WHERE agency_id = $1 AND hold_id = $2"
_READS_OF = """
SELECT m.read_id, k.captured_at, k.pictures FROM hold_read m LEFT JOIN held_read k USING (read_id)
WHERE m.agency_id = $1 AND m.hold_id = $2 ORDER BY k.captured_at NULLS LAST, m.read_id
"""
_WAITING = """
SELECT read_id, frame_object, plate_object FROM held_read
WHERE agency_id = $1 AND pictures = 'waiting' ORDER BY captured_at
LIMIT 1 FOR UPDATE SKIP LOCKED
"""
_PICTURES = "UPDATE held_read SET pictures = $3 WHERE agency_id = $1 AND read_id = $2"


@dataclass(frozen=True)
class NamedRead:
    """A read that a hold names; without a time when it is not kept (yet, or any more)."""

    read_id: UUID
    captured_at: datetime | None
    pictures: str | None


@dataclass(frozen=True)
class WaitingPictures:
    read_id: UUID
    objects: tuple[str, ...]


async def lock_shared(connection: Connection, agency_id: str) -> None:
    """Keep purges of this agency away until the transaction ends."""
    await connection.execute(_LOCK_SHARED, agency_id)


async def lock(connection: Connection, agency_id: str) -> None:
    """Keep holds and other purges of this agency away until the transaction ends."""
    await connection.execute(_LOCK, agency_id, timeout=None)


async def insert(connection: Connection, hold: Hold) -> bool:
    """Store a new hold; False when it is known."""
    seen = hold.plate_range
    status: str = await connection.execute(
        _INSERT, hold.hold_id, hold.agency_id, hold.kind, hold.reason, hold.case_number,
        hold.alert_id, seen and seen.plate, bool(seen and seen.lookalike), seen and seen.from_at,
        seen and seen.to_at, hold.placed_at, hold.placed_by_id, hold.placed_by_name,
    )  # fmt: skip
    return status.endswith(" 1")


async def name_reads(
    connection: Connection, agency_id: str, hold_id: UUID, read_ids: Sequence[UUID]
) -> list[UUID]:
    """Put reads under a hold, whether they are stored yet or not; returns those that are new."""
    rows = await connection.fetch(_NAME, hold_id, agency_id, list(read_ids))
    return [row["read_id"] for row in rows]


async def visible(
    connection: Connection, agency_id: str, read_ids: Sequence[UUID], shown_from: datetime
) -> set[UUID]:
    """Those of the ids that are stored and not past their retention at `shown_from`."""
    rows = await connection.fetch(_VISIBLE, agency_id, list(read_ids), shown_from)
    return {row["read_id"] for row in rows}


async def of_a_plate(
    connection: Connection, agency_id: str, seen: PlateRange, shown_from: datetime
) -> list[UUID]:
    """Reads of that plate and time that are stored and not past their retention."""
    column = "match_key" if seen.lookalike else "plate"
    text = match_key(seen.plate) if seen.lookalike else seen.plate
    rows = await connection.fetch(
        _BY_COLUMN[column], agency_id, text, seen.from_at, seen.to_at, shown_from
    )
    return [row["read_id"] for row in rows]


async def active_plates(connection: Connection, agency_id: str) -> list[tuple[UUID, PlateRange]]:
    """Holds of plates that are in force."""
    return [
        (r["hold_id"], PlateRange(r["plate"], r["lookalike"], r["from_at"], r["to_at"]))
        for r in await connection.fetch(_ACTIVE_PLATES, agency_id)
    ]


async def copy_named(connection: Connection, agency_id: str, now: datetime) -> list[UUID]:
    """Copy stored reads that a hold names and nobody copied yet; returns their ids."""
    rows = await connection.fetch(_COPY, agency_id, now, timeout=600)
    return [row["read_id"] for row in rows]


async def keep(
    connection: Connection, read: Read, message: bytes, keep_until: datetime, now: datetime
) -> None:
    """Keep a read until then, however short its partition's life is."""
    await connection.execute(
        _KEEP, read.read_id, read.captured_at, read.agency_id, read.camera_id, read.plate,
        read.match_key, read.jurisdiction, read.latitude, read.longitude, message.decode(),
        read.frame_object, read.plate_object, now, keep_until,
    )  # fmt: skip


async def find(connection: Connection, agency_id: str, hold_id: UUID) -> Hold | None:
    row = await connection.fetchrow(_ONE, agency_id, hold_id)
    return _hold(row) if row else None


async def newest_of_alert(connection: Connection, agency_id: str, alert_id: UUID) -> Hold | None:
    """The hold that the system placed last for that alert, in force or not."""
    row = await connection.fetchrow(_OF_ALERT, agency_id, alert_id)
    return _hold(row) if row else None


async def page(
    connection: Connection,
    agency_id: str,
    in_force: bool | None,
    after: tuple[datetime, UUID] | None,
    most: int,
) -> list[Hold]:
    """Holds of the agency, newest first."""
    rows = await connection.fetch(
        _LIST, agency_id, in_force, after and after[0], after and after[1], most
    )
    return [_hold(row) for row in rows]


async def release(
    connection: Connection, hold: Hold, at: datetime, person_id: str, name: str, reason: str
) -> bool:
    """End a hold; False when somebody was faster."""
    row = await connection.fetchrow(
        _RELEASE, hold.agency_id, hold.hold_id, at, person_id, name, reason
    )
    return row is not None


async def set_case(connection: Connection, agency_id: str, hold_id: UUID, case_number: str) -> None:
    await connection.execute(_SET_CASE, agency_id, hold_id, case_number)


async def reads_of(connection: Connection, agency_id: str, hold_id: UUID) -> list[NamedRead]:
    """The reads that a hold names."""
    rows = await connection.fetch(_READS_OF, agency_id, hold_id)
    return [NamedRead(r["read_id"], r["captured_at"], r["pictures"]) for r in rows]


async def next_waiting(connection: Connection, agency_id: str) -> WaitingPictures | None:
    """A held read whose pictures are to be copied, locked so that no purge takes it meanwhile."""
    row = await connection.fetchrow(_WAITING, agency_id)
    if row is None:
        return None
    return WaitingPictures(row["read_id"], (row["frame_object"], row["plate_object"]))


async def note_pictures(connection: Connection, agency_id: str, read_id: UUID, kept: bool) -> None:
    await connection.execute(_PICTURES, agency_id, read_id, "kept" if kept else "missing")


def _hold(row: Any) -> Hold:
    seen = None
    if row["plate"] is not None:
        seen = PlateRange(row["plate"], row["lookalike"], row["from_at"], row["to_at"])
    return Hold(
        hold_id=row["hold_id"],
        agency_id=row["agency_id"],
        kind=row["kind"],
        reason=row["reason"],
        case_number=row["case_number"],
        placed_at=row["placed_at"],
        placed_by_id=row["placed_by_id"],
        placed_by_name=row["placed_by_name"],
        alert_id=row["alert_id"],
        plate_range=seen,
        released_at=row["released_at"],
        released_by_id=row["released_by_id"],
        released_by_name=row["released_by_name"],
        release_reason=row["release_reason"],
        named_count=row["named_count"],
        held_count=row["held_count"],
    )
