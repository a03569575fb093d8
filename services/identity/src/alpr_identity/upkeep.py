"""What time does to accounts: trainings near their end, sessions left open, people long away."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Never

import structlog
from prometheus_client import Counter

from alpr_common.errors import Outage
from alpr_common.postgres import Connection
from alpr_identity import audit, domain, factor_store, sessions, store
from alpr_identity.domain import Person, TrainingKind
from alpr_identity.identity import Identity

log = structlog.get_logger()

REMINDERS = Counter("alpr_training_reminders_total", "Reminders of training about to lapse")
DISABLED = Counter("alpr_accounts_disabled_total", "Accounts disabled because nobody used them")

_PEOPLE_MOST = 10_000


async def run(identity: Identity, every_seconds: float, clock: Callable[[], datetime]) -> Never:
    """Look after every agency, for ever; an outage is waited out."""
    while True:
        try:
            await look_after_all(identity, clock())
        except Outage as error:
            log.warning("upkeep.outage", error=str(error))
        await asyncio.sleep(every_seconds)


async def look_after_all(identity: Identity, now: datetime) -> None:
    """Once for every agency. Replicas that do it at the same moment do nothing twice."""
    async with identity.database.transaction() as connection:
        agencies = await factor_store.agencies(connection)
    for agency_id in agencies:
        async with identity.database.transaction(agency_id) as connection:
            await _end_overdue(connection, identity, agency_id, now)
            await _disable_inactive(connection, identity, now)
            await _remind(connection, identity, now)


async def _end_overdue(
    connection: Connection, identity: Identity, agency_id: str, now: datetime
) -> None:
    """Sessions that could not be refreshed any more are ended, so that no list shows them."""
    idle, begun = domain.overdue(identity.policy, now)
    for session_id in await factor_store.overdue_sessions(connection, idle, begun):
        if await sessions.end(connection, session_id, agency_id, "left_open", now):
            await audit.tell(
                connection, audit.UPKEEP, agency_id, "session.ended", f"session:{session_id}", now,
                details={"because": "left_open"},
            )  # fmt: skip


async def _disable_inactive(connection: Connection, identity: Identity, now: datetime) -> None:
    """CJISSECPOL AC-2: who has not signed in for so long gets in through an administrator only."""
    since = domain.inactive_since(identity.policy, now)
    for person_id in await factor_store.disable_inactive(connection, since, now):
        person = await store.find_person(connection, person_id)
        if person is None:
            continue
        DISABLED.inc()
        await sessions.end_all(connection, person, "deactivated", now)
        await audit.tell(
            connection, audit.UPKEEP, person.agency_id, "person.disabled", f"person:{person_id}",
            now, details={"inactive_days": str(identity.policy.inactive_days_max)},
        )  # fmt: skip


async def _remind(connection: Connection, identity: Identity, now: datetime) -> None:
    for person in await store.list_people(connection, None, _PEOPLE_MOST):
        if person.active:
            await _remind_of(connection, identity, person, "leads", now)
            await _remind_of(connection, identity, person, "alpr", now)


async def _remind_of(
    connection: Connection, identity: Identity, person: Person, kind: TrainingKind, now: datetime
) -> None:
    """Once per training, day and threshold; one that was passed unseen is not made up for."""
    until = person.leads_until if kind == "leads" else person.alpr_until
    days = domain.reminder_due(until, identity.policy, now.date())
    if until is None or days is None:
        return
    new = await factor_store.note_reminder(
        connection, person.person_id, person.agency_id, kind, until, days, now
    )
    if new:
        REMINDERS.inc()
        await audit.tell(
            connection, audit.UPKEEP, person.agency_id, "person.training_reminder",
            f"person:{person.person_id}", now,
            details={
                "kind": kind, "valid_until": until.isoformat(), "days_before": str(days),
                "person_name": person.name,
            },
        )  # fmt: skip
