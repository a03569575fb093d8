"""The use cases of lists: who owns them, whom they serve, how fresh they are, what is unchecked."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import structlog
from prometheus_client import Gauge

from alpr_common import outbox
from alpr_common.auth import Principal
from alpr_common.errors import NotFound
from alpr_common.messages.audit import AuditRecord
from alpr_common.messages.base import deterministic_id
from alpr_common.policy import Role
from alpr_common.topics import AUDIT
from alpr_matcher import (
    lists_store,
    subscriptions,
    subscriptions_store,
    telling_store,
)
from alpr_matcher.audited import audit_record
from alpr_matcher.domain import SourceNotAllowed, stated_reason
from alpr_matcher.handlers import HotLists
from alpr_matcher.lists_domain import (
    LIST_SOURCE,
    Freshness,
    HotList,
    ListExists,
    ListKind,
    freshness,
    subscribers,
)
from alpr_matcher.mapper import HOUSE

log = structlog.get_logger()

_AT_ONCE = 200
_HISTORY_SHOWN = 500
AGE_SECONDS = Gauge(
    "alpr_hotlist_age_seconds", "Since an imported list's last refresh", ["agency", "list"]
)
FRESHNESS = Gauge("alpr_hotlist_freshness", "0 fresh, 1 stale (warn), 2 alarm", ["agency", "list"])
UNCHECKED = Gauge(
    "alpr_hotlist_unchecked_entries", "Entries by hand whose second check is overdue", ["agency"]
)
UNTOLD = Gauge("alpr_hotlist_untold_keys", "Changed keys that wait for their message", ["lane"])
_LEVEL = {Freshness.FRESH: 0, Freshness.STALE: 1, Freshness.ALARM: 2}


@dataclass(frozen=True)
class WantedList:
    """A list as somebody asks for it."""

    source: str
    name: str
    kind: ListKind = ListKind.AGENCY
    subscribed_agency_ids: tuple[str, ...] = ()
    mapper: str = HOUSE
    import_mode: str = "delta"


async def add_list(
    lists: HotLists, person: Principal, wanted: WantedList, now: datetime
) -> HotList:
    """Begin a list of the agency.

    Raises `SourceNotAllowed`, `SubscribersNotAllowed`, `ListExists`.
    """
    new = HotList(
        list_id=uuid4(),
        version=1,
        agency_id=person.agency_id,
        source=checked_source(wanted.source),
        name=wanted.name.strip() or wanted.source,
        kind=wanted.kind,
        subscribed_agency_ids=subscribers(
            wanted.kind, person.agency_id, list(wanted.subscribed_agency_ids)
        ),
        mapper=wanted.mapper,
        import_mode=wanted.import_mode,
        refreshed_at=None,
        created_at=now,
        changed_at=now,
    )
    async with lists.database.transaction(person.agency_id) as connection:
        why = "list begun"
        if not await lists_store.insert_list(connection, new, person.person_id, person.name, why):
            raise ListExists(f"Your agency has a list {new.source!r} already.")
        await subscriptions.offer(connection, person, None, new, why, now)
        record = _audited(person, new, "hotlist.list.added", why, now)
        await outbox.put(connection, AUDIT, record.agency_id, record.to_bytes())
    return new


async def change_list(
    lists: HotLists,
    person: Principal,
    list_id: UUID,
    reason: str | None,
    now: datetime,
    *,
    name: str | None = None,
    subscribed_agency_ids: list[str] | None = None,
    mapper: str | None = None,
    import_mode: str | None = None,
) -> HotList:
    """Change what is given. The list is offered to new subscribers; former ones are served no more
    as soon as its entries have followed (`subscriptions.serve_lists`).

    Raises `NotFound`, `ReasonMissing`, `SubscribersNotAllowed`.
    """
    why = stated_reason(reason)
    async with lists.database.transaction(person.agency_id) as connection:
        before = await lists_store.own_list(connection, person.agency_id, list_id)
        named = before.subscribed_agency_ids
        if subscribed_agency_ids is not None:
            named = subscribers(before.kind, person.agency_id, subscribed_agency_ids)
        after = replace(
            before,
            version=before.version + 1,
            name=(name or "").strip() or before.name,
            subscribed_agency_ids=named,
            mapper=mapper or before.mapper,
            import_mode=import_mode or before.import_mode,
            changed_at=now,
        )
        await lists_store.update_list(connection, before, after, person.person_id, person.name, why)
        await subscriptions.offer(connection, person, before, after, why, now)
        record = _audited(person, after, "hotlist.list.changed", why, now)
        await outbox.put(connection, AUDIT, record.agency_id, record.to_bytes())
    return after


async def all_lists(lists: HotLists, person: Principal, now: datetime) -> list[dict[str, Any]]:
    """The agency's lists and those offered to it, with their size, freshness and subscriptions."""
    async with lists.database.transaction(person.agency_id) as connection:
        found = await lists_store.all_lists(connection)
        ids = [one.list_id for one in found]
        counts = await lists_store.entry_counts(connection, ids, now)
        known = await subscriptions_store.subscriptions(connection, ids)
    return [
        shown(lists, one, now)
        | {
            "entries": counts.get(one.list_id, 0),
            "subscriptions": [s.as_json() for s in known.get(one.list_id, [])],
        }
        for one in found
    ]


