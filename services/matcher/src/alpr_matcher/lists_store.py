"""SQL of lists, of what waits for a second person, and of imports' records."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from asyncpg import Record

from alpr_common.errors import NotFound
from alpr_common.postgres import Connection
from alpr_matcher.lists_domain import HotList, ListKind

_COLUMNS = (
    "list_id, version, agency_id, source, name, kind, subscribed_agency_ids, mapper, import_mode, "
    "refreshed_at, created_at, changed_at"
)
_SHOWN = f"""{_COLUMNS}, ARRAY(
    SELECT s.agency_id FROM hotlist_subscription s
    WHERE s.list_id = hotlist_list.list_id AND s.state = 'accepted' ORDER BY s.agency_id
) AS accepted_agency_ids"""  # noqa: S608 - column names alone
# Held by whoever changes many entries of one list. Changes by hand never wait for it.
_LOCK_IMPORT = "SELECT pg_try_advisory_xact_lock(hashtextextended('hot list of ' || $1, 0))"

_INSERT = f"""
INSERT INTO hotlist_list ({_COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
ON CONFLICT (agency_id, source) DO NOTHING RETURNING list_id
"""  # noqa: S608 - column names alone
_UPDATE = """
UPDATE hotlist_list SET version = $2, name = $3, subscribed_agency_ids = $4, mapper = $5,
    import_mode = $6, changed_at = $7
WHERE list_id = $1
"""
_INSERT_VERSION = """
INSERT INTO hotlist_list_version (list_id, version, agency_id, changed_at, person_id, person_name,
    why, before, after)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8::jsonb, $9::jsonb)
"""
_HISTORY = """
SELECT version, changed_at, person_id, person_name, why, before::text AS before,
    after::text AS after
FROM hotlist_list_version WHERE list_id = $1 ORDER BY version DESC LIMIT $2
"""
_ONE = f"SELECT {_SHOWN} FROM hotlist_list WHERE list_id = $1"  # noqa: S608
_OWN = f"{_ONE} AND agency_id = $2 FOR UPDATE OF hotlist_list"
# Whom it serves does not change until the entry is there too.
_OWN_SHARED = f"{_ONE} AND agency_id = $2 FOR SHARE OF hotlist_list"
_OF_SOURCE = f"SELECT {_SHOWN} FROM hotlist_list WHERE agency_id = $1 AND source = $2"  # noqa: S608
_ALL = f"SELECT {_SHOWN} FROM hotlist_list ORDER BY agency_id, source"  # noqa: S608
_COUNTS = """
SELECT list_id, count(*) AS entries FROM hotlist_entry
WHERE list_id = ANY($1::uuid[]) AND NOT retracted AND (expires_at IS NULL OR expires_at > $2)
GROUP BY list_id
"""
_ONE_AT_A_TIME = "SELECT pg_try_advisory_xact_lock(hashtext($1))"
_NOTE_UNCHECKED = "SELECT * FROM note_unchecked($1, $2)"
_COUNT_UNCHECKED = "SELECT * FROM count_unchecked($1)"
_UNCHECKED = """
SELECT entry_id, plate, category, priority, reason, added_at, added_by, added_by_name,
    check_due_at, check_due_at <= $1 AS overdue
FROM hotlist_entry
WHERE agency_id = current_setting('alpr.agency_id', true)
  AND check_due_at IS NOT NULL AND checked_at IS NULL AND NOT retracted
  AND (expires_at IS NULL OR expires_at > $1)
ORDER BY check_due_at, entry_id LIMIT $2
"""
_REFRESHED = "SELECT * FROM refreshed_lists()"

BULK_SECONDS = 1800.0
"""How long a statement about a whole list may take."""


@dataclass(frozen=True)
class Unchecked:
    """An entry by hand that no second person looked at in time."""

    entry_id: UUID
    agency_id: str
    plate: str
    category: str
    added_by: str
    added_by_name: str
    check_due_at: datetime


async def is_only_one(connection: Connection, task: str) -> bool:
    """Whether this replica is the one that does `task` till the transaction ends."""
    mine: bool = await connection.fetchval(_ONE_AT_A_TIME, f"hot list task: {task}")
    return mine


async def lock_import(connection: Connection, list_id: UUID) -> bool:
    """Be the only one that imports the list, or serves it anew; False when somebody else is."""
    mine: bool = await connection.fetchval(_LOCK_IMPORT, str(list_id))
    return mine


async def insert_list(
    connection: Connection, new: HotList, person_id: str, person_name: str, why: str
) -> bool:
    """Write a new list and its first version; False when the agency has one of that source."""
    made = await connection.fetchval(
        _INSERT, new.list_id, new.version, new.agency_id, new.source, new.name, new.kind.value,
        list(new.subscribed_agency_ids), new.mapper, new.import_mode, new.refreshed_at,
        new.created_at, new.changed_at,
    )  # fmt: skip
    if made is not None:
        await _insert_version(connection, None, new, person_id, person_name, why)
    return made is not None


async def update_list(
    connection: Connection, before: HotList, after: HotList, person_id: str, name: str, why: str
) -> None:
    """Write a list's new version."""
    await connection.execute(
        _UPDATE, after.list_id, after.version, after.name, list(after.subscribed_agency_ids),
        after.mapper, after.import_mode, after.changed_at,
    )  # fmt: skip
    await _insert_version(connection, before, after, person_id, name, why)


async def _insert_version(
    connection: Connection, before: HotList | None, after: HotList, person: str, name: str, why: str
) -> None:
    await connection.execute(
        _INSERT_VERSION, after.list_id, after.version, after.agency_id, after.changed_at, person,
        name, why, before and json.dumps(before.as_json()), json.dumps(after.as_json()),
    )  # fmt: skip


async def list_of(connection: Connection, list_id: UUID) -> HotList | None:
    """A list that the agency owns or subscribed to."""
    row = await connection.fetchrow(_ONE, list_id)
    return None if row is None else _hot_list(row)


async def own_list(connection: Connection, agency_id: str, list_id: UUID) -> HotList:
    """The agency's own list, its row locked; raises `NotFound`."""
    row = await connection.fetchrow(_OWN, list_id, agency_id)
    if row is None:
        raise NotFound(f"Your agency keeps no list {list_id}.")
    return _hot_list(row)


async def list_for_entry(connection: Connection, agency_id: str, list_id: UUID) -> HotList:
    """The agency's own list, for an entry that is put on it; raises `NotFound`."""
    row = await connection.fetchrow(_OWN_SHARED, list_id, agency_id)
    if row is None:
        raise NotFound(f"Your agency keeps no list {list_id}.")
    return _hot_list(row)


async def list_of_source(connection: Connection, agency_id: str, source: str) -> HotList | None:
    row = await connection.fetchrow(_OF_SOURCE, agency_id, source)
    return None if row is None else _hot_list(row)


async def all_lists(connection: Connection) -> list[HotList]:
    """The agency's lists and those it subscribed to."""
    return [_hot_list(row) for row in await connection.fetch(_ALL)]


async def entry_counts(
    connection: Connection, list_ids: Sequence[UUID], now: datetime
) -> dict[UUID, int]:
    """Live entries per list."""
    rows = await connection.fetch(_COUNTS, list(list_ids), now)
    return {row["list_id"]: row["entries"] for row in rows}


async def history_of_list(connection: Connection, list_id: UUID, most: int) -> list[dict[str, Any]]:
    """A list's versions, newest first."""
    return [
        {
            **row,
            "changed_at": row["changed_at"].isoformat(),
            "before": row["before"] and json.loads(row["before"]),
            "after": json.loads(row["after"]),
        }
        for row in map(dict, await connection.fetch(_HISTORY, list_id, most))
    ]


async def note_unchecked(connection: Connection, now: datetime, most: int) -> list[Unchecked]:
    """Entries of all agencies that are overdue and not yet told of; they count as told then."""
    return [Unchecked(**row) for row in await connection.fetch(_NOTE_UNCHECKED, now, most)]


async def count_unchecked(connection: Connection, now: datetime) -> dict[str, int]:
    """How many entries are overdue, by agency."""
    rows = await connection.fetch(_COUNT_UNCHECKED, now)
    return {row["agency_id"]: row["unchecked"] for row in rows}


async def unchecked(connection: Connection, now: datetime, most: int) -> list[dict[str, Any]]:
    """The agency's entries that wait for a second person, the longest overdue first."""
    return [dict(row) for row in await connection.fetch(_UNCHECKED, now, most)]


async def refreshed_lists(connection: Connection) -> list[tuple[str, str, datetime]]:
    """Agency, source and last refresh of every list that was ever imported."""
    rows = await connection.fetch(_REFRESHED)
    return [(row["agency_id"], row["source"], row["refreshed_at"]) for row in rows]


def _hot_list(row: Record) -> HotList:
    fields = dict(row)
    return HotList(
        **{
            **fields,
            "kind": ListKind(fields["kind"]),
            "subscribed_agency_ids": tuple(fields["subscribed_agency_ids"]),
            "accepted_agency_ids": tuple(fields["accepted_agency_ids"]),
        }
    )
