"""What holds need, and how what they name is copied out of the partitions' way."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from prometheus_client import Counter

from alpr_access_log.domain import AccessRecord, Who
from alpr_access_log.evidence.alerts import Alerts
from alpr_access_log.holds import store as holds_store
from alpr_access_log.holds.domain import (
    Hold,
    ids_root,
)
from alpr_common.errors import Outage
from alpr_common.objects import Pictures
from alpr_common.policy import Policies
from alpr_common.postgres import Database

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


async def copy_pictures_now(holds: Holds, agency_id: str) -> None:
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


def hold_record(
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
