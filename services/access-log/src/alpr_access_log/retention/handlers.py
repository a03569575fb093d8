"""Retention, enforced (131.7-1d): reads go when their agency's policy says so, with a certificate.

A day goes as a whole, once its last second is past the retention; what is past it within the day is
not shown any more already (`handlers.search`). In one transaction: what holds name is copied out of
the way, the certificates are appended to the log, the rows go. Pictures follow from a queue that
the same transaction filled: a crash leaves work for the next run and no orphan.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID, uuid4

import structlog
from prometheus_client import Counter, Gauge

from alpr_access_log import store
from alpr_access_log.domain import AccessRecord, Who
from alpr_access_log.holds import handlers as holds
from alpr_access_log.holds import store as holds_store
from alpr_access_log.holds.domain import ids_root
from alpr_access_log.holds.handlers import Holds
from alpr_access_log.retention import store as retention_store
from alpr_access_log.retention.store import Tally
from alpr_common.errors import Outage
from alpr_common.objects import day_prefix, held_key
from alpr_common.postgres import Connection

log = structlog.get_logger()

PURGED = Counter("alpr_reads_purged_total", "Reads past their retention that were removed", ["how"])
PICTURES = Counter("alpr_pictures_purged_total", "Pictures that were deleted with their reads")
ENFORCED_AT = Gauge(
    "alpr_retention_enforced_timestamp_seconds", "When retention was last enforced to the end"
)

_DAY = timedelta(days=1)
_AFTER_OUTAGE_SECONDS = 60.0
ACTION = "retention.purged"


@dataclass(frozen=True)
class Purged:
    """What one certificate is about. `day` is None for reads that a hold had kept longer."""

    agency_id: str
    day: date | None
    tally: Tally
    certificate_id: UUID | None
    """None in a dry run: nothing was done."""


def last_day(now: datetime, retention_days: int) -> date:
    """The newest UTC day all of which is past a retention of that many days at `now`."""
    return (now - timedelta(days=retention_days)).astimezone(UTC).date() - _DAY


def bounds(day: date) -> tuple[datetime, datetime]:
    """The first moment of a UTC day, and that of the next."""
    begin = datetime.combine(day, time(), UTC)
    return begin, begin + _DAY


async def enforce(keeping: Holds, now: datetime, *, dry_run: bool = False) -> list[Purged] | None:
    """Purge what is past its retention at `now`; returns what went, or None where another process
    is at it. A dry run changes nothing and says what would go.

    Raises an `Outage`; what was done until then is complete in itself, and running it again
    goes on.
    """
    async with retention_store.alone(keeping.database) as mine:
        if not mine:
            return None
        async with keeping.database.transaction() as connection:
            agencies = await retention_store.agencies(connection)
        if not dry_run:
            for agency_id in agencies:
                await holds.catch_up(keeping, agency_id, now)
        purged = await _purge_days(keeping, now, dry_run)
        for agency_id in agencies:
            purged += await _purge_unheld(keeping, agency_id, now, dry_run)
        if not dry_run:
            for agency_id in agencies:
                await _queue_leftovers(keeping, agency_id, now)
                await remove_pictures(keeping, agency_id)
            ENFORCED_AT.set(now.timestamp())
    return purged


def _is_due(keeping: Holds, agency_id: str, day: date, now: datetime) -> bool:
    return day <= last_day(now, keeping.policies.of(agency_id).reads_retention_days)


async def _purge_days(keeping: Holds, now: datetime, dry_run: bool) -> list[Purged]:
    shortest = min(policy.reads_retention_days for policy in keeping.policies.all)
    async with keeping.database.transaction() as connection:
        days = await retention_store.stored_days(connection, last_day(now, shortest))
    purged: list[Purged] = []
    for day, agencies in days:
        due = [agency_id for agency_id in agencies if _is_due(keeping, agency_id, day, now)]
        if not due:
            continue
        async with retention_store.purging(keeping.database) as connection:
            whole = due == agencies
            gone = [
                await _purge_day(keeping, connection, agency_id, day, now, whole, dry_run)
                for agency_id in due
            ]
            if whole and not dry_run:
                await retention_store.drop_day(connection, day)
        purged += gone
        _tell(gone, "day")
    return purged


async def _purge_day(
    keeping: Holds,
    connection: Connection,
    agency_id: str,
    day: date,
    now: datetime,
    whole: bool,
    dry_run: bool,
) -> Purged:
    """One agency's day, in the transaction that perhaps drops the day for all."""
    begin, end = bounds(day)
    await retention_store.as_agency(connection, agency_id)
    if dry_run:
        tally = await retention_store.tally_day(connection, agency_id, begin, end)
        return Purged(agency_id, day, tally, None)
    await holds_store.lock(connection, agency_id)
    await holds_store.copy_named(connection, agency_id, now)
    tally = await retention_store.tally_day(connection, agency_id, begin, end)
    certificate = _certificate(keeping, agency_id, f"reads:{day}", tally, begin, end, now)
    await store.append(connection, certificate)
    await retention_store.purge_day(
        connection, agency_id, day, certificate.record_id, now, row_by_row=not whole
    )
    return Purged(agency_id, day, tally, certificate.record_id)


