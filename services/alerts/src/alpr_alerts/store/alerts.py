"""An alert with its hits and its history."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import JsonValue

from alpr_alerts.domain import ENDS, Actor, Alert, Done, Move, Step
from alpr_alerts.refusals import AlertNotFound, ReadsRemoved
from alpr_common.messages.alert import AlertState
from alpr_common.messages.hit import Hit
from alpr_common.postgres import Connection

SELECT_ALERT = """
SELECT a.*, h.hit::text AS hit FROM alert a JOIN alert_hit h ON h.hit_id = a.opening_hit_id
"""


_INSERT_ALERT = """
INSERT INTO alert (
    alert_id, agency_id, entry_id, plate, camera_id, opening_hit_id,
    opened_captured_at, first_captured_at, last_captured_at, hit_count, category, state, sequence,
    last_step, last_person_name, last_role, last_step_at, created_at, updated_at, due_at
) VALUES ($1, $2, $3, $4, $5, $6, $7, $7, $7, 1, $8, $9, $10, $11, $12, $13, $14, $14, $14, $15)
"""
_INSERT_HIT = """
INSERT INTO alert_hit (hit_id, alert_id, agency_id, captured_at, hit, attached_at)
VALUES ($1, $2, $3, $4, $5::jsonb, $6)
"""
_ATTACH = """
UPDATE alert SET hit_count = hit_count + 1, updated_at = greatest(updated_at, $3),
    first_captured_at = least(first_captured_at, $2),
    last_captured_at = greatest(last_captured_at, $2)
WHERE alert_id = $1
"""
_INSERT_OPEN = """
INSERT INTO open_alert (alert_id, agency_id, category, state, escalated, created_at, due_at)
VALUES ($1, $2, $3, $4, false, $5, $6)
"""
_NOTE_AGENCY = "INSERT INTO agency (agency_id) VALUES ($1) ON CONFLICT DO NOTHING"


async def insert_alert(connection: Connection, alert: Alert) -> None:
    """A new alert with the hit that raised it and its first step."""
    hit, read, actor = alert.hit, alert.hit.read, alert.last.actor
    await connection.execute(
        _INSERT_ALERT, alert.alert_id, alert.agency_id, hit.entry.entry_id, read.plate,
        read.camera_id, hit.hit_id, read.captured_at, hit.entry.category, alert.state.value,
        alert.sequence, alert.last.step.value, actor.name, actor.role, alert.created_at,
        alert.due_at,
    )  # fmt: skip
    await _insert_hit(connection, alert.alert_id, hit, alert.created_at)
    await _insert_step(connection, alert, {"hit_id": str(hit.hit_id)})
    await connection.execute(
        _INSERT_OPEN, alert.alert_id, alert.agency_id, hit.entry.category, alert.state.value,
        alert.created_at, alert.due_at,
    )  # fmt: skip
    await connection.execute(_NOTE_AGENCY, alert.agency_id)


async def attach_hit(connection: Connection, alert_id: UUID, hit: Hit, now: datetime) -> None:
    """One more sighting within the alert's window."""
    await connection.execute(_ATTACH, alert_id, hit.read.captured_at, now)
    await _insert_hit(connection, alert_id, hit, now)


async def _insert_hit(connection: Connection, alert_id: UUID, hit: Hit, now: datetime) -> None:
    await connection.execute(
        _INSERT_HIT, hit.hit_id, alert_id, hit.agency_id, hit.read.captured_at,
        hit.model_dump_json(exclude_none=True), now,
    )  # fmt: skip


