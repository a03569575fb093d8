"""Legal holds: what is acted on, or belongs to a case, outlives every purge (131.5-c)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import structlog
from prometheus_client import Counter

from alpr_access_log import store
from alpr_access_log.domain import AccessRecord, Who
from alpr_access_log.evidence.alerts import Alerts
from alpr_access_log.handlers import who
from alpr_access_log.holds import domain as holds_domain
from alpr_access_log.holds import store as holds_store
from alpr_access_log.holds.domain import (
    HOLDING_STATES,
    Hold,
    HoldNamesNothing,
    HoldReleased,
    Wanted,
    ids_root,
)
from alpr_common.auth import Principal
from alpr_common.errors import NotFound, Outage
from alpr_common.messages.alert import AlertChanged
from alpr_common.messages.base import deterministic_id
from alpr_common.messages.hit import Hit
from alpr_common.objects import Pictures
from alpr_common.policy import Policies
from alpr_common.postgres import Connection, Database

log = structlog.get_logger()

PLACED = Counter("alpr_holds_placed_total", "Legal holds placed", ["kind"])
HELD = Counter("alpr_reads_held_total", "Reads copied out of their partition's way", ["why"])


@dataclass(frozen=True)
class Holds:
    """What every use case here needs."""

    database: Database
    pictures: Pictures
    policies: Policies
    alerts: Alerts

    def shown_from(self, agency_id: str, now: datetime) -> datetime:
        """Reads captured before are past the agency's retention."""
        return now - timedelta(days=self.policies.of(agency_id).reads_retention_days)


async def place(holds: Holds, principal: Principal, wanted: Wanted, now: datetime) -> Hold:
    """Place a hold by hand and copy what it names; recorded in the same transaction.

    Raises `HoldNamesNothing` where a read that is named is not stored (any more), what alerts
    says against showing its alert, or an `Outage`.
    """
    agency_id = principal.agency_id
    named = list(wanted.read_ids)
    if wanted.alert_id is not None:
        alert = await holds.alerts.alert(principal, wanted.alert_id)
        named = [UUID(hit["read"]["read_id"]) for hit in alert["hits"]]
    hold = Hold(
        hold_id=uuid4(),
        agency_id=agency_id,
        kind="manual",
        reason=wanted.reason,
        case_number=wanted.case_number,
        placed_at=now,
        placed_by_id=principal.person_id,
        placed_by_name=principal.name,
        alert_id=wanted.alert_id,
        plate_range=wanted.plate_range,
    )
    async with store.recording(holds.database, agency_id) as connection:
        await holds_store.lock_shared(connection, agency_id)
        shown_from = holds.shown_from(agency_id, now)
        if wanted.plate_range is not None:
            named = await holds_store.of_a_plate(
                connection, agency_id, wanted.plate_range, shown_from
            )
        else:
            await _refuse_unstored(connection, agency_id, named, shown_from)
        await holds_store.insert(connection, hold)
        await holds_store.name_reads(connection, agency_id, hold.hold_id, named)
        copied = await holds_store.copy_named(connection, agency_id, now)
        record = _record(hold, who(principal), "hold.placed", uuid4(), now, read_ids=named)
        await store.append(connection, record)
        placed = await holds_store.find(connection, agency_id, hold.hold_id)
    PLACED.labels("manual").inc()
    HELD.labels("hold").inc(len(copied))
    await _copy_pictures_now(holds, agency_id)
    assert placed is not None
    return placed


async def _refuse_unstored(
    connection: Connection, agency_id: str, named: Sequence[UUID], shown_from: datetime
) -> None:
    found = await holds_store.visible(connection, agency_id, named, shown_from)
    missing = [str(one) for one in named if one not in found]
    if missing:
        raise HoldNamesNothing(
            f"{len(missing)} of the reads named are not stored, or not any more. Leave them out.",
            missing_read_ids=missing,
        )


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
    await _copy_pictures_now(holds, agency_id)


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
    return _record(hold, system, action, record_id, now, read_ids=added, state=change.state.value)


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
        await _copy_pictures_now(holds, hit.agency_id)


async def release(
    holds: Holds, principal: Principal, hold_id: UUID, reason: str | None, now: datetime
) -> Hold:
    """End a hold, by a second person; the next purge takes what nothing else keeps.

    Raises `NotFound`, `HoldReleased`, `SecondPersonNeeded`, `HoldReasonMissing`, an `Outage`.
    """
    agency_id = principal.agency_id
    async with store.recording(holds.database, agency_id) as connection:
        hold = await holds_store.find(connection, agency_id, hold_id)
        if hold is None:
            raise NotFound(f"There is no hold {hold_id}.")
        words = holds_domain.checked_release(hold, principal.person_id, reason)
        mine = await holds_store.release(
            connection, hold, now, principal.person_id, principal.name, words
        )
        if not mine:
            raise HoldReleased("Somebody else released it at the same moment.")
        named = [one.read_id for one in await holds_store.reads_of(connection, agency_id, hold_id)]
        record = _record(
            hold, who(principal), "hold.released", uuid4(), now, read_ids=named, words=words
        )
        await store.append(connection, record)
        released = await holds_store.find(connection, agency_id, hold_id)
    assert released is not None
    return released


