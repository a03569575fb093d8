"""SQL of the yearly audit; as `store`, inside the caller's transaction, for its agency alone."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from alpr_common.postgres import Connection

_ADD_EVENT = """
INSERT INTO account_event
    (agency_id, occurred_at, action, outcome, subject, actor_id, actor_name, address, details)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9::jsonb)
"""
_SINCE = "SELECT since FROM account_event_since"

_ACCOUNTS = """
SELECT p.person_id, p.username, p.name, p.role, p.active, p.locked_at, p.signed_in_at,
    p.created_at, p.active_since, p.password_changed_at,
    factor.confirmed_at IS NOT NULL AS has_totp,
    EXISTS (SELECT 1 FROM passkey k WHERE k.person_id = p.person_id) AS has_passkey
FROM person p LEFT JOIN second_factor factor USING (person_id)
WHERE p.agency_id = current_setting('alpr.agency_id', true) ORDER BY p.username
"""
_SIGN_INS = """
SELECT (occurred_at AT TIME ZONE 'UTC')::date AS day, outcome,
    coalesce(details->>'method', 'password') AS method,
    coalesce(details->>'second_factor', 'none') AS second_factor,
    details->>'cause' AS cause, count(*) AS count
FROM account_event
WHERE agency_id = current_setting('alpr.agency_id', true) AND action = 'session.opened'
  AND occurred_at >= $1 AND occurred_at < $2
GROUP BY 1, 2, 3, 4, 5 ORDER BY 1
"""
_EVENTS = """
SELECT occurred_at, action, subject, actor_id, actor_name, address, details FROM account_event
WHERE agency_id = current_setting('alpr.agency_id', true) AND action = ANY($3)
  AND occurred_at >= $1 AND occurred_at < $2
ORDER BY occurred_at, event_id
"""
_TRAINING = """
SELECT person_id, kind, valid_until, certificate, recorded_by, recorded_at FROM training
WHERE agency_id = current_setting('alpr.agency_id', true) AND recorded_at < $1
ORDER BY person_id, kind, training_sequence
"""
_SESSIONS = """
SELECT s.session_id, s.person_id, p.username, p.name, p.role, s.method, s.second_factor_at,
    s.address, s.last_address, s.created_at, s.refreshed_at, s.ended_at, s.ended_because
FROM session s JOIN person p USING (person_id)
WHERE s.agency_id = current_setting('alpr.agency_id', true)
  AND s.created_at < $2 AND coalesce(s.ended_at, 'infinity') >= $1
  AND ($3::timestamptz IS NULL OR (s.created_at, s.session_id) > ($3, $4))
ORDER BY s.created_at, s.session_id LIMIT $5
"""
_SESSIONS_OF = """
SELECT session_id, person_id, created_at, refreshed_at, ended_at FROM session
WHERE person_id = ANY($1) AND created_at < $3 AND coalesce(ended_at, 'infinity') >= $2
ORDER BY created_at, session_id
"""


async def add_event(
    connection: Connection, agency_id: str, occurred_at: datetime, action: str, outcome: str,
    subject: str, actor_id: str, actor_name: str, address: str | None,
    details: Mapping[str, str],
) -> None:  # fmt: skip
    await connection.execute(
        _ADD_EVENT, agency_id, occurred_at, action, outcome, subject, actor_id, actor_name,
        address, json.dumps(dict(details)),
    )  # fmt: skip


async def counted_since(connection: Connection) -> datetime:
    """Since when sign-ins and changes of accounts are kept here."""
    since: datetime = await connection.fetchval(_SINCE)
    return since


async def accounts(connection: Connection) -> list[dict[str, Any]]:
    """Every account of the agency as it stands now, by username."""
    return [dict(row) for row in await connection.fetch(_ACCOUNTS)]


async def sign_ins(connection: Connection, begin: datetime, end: datetime) -> list[dict[str, Any]]:
    """Attempts by UTC day, outcome, method, second factor and cause of the refusal."""
    return [dict(row) for row in await connection.fetch(_SIGN_INS, begin, end)]


async def events(
    connection: Connection, begin: datetime, end: datetime, *actions: str
) -> list[dict[str, Any]]:
    """What happened to accounts, oldest first, `details` being a dict."""
    rows = await connection.fetch(_EVENTS, begin, end, list(actions))
    return [dict(row) | {"details": json.loads(row["details"])} for row in rows]


async def training_rows(connection: Connection, before: datetime) -> list[dict[str, Any]]:
    """The training history of everybody up to `before`: by person and kind, in the order in
    which it was recorded."""
    return [dict(row) for row in await connection.fetch(_TRAINING, before)]


async def sessions_between(
    connection: Connection, begin: datetime, end: datetime,
    after: tuple[datetime, UUID] | None, most: int,
) -> list[dict[str, Any]]:  # fmt: skip
    """Sessions that were open at some moment of the period, the one opened first first."""
    opened_at, session_id = after or (None, None)
    rows = await connection.fetch(_SESSIONS, begin, end, opened_at, session_id, most)
    return [dict(row) for row in rows]


async def sessions_of(
    connection: Connection, person_ids: Sequence[UUID], begin: datetime, end: datetime
) -> list[dict[str, Any]]:
    """Their sessions that were open at some moment of the period."""
    rows = await connection.fetch(_SESSIONS_OF, list(person_ids), begin, end)
    return [dict(row) for row in rows]
