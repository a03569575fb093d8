"""All SQL of retention. Rows are removed by functions of the schema's owner, which ask for a
certificate in the outbox first (migrations/0002_retention.sql)."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from alpr_alerts.domain import ENDS
from alpr_alerts.retention.domain import Cutoffs
from alpr_alerts.retention.records import AlertRecord
from alpr_alerts.store import lock_keys
from alpr_alerts.windows import key_of
from alpr_common.messages.alert import AlertState
from alpr_common.postgres import Connection

_ALONE = "SELECT pg_try_advisory_xact_lock(hashtext('alerts.retention:' || $1))"
_AGENCIES = "SELECT agency_id FROM agency ORDER BY agency_id"
_DUE = """
SELECT a.alert_id, a.state, a.category, a.entry_id, a.plate, a.camera_id, a.first_captured_at,
       a.answer_step, a.last_step, a.hit_count, (a.created_at AT TIME ZONE 'UTC')::date AS day
FROM alert a
LEFT JOIN unnest($3::text[], $4::timestamptz[]) AS longer (category, until) USING (category)
WHERE a.agency_id = $1 AND a.first_captured_at <= coalesce(longer.until, $2)
  AND a.state = ANY($5) AND ($6::uuid[] IS NULL OR a.alert_id = ANY($6))
ORDER BY a.first_captured_at, a.alert_id LIMIT $7
"""


@dataclass(frozen=True)
class Due:
    """An alert whose time has come."""

    alert_id: UUID
    first_captured_at: datetime
    is_recorded: bool
    """Whether its history is kept: somebody acted on it, or it ran out unanswered."""
    window_key: str
    figure: tuple[date, str, str]
    """Day, category and outcome under which it is counted."""
    hit_count: int


async def is_alone(connection: Connection, agency_id: str) -> bool:
    """Whether no other replica enforces the agency's retention until this transaction ends."""
    mine: bool = await connection.fetchval(_ALONE, agency_id)
    return mine


async def agencies(connection: Connection) -> list[str]:
    """Who ever had an alert."""
    return [row["agency_id"] for row in await connection.fetch(_AGENCIES)]


async def open_due(
    connection: Connection, agency_id: str, cutoffs: Cutoffs, limit: int
) -> list[UUID]:
    """Open alerts that are to end, those of the oldest reads first."""
    open_states = frozenset(AlertState) - ENDS
    rows = await _due(connection, agency_id, cutoffs, open_states, None, limit)
    return [row["alert_id"] for row in rows]


async def lock_ended_due(
    connection: Connection, agency_id: str, cutoffs: Cutoffs, limit: int
) -> list[Due]:
    """Alerts that ended and whose reads go, kept from everybody else till the end.

    Their windows too: a hit that comes meanwhile raises an alert of its own afterwards.
    """
    rows = await _due(connection, agency_id, cutoffs, ENDS, None, limit)
    await lock_keys(connection, {_due_from(row, agency_id).window_key for row in rows})
    ids = [row["alert_id"] for row in rows]
    rows = await _due(connection, agency_id, cutoffs, ENDS, ids, limit, lock=True)
    return [_due_from(row, agency_id) for row in rows]


async def _due(
    connection: Connection,
    agency_id: str,
    cutoffs: Cutoffs,
    states: Iterable[AlertState],
    ids: Sequence[UUID] | None,
    limit: int,
    *,
    lock: bool = False,
) -> list[Any]:
    rows: list[Any] = await connection.fetch(
        _DUE + (" FOR UPDATE OF a" if lock else ""), agency_id, cutoffs.usual,
        list(cutoffs.by_category), list(cutoffs.by_category.values()),
        [state.value for state in states], ids, limit,
    )  # fmt: skip
    return rows


def _due_from(row: Any, agency_id: str) -> Due:
    outcome = "expired" if row["last_step"] == "expired" else row["state"]
    return Due(
        alert_id=row["alert_id"],
        first_captured_at=row["first_captured_at"],
        is_recorded=row["answer_step"] != "rejected",
        window_key=key_of(agency_id, row["entry_id"], row["plate"], row["camera_id"]),
        figure=(row["day"], row["category"], outcome),
        hit_count=row["hit_count"],
    )


