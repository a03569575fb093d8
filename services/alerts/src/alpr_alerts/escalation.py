"""Alerts that nobody answers are told to Communications, or to a supervisor (131.6-5)."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from uuid import UUID

import structlog

from alpr_alerts import domain, metrics, store, telling
from alpr_alerts.refusals import GONE, NothingToEscalate
from alpr_common.errors import Outage
from alpr_common.policy import Policies, Policy
from alpr_common.postgres import Database

log = structlog.get_logger()

_ESCALATION_BATCH = 100


async def escalate_due(database: Database, policies: Policies, now: datetime) -> timedelta:
    """Escalate every alert that nobody answered in time (131.6-5); how long till the next may be.

    Exactly once with any number of replicas: each alert's row is locked while it is decided. One
    that fails for a reason of its own is counted and keeps no other from being told.
    """
    failed, last = 0, None
    while True:
        async with database.transaction() as connection:
            due = await store.due_unanswered(connection, now, _ESCALATION_BATCH, after=last)
        for one in due:
            failed += not await _escalated_or_counted(database, policies, one, now)
        if len(due) < _ESCALATION_BATCH:
            break
        last = due[-1]  # behind those that failed as well: they are tried again in the next run
    async with database.transaction() as connection:
        next_due_at = await store.next_due_at(connection, after=now if failed else None)
    # An alert that is raised, or becomes live, from now on cannot be due before this.
    shortest = timedelta(
        seconds=min(
            one.escalation_seconds(retrospective=stored)
            for one in policies.all
            for stored in (False, True)
        )
    )
    return shortest if next_due_at is None else min(shortest, max(next_due_at - now, timedelta()))


async def _escalated_or_counted(
    database: Database, policies: Policies, due: store.DueAlert, now: datetime
) -> bool:
    """Whether it went well. Raises `Outage`, which is no alert's own failure."""
    try:
        await _escalate(database, policies.of(due.agency_id), due.alert_id, due.agency_id, now)
    except Outage:
        raise
    except Exception:
        metrics.ESCALATIONS_FAILED.inc()
        log.exception("alert.not_escalated", alert_id=str(due.alert_id), agency_id=due.agency_id)
        return False
    return True


async def _escalate(
    database: Database, policy: Policy, alert_id: UUID, agency_id: str, now: datetime
) -> None:
    async with database.transaction(agency_id) as connection:
        try:
            alert = await store.alert_of(connection, alert_id, lock=True)
            move = domain.escalate(alert, now)
        except (NothingToEscalate, *GONE):
            return  # somebody answered, another replica was first, or its reads went
        after = domain.take(alert, move, domain.SYSTEM, now)
        await telling.save_step(connection, after, move, policy)
    metrics.ESCALATIONS.inc()
    metrics.count_step(after, move)
    log.info("alert.escalated", alert_id=str(alert_id), agency_id=agency_id)


async def measure_open(database: Database, now: datetime) -> None:
    """Bring the gauges of open alerts up to date."""
    async with database.transaction() as connection:
        groups: Iterable[store.OpenAlerts] = await store.open_alerts(connection)
    metrics.show_open(groups, now)
