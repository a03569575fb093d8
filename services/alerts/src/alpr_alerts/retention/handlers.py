"""Retention, enforced (131.7-1d): what is open ends before its reads go; what ended loses them.

Alerts that were rejected go as a whole. Of those that somebody acted on, or that nobody ended, the
history stays as a record without plate, place and pictures; what a legal hold keeps of their reads
lies in access-log. Each purge is certified on `alpr.audit.v1`, in its own transaction.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

import structlog

from alpr_alerts import audit, domain, metrics, store, telling
from alpr_alerts.refusals import GONE, NothingToExpire
from alpr_alerts.retention import store as retention_store
from alpr_alerts.retention.domain import expires_at, expiring, going, ids_root, reads_go_at
from alpr_alerts.retention.records import AlertRecord
from alpr_alerts.view import detail_view
from alpr_common.auth import Principal
from alpr_common.errors import AlprError
from alpr_common.policy import Policies, Policy
from alpr_common.postgres import Connection, Database

log = structlog.get_logger()

_BATCH = 200
ACTION = "retention.purged"


@dataclass(frozen=True)
class Enforced:
    """What one run came to."""

    expired: int = 0
    purged: int = 0
    records_purged: int = 0


async def enforce(database: Database, policies: Policies, now: datetime) -> Enforced:
    """Enforce every agency's retention at `now`; several replicas may.

    Raises an `Outage`; what was done until then is complete in itself, and running it again
    goes on.
    """
    async with database.transaction() as connection:
        agencies = await retention_store.agencies(connection)
    expired = purged = records = 0
    for agency_id in agencies:
        policy = policies.of(agency_id)
        expired += await _expire_due(database, policy, agency_id, now)
        while gone := await _purge_some(database, policy, agency_id, now):
            purged += gone
        while gone := await _purge_records(database, policy, agency_id, now):
            records += gone
    metrics.RETENTION_ENFORCED_AT.set(now.timestamp())
    return Enforced(expired, purged, records)


async def _expire_due(database: Database, policy: Policy, agency_id: str, now: datetime) -> int:
    expired = 0
    while True:
        async with database.transaction(agency_id) as connection:
            due = await retention_store.open_due(
                connection, agency_id, expiring(policy, now), _BATCH
            )
        for alert_id in due:
            expired += await _expire(database, policy, agency_id, alert_id, now)
        if len(due) < _BATCH:
            return expired


async def _expire(
    database: Database, policy: Policy, agency_id: str, alert_id: UUID, now: datetime
) -> bool:
    """Close one alert as expired and tell everybody; False where somebody ended it meanwhile, and
    where another replica has even removed it."""
    async with database.transaction(agency_id) as connection:
        try:
            alert = await store.alert_of(connection, alert_id, lock=True)
        except GONE:
            return False
        of_alert = (alert.first_captured_at, alert.hit.entry.category, policy)
        try:
            move = domain.expire(alert, now, expires_at(*of_alert), reads_go_at(*of_alert))
        except NothingToExpire:
            return False
        after = domain.take(alert, move, domain.SYSTEM, now)
        await telling.save_step(connection, after, move, policy)
        told = audit.of_the_system(
            agency_id, "alert.expired", audit.subject_of(alert_id), now,
            {"was": alert.state.value, "category": alert.hit.entry.category, "to": "supervisor"},
        )  # fmt: skip
        await audit.append(connection, told)
    metrics.EXPIRED.inc()
    metrics.count_step(after, move)
    log.warning("alert.expired", alert_id=str(alert_id), agency_id=agency_id, was=alert.state.value)
    return True


async def _purge_some(database: Database, policy: Policy, agency_id: str, now: datetime) -> int:
    """Remove some of the alerts whose reads go; how many there were."""
    async with database.transaction(agency_id) as connection:
        if not await retention_store.is_alone(connection, agency_id):
            return 0
        due = await retention_store.lock_ended_due(
            connection, agency_id, going(policy, now), _BATCH
        )
        if not due:
            return 0
        recorded = [one for one in due if one.is_recorded]
        for one in recorded:
            record = await _record(connection, policy, one.alert_id, now)
            await retention_store.keep_record(connection, record)
        await retention_store.count(connection, agency_id, due)
        ids = [one.alert_id for one in due]
        times = [one.first_captured_at for one in due]
        details = {"records_kept": str(len(recorded)), **_range(times), **_which(ids, policy)}
        certificate = audit.of_the_system(agency_id, ACTION, "alerts", now, details)
        await audit.append(connection, certificate)
        await retention_store.purge(connection, agency_id, ids, certificate.audit_id)
    metrics.PURGED.labels("record").inc(len(recorded))
    metrics.PURGED.labels("nothing").inc(len(due) - len(recorded))
    _tell(agency_id, "alerts", len(due), certificate.audit_id)
    return len(due)


async def _record(
    connection: Connection, policy: Policy, alert_id: UUID, reads_removed_at: datetime | None
) -> AlertRecord:
    alert, hits, steps = await store.alert_in_full(connection, alert_id)
    return AlertRecord.of(detail_view(alert, hits, steps, policy), reads_removed_at)


async def _purge_records(database: Database, policy: Policy, agency_id: str, now: datetime) -> int:
    """Remove some of the records that have been kept long enough; how many there were."""
    before = now - timedelta(days=policy.alert_records_retention_days)
    async with database.transaction(agency_id) as connection:
        if not await retention_store.is_alone(connection, agency_id):
            return 0
        old = await retention_store.old_records(connection, agency_id, before, _BATCH)
        if not old:
            return 0
        ids = [alert_id for alert_id, _ in old]
        details = _range([at for _, at in old]) | _which(ids, policy)
        certificate = audit.of_the_system(agency_id, ACTION, "alert-records", now, details)
        await audit.append(connection, certificate)
        await retention_store.purge_records(connection, agency_id, ids, certificate.audit_id)
    _tell(agency_id, "alert-records", len(ids), certificate.audit_id)
    return len(ids)


def _range(times: Sequence[datetime]) -> dict[str, str]:
    return {"oldest": min(times).isoformat(), "newest": max(times).isoformat()}


def _which(ids: Sequence[UUID], policy: Policy) -> dict[str, str]:
    return {
        "count": str(len(ids)),
        "ids_root": ids_root(ids),
        "retention_days": str(policy.reads_retention_days),
        "policy_version": policy.version,
    }


def _tell(agency_id: str, what: str, count: int, certificate_id: UUID) -> None:
    log.info(ACTION, what=what, agency_id=agency_id, count=count, certificate=str(certificate_id))


async def show_record(
    database: Database, policies: Policies, principal: Principal, alert_id: UUID, now: datetime
) -> AlertRecord:
    """The alert's history without plate and place, whether or not its reads are still there.

    Raises `AlertNotFound` or an `Outage`. The look is recorded.
    """
    subject, agency_id = audit.subject_of(alert_id), principal.agency_id
    try:
        async with database.transaction(agency_id) as connection:
            record = await retention_store.find_record(connection, alert_id)
            if record is None:
                record = await _record(connection, policies.of(agency_id), alert_id, None)
            seen = audit.record(principal, "alert.record.viewed", subject, now)
            await audit.append(connection, seen)
    except AlprError as refusal:
        await audit.append_refusal(
            database, principal, "alert.record.viewed", subject, now, refusal
        )
        raise
    return record


async def show_figures(
    database: Database, principal: Principal, first: date, last: date
) -> list[retention_store.Figure]:
    """How many alerts of each day and category came to what: no plate, place or person."""
    async with database.transaction(principal.agency_id) as connection:
        return await retention_store.figures(connection, principal.agency_id, first, last)
