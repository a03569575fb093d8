"""The hot lists' use cases: add, retract, import, look up, and let expired entries go.

Whatever changes entries writes their new versions, composes the records of the keys concerned and
puts them into the outbox, in one transaction: the topic follows what was committed, in its order.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from alpr_common import outbox
from alpr_common.auth import Principal
from alpr_common.errors import NotFound
from alpr_common.messages.audit import AuditRecord
from alpr_common.messages.base import deterministic_id
from alpr_common.messages.hotlist import HotListEntry
from alpr_common.plates import match_key
from alpr_common.policy import Policy
from alpr_common.postgres import Connection, Database
from alpr_common.topics import AUDIT, HOTLIST
from alpr_matcher import store
from alpr_matcher.domain import (
    MANUAL_SOURCE,
    EntryRetracted,
    known_category,
    manual_expiry,
    plain_jurisdiction,
    plain_plate,
    stated_reason,
)
from alpr_matcher.list_file import ListedPlate, ListFile
from alpr_matcher.store import Change, Page, StoredEntry

_SWEEP_KEYS = 500


@dataclass(frozen=True)
class HotLists:
    """What the use cases stand on. `expired_kept` is how long workers keep expired entries."""

    database: Database
    policy: Policy
    expired_kept: timedelta


@dataclass(frozen=True)
class WantedEntry:
    """What somebody enters by hand, as they wrote it."""

    plate: str
    category: str
    reason: str | None
    expires_at: datetime | None
    jurisdiction: str | None = None
    case_number: str | None = None
    vehicle: str | None = None
    caution: str | None = None
    effective_at: datetime | None = None
    priority: int | None = None


@dataclass(frozen=True)
class Imported:
    """What an import did."""

    added: int
    changed: int
    unchanged: int


async def add_entry(
    lists: HotLists, person: Principal, wanted: WantedEntry, now: datetime
) -> StoredEntry:
    """Put one plate on the agency's list by hand.

    Raises `ReasonMissing` (131.6-7), `ExpiryMissing`, `ExpiryNotAllowed`, `CategoryUnknown`,
    `PlateNotPlain`, `JurisdictionNotPlain`.
    """
    reason = stated_reason(wanted.reason)
    effective_at = wanted.effective_at or now
    expires_at = manual_expiry(wanted.expires_at, effective_at, lists.policy, now)
    category = known_category(wanted.category, lists.policy)
    plate = plain_plate(wanted.plate)
    entry = HotListEntry(
        entry_id=uuid4(),
        agency_id=person.agency_id,
        serves_agency_ids=(person.agency_id,),
        plate=plate,
        match_key=match_key(plate),
        jurisdiction=plain_jurisdiction(wanted.jurisdiction),
        category=wanted.category,
        priority=wanted.priority or category.priority,
        source=MANUAL_SOURCE,
        reason=reason,
        case_number=_text(wanted.case_number),
        vehicle=_text(wanted.vehicle),
        caution=_text(wanted.caution),
        effective_at=effective_at,
        expires_at=expires_at,
    )
    stored = StoredEntry(entry, False, now, person.person_id, person.name, now)
    change = Change("added", None, stored, person.person_id, person.name, reason)
    async with lists.database.transaction(person.agency_id) as connection:
        await store.lock_keys(connection, [entry.match_key])
        await store.save(connection, [change])
        await _tell(connection, lists, [entry.match_key], now, _audited(person, change, now))
    return stored


async def retract_entry(
    lists: HotLists, person: Principal, entry_id: UUID, reason: str | None, now: datetime
) -> StoredEntry:
    """Take an entry off the list for good; it stays in the history.

    Raises `NotFound`, `EntryRetracted` (it was before), `ReasonMissing`.
    """
    why = stated_reason(reason)
    async with lists.database.transaction(person.agency_id) as connection:
        found = await store.entry_of(connection, entry_id)
        if found is None:
            raise NotFound(f"Your agency has no hot list entry {entry_id}.")
        # The key's lock first, the row's second: the order of every other writer.
        await store.lock_keys(connection, [found.entry.match_key])
        before = await store.entry_of(connection, entry_id, lock=True)
        assert before is not None  # entries are never deleted
        if before.retracted:
            raise EntryRetracted(
                f"Entry {entry_id} was retracted at {before.changed_at.isoformat()}."
            )
        entry = before.entry.model_copy(update={"version": before.entry.version + 1})
        after = replace(before, entry=entry, retracted=True, changed_at=now)
        change = Change("retracted", before, after, person.person_id, person.name, why)
        await store.save(connection, [change])
        await _tell(connection, lists, [entry.match_key], now, _audited(person, change, now))
    return after


async def import_list(
    lists: HotLists, person: Principal, listed: ListFile, source: str, now: datetime
) -> Imported:
    """Take a file's good lines into the agency's list of that source, all or none of them.

    A line that says what the list says already makes no new version; a changed one makes one; an
    entry that was retracted and is listed again comes back. What the file does not name stays.
    """
    changes: list[Change] = []
    unchanged = 0
    async with lists.database.transaction(person.agency_id) as connection:
        await store.lock_list(connection)
        by_id = {_listed_id(person.agency_id, source, p): p for p in listed.plates}
        known = await store.entries_of(connection, list(by_id))
        for entry_id, plate in by_id.items():
            change = _imported(entry_id, plate, known.get(entry_id), source, person, now)
            if change is None:
                unchanged += 1
            else:
                changes.append(change)
        if changes:
            await store.save(connection, changes)
            keys = {c.after.entry.match_key for c in changes}
            await _tell(connection, lists, keys, now, _import_audited(person, source, changes, now))
    added = sum(c.before is None for c in changes)
    return Imported(added, len(changes) - added, unchanged)


async def entry(lists: HotLists, person: Principal, entry_id: UUID) -> StoredEntry:
    """The agency's entry; raises `NotFound`."""
    async with lists.database.transaction(person.agency_id) as connection:
        found = await store.entry_of(connection, entry_id)
    if found is None:
        raise NotFound(f"Your agency has no hot list entry {entry_id}.")
    return found