async def one_list(lists: HotLists, person: Principal, list_id: UUID) -> HotList:
    """Raises `NotFound`."""
    async with lists.database.transaction(person.agency_id) as connection:
        found = await lists_store.list_of(connection, list_id)
    if found is None:
        raise NotFound(f"Your agency has no list {list_id}.")
    return found


async def list_history(lists: HotLists, person: Principal, list_id: UUID) -> list[dict[str, Any]]:
    """A list's versions, newest first, for its owner; raises `NotFound`."""
    async with lists.database.transaction(person.agency_id) as connection:
        await lists_store.own_list(connection, person.agency_id, list_id)
        return await lists_store.history_of_list(connection, list_id, _HISTORY_SHOWN)


async def unchecked(
    lists: HotLists, person: Principal, limit: int, now: datetime
) -> list[dict[str, Any]]:
    """The agency's entries by hand that wait for a second person, overdue ones flagged."""
    async with lists.database.transaction(person.agency_id) as connection:
        return await lists_store.unchecked(connection, now, limit)


async def tell_unchecked(lists: HotLists, now: datetime) -> int:
    """Tell each agency's administrator, once, of entries whose second check is overdue (131.6-7).

    Returns how many were told of. One replica at a time; the others return 0.
    """
    async with lists.database.transaction() as connection:
        if not await lists_store.is_only_one(connection, "unchecked"):
            return 0
        overdue = await lists_store.note_unchecked(connection, now, _AT_ONCE)
        for one in overdue:
            record = AuditRecord(
                audit_id=deterministic_id("hotlist unchecked", one.entry_id),
                agency_id=one.agency_id,
                occurred_at=now,
                service="matcher",
                person_id=one.added_by,
                person_name=one.added_by_name,
                role=Role.SERVICE,
                action="hotlist.entry.unchecked",
                subject=f"hotlist-entry/{one.entry_id}",
                outcome="failed",
                details={
                    "plate": one.plate,
                    "category": one.category,
                    "check_due_at": one.check_due_at.isoformat(),
                },
            )
            await outbox.put(connection, AUDIT, record.agency_id, record.to_bytes())
    for one in overdue:
        log.warning("entry.unchecked", entry_id=str(one.entry_id), agency_id=one.agency_id)
    return len(overdue)


async def measure(lists: HotLists, now: datetime) -> None:
    """Set the gauges of freshness, of overdue checks and of what waits to be told."""
    async with lists.database.transaction() as connection:
        untold = await telling_store.count(connection)
        refreshed = await lists_store.refreshed_lists(connection)
        overdue = await lists_store.count_unchecked(connection, now)
    for agency_id, source, refreshed_at in refreshed:
        AGE_SECONDS.labels(agency_id, source).set((now - refreshed_at).total_seconds())
        level = _LEVEL[freshness(refreshed_at, lists.policy, now)]
        FRESHNESS.labels(agency_id, source).set(level)
    for lane, urgent in (("urgent", True), ("bulk", False)):
        UNTOLD.labels(lane).set(untold.get(urgent, 0))
    UNCHECKED.clear()
    for agency_id, count in overdue.items():
        UNCHECKED.labels(agency_id).set(count)


def shown(lists: HotLists, one: HotList, now: datetime) -> dict[str, Any]:
    """A list as the API answers it."""
    return one.as_json() | {"freshness": freshness(one.refreshed_at, lists.policy, now).value}


def checked_source(source: str) -> str:
    """A list's word; raises `SourceNotAllowed`."""
    if not LIST_SOURCE.fullmatch(source) or source == "manual":
        raise SourceNotAllowed(
            "A source is a short word such as leads or scofflaw: a-z, 0-9, - and _; entries by "
            "hand alone are 'manual'."
        )
    return source


def _audited(person: Principal, one: HotList, action: str, why: str, now: datetime) -> AuditRecord:
    return audit_record(
        person,
        deterministic_id("hotlist list audit", one.list_id, one.version),
        action,
        f"hotlist-list/{one.list_id}",
        now,
        purpose=why,
        details={
            "source": one.source,
            "kind": one.kind.value,
            "subscribers": " ".join(one.subscribed_agency_ids),
        },
    )
