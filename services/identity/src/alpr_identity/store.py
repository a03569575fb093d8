"""All SQL of identity. Functions take a connection inside the caller's transaction, which was
opened for one agency: row-level security shows and takes that agency's rows alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

import asyncpg

from alpr_common.policy import Role
from alpr_common.postgres import Connection
from alpr_identity.domain import Person, Session, Training, TrainingKind
from alpr_identity.refusals import UsernameTaken

_SIGNING_IN = "SELECT set_config('alpr.signing_in', $1, true)"
_AGENCY_OF = "SELECT agency_id FROM person WHERE username = $1"

_PERSON = """
SELECT p.person_id, p.agency_id, p.username, p.name, p.rank, p.role, p.active, p.locked_at,
    p.signed_in_at, p.created_at, p.updated_at, p.password_hash, p.active_since,
    p.rights_version, p.supervisor_rank, factor.confirmed_at AS second_factor_at,
    EXISTS (SELECT 1 FROM passkey k WHERE k.person_id = p.person_id) AS has_passkey,
    leads.valid_until AS leads_until, leads.certificate AS leads_certificate,
    alpr.valid_until AS alpr_until, alpr.certificate AS alpr_certificate
FROM person p
LEFT JOIN second_factor factor USING (person_id)
LEFT JOIN LATERAL (
    SELECT valid_until, certificate FROM training t
    WHERE t.person_id = p.person_id AND kind = 'leads' ORDER BY training_sequence DESC LIMIT 1
) leads ON true
LEFT JOIN LATERAL (
    SELECT valid_until, certificate FROM training t
    WHERE t.person_id = p.person_id AND kind = 'alpr' ORDER BY training_sequence DESC LIMIT 1
) alpr ON true
WHERE p.agency_id = current_setting('alpr.agency_id', true)
"""
_BY_ID = _PERSON + " AND p.person_id = $1"
# A statement of its own: what the next one reads of other tables is as of after the wait. In one
# statement a training or passkey changed meanwhile would be seen as it was before it.
_LOCK = "SELECT person_id FROM person WHERE agency_id = current_setting('alpr.agency_id', true)"
_LOCK_BY_ID = _LOCK + " AND person_id = $1 FOR UPDATE"
_LOCK_BY_USERNAME = _LOCK + " AND username = $1 FOR UPDATE"
_LIST = _PERSON + " AND ($1::text IS NULL OR p.username > $1) ORDER BY p.username LIMIT $2"

_ADD = """
INSERT INTO person (person_id, agency_id, username, name, rank, role, password_hash,
    password_changed_at, created_at, updated_at, supervisor_rank)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8, $8, $9)
"""
_CHANGE = """
UPDATE person SET name = $2, rank = $3, role = $4, active = $5, updated_at = $6,
    supervisor_rank = $7,
    active_since = CASE WHEN $5 AND NOT active THEN $6 ELSE active_since END
WHERE person_id = $1
"""
_SET_PASSWORD = """
UPDATE person SET password_hash = $2, password_changed_at = $3, updated_at = $3
WHERE person_id = $1
"""  # noqa: S105
_REHASH = "UPDATE person SET password_hash = $2 WHERE person_id = $1"
_NARROW = """
UPDATE person SET rights_version = rights_version + 1 WHERE person_id = $1
RETURNING rights_version
"""
_SET_LOCK = "UPDATE person SET locked_at = $2 WHERE person_id = $1"
_SIGNED_IN = "UPDATE person SET signed_in_at = $2 WHERE person_id = $1"

_ADD_TRAINING = """
INSERT INTO training
    (agency_id, person_id, kind, valid_until, certificate, recorded_by, recorded_at)