_INSERT_STEP = """
INSERT INTO alert_step (alert_id, sequence, agency_id, step, state, person_id, person_name, role,
                        session_id, details, occurred_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10::jsonb, $11)
"""
_UPDATE_ALERT = """
UPDATE alert SET state = $2, sequence = $3, last_step = $4, last_person_id = $5,
    last_person_name = $6, last_role = $7, last_step_at = $8, answer_step = $9,
    answer_person_id = $10, answer_person_name = $11, answer_role = $12, answered_at = $13,
    confirmed_jurisdiction = $14, status_confirmed_at = $15, incident_number = $16,
    handed_off_at = $17, escalated_at = $18, updated_at = $8, due_at = $19, became_live_at = $20
WHERE alert_id = $1
"""
_UPDATE_OPEN = "UPDATE open_alert SET state = $2, escalated = $3, due_at = $4 WHERE alert_id = $1"
_DELETE_OPEN = "DELETE FROM open_alert WHERE alert_id = $1"


async def save_step(connection: Connection, alert: Alert, move: Move) -> None:
    """The alert after a step, and that step. The row must be locked (`alert_of(…, lock=True)`)."""
    last, answered = alert.last, alert.answered
    who = answered.actor if answered else None
    await connection.execute(
        _UPDATE_ALERT, alert.alert_id, alert.state.value, alert.sequence, last.step.value,
        last.actor.person_id, last.actor.name, last.actor.role, last.at,
        answered and answered.step.value, who and who.person_id, who and who.name,
        who and who.role, answered and answered.at, alert.confirmed_jurisdiction,
        alert.status_confirmed_at, alert.incident_number, alert.handed_off_at, alert.escalated_at,
        alert.due_at, alert.became_live_at,
    )  # fmt: skip
    await _insert_step(connection, alert, move.details)
    if alert.state in ENDS:
        await connection.execute(_DELETE_OPEN, alert.alert_id)
    else:
        escalated = alert.escalated_at is not None
        await connection.execute(
            _UPDATE_OPEN, alert.alert_id, alert.state.value, escalated, alert.due_at
        )


async def _insert_step(connection: Connection, alert: Alert, details: dict[str, JsonValue]) -> None:
    actor = alert.last.actor
    await connection.execute(
        _INSERT_STEP, alert.alert_id, alert.sequence, alert.agency_id, alert.last.step.value,
        alert.state.value, actor.person_id, actor.name, actor.role, actor.session_id,
        json.dumps(details), alert.last.at,
    )  # fmt: skip


_REMOVED_AT = "SELECT record ->> 'reads_removed_at' FROM alert_record WHERE alert_id = $1"


async def alert_of(connection: Connection, alert_id: UUID, *, lock: bool = False) -> Alert:
    """The agency's alert, locked until the transaction ends if asked.

    Raises `AlertNotFound`, `ReadsRemoved`.
    """
    return await _alert(connection, alert_id, "FOR UPDATE OF a" if lock else "")


async def _alert(connection: Connection, alert_id: UUID, locked: str) -> Alert:
    row = await connection.fetchrow(f"{SELECT_ALERT} WHERE a.alert_id = $1 {locked}", alert_id)
    if row is None:
        if removed_at := await connection.fetchval(_REMOVED_AT, alert_id):
            raise ReadsRemoved(
                f"They were removed at {removed_at}, with plate, place and pictures. Who did what "
                f"is in its record, /v1/alerts/{alert_id}/record."
            )
        raise AlertNotFound(f"No alert {alert_id} in your agency. Look at the list of alerts.")
    return alert_from(row)


_LIST = f"""{SELECT_ALERT}
WHERE ($1::text[] IS NULL OR a.state = ANY($1))
  AND ($2::timestamptz IS NULL OR (a.created_at, a.alert_id) < ($2, $3::uuid))
ORDER BY a.created_at DESC, a.alert_id DESC LIMIT $4
"""


@dataclass(frozen=True)
class Cursor:
    """Where a page of the list ended: newest first."""

    created_at: datetime
    alert_id: UUID


async def alerts_page(
    connection: Connection, states: Iterable[AlertState] | None, after: Cursor | None, limit: int
) -> list[Alert]:
    """The agency's alerts, newest first."""
    wanted = None if states is None else [state.value for state in states]
    created_at, alert_id = (after.created_at, after.alert_id) if after else (None, None)
    return [
        alert_from(row)
        for row in await connection.fetch(_LIST, wanted, created_at, alert_id, limit)
    ]


