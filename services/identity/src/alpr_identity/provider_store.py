"""SQL of who the providers' subjects are here; as `store`, inside the caller's transaction."""

from datetime import datetime
from uuid import UUID

from alpr_common.postgres import Connection

_LINKED = """
SELECT person_id FROM provider_link
WHERE agency_id = current_setting('alpr.agency_id', true) AND issuer = $1 AND subject = $2
"""
_LINK = """
INSERT INTO provider_link (issuer, subject, agency_id, person_id, linked_at)
VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING
"""
_UNLINK = "DELETE FROM provider_link WHERE person_id = $1"


async def person_linked(connection: Connection, issuer: str, subject: str) -> UUID | None:
    """Whom of the transaction's agency that subject is."""
    person_id: UUID | None = await connection.fetchval(_LINKED, issuer, subject)
    return person_id


async def link(
    connection: Connection, issuer: str, subject: str, agency_id: str, person_id: UUID,
    now: datetime,
) -> bool:  # fmt: skip
    """False when the person is another subject of that issuer already."""
    status = await connection.execute(_LINK, issuer, subject, agency_id, person_id, now)
    return bool(status == "INSERT 0 1")


async def unlink(connection: Connection, person_id: UUID) -> bool:
    """Forget who the person is at any provider; False when nothing was known."""
    return bool(await connection.execute(_UNLINK, person_id) != "DELETE 0")
