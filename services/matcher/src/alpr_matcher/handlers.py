"""The use cases of single entries: add, check, retract, look up, and let expired ones go.

Whatever changes entries writes their new versions and queues the keys concerned, in one
transaction; `telling.py` composes and sends their records of what was committed.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from alpr_common import outbox
from alpr_common.auth import Principal
from alpr_common.errors import NotFound
from alpr_common.messages.audit import AuditRecord
from alpr_common.messages.base import deterministic_id
from alpr_common.messages.hotlist import EntryChange, HotListEntry
from alpr_common.plates import match_key
from alpr_common.policy import Policy
from alpr_common.postgres import Connection, Database
from alpr_common.topics import AUDIT
from alpr_matcher import lists_store, store, telling_store
from alpr_matcher.audited import audit_record
from alpr_matcher.domain import (
    MANUAL_SOURCE,
    EntryRetracted,
    known_category,
    manual_expiry,
    plain_jurisdiction,
    stated_reason,
)
from alpr_matcher.lists_domain import (
    CheckBySamePerson,
    CheckNotNeeded,
    EntryNotYours,
    ListKind,
    check_due,
    entry_plate,
    hit_kinds,
    refuse_dropped,
)
from alpr_matcher.store import Change, Page, StoredEntry

_SWEPT_AT_ONCE = 500


@dataclass(frozen=True)
class HotLists:
    """What the use cases stand on. `expired_kept`: how long the topics keep expired entries."""

    database: Database
    policy: Policy
    expired_kept: timedelta
    retro_matches: bool = False
    """Whether new entries wait to be compared with stored reads."""


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
    list_id: UUID | None = None
    forbidden_hit_kinds: tuple[str, ...] = ()
    lookalike_positions: int | None = None
    vehicle_type: str | None = None
    vehicle_make: str | None = None
    vehicle_model: str | None = None
    vehicle_colour: str | None = None
    vehicle_year: int | None = None


async def add_entry(
    lists: HotLists, person: Principal, wanted: WantedEntry, now: datetime
) -> StoredEntry:
    """Put one plate or pattern on the agency's list by hand; it waits for a second person.

    Raises `ReasonMissing` (131.6-7), `ExpiryMissing`, `ExpiryNotAllowed`, `CategoryUnknown`,
    `CategoryDropped`, `PlateNotPlain`, `PatternTooWide`, `JurisdictionNotPlain`, `HitKindUnknown`,
    `NotFound` for a list that is not the agency's.
    """
    entry = _wanted_entry(lists, person, wanted, now)
    due = check_due(now, lists.policy)
    async with lists.database.transaction(person.agency_id) as connection:
        if wanted.list_id is not None:
            on = await lists_store.list_for_entry(connection, person.agency_id, wanted.list_id)
            entry = entry.model_copy(
                update={
                    "serves_agency_ids": on.serves_agency_ids,
                    "covert": on.kind is ListKind.COVERT,
                }
            )
        stored = StoredEntry(entry, False, now, person.person_id, person.name, now, due)
        change = Change("added", None, stored, person.person_id, person.name, entry.reason)
        await store.save(connection, [change])
        if lists.retro_matches:
            await store.wait_for_retro(connection, stored)
        await _tell(connection, person, change, now)
    return stored


def _wanted_entry(
    lists: HotLists, person: Principal, wanted: WantedEntry, now: datetime
) -> HotListEntry:
    reason = stated_reason(wanted.reason)
    effective_at = wanted.effective_at or now
    refuse_dropped(wanted.category, lists.policy)
    category = known_category(wanted.category, lists.policy)
    plate = entry_plate(wanted.plate, lists.policy)
    return HotListEntry(
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
        expires_at=manual_expiry(wanted.expires_at, effective_at, lists.policy, now),
        lookalike_positions=wanted.lookalike_positions,
        forbidden_hit_kinds=hit_kinds(list(wanted.forbidden_hit_kinds)),
        vehicle_type=_text(wanted.vehicle_type),
        vehicle_make=_text(wanted.vehicle_make),
        vehicle_model=_text(wanted.vehicle_model),
        vehicle_colour=_text(wanted.vehicle_colour),
        vehicle_year=wanted.vehicle_year,
        list_id=wanted.list_id,
    )


async def retract_entry(
    lists: HotLists, person: Principal, entry_id: UUID, reason: str | None, now: datetime
) -> StoredEntry:
    """Take an entry off the list for good; it stays in the history.

    Raises `NotFound`, `EntryNotYours`, `EntryRetracted` (it was before), `ReasonMissing`,
    `EntryInImport`.
    """
    why = stated_reason(reason)

    def retracted(before: StoredEntry) -> StoredEntry:
        return replace(before, retracted=True)

    return await _change_one(lists, person, entry_id, "retracted", retracted, why, now)


async def check_entry(
    lists: HotLists, person: Principal, entry_id: UUID, note: str | None, now: datetime
) -> StoredEntry:
    """A second person looked at an entry by hand and found it right (131.6-7).

    Raises `NotFound`, `EntryNotYours`, `EntryRetracted`, `CheckBySamePerson`, `CheckNotNeeded`,
    `EntryInImport`.
    """

    def checked(before: StoredEntry) -> StoredEntry:
        if before.check_due_at is None:
            raise CheckNotNeeded("Only entries by hand are checked by a second person.")
        if before.checked_at is not None:
            raise CheckNotNeeded(
                f"{before.checked_by_name} checked it at {before.checked_at.isoformat()}."
            )
        if before.added_by == person.person_id:
            raise CheckBySamePerson("You entered it yourself; somebody else has to look at it.")
        return replace(
            before, checked_at=now, checked_by=person.person_id, checked_by_name=person.name
        )

    said = _text(note)
    why = "checked by a second person" + (f": {said}" if said else "")
    return await _change_one(lists, person, entry_id, "changed", checked, why, now)


async def _change_one(
    lists: HotLists,
    person: Principal,
    entry_id: UUID,
    word: EntryChange,
    changed: Callable[[StoredEntry], StoredEntry],
    why: str,
    now: datetime,
) -> StoredEntry:
    """A new version of one live entry of the agency, told and audited."""
    async with lists.database.transaction(person.agency_id) as connection:
        found = await store.entry_of(connection, entry_id)
        if found is None:
            raise NotFound(f"Your agency has no hot list entry {entry_id}.")
        if found.entry.agency_id != person.agency_id:
            raise EntryNotYours(f"The entry is {found.entry.agency_id}'s; ask them to change it.")
        before = await store.locked_entry(connection, entry_id)
        if before.retracted:
            raise EntryRetracted(
                f"Entry {entry_id} was retracted at {before.changed_at.isoformat()}."
            )
        entry = before.entry.model_copy(update={"version": before.entry.version + 1})
        after = replace(changed(before), entry=entry, changed_at=now)
        change = Change(word, before, after, person.person_id, person.name, why)
        await store.save(connection, [change])
        await _tell(connection, person, change, now)
    return after


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
    """Have entries leave the topics that expired `expired_kept` ago; how many, some at a time."""
    until = now - lists.expired_kept
    async with lists.database.transaction() as connection:
        return await telling_store.queue_expired(connection, until, _SWEPT_AT_ONCE)


async def _tell(connection: Connection, person: Principal, change: Change, now: datetime) -> None:
    """Queue the entry before all that is not urgent, and its audit record. Last in a transaction:
    the outbox is locked."""
    entry = change.after.entry
    await telling_store.queue(connection, [(entry.entry_id, entry.match_key)], urgent=True)
    record = _audited(person, change, now)
    await outbox.put(connection, AUDIT, record.agency_id, record.to_bytes())


def _audited(person: Principal, change: Change, now: datetime) -> AuditRecord:
    entry = change.after.entry
    return audit_record(
        person,
        deterministic_id("hotlist audit", entry.entry_id, entry.version),
        f"hotlist.entry.{change.change}",
        f"hotlist-entry/{entry.entry_id}",
        now,
        purpose=change.why,
        case_number=entry.case_number,
        details={"plate": entry.plate, "category": entry.category},
    )


def _text(given: str | None) -> str | None:
    return (given or "").strip() or None
