"""SQL of subscriptions to shared lists, and of the entries that follow them."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from alpr_common.postgres import Connection
from alpr_matcher.lists_domain import Subscription, SubscriptionState

_OF_AGENCY = """
SELECT list_id, agency_id, version, state, changed_at FROM hotlist_subscription
WHERE list_id = $1 AND agency_id = $2 FOR UPDATE
"""
_VISIBLE = """
SELECT list_id, agency_id, version, state, changed_at FROM hotlist_subscription
WHERE list_id = ANY($1::uuid[]) ORDER BY list_id, agency_id
"""
_PUT = """
INSERT INTO hotlist_subscription (list_id, agency_id, version, state, changed_at)
VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (list_id, agency_id) DO UPDATE
    SET version = excluded.version, state = excluded.state, changed_at = excluded.changed_at
"""
_PUT_VERSION = """
INSERT INTO hotlist_subscription_version (list_id, agency_id, version, state, changed_at,
    person_id, person_name, person_agency_id, why, before_state)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
"""
_HISTORY = """
SELECT agency_id, version, state, changed_at, person_id, person_name, person_agency_id, why,
    before_state
FROM hotlist_subscription_version WHERE list_id = $1
ORDER BY changed_at DESC, agency_id, version DESC LIMIT $2
"""
_WANT_SERVED = "SELECT want_served($1)"
_TO_SERVE = "SELECT list_id, agency_id FROM lists_to_serve()"
_WANTED = "SELECT serve_wanted FROM hotlist_list WHERE list_id = $1"
_DONE = "UPDATE hotlist_list SET serve_done = $2 WHERE list_id = $1"
_UNSERVED = """
SELECT entry_id FROM hotlist_entry WHERE list_id = $1 AND serves_agency_ids <> $2::text[]
"""
_SERVE = """
UPDATE hotlist_entry SET serves_agency_ids = $2::text[] WHERE entry_id = ANY($1::uuid[])
RETURNING entry_id, match_key, retracted
"""


@dataclass(frozen=True)
class Decision:
    """Who made a new state of a subscription, and why."""

    person_id: str
    person_name: str
    person_agency_id: str
    why: str


async def subscription_of(
    connection: Connection, list_id: UUID, agency_id: str
) -> Subscription | None:
    """The agency's subscription; nobody else changes it till the end."""
    row = await connection.fetchrow(_OF_AGENCY, list_id, agency_id)
    return None if row is None else _subscription(row)


async def subscriptions(
    connection: Connection, list_ids: Sequence[UUID]
) -> dict[UUID, list[Subscription]]:
    """By list: all of them for its owner, for a subscriber its own."""
    found: dict[UUID, list[Subscription]] = {}
    for row in await connection.fetch(_VISIBLE, list(list_ids)):
        found.setdefault(row["list_id"], []).append(_subscription(row))
    return found


async def put(
    connection: Connection, before: Subscription | None, after: Subscription, by: Decision
) -> None:
    """Write a subscription's new version, and have the list's entries follow."""
    await connection.execute(
        _PUT, after.list_id, after.agency_id, after.version, after.state.value, after.changed_at
    )
    await connection.execute(
        _PUT_VERSION, after.list_id, after.agency_id, after.version, after.state.value,
        after.changed_at, by.person_id, by.person_name, by.person_agency_id, by.why,
        before and before.state.value,
    )  # fmt: skip
    await connection.execute(_WANT_SERVED, after.list_id)


async def history(connection: Connection, list_id: UUID, most: int) -> list[dict[str, Any]]:
    """Versions of the subscriptions that the agency may see, newest first."""
    return [dict(row) for row in await connection.fetch(_HISTORY, list_id, most)]


async def lists_to_serve(connection: Connection) -> list[tuple[UUID, str]]:
    """Lists of all agencies, and their owners, whose entries do not serve whom they should yet."""
    return [(row["list_id"], row["agency_id"]) for row in await connection.fetch(_TO_SERVE)]


async def serve_wanted(connection: Connection, list_id: UUID) -> int:
    wanted: int = await connection.fetchval(_WANTED, list_id)
    return wanted


async def note_served(connection: Connection, list_id: UUID, wanted: int) -> None:
    await connection.execute(_DONE, list_id, wanted)


async def unserved(
    connection: Connection, list_id: UUID, serves: Sequence[str], at_once: int
) -> AsyncIterator[list[UUID]]:
    """Entries of the list that do not serve exactly these agencies, some at a time."""
    cursor = await connection.cursor(_UNSERVED, list_id, list(serves))
    while rows := await cursor.fetch(at_once):
        yield [row["entry_id"] for row in rows]


async def serve(
    connection: Connection, entry_ids: Sequence[UUID], serves: Sequence[str]
) -> list[tuple[UUID, str]]:
    """Make these entries serve these agencies; id and match key of those that are told."""
    rows = await connection.fetch(_SERVE, list(entry_ids), list(serves))
    return [(row["entry_id"], row["match_key"]) for row in rows if not row["retracted"]]


def _subscription(row: Any) -> Subscription:
    return Subscription(
        row["list_id"],
        row["agency_id"],
        row["version"],
        SubscriptionState(row["state"]),
        row["changed_at"],
    )