@dataclass(frozen=True)
class AttachedHit:
    hit: Hit
    attached_at: datetime
    seen_live_at: datetime | None = None
    """When it came live as well, of one that came as retrospective first."""


@dataclass(frozen=True)
class TakenStep:
    sequence: int
    done: Done
    state: AlertState
    details: dict[str, JsonValue]


_HITS = """
SELECT h.hit::text AS hit, h.attached_at, l.seen_live_at
FROM alert_hit h LEFT JOIN alert_hit_live l USING (hit_id) WHERE h.alert_id = $1
ORDER BY h.captured_at, h.hit_id
"""
_STEPS = """
SELECT sequence, step, state, person_id, person_name, role, session_id, details::text AS details,
       occurred_at
FROM alert_step WHERE alert_id = $1 ORDER BY sequence
"""


async def hits_of(connection: Connection, alert_id: UUID) -> list[AttachedHit]:
    """All sightings of the alert, in order of capture."""
    rows = await connection.fetch(_HITS, alert_id)
    return [
        AttachedHit(Hit.model_validate_json(r["hit"]), r["attached_at"], r["seen_live_at"])
        for r in rows
    ]


_READ_IDS = """
SELECT hit->'read'->>'read_id' AS read_id FROM alert_hit WHERE alert_id = $1 ORDER BY captured_at
"""


async def read_ids_of(connection: Connection, alert_id: UUID) -> list[UUID]:
    """The reads that the alert rests on, as they were captured."""
    return [UUID(row["read_id"]) for row in await connection.fetch(_READ_IDS, alert_id)]


async def steps_of(connection: Connection, alert_id: UUID) -> list[TakenStep]:
    """The alert's history, oldest first."""
    return [
        TakenStep(
            row["sequence"],
            Done(
                Step(row["step"]),
                Actor(row["person_id"], row["person_name"], row["role"], row["session_id"]),
                row["occurred_at"],
            ),
            AlertState(row["state"]),
            json.loads(row["details"]),
        )
        for row in await connection.fetch(_STEPS, alert_id)
    ]


async def alert_in_full(
    connection: Connection, alert_id: UUID
) -> tuple[Alert, list[AttachedHit], list[TakenStep]]:
    """The agency's alert, its sightings in order of capture, and its history, all of one moment.

    It can be looked at by many, but not changed till the transaction ends.
    Raises `AlertNotFound`, `ReadsRemoved`.
    """
    alert = await _alert(connection, alert_id, "FOR SHARE OF a")
    return alert, await hits_of(connection, alert_id), await steps_of(connection, alert_id)


def alert_from(row: Any) -> Alert:
    """The alert in a row of `SELECT_ALERT`."""
    answered = None
    if row["answer_step"]:
        person = Actor(row["answer_person_id"], row["answer_person_name"], row["answer_role"])
        answered = Done(Step(row["answer_step"]), person, row["answered_at"])
    last_actor = Actor(row["last_person_id"], row["last_person_name"], row["last_role"])
    return Alert(
        alert_id=row["alert_id"],
        agency_id=row["agency_id"],
        hit=Hit.model_validate_json(row["hit"]),
        state=AlertState(row["state"]),
        sequence=row["sequence"],
        first_captured_at=row["first_captured_at"],
        last_captured_at=row["last_captured_at"],
        hit_count=row["hit_count"],
        created_at=row["created_at"],
        due_at=row["due_at"],
        updated_at=row["updated_at"],
        last=Done(Step(row["last_step"]), last_actor, row["last_step_at"]),
        answered=answered,
        confirmed_jurisdiction=row["confirmed_jurisdiction"],
        status_confirmed_at=row["status_confirmed_at"],
        incident_number=row["incident_number"],
        handed_off_at=row["handed_off_at"],
        escalated_at=row["escalated_at"],
        became_live_at=row["became_live_at"],
    )
