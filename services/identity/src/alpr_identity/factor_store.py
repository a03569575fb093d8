"""SQL of second factors, reminders and upkeep; as `store`, inside the caller's transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from alpr_common.postgres import Connection
from alpr_identity.domain import TrainingKind

_FACTOR = """
SELECT sealed_secret, confirmed_at, last_step, pending_secret, pending_until
FROM second_factor WHERE person_id = $1 FOR UPDATE
"""
_BEGIN = """
INSERT INTO second_factor (person_id, agency_id, pending_secret, pending_until)
VALUES ($1, $2, $3, $4)
ON CONFLICT (person_id) DO UPDATE
SET pending_secret = excluded.pending_secret, pending_until = excluded.pending_until,
    pending_failures = 0
"""
_CONFIRM = """
UPDATE second_factor SET sealed_secret = pending_secret, confirmed_at = $2, last_step = $3,
    pending_secret = NULL, pending_until = NULL
WHERE person_id = $1
"""
_NOTE_WRONG = """
UPDATE second_factor SET pending_failures = pending_failures + 1,
    pending_secret = CASE WHEN pending_failures + 1 < $2 THEN pending_secret END,
    pending_until = CASE WHEN pending_failures + 1 < $2 THEN pending_until END
WHERE person_id = $1 RETURNING pending_secret IS NOT NULL
"""
_SPEND_STEP = "UPDATE second_factor SET last_step = $2 WHERE person_id = $1"
_REMOVE = "DELETE FROM second_factor WHERE person_id = $1"
_ADD_CODES = """
INSERT INTO recovery_code (person_id, agency_id, code_hash, key_id)
SELECT $1, $2, hash, $4 FROM unnest($3::bytea[]) AS given (hash)
"""
_FACTORS = """
SELECT person_id, sealed_secret, confirmed_at, last_step, pending_secret, pending_until
FROM second_factor WHERE agency_id = current_setting('alpr.agency_id', true) FOR UPDATE
"""
_RESEAL = "UPDATE second_factor SET sealed_secret = $2, pending_secret = $3 WHERE person_id = $1"
_OTHER_CODES = """
SELECT count(DISTINCT person_id) FROM recovery_code
WHERE agency_id = current_setting('alpr.agency_id', true) AND key_id IS DISTINCT FROM $1
"""
_DROP_CODES = "DELETE FROM recovery_code WHERE person_id = $1"
_SPEND_CODE = "DELETE FROM recovery_code WHERE person_id = $1 AND code_hash = ANY($2)"
_COUNT_CODES = "SELECT count(*) FROM recovery_code WHERE person_id = $1"
_NOTE_FACTOR = "UPDATE session SET second_factor_at = $2 WHERE session_id = $1 AND ended_at IS NULL"

_AGENCIES = "SELECT agency_id FROM agency ORDER BY agency_id"
_REMIND = """
INSERT INTO training_reminder (person_id, agency_id, kind, valid_until, days_before, reminded_at)
VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING
"""
_REMINDERS = """
SELECT person_id, kind, valid_until, days_before, reminded_at FROM training_reminder
WHERE agency_id = current_setting('alpr.agency_id', true) AND valid_until >= $1
ORDER BY reminded_at
"""
_DISABLE_INACTIVE = """
UPDATE person SET active = false, updated_at = $2
WHERE active AND agency_id = current_setting('alpr.agency_id', true)
  AND greatest(signed_in_at, active_since, created_at) < $1
RETURNING person_id
"""
_OVERDUE = """
SELECT session_id FROM session
WHERE ended_at IS NULL AND agency_id = current_setting('alpr.agency_id', true)
  AND (refreshed_at < $1 OR created_at < $2)
"""
_OPEN = """
SELECT session_id, person_id, address, created_at, refreshed_at, second_factor_at FROM session
WHERE person_id = $1 AND ended_at IS NULL AND refreshed_at >= $2 AND created_at > $3
ORDER BY refreshed_at DESC
"""


@dataclass(frozen=True)
class StoredFactor:
    """A person's second factor: the confirmed secret, and one that waits to be confirmed."""

    sealed_secret: bytes | None
    confirmed_at: datetime | None
    last_step: int
    pending_secret: bytes | None
    pending_until: datetime | None


async def lock_factor(connection: Connection, person_id: UUID) -> StoredFactor | None:
    """Locked, so that one code cannot be used twice at the same moment."""
    row = await connection.fetchrow(_FACTOR, person_id)
    return StoredFactor(**row) if row else None