async def _purge_unheld(
    keeping: Holds, agency_id: str, now: datetime, dry_run: bool
) -> list[Purged]:
    """Reads that only a hold or a longer category kept, and that nothing keeps any more."""
    days = keeping.policies.of(agency_id).reads_retention_days
    before = bounds(last_day(now, days))[1]
    async with retention_store.purging(keeping.database) as connection:
        await retention_store.as_agency(connection, agency_id)
        await holds_store.lock(connection, agency_id)
        reads = await retention_store.unheld(connection, agency_id, before, now)
        if not reads:
            return []
        ids, times = [read_id for read_id, _ in reads], [at for _, at in reads]
        tally = Tally(len(ids), min(times), max(times), ids_root(ids))
        if dry_run:
            return [Purged(agency_id, None, tally, None)]
        certificate = _certificate(
            keeping, agency_id, "held-reads", tally, min(times), max(times), now
        )
        await store.append(connection, certificate)
        gone = await retention_store.purge_held(
            connection, agency_id, ids, certificate.record_id, now
        )
        if gone != len(ids):  # the lock keeps holds away, so this cannot be
            raise RuntimeError(f"{len(ids)} held reads were certified and {gone} removed")
    purged = [Purged(agency_id, None, tally, certificate.record_id)]
    _tell(purged, "held")
    return purged


def _certificate(
    keeping: Holds, agency_id: str, subject: str, tally: Tally, begin: datetime, end: datetime,
    now: datetime,
) -> AccessRecord:  # fmt: skip
    """What the log says of a purge, for ever: whose reads, which range, how many, which ids."""
    policy = keeping.policies.of(agency_id)
    return AccessRecord(
        record_id=uuid4(),
        who=Who("system:retention", "", agency_id, "service", None, None),
        occurred_at=now,
        action=ACTION,
        subject=subject,
        outcome="done",
        query={
            "from": begin.isoformat(),
            "to": end.isoformat(),
            "oldest": tally.oldest_at and tally.oldest_at.isoformat(),
            "newest": tally.newest_at and tally.newest_at.isoformat(),
            "count": tally.count,
            "kept": tally.kept,
            "ids_root": tally.ids_root,
            "retention_days": policy.reads_retention_days,
            "policy_version": policy.version,
        },
    )


def _tell(purged: list[Purged], how: str) -> None:
    for one in purged:
        if one.certificate_id is not None:
            PURGED.labels(how).inc(one.tally.count)
            log.info(
                "retention.purged", agency_id=one.agency_id, day=str(one.day),
                count=one.tally.count, kept=one.tally.kept, certificate=str(one.certificate_id),
            )  # fmt: skip


async def _queue_leftovers(keeping: Holds, agency_id: str, now: datetime) -> None:
    """Queue days that are past and have pictures without any read: a recognizer that died between
    a picture and its read leaves them."""
    newest = last_day(now, keeping.policies.of(agency_id).reads_retention_days)
    for day in await _picture_days(keeping, agency_id, newest):
        async with keeping.database.transaction(agency_id) as connection:
            if not await retention_store.is_stored(connection, agency_id, day):
                await retention_store.queue_day(connection, agency_id, day, now)


async def _picture_days(keeping: Holds, agency_id: str, newest: date) -> list[date]:
    """Days up to `newest` of which the object store has pictures of the agency."""
    days = []
    for year in await keeping.pictures.folders(f"{agency_id}/"):
        if year > f"{newest:%Y}":
            continue
        for month in await keeping.pictures.folders(f"{agency_id}/{year}/"):
            if f"{year}-{month}" > f"{newest:%Y-%m}":
                continue
            for number in await keeping.pictures.folders(f"{agency_id}/{year}/{month}/"):
                try:
                    day = date.fromisoformat(f"{year}-{month}-{number}")
                except ValueError:
                    continue  # not one of picture_key's folders
                if day <= newest:
                    days.append(day)
    return days


async def remove_pictures(keeping: Holds, agency_id: str) -> None:
    """Delete the pictures that wait for it, one entry of the queue per transaction.

    An entry goes when its pictures are gone; deleting what is gone already changes nothing.
    Raises an `Outage`.
    """
    after = 0
    while True:
        async with keeping.database.transaction(agency_id) as connection:
            # While a held copy is deleted nobody may start to need it.
            await holds_store.lock(connection, agency_id)
            removal = await retention_store.next_removal(connection, agency_id, after)
            if removal is None:
                return
            after = removal.removal_id
            if removal.day is not None:
                async for keys in keeping.pictures.keys(day_prefix(agency_id, removal.day)):
                    await keeping.pictures.delete(keys)
                    PICTURES.inc(len(keys))
            elif removal.object is not None and not await retention_store.is_still_held(
                connection, agency_id, removal.object
            ):
                await keeping.pictures.delete([held_key(removal.object)])
                PICTURES.inc()
            await retention_store.removed(connection, agency_id, removal.removal_id)


class RetentionLoop:
    """Enforces retention again and again; of any number of replicas one at a time does."""

    def __init__(
        self, keeping: Holds, *, interval_seconds: float, clock: Callable[[], datetime]
    ) -> None:
        self._keeping, self._interval_seconds, self._clock = keeping, interval_seconds, clock

    async def run(self) -> None:
        """Enforce until cancelled. What fails is tried again sooner."""
        while True:
            pause = self._interval_seconds
            try:
                await enforce(self._keeping, self._clock())
            except Outage as error:
                log.warning("retention.not_enforced", error=str(error))
                pause = min(pause, _AFTER_OUTAGE_SECONDS)
            await asyncio.sleep(pause)