SELECT agency_id, person_id, $2, $3, $4, $5, $6 FROM person WHERE person_id = $1
"""
_TRAININGS = """
SELECT kind, valid_until, certificate, recorded_by, recorded_at FROM training
WHERE person_id = $1 ORDER BY training_sequence DESC
"""

_COUNT_FAILURES = "SELECT count(*) FROM sign_in_failure WHERE person_id = $1 AND failed_at > $2"
_ADD_FAILURE = """
INSERT INTO sign_in_failure (agency_id, person_id, failed_at)
SELECT agency_id, person_id, $2 FROM person WHERE person_id = $1 RETURNING failure_id
"""
_DROP_FAILURE = "DELETE FROM sign_in_failure WHERE failure_id = $1"
_CLEAR_FAILURES = "DELETE FROM sign_in_failure WHERE person_id = $1"

_ADD_SESSION = """
INSERT INTO session (session_id, agency_id, person_id, address, last_address, created_at,
    refreshed_at, second_factor_at, method)
VALUES ($1, $2, $3, $4, $4, $5, $5, $6, $7)
"""
_SESSION = """
SELECT session_id, agency_id, person_id, created_at, refreshed_at, ended_because,
    second_factor_at, method
FROM session WHERE session_id = $1 FOR UPDATE
"""
_REFRESHED = "UPDATE session SET refreshed_at = $2, last_address = $3 WHERE session_id = $1"
_END_SESSION = """
UPDATE session SET ended_at = $2, ended_because = $3 WHERE session_id = $1 AND ended_at IS NULL
"""
_OPEN_SESSIONS = "SELECT session_id FROM session WHERE person_id = $1 AND ended_at IS NULL"
_DROP_TOKENS = "DELETE FROM refresh_token WHERE session_id = $1"
_ADD_TOKEN = """
INSERT INTO refresh_token (token_sha256, agency_id, session_id, issued_at)
VALUES ($1, $2, $3, $4)
"""  # noqa: S105
_TOKEN_USED_AT = """
SELECT used_at FROM refresh_token WHERE token_sha256 = $1 AND session_id = $2
"""  # noqa: S105
_USE_TOKEN = "UPDATE refresh_token SET used_at = $2 WHERE token_sha256 = $1"  # noqa: S105


@dataclass(frozen=True)
class Credentials:
    """A person and the hash of their password."""

    person: Person
    password_hash: str


async def agency_of_username(connection: Connection, username: str) -> str | None:
    """Where the person belongs, found in a transaction that has no agency yet."""
    await connection.execute(_SIGNING_IN, username)
    agency_id: str | None = await connection.fetchval(_AGENCY_OF, username)
    return agency_id


async def lock_credentials(connection: Connection, username: str) -> Credentials | None:
    """The person of that name, locked against changes until the transaction ends."""
    return await _locked(connection, _LOCK_BY_USERNAME, username)


async def lock_credentials_by_id(connection: Connection, person_id: UUID) -> Credentials | None:
    return await _locked(connection, _LOCK_BY_ID, person_id)


async def _locked(connection: Connection, lock: str, named: UUID | str) -> Credentials | None:
    found = await connection.fetchval(lock, named)
    row = await connection.fetchrow(_BY_ID, found) if found else None
    return Credentials(_person(row), row["password_hash"]) if row else None


async def find_person(connection: Connection, person_id: UUID) -> Person | None:
    row = await connection.fetchrow(_BY_ID, person_id)
    return _person(row) if row else None


async def list_people(connection: Connection, after: str | None, most: int) -> list[Person]:
    """People by username, those behind `after`."""
    return [_person(row) for row in await connection.fetch(_LIST, after, most)]


def _person(row: Any) -> Person:
    fields = {name: value for name, value in row.items() if name != "password_hash"}
    return Person(**fields | {"role": Role(row["role"])})


async def add_person(connection: Connection, person: Person, password_hash: str) -> None:
    """Raises `UsernameTaken`, after which the transaction is of no use."""
    try:
        await connection.execute(
            _ADD, person.person_id, person.agency_id, person.username, person.name, person.rank,
            person.role.value, password_hash, person.created_at, person.supervisor_rank,
        )  # fmt: skip
    except asyncpg.UniqueViolationError as error:
        raise UsernameTaken(f"{person.username} is taken; choose another username.") from error


async def change_person(connection: Connection, person: Person, now: datetime) -> None:
    """Store name, ranks, role and standing."""
    await connection.execute(
        _CHANGE, person.person_id, person.name, person.rank, person.role.value, person.active, now,
        person.supervisor_rank,
    )  # fmt: skip


async def set_password(
    connection: Connection, person_id: UUID, password_hash: str, now: datetime
) -> None:
    await connection.execute(_SET_PASSWORD, person_id, password_hash, now)


async def rehash_password(connection: Connection, person_id: UUID, password_hash: str) -> None:
    """The same password under other parameters: it does not count as changed."""
    await connection.execute(_REHASH, person_id, password_hash)


async def narrow_rights(connection: Connection, person_id: UUID) -> int:
    """The person's next rights version: older tokens are of no use once that is told."""
    version: int = await connection.fetchval(_NARROW, person_id)
    return version


