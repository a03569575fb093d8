"""Steps taken days after the hit, and vehicles that return after their alert has ended."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from opentelemetry.context import Context

from alpr_alerts import domain, handlers, store
from alpr_alerts.domain import Action, Alert, RejectionReason, VisualCheck
from alpr_alerts.escalation import escalate_due
from alpr_alerts.raising import Arrived, take_hits
from alpr_alerts.store import stream_events, stream_position
from alpr_common.messages.alert import AlertChanged
from alpr_common.messages.hit import Hit
from alpr_common.policy import Policy
from alpr_common.postgres import Database
from alpr_common.topics import ALERTS
from tests.unit.alerts.samples import AGENCY, NOON, hit, principal

pytestmark = pytest.mark.integration

POLICY = Policy(reads_retention_days=30)
SEEN = VisualCheck(characters_match=True, state_matches=True)
DAY, SECOND = timedelta(days=1), timedelta(seconds=1)


async def comes(database: Database, one: Hit, now: datetime) -> UUID:
    """The id of the alert that the hit raised or attached to."""
    await take_hits(database, POLICY, [Arrived(one, Context())], now)
    async with database.transaction(AGENCY) as connection:
        return (await store.known_hits(connection, [one.hit_id]))[one.hit_id].alert_id


async def accept(database: Database, alert_id: UUID, now: datetime) -> None:
    await handlers.take_step(
        database, POLICY, principal(), alert_id, Action.ACCEPT,
        lambda alert: domain.accept(alert, SEEN), None, now,
    )  # fmt: skip


async def close(database: Database, alert_id: UUID, now: datetime) -> None:
    await handlers.take_step(
        database, POLICY, principal(), alert_id, Action.CLOSE,
        lambda alert: domain.close(alert, "gone", None), None, now,
    )  # fmt: skip


async def reject(database: Database, alert_id: UUID, now: datetime) -> None:
    await handlers.take_step(
        database, POLICY, principal(), alert_id, Action.REJECT,
        lambda alert: domain.reject(alert, RejectionReason.NOT_THE_VEHICLE, None), None, now,
    )  # fmt: skip


async def alert_of(database: Database, alert_id: UUID) -> Alert:
    async with database.transaction(AGENCY) as connection:
        return await store.alert_of(connection, alert_id)


async def told(database: Database, alert_id: UUID) -> list[AlertChanged]:
    """What waits for `alpr.alerts.v1` about the alert, oldest first."""
    async with database.transaction() as connection:
        rows = await connection.fetch(
            "SELECT value FROM outbox WHERE topic = $1 AND key = $2 ORDER BY outbox_id",
            ALERTS.name, str(alert_id),
        )  # fmt: skip
    return [AlertChanged.from_bytes(row["value"]) for row in rows]


async def streamed(database: Database, after: int) -> Sequence[tuple[int, Alert]]:
    async with database.transaction(AGENCY) as connection:
        return await stream_events(connection, AGENCY, after, 100)


@pytest.mark.policy("131.7-1d")
async def test_a_step_that_is_taken_late_is_told_without_the_plate(database: Database) -> None:
    one = hit(0, plate="LATE001")
    alert_id = await comes(database, one, NOON)
    await accept(database, alert_id, NOON + 3 * DAY)
    await comes(database, hit(60, plate="LATE001"), NOON + 20 * DAY)  # a further hit, told late
    await close(database, alert_id, NOON + 21 * DAY)
    changes = await told(database, alert_id)
    assert [(c.step, c.plate) for c in changes] == [
        ("raised", "LATE001"), ("accepted", "LATE001"), ("hit_attached", ""), ("closed", ""),
    ]  # fmt: skip
    last = changes[-1]
    assert (last.state, last.category, len(last.read_ids)) == ("closed", "stolen_vehicle", 2)
    assert (await alert_of(database, alert_id)).hit.read.plate == "LATE001", "kept where it is read"


@pytest.mark.policy("131.7-1d", "131.6-5")
async def test_what_is_escalated_late_is_told_without_the_plate(database: Database) -> None:
    alert_id = await comes(database, hit(0, plate="LATE002"), NOON)
    await escalate_due(database, POLICY, NOON + 17 * DAY)
    assert [(c.step, c.plate) for c in await told(database, alert_id)] == [
        ("raised", "LATE002"), ("escalated", ""),
    ]  # fmt: skip


async def test_a_vehicle_that_returns_after_the_end_is_told_on_the_stream_and_raises_nothing(
    database: Database,
) -> None:
    alert_id = await comes(database, hit(0, plate="BACK001"), NOON)
    await reject(database, alert_id, NOON + 60 * SECOND)
    async with database.transaction(AGENCY) as connection:
        before = await stream_position(connection)
    assert await comes(database, hit(120, plate="BACK001"), NOON + 121 * SECOND) == alert_id
    (event,) = await streamed(database, before)
    alert = event[1]
    assert (alert.alert_id, alert.state, alert.sequence) == (alert_id, "rejected", 2)
    assert alert.seen_after_end_at == NOON + 120 * SECOND
    assert len(await told(database, alert_id)) == 2, "no step, and nothing to preserve"
    # Beyond the window it raises an alert of its own, as ever.
    assert await comes(database, hit(301, plate="BACK001"), NOON + 302 * SECOND) != alert_id


async def test_a_hit_that_was_on_its_way_while_the_alert_was_ended_is_no_return(
    database: Database,
) -> None:
    alert_id = await comes(database, hit(0, plate="BACK002"), NOON)
    await reject(database, alert_id, NOON + 60 * SECOND)
    assert await comes(database, hit(59, plate="BACK002"), NOON + 90 * SECOND) == alert_id
    alert = await alert_of(database, alert_id)
    assert (alert.hit_count, alert.seen_after_end_at) == (2, None)
