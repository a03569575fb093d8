"""All SQL of the hot lists. Functions take a connection inside the caller's transaction, whose
agency row-level security binds them to.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from asyncpg import LockNotAvailableError, Record

from alpr_common.messages.hotlist import EntryChange, HotListEntry
from alpr_common.postgres import Connection
from alpr_matcher.lists_domain import EntryInImport

_MESSAGE_COLUMNS = (
    "entry_id, version, agency_id, serves_agency_ids, plate, match_key, jurisdiction, category, "
    "priority, source, reason, case_number, vehicle, caution, effective_at, expires_at, "
    "lookalike_positions, covert, forbidden_hit_kinds, vehicle_type, vehicle_make, vehicle_model, "
    "vehicle_colour, vehicle_year, list_id"
)
_COLUMNS = (
    f"{_MESSAGE_COLUMNS}, retracted, added_at, added_by, added_by_name, changed_at, check_due_at, "
    "checked_at, checked_by, checked_by_name"
)

# An import holds the rows that it changes for as long as its last statements take. Whoever changes
# one of them by hand is told so rather than kept waiting.
_WAIT_BRIEFLY = "SET LOCAL lock_timeout = '3s'"
_WAIT_AGAIN = "SET LOCAL lock_timeout = DEFAULT"

_INSERT = f"""
INSERT INTO hotlist_entry ({_COLUMNS})
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20,
        $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32, $33, $34)
"""  # noqa: S608 - column names alone
_UPDATE = """
UPDATE hotlist_entry SET version = $2, retracted = $3, changed_at = $4, checked_at = $5,
    checked_by = $6, checked_by_name = $7, on_topic = true
WHERE entry_id = $1
"""
_INSERT_VERSION = """
INSERT INTO hotlist_entry_version (entry_id, version, agency_id, change, changed_at, person_id,
    person_name, why, before, after)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9::jsonb, $10::jsonb)
"""
_ONE = f"SELECT {_COLUMNS} FROM hotlist_entry WHERE entry_id = $1"  # noqa: S608
_ONE_LOCKED = f"{_ONE} FOR UPDATE"
# Each condition alone where it is asked for: "$1 IS NULL OR …" would keep the planner from indexes.
_PAGE = f"""
SELECT {_COLUMNS} FROM hotlist_entry
WHERE CASE $1::text
        WHEN 'live' THEN NOT retracted AND (expires_at IS NULL OR expires_at > $2)
        WHEN 'expired' THEN NOT retracted AND expires_at <= $2
        WHEN 'retracted' THEN retracted
        ELSE true END {{conditions}}
ORDER BY added_at DESC, entry_id DESC LIMIT $3
"""  # noqa: S608
_OF_KEY = "AND (match_key = ${0} OR is_pattern AND ${0} LIKE translate(match_key, '?*', '_%'))"
_OF_CATEGORY = "AND category = ${0}"
_OF_LIST = "AND list_id = ${0}"
_BEHIND = "AND (added_at, entry_id) < (${0}, ${1})"
# What an import made of an entry is kept once: as what the next version found, or as it is now.
_HISTORY = """
SELECT v.version, v.change, v.changed_at, v.person_id, v.person_name, v.why,
    v.before::text AS before, coalesce(v.after, n.before, entry_history(e))::text AS after
FROM hotlist_entry_version v JOIN hotlist_entry e USING (entry_id)
LEFT JOIN hotlist_entry_version n ON n.entry_id = v.entry_id AND n.version = v.version + 1
WHERE v.entry_id = $1 AND v.version < $2 ORDER BY v.version DESC LIMIT $3
"""
_WAIT_FOR_RETRO = """
INSERT INTO retro_wait (entry_id, version, queued_at) VALUES ($1, $2, $3)
ON CONFLICT (entry_id) DO UPDATE SET version = excluded.version, queued_at = excluded.queued_at,
    answered_agency_ids = '{}', put_off_until = '-infinity'
"""

_FIRST_VERSIONS = 2**31 - 1


@dataclass(frozen=True)
class StoredEntry:
    """An entry as it is now: what the message says, and who entered it when."""

    entry: HotListEntry
    retracted: bool
    added_at: datetime
    added_by: str
    added_by_name: str
    changed_at: datetime
    check_due_at: datetime | None = None
    checked_at: datetime | None = None
    checked_by: str | None = None
    checked_by_name: str | None = None

    def as_json(self) -> dict[str, Any]:
        """What the history keeps of it and what the API answers."""
        return {
            **self.entry.model_dump(mode="json"),
            "retracted": self.retracted,
            "added_at": self.added_at.isoformat(),
            "added_by": self.added_by,
            "added_by_name": self.added_by_name,
            "changed_at": self.changed_at.isoformat(),
            "check_due_at": self.check_due_at and self.check_due_at.isoformat(),
            "checked_at": self.checked_at and self.checked_at.isoformat(),
            "checked_by": self.checked_by,
            "checked_by_name": self.checked_by_name,
        }


@dataclass(frozen=True)
class Change:
    """One version: who made it, why, and what the entry was before (None: it is new)."""

    change: EntryChange
    before: StoredEntry | None
    after: StoredEntry
    person_id: str
    person_name: str
    why: str


@dataclass(frozen=True)
class Page:
    """What to list: None asks for all. `state` is live, expired, retracted or all."""

    match_key: str | None
    category: str | None
    state: str
    after: tuple[datetime, UUID] | None
    limit: int
    list_id: UUID | None = None


async def save(connection: Connection, changes: Sequence[Change]) -> None:
    """Write entries and their new versions."""
    added = [c.after for c in changes if c.before is None]
    changed = [c.after for c in changes if c.before is not None]
    if added:
        await connection.executemany(_INSERT, [_inserted(stored) for stored in added])
    if changed:
        await connection.executemany(_UPDATE, [_updated(stored) for stored in changed])
    await connection.executemany(_INSERT_VERSION, [_versioned(change) for change in changes])


async def entry_of(connection: Connection, entry_id: UUID) -> StoredEntry | None:
    """The agency's entry of that id, or one that serves it."""
    row = await connection.fetchrow(_ONE, entry_id)
    return None if row is None else _stored(row)


