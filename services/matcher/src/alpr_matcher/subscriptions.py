"""Subscriptions to shared lists: the owner offers, the subscriber's administrator answers.

An agency is served by a list while it is named by the owner *and* has accepted. The entries follow
in the background, some at a time, so that nobody else who changes entries waits for it.
"""

from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog

from alpr_common import outbox
from alpr_common.auth import Principal
from alpr_common.errors import NotFound
from alpr_common.messages.audit import AuditRecord
from alpr_common.messages.base import deterministic_id
from alpr_common.postgres import Connection
from alpr_common.topics import AUDIT
from alpr_matcher import lists_store, subscriptions_store, telling_store
from alpr_matcher.audited import audit_record
from alpr_matcher.domain import stated_reason
from alpr_matcher.handlers import HotLists
from alpr_matcher.lists_domain import (
    HotList,
    Subscription,
    SubscriptionState,
    answered,
)
from alpr_matcher.subscriptions_store import Decision

log = structlog.get_logger()

_SERVED_AT_ONCE = 1000
_URGENT_MOST = 500
_HISTORY_SHOWN = 500


async def offer(
    connection: Connection, person: Principal, before: HotList | None, after: HotList,
    why: str, now: datetime,
) -> None:  # fmt: skip
    """Offer the list to whom it newly names, and end the subscriptions of whom it no longer names.

    Who is named again later is asked again.
    """
    by = Decision(person.person_id, person.name, person.agency_id, why)
    named_before = set(before.subscribed_agency_ids) if before else set()
    named = set(after.subscribed_agency_ids)
    for agency_id in sorted(named ^ named_before):
        state = SubscriptionState.OFFERED if agency_id in named else SubscriptionState.ENDED
        known = await subscriptions_store.subscription_of(connection, after.list_id, agency_id)
        version = known.version + 1 if known else 1
        new = Subscription(after.list_id, agency_id, version, state, now)
        await subscriptions_store.put(connection, known, new, by)


async def answer(
    lists: HotLists, person: Principal, list_id: UUID, *, accept: bool, reason: str | None,
    now: datetime,
) -> Subscription:  # fmt: skip
    """Accept a list for the person's agency, or decline it, also after having accepted.

    Raises `NotFound` when it was not offered, `ReasonMissing`, `AlreadyAnswered`.
    """
    why = stated_reason(reason)
    async with lists.database.transaction(person.agency_id) as connection:
        found = await subscriptions_store.subscription_of(connection, list_id, person.agency_id)
        if found is None or found.state is SubscriptionState.ENDED:
            raise NotFound(f"No list {list_id} is offered to your agency.")
        state = answered(found, accept)
        new = replace(found, version=found.version + 1, state=state, changed_at=now)
        by = Decision(person.person_id, person.name, person.agency_id, why)
        await subscriptions_store.put(connection, found, new, by)
        record = _audited(person, new, why, now)
        await outbox.put(connection, AUDIT, record.agency_id, record.to_bytes())
    log.info("subscription.answered", list_id=str(list_id), agency_id=person.agency_id, state=state)
    return new


async def history(lists: HotLists, person: Principal, list_id: UUID) -> list[dict[str, Any]]:
    """Versions of a list's subscriptions, newest first: the owner sees all, a subscriber its own.

    Raises `NotFound`.
    """
    async with lists.database.transaction(person.agency_id) as connection:
        found = await subscriptions_store.history(connection, list_id, _HISTORY_SHOWN)
        if not found and await lists_store.list_of(connection, list_id) is None:
            raise NotFound(f"Your agency knows no list {list_id}.")
    return found


async def serve_lists(lists: HotLists) -> int:
    """Make the entries of lists serve whom they should by now; how many lists were done.

    A list that is being imported is left for the next time. One replica at a time.
    """
    async with lists.database.transaction() as connection:
        if not await lists_store.is_only_one(connection, "serving"):
            return 0
        due = await subscriptions_store.lists_to_serve(connection)
        done = [list_id for list_id, owner in due if await _serve_list(lists, list_id, owner)]
    return len(done)


async def _serve_list(lists: HotLists, list_id: UUID, owner: str) -> bool:
    """Ids are read in one transaction, which keeps imports of the list out; entries are changed in
    short ones beside it."""
    async with lists.database.transaction(owner) as connection:
        if not await lists_store.lock_import(connection, list_id):
            return False
        wanted = await subscriptions_store.serve_wanted(connection, list_id)
        # Read behind the number: whatever comes in between is counted by the next one.
        on = await lists_store.list_of(connection, list_id)
        assert on is not None  # lists are never deleted
        serves, changed = on.serves_agency_ids, 0
        async for ids in subscriptions_store.unserved(connection, list_id, serves, _SERVED_AT_ONCE):
            async with lists.database.transaction(owner) as beside:
                told = await subscriptions_store.serve(beside, ids, serves)
                urgent = len(ids) <= _URGENT_MOST and not changed
                await telling_store.queue(beside, told, urgent=urgent)
            changed += len(ids)
        await subscriptions_store.note_served(connection, list_id, wanted)
    log.info("list.served", list_id=str(list_id), agencies=list(serves), entries=changed)
    return True


def _audited(person: Principal, one: Subscription, why: str, now: datetime) -> AuditRecord:
    return audit_record(
        person,
        deterministic_id("hotlist subscription audit", one.list_id, one.agency_id, one.version),
        f"hotlist.subscription.{one.state.value}",
        f"hotlist-list/{one.list_id}",
        now,
        purpose=why,
    )
