"""Holds by hand: placing, releasing by a second person, looking."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID, uuid4

from alpr_access_log import store
from alpr_access_log.handlers import done_by, who
from alpr_access_log.holds import domain as holds_domain
from alpr_access_log.holds import store as holds_store
from alpr_access_log.holds.domain import (
    Hold,
    HoldNamesNothing,
    HoldReleased,
    Wanted,
)
from alpr_access_log.holds.handlers.keeping import (
    HELD,
    PLACED,
    Holds,
    copy_pictures_now,
    hold_record,
)
from alpr_common.auth import Principal
from alpr_common.errors import NotFound
from alpr_common.postgres import Connection


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
        record = hold_record(hold, who(principal), "hold.placed", uuid4(), now, read_ids=named)
        await store.append(connection, record)
        placed = await holds_store.find(connection, agency_id, hold.hold_id)
    PLACED.labels("manual").inc()
    HELD.labels("hold").inc(len(copied))
    await copy_pictures_now(holds, agency_id)
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
        record = hold_record(
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
        looked_at = {"count": min(len(found), limit)}
        await store.append(
            connection, done_by(principal, "holds.listed", "holds", now, query=looked_at)
        )
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
        record = hold_record(hold, who(principal), "hold.viewed", uuid4(), now, read_ids=[])
        await store.append(connection, record)
    return hold, named
