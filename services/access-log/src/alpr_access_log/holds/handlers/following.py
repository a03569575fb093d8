"""Holds that place themselves: alerts that were acted on, hits with a longer retention."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from alpr_access_log import store
from alpr_access_log.domain import AccessRecord, Who
from alpr_access_log.holds import store as holds_store
from alpr_access_log.holds.domain import (
    HOLDING_STATES,
    Hold,
)
from alpr_access_log.holds.handlers.keeping import (
    HELD,
    PLACED,
    Holds,
    copy_pictures_now,
    hold_record,
)
from alpr_common.messages.alert import AlertChanged
from alpr_common.messages.base import deterministic_id
from alpr_common.messages.hit import Hit


async def hold_alert(holds: Holds, change: AlertChanged, now: datetime) -> None:
    """Hold what an alert rests on once somebody acted on it, and what is added to it later.

    A redelivery changes nothing; a step that was taken before a release does not undo it.
    """
    if change.state not in HOLDING_STATES:
        return
    agency_id = change.agency_id
    async with store.recording(holds.database, agency_id) as connection:
        await holds_store.lock_shared(connection, agency_id)
        newest = await holds_store.newest_of_alert(connection, agency_id, change.alert_id)
        released_at = newest.released_at if newest else None
        if released_at is not None and released_at >= change.occurred_at:
            return
        is_new = newest is None or released_at is not None
        hold = _alert_hold(change, now) if newest is None or is_new else newest
        if is_new and not await holds_store.insert(connection, hold):
            return  # another replica was faster; what it did is the same
        case_number = change.incident_number or change.case_number
        if case_number and case_number != hold.case_number:
            await holds_store.set_case(connection, agency_id, hold.hold_id, case_number)
            hold = replace(hold, case_number=case_number)
        added = await holds_store.name_reads(connection, agency_id, hold.hold_id, change.read_ids)
        copied = await holds_store.copy_named(connection, agency_id, now)
        if is_new or added:
            await store.append(connection, _alert_record(hold, change, is_new, added, now))
    if is_new:
        PLACED.labels("alert").inc()
    HELD.labels("hold").inc(len(copied))
    await copy_pictures_now(holds, agency_id)


def _alert_hold(change: AlertChanged, now: datetime) -> Hold:
    person_id = change.person_id or "system:alerts"
    return Hold(
        hold_id=deterministic_id("hold", change.alert_id, change.change_id),
        agency_id=change.agency_id,
        kind="alert",
        reason=f"The alert was acted on: {change.state}.",
        case_number=change.incident_number or change.case_number,
        placed_at=now,
        placed_by_id=person_id,
        placed_by_name=f"the system, for {person_id}",
        alert_id=change.alert_id,
    )


def _alert_record(
    hold: Hold, change: AlertChanged, is_new: bool, added: Sequence[UUID], now: datetime
) -> AccessRecord:
    system = Who("system:holds", "", hold.agency_id, "service", None, None)
    action = "hold.placed" if is_new else "hold.extended"
    record_id = deterministic_id("hold-record", hold.hold_id, change.change_id)
    return hold_record(
        hold, system, action, record_id, now, read_ids=added, state=change.state.value
    )


async def keep_hits(holds: Holds, hits: Sequence[Hit], now: datetime) -> None:
    """Keep reads that became hits of a category with a longer retention. Repeating is harmless."""
    for hit in hits:
        policy = holds.policies.of(hit.agency_id)
        days = policy.kept_days(hit.entry.category)
        keep_until = hit.read.captured_at + timedelta(days=days)
        if days <= policy.reads_retention_days or keep_until <= now:
            continue
        async with holds.database.transaction(hit.agency_id) as connection:
            await holds_store.lock_shared(connection, hit.agency_id)
            await holds_store.keep(connection, hit.read, hit.read.to_bytes(), keep_until, now)
        HELD.labels("category").inc()
        await copy_pictures_now(holds, hit.agency_id)
