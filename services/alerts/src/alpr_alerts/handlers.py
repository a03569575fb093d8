"""The use cases: hits become alerts, people take steps, nobody's alerts are escalated."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

import structlog
from opentelemetry.context import Context

from alpr_alerts import audit, domain, metrics, store
from alpr_alerts.domain import Action, Actor, Alert, Move
from alpr_alerts.refusals import AlertNotFound, NothingToEscalate
from alpr_alerts.view import (
    AlertDetailView,
    AlertPage,
    AlertView,
    detail_view,
    view,
)
from alpr_alerts.windows import alert_id_of, window_of
from alpr_common.auth import Principal
from alpr_common.errors import AlprError, Outage
from alpr_common.messages.alert import AlertChanged, AlertState
from alpr_common.messages.base import deterministic_id
from alpr_common.messages.hit import Hit
from alpr_common.objects import ObjectNotFound, Pictures
from alpr_common.outbox import put
from alpr_common.policy import Policy
from alpr_common.postgres import Connection, Database
from alpr_common.telemetry import tracer
from alpr_common.topics import ALERTS

log = structlog.get_logger()

PictureKind = Literal["frame", "plate"]

_ESCALATION_BATCH = 100


@dataclass(frozen=True)
class Arrived:
    """A hit and the trace that it belongs to."""

    hit: Hit
    context: Context


async def take_hits(
    database: Database, policy: Policy, arrived: Sequence[Arrived], now: datetime
) -> None:
    """Raise an alert for each hit or attach it to its alert; hits known already change nothing.

    One transaction per agency; returns when all are committed. Raises `Outage`; then some
    agencies' hits may be stored, and handling the same hits again is harmless.
    """
    by_agency: dict[str, list[Arrived]] = {}
    for one in arrived:
        by_agency.setdefault(one.hit.agency_id, []).append(one)
    for agency_id, hits in by_agency.items():
        async with database.transaction(agency_id) as connection:
            raised, attached = await _place(connection, policy, hits, now)
            if raised or attached:
                changed = [alert.alert_id for alert, _ in raised]
                changed += [alert_id for alert_id, _ in attached]
                await store.tell_streams(connection, agency_id, changed, now)
            for alert, context in raised:
                with tracer("alpr.alerts").start_as_current_span("alert.raised", context=context):
                    await _publish(connection, alert)
            for alert_id in dict.fromkeys(alert_id for alert_id, _ in attached):
                await _publish_attached(connection, alert_id, now)
        for alert, _ in raised:
            metrics.count_raised(alert)
        for _, category in attached:
            metrics.ATTACHED.labels(category).inc()


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
            alert = domain.raised(alert_id_of(hit), hit, now)
            await store.insert_alert(connection, alert)
            raised.append((alert, one.context))
        else:
            await store.attach_hit(connection, window.alert_id, hit, now)
            attached.append((window.alert_id, hit.entry.category))
    return raised, attached


async def _publish(connection: Connection, alert: Alert) -> None:
    """Tell `alpr.alerts.v1` of the alert's last step, in the same transaction."""
    change_id = deterministic_id("alert-change", alert.alert_id, alert.sequence)
    await _tell(connection, alert, change_id, alert.last.step.value, alert.last.at)


async def _publish_attached(connection: Connection, alert_id: UUID, now: datetime) -> None:
    """Tell of a further hit of an alert that was acted on: its read is to be preserved as well
    (131.5-c), and no later step may come to tell of it."""
    alert = await store.alert_of(connection, alert_id)
    if alert.state in domain.ACTED_ON:
        change_id = deterministic_id("alert-change", alert_id, "hits", alert.hit_count)
        await _tell(connection, alert, change_id, "hit_attached", now)