async def begin_factor(
    connection: Connection, person_id: UUID, agency_id: str, sealed: bytes, until: datetime
) -> None:
    await connection.execute(_BEGIN, person_id, agency_id, sealed, until)


async def confirm_factor(connection: Connection, person_id: UUID, step: int, now: datetime) -> None:
    await connection.execute(_CONFIRM, person_id, now, step)


async def note_wrong_confirmation(connection: Connection, person_id: UUID, most: int) -> bool:
    """Whether it may be tried again: at the `most`th time the new secret is forgotten."""
    again: bool = await connection.fetchval(_NOTE_WRONG, person_id, most)
    return again


async def spend_step(connection: Connection, person_id: UUID, step: int) -> None:
    await connection.execute(_SPEND_STEP, person_id, step)


async def remove_factor(connection: Connection, person_id: UUID) -> bool:
    """Whether there was one."""
    await connection.execute(_DROP_CODES, person_id)
    return bool(await connection.execute(_REMOVE, person_id) == "DELETE 1")


async def replace_codes(
    connection: Connection, person_id: UUID, agency_id: str, hashes: Sequence[bytes], key_id: str
) -> None:
    await connection.execute(_DROP_CODES, person_id)
    await connection.execute(_ADD_CODES, person_id, agency_id, list(hashes), key_id)


async def drop_codes(connection: Connection, person_id: UUID) -> None:
    await connection.execute(_DROP_CODES, person_id)


async def people_with_other_codes(connection: Connection, key_id: str) -> int:
    """How many people of the agency have recovery codes that rest on another secret."""
    count: int = await connection.fetchval(_OTHER_CODES, key_id)
    return count


async def lock_factors(connection: Connection) -> list[tuple[UUID, StoredFactor]]:
    """Every second factor of the agency, locked."""
    rows = [dict(row) for row in await connection.fetch(_FACTORS)]
    return [(row.pop("person_id"), StoredFactor(**row)) for row in rows]


async def replace_sealed(
    connection: Connection, person_id: UUID, sealed: bytes | None, pending: bytes | None
) -> None:
    """The same secrets, sealed otherwise."""
    await connection.execute(_RESEAL, person_id, sealed, pending)


async def spend_code(connection: Connection, person_id: UUID, hashes: Sequence[bytes]) -> bool:
    """Use up a recovery code; False when the person has none of these hashes."""
    return bool(await connection.execute(_SPEND_CODE, person_id, list(hashes)) == "DELETE 1")


async def count_codes(connection: Connection, person_id: UUID) -> int:
    count: int = await connection.fetchval(_COUNT_CODES, person_id)
    return count


async def note_session_factor(connection: Connection, session_id: UUID, now: datetime) -> bool:
    """The session showed the second factor; False when it has ended."""
    return bool(await connection.execute(_NOTE_FACTOR, session_id, now) == "UPDATE 1")


async def agencies(connection: Connection) -> list[str]:
    """Every agency that has people, in a transaction of none."""
    return [row["agency_id"] for row in await connection.fetch(_AGENCIES)]


async def note_reminder(
    connection: Connection, person_id: UUID, agency_id: str, kind: TrainingKind,
    valid_until: date, days_before: int, now: datetime,
) -> bool:  # fmt: skip
    """Whether this reminder is new."""
    status = await connection.execute(
        _REMIND, person_id, agency_id, kind, valid_until, days_before, now
    )
    return bool(status == "INSERT 0 1")


async def reminders(connection: Connection, today: date) -> list[dict[str, Any]]:
    """Of trainings that have not lapsed, oldest first."""
    return [dict(row) for row in await connection.fetch(_REMINDERS, today)]


async def disable_inactive(connection: Connection, since: datetime, now: datetime) -> list[UUID]:
    rows = await connection.fetch(_DISABLE_INACTIVE, since, now)
    return [row["person_id"] for row in rows]


async def overdue_sessions(
    connection: Connection, idle_since: datetime, begun_before: datetime
) -> list[UUID]:
    rows = await connection.fetch(_OVERDUE, idle_since, begun_before)
    return [row["session_id"] for row in rows]


async def sessions_of(
    connection: Connection, person_id: UUID, idle_since: datetime, begun_after: datetime
) -> list[dict[str, Any]]:
    """The person's sessions that can still be refreshed, the one used last first."""
    rows = await connection.fetch(_OPEN, person_id, idle_since, begun_after)
    return [dict(row) for row in rows]
