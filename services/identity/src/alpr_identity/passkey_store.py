"""SQL of passkeys; as `store`, inside the caller's transaction."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from alpr_common.postgres import Connection

_SIGNING_IN = "SELECT set_config('alpr.signing_in_with', $1, true)"
_AGENCY_OF = "SELECT agency_id FROM passkey WHERE credential_id = $1"
_COLUMNS = """
SELECT passkey_id, person_id, credential_id, credential_data, sign_count, is_synced, name,
    created_at, used_at
FROM passkey
"""
_LOCKED = (
    _COLUMNS + "WHERE credential_id = $1 AND agency_id = current_setting('alpr.agency_id', true) "
    "FOR UPDATE"
)
_OF_PERSON = (
    _COLUMNS + "WHERE person_id = $1 AND agency_id = current_setting('alpr.agency_id', true) "
    "ORDER BY created_at, passkey_id"
)
_ADD = """
INSERT INTO passkey (passkey_id, credential_id, agency_id, person_id, credential_data, sign_count,
    is_synced, name, created_at, used_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9) ON CONFLICT DO NOTHING
"""
_USED = "UPDATE passkey SET sign_count = $2, is_synced = $3, used_at = $4 WHERE passkey_id = $1"
_RENAME = "UPDATE passkey SET name = $3 WHERE passkey_id = $1 AND person_id = $2"
_REMOVE = "DELETE FROM passkey WHERE passkey_id = $1 AND person_id = $2"


@dataclass(frozen=True)
class Passkey:
    """A credential of a person: the public half of it."""

    passkey_id: UUID
    person_id: UUID
    credential_id: bytes
    credential_data: bytes
    sign_count: int
    is_synced: bool
    name: str
    created_at: datetime
    used_at: datetime | None


async def agency_of_credential(connection: Connection, credential_id: bytes) -> str | None:
    """Where its person belongs, found in a transaction that has no agency yet."""
    await connection.execute(_SIGNING_IN, credential_id.hex())
    agency_id: str | None = await connection.fetchval(_AGENCY_OF, credential_id)
    return agency_id


async def lock(connection: Connection, credential_id: bytes) -> Passkey | None:
    """Locked, so that two uses at the same moment cannot both count from the same number."""
    row = await connection.fetchrow(_LOCKED, credential_id)
    return _passkey(row) if row else None


async def of_person(connection: Connection, person_id: UUID) -> list[Passkey]:
    """The oldest first."""
    return [_passkey(row) for row in await connection.fetch(_OF_PERSON, person_id)]


def _passkey(row: Any) -> Passkey:
    return Passkey(**row)


async def add(connection: Connection, passkey: Passkey, agency_id: str) -> bool:
    """False when the credential is known already, as anybody's."""
    status = await connection.execute(
        _ADD, passkey.passkey_id, passkey.credential_id, agency_id, passkey.person_id,
        passkey.credential_data, passkey.sign_count, passkey.is_synced, passkey.name,
        passkey.created_at,
    )  # fmt: skip
    return bool(status == "INSERT 0 1")


async def note_use(
    connection: Connection, passkey_id: UUID, sign_count: int, is_synced: bool, now: datetime
) -> None:
    await connection.execute(_USED, passkey_id, sign_count, is_synced, now)


async def rename(connection: Connection, passkey_id: UUID, person_id: UUID, name: str) -> bool:
    """False when the person has no such passkey."""
    return bool(await connection.execute(_RENAME, passkey_id, person_id, name) == "UPDATE 1")


async def remove(connection: Connection, passkey_id: UUID, person_id: UUID) -> bool:
    """False when the person has no such passkey."""
    return bool(await connection.execute(_REMOVE, passkey_id, person_id) == "DELETE 1")