_INSERT_RECORD = """
INSERT INTO alert_record (alert_id, agency_id, ended_at, record) VALUES ($1, $2, $3, $4::jsonb)
"""
_FIND_RECORD = "SELECT record::text FROM alert_record WHERE alert_id = $1"
_COUNT = """
INSERT INTO alert_figure (agency_id, day, category, outcome, alerts, hits)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (agency_id, day, category, outcome)
DO UPDATE SET alerts = alert_figure.alerts + EXCLUDED.alerts,
    hits = alert_figure.hits + EXCLUDED.hits
"""
_PURGE = "SELECT purge_alerts($1, $2::uuid[], $3)"
_OLD_RECORDS = """
SELECT alert_id, ended_at FROM alert_record WHERE agency_id = $1 AND ended_at <= $2
ORDER BY ended_at LIMIT $3
"""
_PURGE_RECORDS = "SELECT purge_alert_records($1, $2::uuid[], $3)"


async def keep_record(connection: Connection, record: AlertRecord) -> None:
    await connection.execute(
        _INSERT_RECORD, record.alert_id, record.agency_id, record.updated_at,
        record.model_dump_json(),
    )  # fmt: skip


async def find_record(connection: Connection, alert_id: UUID) -> AlertRecord | None:
    """The agency's record of an alert whose reads are gone."""
    text = await connection.fetchval(_FIND_RECORD, alert_id)
    return None if text is None else AlertRecord.model_validate_json(text)


async def count(connection: Connection, agency_id: str, gone: Iterable[Due]) -> None:
    """Add alerts that go to the figures of their days."""
    alerts: Counter[tuple[date, str, str]] = Counter()
    hits: Counter[tuple[date, str, str]] = Counter()
    for one in gone:
        alerts[one.figure] += 1
        hits[one.figure] += one.hit_count
    for figure in sorted(alerts):
        await connection.execute(_COUNT, agency_id, *figure, alerts[figure], hits[figure])


async def purge(
    connection: Connection, agency_id: str, ids: Sequence[UUID], certificate_id: UUID
) -> None:
    """Remove ended alerts with hits and history; their certificate must be in the outbox."""
    await connection.execute(_PURGE, agency_id, list(ids), certificate_id)


async def old_records(
    connection: Connection, agency_id: str, before: datetime, limit: int
) -> list[tuple[UUID, datetime]]:
    """Records (id, end) of alerts that ended by then."""
    rows = await connection.fetch(_OLD_RECORDS, agency_id, before, limit)
    return [(row["alert_id"], row["ended_at"]) for row in rows]


async def purge_records(
    connection: Connection, agency_id: str, ids: Sequence[UUID], certificate_id: UUID
) -> None:
    await connection.execute(_PURGE_RECORDS, agency_id, list(ids), certificate_id)


_FIGURES = """
SELECT day, category, outcome, sum(alerts)::bigint AS alerts, sum(hits)::bigint AS hits FROM (
    SELECT day, category, outcome, alerts, hits FROM alert_figure
    WHERE agency_id = $1 AND day >= $2 AND day <= $3
    UNION ALL
    SELECT (created_at AT TIME ZONE 'UTC')::date, category,
        CASE WHEN last_step = 'expired' THEN 'expired'
             WHEN state IN ('rejected', 'enforced', 'closed') THEN state ELSE 'open' END,
        1, hit_count
    FROM alert
    WHERE agency_id = $1 AND created_at >= $2::date::timestamp AT TIME ZONE 'UTC'
      AND created_at < ($3::date + 1)::timestamp AT TIME ZONE 'UTC'
) AS counted GROUP BY day, category, outcome ORDER BY day, category, outcome
"""


@dataclass(frozen=True)
class Figure:
    """How many alerts of a day and category came to what, and from how many hits."""

    day: date
    category: str
    outcome: str
    alerts: int
    hits: int


async def figures(connection: Connection, agency_id: str, first: date, last: date) -> list[Figure]:
    """Of both the alerts that are there and those that went."""
    rows = await connection.fetch(_FIGURES, agency_id, first, last)
    return [Figure(**dict(row)) for row in rows]
