"""Alerts that nobody answers are told to Communications (131.6-5)."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from uuid import UUID

import structlog

from alpr_alerts import domain, metrics, store, telling
from alpr_alerts.refusals import NothingToEscalate
from alpr_common.policy import Policy
from alpr_common.postgres import Database

log = structlog.get_logger()

_ESCALATION_BATCH = 100


async def escalate_due(database: Database, policy: Policy, now: datetime) -> timedelta:
    """Escalate every alert that nobody answered in time (131.6-5); how long till the next may be.

    Exactly once with any number of replicas: each alert's row is locked while it is decided.
    """
    wait = timedelta(seconds=policy.alert_escalation_seconds)
    async with database.transaction() as connection:
        due = await store.unanswered_since(connection, now - wait, _ESCALATION_BATCH)
    for alert_id, agency_id in due:
        await _escalate(database, policy, alert_id, agency_id, now)
    if len(due) == _ESCALATION_BATCH:
        return timedelta()
    async with database.transaction() as connection:
        oldest = await store.oldest_unanswered_at(connection)
    return wait if oldest is None else max(oldest + wait - now, timedelta())


async def _escalate(
    database: Database, policy: Policy, alert_id: UUID, agency_id: str, now: datetime
) -> None:
    async with database.transaction(agency_id) as connection:
        alert = await store.alert_of(connection, alert_id, lock=True)
        try:
            move = domain.escalate(alert, now, policy.alert_escalation_seconds)
        except NothingToEscalate:
            return  # somebody answered, or another replica was first
        after = domain.take(alert, move, domain.SYSTEM, now)
        await telling.save_step(connection, after, move)
    metrics.ESCALATIONS.inc()
    metrics.count_step(after, move)
    log.info("alert.escalated", alert_id=str(alert_id), agency_id=agency_id)


async def measure_open(database: Database, now: datetime) -> None:
    """Bring the gauges of open alerts up to date."""
    async with database.transaction() as connection:
        groups: Iterable[store.OpenAlerts] = await store.open_alerts(connection)
    metrics.show_open(groups, now)
