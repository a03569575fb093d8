"""Hits become alerts."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from opentelemetry.context import Context

from alpr_alerts import domain, metrics, store, telling
from alpr_alerts.domain import Alert, Move
from alpr_alerts.refusals import NothingToWake
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


@dataclass(frozen=True)
class _Step:
    """An alert that a hit raised, or made live (`move`)."""

    alert: Alert
    by: Arrived
    move: Move | None = None


@dataclass
class _Changes:
    """What some hits came to: steps, further hits of alerts, and hits that came live after all."""

    steps: list[_Step] = field(default_factory=list)
    attached: list[tuple[UUID, str]] = field(default_factory=list)
    """Alert and category, for each hit."""
    seen_live: list[UUID] = field(default_factory=list)
    """The alert of each."""

    def alert_ids(self) -> list[UUID]:
        """One for each change that streams tell."""
        # A hit that made its alert live is one change: that of the step.
        raised = [step.alert.alert_id for step in self.steps if step.move is None]
        return raised + [alert_id for alert_id, _ in self.attached] + self.seen_live


async def take_hits(
    database: Database, policies: Policies, arrived: Sequence[Arrived], now: datetime
) -> None:
    """Raise an alert for each hit or attach it to its alert; hits known already change nothing,
    but for a live one that was known as retrospective: it makes its alert live. Hits of reads past
    their retention are left out.

    One transaction per agency; returns when all are committed. Raises `Outage`; then some
    agencies' hits may be stored, and handling the same hits again is harmless.
    """
    by_agency: dict[str, list[Arrived]] = {}
    for one in arrived:
        if _is_kept(one.hit, policies, now):
            by_agency.setdefault(one.hit.agency_id, []).append(one)
    for agency_id, hits in by_agency.items():
        async with database.transaction(agency_id) as connection:
            policy = policies.of(agency_id)
            changes = await _place(connection, policy, hits, now)
            await _tell(connection, agency_id, policy, changes, now)
        _count(changes)


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
) -> _Changes:
    """Find each hit's alert, in the order in which they came."""
    changes = _Changes()
    await store.lock_windows(connection, (one.hit for one in arrived))
    known = await store.known_hits(connection, [one.hit.hit_id for one in arrived])
    for one in arrived:
        hit, before = one.hit, known.get(one.hit.hit_id)
        if before is None:
            alert_id = await _place_new(connection, policy, one, now, changes)
        elif before.retrospective and not hit.retrospective:
            alert_id = before.alert_id
            # Locked although it may stay as it is: streams are told of it, and rows come before
            # the stream's clock.
            alert = await store.alert_of(connection, alert_id, lock=True)
            await store.mark_live(connection, alert_id, hit, now)
            changes.seen_live.append(alert_id)
            if not await _is_heard_already(connection, policy, hit):
                await _make_live(connection, policy, alert, one, now, changes)
        else:
            continue
        known[hit.hit_id] = store.KnownHit(alert_id, hit.retrospective)
    return changes


async def _place_new(
    connection: Connection, policy: Policy, one: Arrived, now: datetime, changes: _Changes
) -> UUID:
    """The alert that takes a hit which is not known yet, or that it raises."""
    hit = one.hit
    windows = await store.windows_near(connection, hit, policy.alert_window_seconds)
    window = window_of(hit.read.captured_at, windows, policy.alert_window_seconds)
    alert_id = window.alert_id if window else alert_id_of(hit)
    if window is None and not await store.is_raised(connection, alert_id):
        alert = domain.raised(alert_id, hit, now, policy)
        await store.insert_alert(connection, alert)
        changes.steps.append(_Step(alert, one))
        return alert_id
    await store.attach_hit(connection, alert_id, hit, now)
    changes.attached.append((alert_id, hit.entry.category))
    if window is None and not hit.retrospective:
        # Another read of the very moment in which a retrospective one opened that alert (cameras
        # that tell whole seconds): the same vehicle, live.
        alert = await store.alert_of(connection, alert_id, lock=True)
        await _make_live(connection, policy, alert, one, now, changes)
    return alert_id


async def _is_heard_already(connection: Connection, policy: Policy, live: Hit) -> bool:
    """Whether a live alert is open that this hit would have joined, had no stored read been
    compared: the vehicle is before people already. What has ended is before nobody."""
    seconds = policy.alert_window_seconds
    windows = await store.windows_near(connection, live, seconds, open_only=True)
    return window_of(live.read.captured_at, windows, seconds) is not None


async def _make_live(
    connection: Connection,
    policy: Policy,
    alert: Alert,
    one: Arrived,
    now: datetime,
    changes: _Changes,
) -> None:
    """What a live hit makes of the (locked) alert that a retrospective one raised."""
    try:
        move = domain.become_live(alert, one.hit, policy)
    except NothingToWake:
        return  # another of its reads was faster, or somebody ended it
    after = domain.take(alert, move, domain.SYSTEM, now)
    await store.save_step(connection, after, move)
    changes.steps.append(_Step(after, one, move))


async def _tell(
    connection: Connection, agency_id: str, policy: Policy, changes: _Changes, now: datetime
) -> None:
    if changed := changes.alert_ids():
        await store.tell_streams(connection, agency_id, changed, now)
    for step in changes.steps:
        span = f"alert.{step.alert.last.step.value}"
        with tracer("alpr.alerts").start_as_current_span(span, context=step.by.context):
            await telling.publish(connection, step.alert, policy)
    for alert_id in dict.fromkeys(alert_id for alert_id, _ in changes.attached):
        await telling.publish_attached(connection, alert_id, policy, now)


def _count(changes: _Changes) -> None:
    for step in changes.steps:
        if step.move is None:
            metrics.count_raised(step.alert)
        else:
            metrics.count_became_live(step.alert, step.move, step.by.hit)
    for _, category in changes.attached:
        metrics.ATTACHED.labels(category).inc()
    metrics.SEEN_LIVE.inc(len(changes.seen_live))
