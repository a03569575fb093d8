"""Packages that are being prepared: who is at it, how far it is, and how it ended.

Claims are measured with the database's clock: replicas need not agree on the time.
"""

import json
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from alpr_access_log.audit.store.keeping import Package
from alpr_common.postgres import Connection

_ADD = """
INSERT INTO audit_package (package_id, agency_id, from_at, to_at, asked_at, prepared_by_id,
    prepared_by_name, prepared_by_role, prepared_by_session_id, prepared_by_address, state, step)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 'preparing', $11)
"""
_ADD_CLAIM = """
INSERT INTO audit_preparing (package_id, agency_id, claim, claimed_until)
VALUES ($1, $2, $3, now() + make_interval(secs => $4))
ON CONFLICT (agency_id) DO NOTHING RETURNING package_id
"""
_WHICH = "SELECT package_id FROM audit_preparing WHERE agency_id = $1"
_TAKE_UP = """
UPDATE audit_preparing SET claim = $1, claimed_until = now() + make_interval(secs => $2),
    attempts = attempts + 1
WHERE package_id = (
    SELECT package_id FROM audit_preparing WHERE claimed_until < now()
    ORDER BY claimed_until FOR UPDATE SKIP LOCKED LIMIT 1)
RETURNING package_id, agency_id, claim, attempts
"""
_HOLD = """
UPDATE audit_preparing SET claimed_until = now() + make_interval(secs => $3)
WHERE package_id = $1 AND claim = $2 RETURNING package_id
"""
_LEAVE = """
UPDATE audit_preparing SET claimed_until = now() + make_interval(secs => $3),
    attempts = greatest(1, attempts - $4)
WHERE package_id = $1 AND claim = $2
"""
_END = "DELETE FROM audit_preparing WHERE package_id = $1 AND claim = $2 RETURNING package_id"
_GOES_ON = (
    "UPDATE audit_package SET step = $3, progress = $4 WHERE agency_id = $1 AND package_id = $2"
)
_KEEP_IDENTITY = """
UPDATE audit_package SET identity = $3::json WHERE agency_id = $1 AND package_id = $2
"""
_IDENTITY = """
SELECT identity::text FROM audit_package WHERE agency_id = $1 AND package_id = $2
"""
_READY = """
UPDATE audit_package SET state = 'ready', step = NULL, progress = 1, identity = NULL,
    prepared_at = $3, summary = $4::jsonb, files = $5::jsonb
WHERE agency_id = $1 AND package_id = $2
"""
_FAILED = """
UPDATE audit_package SET state = 'failed', step = NULL, identity = NULL, failure = $3
WHERE agency_id = $1 AND package_id = $2
"""


@dataclass(frozen=True)
class Claim:
    """A package that this process has taken upon itself. `attempts` counts this one, too."""

    package_id: UUID
    agency_id: str
    claim: UUID
    attempts: int = 1


async def add(
    connection: Connection, package: Package, claim: Claim, seconds: float
) -> UUID | None:
    """Add a package with its claim; the id of the one that stands in its way, if one does."""
    # First the package, which the claim refers to: a conflict of the claim undoes both.
    by = package.prepared_by
    await connection.execute(
        _ADD, package.package_id, package.agency_id, package.from_at, package.to_at,
        package.asked_at, by.person_id, by.person_name, by.role, by.session_id, by.address,
        package.step,
    )  # fmt: skip
    mine = await connection.fetchval(
        _ADD_CLAIM, claim.package_id, claim.agency_id, claim.claim, seconds
    )
    if mine is not None:
        return None
    other: UUID | None = await connection.fetchval(_WHICH, package.agency_id)
    return other or package.package_id


async def take_up(connection: Connection, claim: UUID, seconds: float) -> Claim | None:
    """Claim a package whose process has not been heard of in time, of whatever agency."""
    row = await connection.fetchrow(_TAKE_UP, claim, seconds)
    return Claim(**dict(row)) if row else None


async def hold(connection: Connection, claim: Claim, seconds: float) -> bool:
    """Keep the claim for so long from now; False when another process has it."""
    held = await connection.fetchval(_HOLD, claim.package_id, claim.claim, seconds)
    return held is not None


async def leave(
    connection: Connection, claim: Claim, after_seconds: float, *, counts: bool
) -> None:
    """Let any process take it up after so long; `counts`: as one attempt more."""
    await connection.execute(
        _LEAVE, claim.package_id, claim.claim, after_seconds, 0 if counts else 1
    )


async def goes_on(connection: Connection, claim: Claim, step: str, progress: float) -> None:
    await connection.execute(_GOES_ON, claim.agency_id, claim.package_id, step, progress)


async def keep_identity(connection: Connection, claim: Claim, said: str) -> None:
    """`said`: JSON."""
    await connection.execute(_KEEP_IDENTITY, claim.agency_id, claim.package_id, said)


async def identity_of(connection: Connection, claim: Claim) -> str | None:
    """What was kept of identity's answers, as JSON."""
    said: str | None = await connection.fetchval(_IDENTITY, claim.agency_id, claim.package_id)
    return said


async def end_ready(connection: Connection, claim: Claim, package: Package) -> bool:
    """The package is ready; False, and nothing is changed, when another process has the claim."""
    if await connection.fetchval(_END, claim.package_id, claim.claim) is None:
        return False
    files: list[dict[str, Any]] = [file.to_json() for file in package.files]
    await connection.execute(
        _READY, claim.agency_id, claim.package_id, package.prepared_at,
        json.dumps(package.summary), json.dumps(files),
    )  # fmt: skip
    return True


async def end_failed(connection: Connection, claim: Claim, why: str) -> bool:
    """The package cannot be prepared; False, and nothing is changed, when another has the claim."""
    if await connection.fetchval(_END, claim.package_id, claim.claim) is None:
        return False
    await connection.execute(_FAILED, claim.agency_id, claim.package_id, why)
    return True