async def page(
    holds: Holds,
    principal: Principal,
    in_force: bool | None,
    after: tuple[datetime, UUID] | None,
    limit: int,
    now: datetime,
) -> list[Hold]:
    """Holds of the caller's agency, newest first, at most `limit` + 1; the look is recorded."""
    agency_id = principal.agency_id
    async with store.recording(holds.database, agency_id) as connection:
        found = await holds_store.page(connection, agency_id, in_force, after, limit + 1)
        record = AccessRecord(
            record_id=uuid4(),
            who=who(principal),
            occurred_at=now,
            action="holds.listed",
            subject="holds",
            outcome="done",
            query={"count": min(len(found), limit)},
        )
        await store.append(connection, record)
    return found


async def show(
    holds: Holds, principal: Principal, hold_id: UUID, now: datetime
) -> tuple[Hold, list[holds_store.NamedRead]]:
    """A hold and the reads that it names (ids and times alone); the look is recorded.

    Raises `NotFound`.
    """
    agency_id = principal.agency_id
    async with store.recording(holds.database, agency_id) as connection:
        hold = await holds_store.find(connection, agency_id, hold_id)
        if hold is None:
            raise NotFound(f"There is no hold {hold_id}.")
        named = await holds_store.reads_of(connection, agency_id, hold_id)
        record = _record(hold, who(principal), "hold.viewed", uuid4(), now, read_ids=[])
        await store.append(connection, record)
    return hold, named


async def catch_up(holds: Holds, agency_id: str, now: datetime) -> None:
    """Copy what holds name and what was not there when they were placed. Repeating is harmless.

    Raises an `Outage`.
    """
    async with holds.database.transaction(agency_id) as connection:
        await holds_store.lock_shared(connection, agency_id)
        shown_from = holds.shown_from(agency_id, now)
        for hold_id, seen in await holds_store.active_plates(connection, agency_id):
            found = await holds_store.of_a_plate(connection, agency_id, seen, shown_from)
            await holds_store.name_reads(connection, agency_id, hold_id, found)
        copied = await holds_store.copy_named(connection, agency_id, now)
    HELD.labels("hold").inc(len(copied))
    await copy_pictures(holds.database, holds.pictures, agency_id)


async def _copy_pictures_now(holds: Holds, agency_id: str) -> None:
    """At once where that can be; the hold stands without, and no purge goes before its copies."""
    try:
        await copy_pictures(holds.database, holds.pictures, agency_id)
    except Outage as error:
        log.warning("hold.pictures_wait", agency_id=agency_id, error=str(error))


async def copy_pictures(database: Database, pictures: Pictures, agency_id: str) -> None:
    """Copy the pictures of held reads that wait for it, one read per transaction.

    Raises an `Outage`; what was copied stays copied.
    """
    while True:
        async with database.transaction(agency_id) as connection:
            waiting = await holds_store.next_waiting(connection, agency_id)
            if waiting is None:
                return
            kept = True
            for key in waiting.objects:
                # A key that a faulty message brought from elsewhere is not this agency's to keep.
                kept &= is_picture_of(agency_id, key) and await pictures.hold(key)
            await holds_store.note_pictures(connection, agency_id, waiting.read_id, kept)


def is_picture_of(agency_id: str, key: str) -> bool:
    """Whether a key is one of that agency's pictures."""
    return key.startswith(f"{agency_id}/") and ".." not in key.split("/")


def _record(
    hold: Hold,
    whose: Who,
    action: str,
    record_id: UUID,
    now: datetime,
    *,
    read_ids: Sequence[UUID],
    words: str | None = None,
    **said: Any,
) -> AccessRecord:
    query: dict[str, Any] = {"kind": hold.kind, **said}
    if hold.alert_id is not None:
        query["alert_id"] = str(hold.alert_id)
    if hold.plate_range is not None:
        query |= {
            "plate": hold.plate_range.plate,
            "from": hold.plate_range.from_at.isoformat(),
            "to": hold.plate_range.to_at.isoformat(),
        }
    if read_ids:
        query |= {"count": len(read_ids), "ids_root": ids_root(read_ids)}
    return AccessRecord(
        record_id=record_id,
        who=whose,
        occurred_at=now,
        action=action,
        subject=f"hold:{hold.hold_id}",
        outcome="done",
        case_number=hold.case_number,
        # Words that somebody wrote: the log holds their salted hash, as of a search's suspicion.
        suspicion=words or hold.reason,
        query=query,
    )