async def _tell(
    connection: Connection, alert: Alert, change_id: UUID, step: str, at: datetime
) -> None:
    hit = alert.hit
    change = AlertChanged(
        change_id=change_id,
        alert_id=alert.alert_id,
        agency_id=alert.agency_id,
        sequence=alert.sequence,
        step=step,
        state=alert.state,
        plate=hit.read.plate,
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


async def take_step(
    database: Database,
    policy: Policy,
    principal: Principal,
    alert_id: UUID,
    action: Action,
    decide: Callable[[Alert], Move],
    expected_sequence: int | None,
    now: datetime,
) -> AlertView:
    """Take one step of the caller's agency's alert; the alert afterwards.

    The alert's row is locked meanwhile, so of two people who act at once one is first and the
    other is refused by what `decide` finds then. Steps and refusals are both recorded.
    Raises what `decide` raises, `AlertNotFound`, `AlertMovedOn`, `Outage`.
    """
    subject, word = audit.subject_of(alert_id), f"alert.{action}"
    actor = Actor(principal.person_id, principal.name, principal.role.value, principal.session_id)
    try:
        async with database.transaction(principal.agency_id) as connection:
            alert = await store.alert_of(connection, alert_id, lock=True)
            domain.require_sequence(alert, expected_sequence)
            move = decide(alert)
            after = domain.take(alert, move, actor, now)
            await _save(connection, after, move)
            taken = audit.record(principal, word, subject, now, details={"step": move.step.value})
            await audit.append(connection, taken)
    except Outage:
        raise
    except AlprError as refusal:
        await audit.append_refusal(database, principal, word, subject, now, refusal)
        raise
    metrics.count_step(after, move)
    return view(after, policy)


async def _save(connection: Connection, after: Alert, move: Move) -> None:
    await store.save_step(connection, after, move)
    await store.tell_streams(connection, after.agency_id, [after.alert_id], after.last.at)
    await _publish(connection, after)


async def list_alerts(
    database: Database,
    policy: Policy,
    principal: Principal,
    states: frozenset[AlertState] | None,
    after: store.Cursor | None,
    limit: int,
    now: datetime,
) -> tuple[AlertPage, store.Cursor | None]:
    """A page of the agency's alerts, newest first, and where the next one begins.

    There is no filter by plate: looking for a plate in what is stored is a search, which asks for
    its purpose (131.7-3a, access-log).
    """
    async with database.transaction(principal.agency_id) as connection:
        # Read before the list: what changes in between is told twice rather than never.
        position = await store.stream_position(connection)
        alerts = await store.alerts_page(connection, states, after, limit + 1)
        page = alerts[:limit]
        listed = audit.record(
            principal, "alerts.listed", "alerts", now,
            details={
                "states": ",".join(sorted(states)) if states is not None else "all",
                "count": str(len(page)),
            },
        )  # fmt: skip
        await audit.append(connection, listed)
    more = store.Cursor(page[-1].created_at, page[-1].alert_id) if len(alerts) > limit else None
    items = tuple(view(alert, policy) for alert in page)
    return AlertPage(items=items, next_cursor=None, stream_position=position), more


async def show_alert(
    database: Database, policy: Policy, principal: Principal, alert_id: UUID, now: datetime
) -> AlertDetailView:
    """The alert with its sightings and history; raises `AlertNotFound`. The look is recorded."""
    subject = audit.subject_of(alert_id)
    try:
        async with database.transaction(principal.agency_id) as connection:
            alert = await store.alert_of(connection, alert_id)
            hits = await store.hits_of(connection, alert_id)
            steps = await store.steps_of(connection, alert_id)
            await audit.append(connection, audit.record(principal, "alert.viewed", subject, now))
    except AlertNotFound as refusal:
        await audit.append_refusal(database, principal, "alert.viewed", subject, now, refusal)
        raise
    return detail_view(alert, hits, steps, policy)


async def show_picture(
    database: Database,
    pictures: Pictures,
    principal: Principal,
    alert_id: UUID,
    kind: PictureKind,
    hit_id: UUID | None,
    now: datetime,
) -> bytes:
    """The JPEG of an alert's sighting (the one that raised it, or `hit_id`).

    The look is recorded, with the alert as its purpose, before a byte is given out; so is one
    that failed. Raises `AlertNotFound`, `ObjectNotFound`, `Outage`.
    """
    purpose, subject = audit.subject_of(alert_id), f"picture:{kind}"
    details: dict[str, str] = {"picture": kind}
    try:
        async with database.transaction(principal.agency_id) as connection:
            alert = await store.alert_of(connection, alert_id)
            hits = [a.hit for a in await store.hits_of(connection, alert_id)]
        wanted = hit_id or alert.hit.hit_id
        hit = next((h for h in hits if h.hit_id == wanted), None)
        if hit is None:
            raise AlertNotFound(f"Alert {alert_id} has no hit {wanted}. Look at its hits.")
        key = hit.read.frame_object if kind == "frame" else hit.read.plate_object
        subject, details["object"] = f"read:{hit.read.read_id}", key
        jpeg = await _picture(pictures, principal.agency_id, key)
    except AlprError as error:
        await _record_failed_look(database, principal, subject, purpose, now, error, details)
        raise
    seen = audit.record(
        principal, "alert.picture.viewed", subject, now, purpose=purpose, details=details
    )
    await audit.append_alone(database, seen)
    return jpeg


async def _picture(pictures: Pictures, agency_id: str, key: str) -> bytes:
    # An agency's pictures share a prefix: a key that a faulty message brought from elsewhere must
    # not show another agency's.
    if not key.startswith(f"{agency_id}/") or ".." in key.split("/"):
        raise ObjectNotFound(f"No picture of your agency under {key}.")
    return await pictures.get(key)


async def _record_failed_look(
    database: Database,
    principal: Principal,
    subject: str,
    purpose: str,
    now: datetime,
    error: AlprError,
    details: dict[str, str],
) -> None:
    outcome: audit.Outcome = "refused" if isinstance(error, AlertNotFound) else "failed"
    look = audit.record(
        principal, "alert.picture.viewed", subject, now, purpose=purpose, outcome=outcome,
        details={**details, "code": error.code, "detail": error.detail},
    )  # fmt: skip
    # When PostgreSQL itself is away nothing can be recorded, and nothing was shown either.
    with suppress(Outage):
        await audit.append_alone(database, look)


async def open_stream(
    database: Database, principal: Principal, last_seen: int | None, now: datetime
) -> int:
    """Where the caller's stream begins: after `last_seen`, or now. The opening is recorded."""
    async with database.transaction(principal.agency_id) as connection:
        newest = await store.stream_position(connection)
        # A position from another life of this database (restored from a copy) would wait for ever.
        start = newest if last_seen is None else min(last_seen, newest)
        opened = audit.record(
            principal, "alerts.stream.opened", "alerts", now, details={"after": str(start)}
        )
        await audit.append(connection, opened)
    return start


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
        await _save(connection, after, move)
    metrics.ESCALATIONS.inc()
    metrics.count_step(after, move)
    log.info("alert.escalated", alert_id=str(alert_id), agency_id=agency_id)


async def measure_open(database: Database, now: datetime) -> None:
    """Bring the gauges of open alerts up to date."""
    async with database.transaction() as connection:
        groups: Iterable[store.OpenAlerts] = await store.open_alerts(connection)
    metrics.show_open(groups, now)
