"""What is told of alerts: `alpr.alerts.v1` and the streams, in the transaction of the change."""

from datetime import datetime
from uuid import UUID

from alpr_alerts import domain, store
from alpr_alerts.domain import Alert, Move
from alpr_alerts.retention.domain import plate_may_be_told
from alpr_common.messages.alert import AlertChanged
from alpr_common.messages.base import deterministic_id
from alpr_common.outbox import put
from alpr_common.policy import Policy
from alpr_common.postgres import Connection
from alpr_common.topics import ALERTS


async def save_step(connection: Connection, after: Alert, move: Move, policy: Policy) -> None:
    """Store a step that was taken and tell everybody of it. `policy`: the agency's."""
    await store.save_step(connection, after, move)
    await store.tell_streams(connection, after.agency_id, [after.alert_id], after.last.at)
    await publish(connection, after, policy)


async def publish(connection: Connection, alert: Alert, policy: Policy) -> None:
    """Tell `alpr.alerts.v1` of the alert's last step, in the same transaction."""
    change_id = deterministic_id("alert-change", alert.alert_id, alert.sequence)
    await _tell(connection, alert, policy, change_id, alert.last.step.value, alert.last.at)


async def publish_attached(
    connection: Connection, alert_id: UUID, policy: Policy, now: datetime
) -> None:
    """Tell of a further hit of an alert that was acted on: its read is to be preserved as well
    (131.5-c), and no later step may come to tell of it."""
    alert = await store.alert_of(connection, alert_id)
    if alert.state in domain.ACTED_ON:
        change_id = deterministic_id("alert-change", alert_id, "hits", alert.hit_count)
        await _tell(connection, alert, policy, change_id, "hit_attached", now)


async def _tell(
    connection: Connection, alert: Alert, policy: Policy, change_id: UUID, step: str, at: datetime
) -> None:
    hit = alert.hit
    named = plate_may_be_told(alert.first_captured_at, hit.entry.category, policy, at)
    change = AlertChanged(
        change_id=change_id,
        alert_id=alert.alert_id,
        agency_id=alert.agency_id,
        sequence=alert.sequence,
        step=step,
        state=alert.state,
        plate=hit.read.plate if named else "",
        category=hit.entry.category,
        priority=hit.entry.priority,
        camera_id=hit.read.camera_id,
        person_id=alert.last.actor.person_id,
        occurred_at=at,
        read_ids=tuple(await store.read_ids_of(connection, alert.alert_id)),
        case_number=hit.entry.case_number,
        incident_number=alert.incident_number,
    )
    await put(connection, ALERTS, str(alert.alert_id), change.to_bytes())