async def locked_entry(connection: Connection, entry_id: UUID) -> StoredEntry:
    """The agency's own entry, which is there; nobody else changes it until the end.

    Raises `EntryInImport` when somebody, an import as a rule, does not let go of it for seconds.
    """
    await connection.execute(_WAIT_BRIEFLY)
    try:
        row = await connection.fetchrow(_ONE_LOCKED, entry_id)
    except LockNotAvailableError as error:
        raise EntryInImport(
            "An import, or somebody else, is just changing this entry; nothing of your change was "
            "kept. Wait until it is done (half a minute as a rule, some minutes for a list of a "
            "million that changes as a whole), look at what it made of the entry, and send your "
            "change again if it is still needed."
        ) from error
    await connection.execute(_WAIT_AGAIN)
    assert row is not None  # entries are never deleted
    return _stored(row)


async def page_of_entries(connection: Connection, page: Page, now: datetime) -> list[StoredEntry]:
    """The agency's entries and those that serve it, newest first."""
    arguments: list[Any] = [page.state, now, page.limit]
    conditions = []
    for condition, value in (
        (_OF_KEY, page.match_key), (_OF_CATEGORY, page.category), (_OF_LIST, page.list_id),
    ):  # fmt: skip
        if value is not None:
            arguments.append(value)
            conditions.append(condition.format(len(arguments)))
    if page.after is not None:
        arguments += page.after
        conditions.append(_BEHIND.format(len(arguments) - 1, len(arguments)))
    rows = await connection.fetch(_PAGE.format(conditions=" ".join(conditions)), *arguments)
    return [_stored(row) for row in rows]


async def history_of(
    connection: Connection, entry_id: UUID, before_version: int | None, limit: int
) -> list[dict[str, Any]]:
    """Versions of an entry, newest first."""
    rows = await connection.fetch(_HISTORY, entry_id, before_version or _FIRST_VERSIONS, limit)
    return [
        {
            **row,
            "changed_at": row["changed_at"].isoformat(),
            "before": None if row["before"] is None else json.loads(row["before"]),
            "after": json.loads(row["after"]),
        }
        for row in map(dict, rows)
    ]


async def wait_for_retro(connection: Connection, stored: StoredEntry) -> None:
    """Have the entry compared with stored reads."""
    entry = stored.entry
    await connection.execute(_WAIT_FOR_RETRO, entry.entry_id, entry.version, stored.changed_at)


def _inserted(stored: StoredEntry) -> tuple[Any, ...]:
    e = stored.entry
    return (
        e.entry_id, e.version, e.agency_id, list(e.serves_agency_ids), e.plate, e.match_key,
        e.jurisdiction, e.category, e.priority, e.source, e.reason, e.case_number, e.vehicle,
        e.caution, e.effective_at, e.expires_at, e.lookalike_positions, e.covert,
        list(e.forbidden_hit_kinds), e.vehicle_type, e.vehicle_make, e.vehicle_model,
        e.vehicle_colour, e.vehicle_year, e.list_id, stored.retracted, stored.added_at,
        stored.added_by, stored.added_by_name, stored.changed_at, stored.check_due_at,
        stored.checked_at, stored.checked_by, stored.checked_by_name,
    )  # fmt: skip


def _updated(stored: StoredEntry) -> tuple[Any, ...]:
    return (
        stored.entry.entry_id, stored.entry.version, stored.retracted, stored.changed_at,
        stored.checked_at, stored.checked_by, stored.checked_by_name,
    )  # fmt: skip


def _versioned(change: Change) -> tuple[Any, ...]:
    before, after = change.before, change.after
    return (
        after.entry.entry_id, after.entry.version, after.entry.agency_id, change.change,
        after.changed_at, change.person_id, change.person_name, change.why,
        None if before is None else json.dumps(before.as_json()), json.dumps(after.as_json()),
    )  # fmt: skip


def _stored(row: Record) -> StoredEntry:
    return StoredEntry(
        entry=_message(row),
        retracted=row["retracted"],
        added_at=row["added_at"],
        added_by=row["added_by"],
        added_by_name=row["added_by_name"],
        changed_at=row["changed_at"],
        check_due_at=row["check_due_at"],
        checked_at=row["checked_at"],
        checked_by=row["checked_by"],
        checked_by_name=row["checked_by_name"],
    )


def _message(row: Record) -> HotListEntry:
    return HotListEntry.model_validate({name: row[name] for name in HotListEntry.model_fields})