async def set_lock(connection: Connection, person_id: UUID, locked_at: datetime | None) -> None:
    await connection.execute(_SET_LOCK, person_id, locked_at)


async def note_sign_in(connection: Connection, person_id: UUID, now: datetime) -> None:
    await connection.execute(_SIGNED_IN, person_id, now)


async def add_training(
    connection: Connection, person_id: UUID, kind: TrainingKind, valid_until: date | None,
    certificate: str | None, recorded_by: str, now: datetime,
) -> None:  # fmt: skip
    await connection.execute(
        _ADD_TRAINING, person_id, kind, valid_until, certificate, recorded_by, now
    )


async def trainings(connection: Connection, person_id: UUID) -> Sequence[Training]:
    """The person's training history, newest first."""
    return [Training(**row) for row in await connection.fetch(_TRAININGS, person_id)]


async def count_failures(connection: Connection, person_id: UUID, since: datetime) -> int:
    count: int = await connection.fetchval(_COUNT_FAILURES, person_id, since)
    return count


async def add_failure(connection: Connection, person_id: UUID, now: datetime) -> int:
    """Returns the attempt's number."""
    failure_id: int = await connection.fetchval(_ADD_FAILURE, person_id, now)
    return failure_id


async def drop_failure(connection: Connection, failure_id: int) -> None:
    """That attempt was none of guessing; those before it stay counted."""
    await connection.execute(_DROP_FAILURE, failure_id)


async def clear_failures(connection: Connection, person_id: UUID) -> None:
    await connection.execute(_CLEAR_FAILURES, person_id)


async def add_session(connection: Connection, session: Session, address: str | None) -> None:
    await connection.execute(
        _ADD_SESSION, session.session_id, session.agency_id, session.person_id, address,
        session.created_at, session.second_factor_at, session.method,
    )  # fmt: skip


async def lock_session(connection: Connection, session_id: UUID) -> Session | None:
    """The session, locked against a second refresh at the same moment."""
    row = await connection.fetchrow(_SESSION, session_id)
    return Session(**row) if row else None


async def note_refresh(
    connection: Connection, session_id: UUID, address: str | None, now: datetime
) -> None:
    await connection.execute(_REFRESHED, session_id, now, address)


async def end_session(
    connection: Connection, session_id: UUID, because: str, now: datetime
) -> bool:
    """End it and forget its tokens; False when it had ended before."""
    status = await connection.execute(_END_SESSION, session_id, now, because)
    await connection.execute(_DROP_TOKENS, session_id)
    return bool(status == "UPDATE 1")


async def open_sessions(connection: Connection, person_id: UUID) -> list[UUID]:
    return [r["session_id"] for r in await connection.fetch(_OPEN_SESSIONS, person_id)]


async def add_token(
    connection: Connection, token_hash: bytes, session: Session, now: datetime
) -> None:
    await connection.execute(_ADD_TOKEN, token_hash, session.agency_id, session.session_id, now)


@dataclass(frozen=True)
class StoredToken:
    used_at: datetime | None


async def find_token(
    connection: Connection, token_hash: bytes, session_id: UUID
) -> StoredToken | None:
    row = await connection.fetchrow(_TOKEN_USED_AT, token_hash, session_id)
    return StoredToken(row["used_at"]) if row else None


async def use_token(connection: Connection, token_hash: bytes, now: datetime) -> None:
    await connection.execute(_USE_TOKEN, token_hash, now)
