"""Hits become alerts."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from opentelemetry.context import Context

from alpr_alerts import domain, metrics, store, telling
from alpr_alerts.domain import Alert
from alpr_alerts.retention.domain import reads_go_at
from alpr_alerts.windows import alert_id_of, window_of
from alpr_common.messages.hit import Hit
from alpr_common.policy import Policies, Policy
from alpr_common.postgres import Connection, Database
from alpr_common.telemetry import tracer


@dataclass(frozen=True)
class Arrived:
    """A hit and the trace that it belongs to."""

    hit: Hit
    context: Context


async def take_hits(
    database: Database, policies: Policies, arrived: Sequence[Arrived], now: datetime
) -> None:
    """Raise an alert for each hit or attach it to its alert; hits known already change nothing, and
    hits of reads past their retention are left out.

    One transaction per agency; returns when all are committed. Raises `Outage`; then some
    agencies' hits may be stored, and handling the same hits again is harmless.
    """
    by_agency: dict[str, list[Arrived]] = {}
    for one in arrived:
        if _is_kept(one.hit, policies, now):
            by_agency.setdefault(one.hit.agency_id, []).append(one)
    for agency_id, hits in by_agency.items():
        policy = policies.of(agency_id)
        async with database.transaction(agency_id) as connection:
            raised, attached = await _place(connection, policy, hits, now)
            if raised or attached:
                changed = [alert.alert_id for alert, _ in raised]
                changed += [alert_id for alert_id, _ in attached]
                await store.tell_streams(connection, agency_id, changed, now)
            for alert, context in raised:
                with tracer("alpr.alerts").start_as_current_span("alert.raised", context=context):
                    await telling.publish(connection, alert)
            for alert_id in dict.fromkeys(alert_id for alert_id, _ in attached):
                await telling.publish_attached(connection, alert_id, now)
        for alert, _ in raised:
            metrics.count_raised(alert)
        for _, category in attached:
            metrics.ATTACHED.labels(category).inc()


def _is_kept(hit: Hit, policies: Policies, now: datetime) -> bool:
    """Whether the hit's read may be kept (131.7-1d): one that was purged must not come back with a
    topic that is read again."""
    policy = policies.of(hit.agency_id)
    if reads_go_at(hit.read.captured_at, hit.entry.category, policy) > now:
        return True
    metrics.PAST_RETENTION.inc()
    return False


async def _place(
    connection: Connection, policy: Policy, arrived: Sequence[Arrived], now: datetime
) -> tuple[list[tuple[Alert, Context]], list[tuple[UUID, str]]]:
    """Find each hit's alert: those raised, and id and category for each hit that joined one."""
    raised: list[tuple[Alert, Context]] = []
    attached: list[tuple[UUID, str]] = []
    await store.lock_windows(connection, (one.hit for one in arrived))
    known = await store.known_hits(connection, [one.hit.hit_id for one in arrived])
    for one in arrived:
        hit = one.hit
        if hit.hit_id in known:
            continue
        known.add(hit.hit_id)
        windows = await store.windows_near(connection, hit, policy.alert_window_seconds)
        window = window_of(hit.read.captured_at, windows, policy.alert_window_seconds)
        if window is None:
            alert = domain.raised(alert_id_of(hit), hit, now, policy)
            await store.insert_alert(connection, alert)
            raised.append((alert, one.context))
        else:
            await store.attach_hit(connection, window.alert_id, hit, now)
            attached.append((window.alert_id, hit.entry.category))
    return raised, attached