async def entries(
    lists: HotLists, person: Principal, page: Page, now: datetime
) -> list[StoredEntry]:
    """A page of the agency's entries, newest first."""
    async with lists.database.transaction(person.agency_id) as connection:
        return await store.page_of_entries(connection, page, now)


async def history(
    lists: HotLists, person: Principal, entry_id: UUID, before_version: int | None, limit: int
) -> list[dict[str, Any]]:
    """An entry's versions, newest first; raises `NotFound`."""
    async with lists.database.transaction(person.agency_id) as connection:
        if await store.entry_of(connection, entry_id) is None:
            raise NotFound(f"Your agency has no hot list entry {entry_id}.")
        return await store.history_of(connection, entry_id, before_version, limit)


async def sweep_expired(lists: HotLists, now: datetime) -> int:
    """Write the records anew that still hold entries expired for `expired_kept`; how many keys.

    Each key is a transaction of its own: an entry by hand never waits for the whole sweep.
    """
    until = now - lists.expired_kept
    async with lists.database.transaction() as connection:
        keys = await store.expired_keys(connection, until, _SWEEP_KEYS)
    for key in keys:
        async with lists.database.transaction() as connection:
            await store.lock_keys(connection, [key])
            await store.note_expired(connection, [key], until)
            await _tell(connection, lists, [key], now)
    return len(keys)


async def _tell(
    connection: Connection,
    lists: HotLists,
    keys: Iterable[str],
    now: datetime,
    *audited: AuditRecord,
) -> None:
    """Compose the keys' records and queue them. Last in a transaction: the outbox is locked."""
    records = await store.records_of(connection, sorted(set(keys)), now - lists.expired_kept)
    await outbox.put_many(connection, HOTLIST, records)
    for record in audited:
        await outbox.put(connection, AUDIT, record.agency_id, record.to_bytes())


def _listed_id(agency_id: str, source: str, plate: ListedPlate) -> UUID:
    return deterministic_id("hotlist entry", agency_id, source, *plate.identity)


def _imported(
    entry_id: UUID,
    plate: ListedPlate,
    before: StoredEntry | None,
    source: str,
    person: Principal,
    now: datetime,
) -> Change | None:
    """What a line changes; None when it says what is stored already."""
    said = {
        "priority": plate.priority,
        "reason": plate.reason,
        "case_number": plate.case_number,
        "vehicle": plate.vehicle,
        "caution": plate.caution,
        "expires_at": plate.expires_at,
    }
    why = f"import of {source}, line {plate.line}"
    if before is None:
        new = HotListEntry(
            entry_id=entry_id,
            agency_id=person.agency_id,
            serves_agency_ids=(person.agency_id,),
            plate=plate.plate,
            match_key=match_key(plate.plate),
            jurisdiction=plate.jurisdiction,
            category=plate.category,
            source=source,
            effective_at=now,
            **said,
        )
        stored = StoredEntry(new, False, now, person.person_id, person.name, now)
        return Change("added", None, stored, person.person_id, person.name, why)
    current = before.entry.model_dump(include=set(said))
    if current == said and not before.retracted:
        return None
    again = {"effective_at": now} if before.retracted else {}
    version = {"version": before.entry.version + 1}
    entry = before.entry.model_copy(update={**said, **again, **version})
    after = replace(before, entry=entry, retracted=False, changed_at=now)
    return Change("changed", before, after, person.person_id, person.name, why)


def _audited(person: Principal, change: Change, now: datetime) -> AuditRecord:
    entry = change.after.entry
    return AuditRecord(
        audit_id=deterministic_id("hotlist audit", entry.entry_id, entry.version),
        agency_id=person.agency_id,
        occurred_at=now,
        service="matcher",
        person_id=person.person_id,
        person_name=person.name,
        role=person.role,
        session_id=person.session_id,
        address=person.address,
        action=f"hotlist.entry.{change.change}",
        subject=f"hotlist-entry/{entry.entry_id}",
        purpose=change.why,
        case_number=entry.case_number,
        outcome="done",
        details={"plate": entry.plate, "category": entry.category},
    )


def _import_audited(
    person: Principal, source: str, changes: Sequence[Change], now: datetime
) -> AuditRecord:
    added = sum(c.before is None for c in changes)
    return AuditRecord(
        audit_id=uuid4(),
        agency_id=person.agency_id,
        occurred_at=now,
        service="matcher",
        person_id=person.person_id,
        person_name=person.name,
        role=person.role,
        session_id=person.session_id,
        address=person.address,
        action="hotlist.imported",
        subject=f"hotlist/{source}",
        outcome="done",
        details={"added": str(added), "changed": str(len(changes) - added)},
    )


def _text(given: str | None) -> str | None:
    return (given or "").strip() or None
