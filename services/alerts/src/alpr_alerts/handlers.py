"""The use cases of people: look at alerts and their pictures, take steps, follow the stream."""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import Literal
from uuid import UUID

from alpr_alerts import audit, domain, metrics, store, telling
from alpr_alerts.domain import Action, Actor, Alert, Move
from alpr_alerts.refusals import AlertNotFound, ReadsRemoved
from alpr_alerts.view import AlertDetailView, AlertPage, AlertView, detail_view, view
from alpr_common.auth import Principal
from alpr_common.errors import AlprError, Outage
from alpr_common.messages.alert import AlertState
from alpr_common.objects import ObjectNotFound, Pictures
from alpr_common.policy import Policies
from alpr_common.postgres import Database

PictureKind = Literal["frame", "plate"]


async def take_step(
    database: Database,
    policies: Policies,
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
    Raises what `decide` raises, `AlertNotFound`, `ReadsRemoved`, `AlertMovedOn`, `Outage`.
    """
    subject, word = audit.subject_of(alert_id), f"alert.{action}"
    actor = Actor(principal.person_id, principal.name, principal.role.value, principal.session_id)
    try:
        async with database.transaction(principal.agency_id) as connection:
            alert = await store.alert_of(connection, alert_id, lock=True)
            domain.require_sequence(alert, expected_sequence)
            move = decide(alert)
            after = domain.take(alert, move, actor, now)
            await telling.save_step(connection, after, move, policies.of(principal.agency_id))
            taken = audit.record(principal, word, subject, now, details={"step": move.step.value})
            await audit.append(connection, taken)
    except Outage:
        raise
    except AlprError as refusal:
        await audit.append_refusal(database, principal, word, subject, now, refusal)
        raise
    metrics.count_step(after, move)
    return view(after, policies.of(principal.agency_id))


async def list_alerts(
    database: Database,
    policies: Policies,
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
    policy = policies.of(principal.agency_id)
    items = tuple(view(alert, policy) for alert in page)
    return AlertPage(items=items, next_cursor=None, stream_position=position), more


async def show_alert(
    database: Database, policies: Policies, principal: Principal, alert_id: UUID, now: datetime
) -> AlertDetailView:
    """The alert with its sightings and history; the look is recorded.

    Raises `AlertNotFound`, `ReadsRemoved`.
    """
    subject = audit.subject_of(alert_id)
    try:
        async with database.transaction(principal.agency_id) as connection:
            alert, hits, steps = await store.alert_in_full(connection, alert_id)
            await audit.append(connection, audit.record(principal, "alert.viewed", subject, now))
    except (AlertNotFound, ReadsRemoved) as refusal:
        await audit.append_refusal(database, principal, "alert.viewed", subject, now, refusal)
        raise
    return detail_view(alert, hits, steps, policies.of(principal.agency_id))


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
    that failed. Raises `AlertNotFound`, `ReadsRemoved`, `ObjectNotFound`, `Outage`.
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
    outcome: audit.Outcome = (
        "refused" if isinstance(error, AlertNotFound | ReadsRemoved) else "failed"
    )
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
