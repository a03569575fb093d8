"""What loops that serve all agencies may know of open alerts: no plate, place or person."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from alpr_common.postgres import Connection

_UNANSWERED = """
SELECT alert_id, agency_id, due_at FROM open_alert
WHERE state = 'new' AND NOT escalated AND due_at <= $1
  AND ($3::timestamptz IS NULL OR (due_at, alert_id) > ($3, $4::uuid))
ORDER BY due_at, alert_id LIMIT $2
"""
_NEXT_DUE = """
SELECT min(due_at) FROM open_alert
WHERE state = 'new' AND NOT escalated AND ($1::timestamptz IS NULL OR due_at > $1)
"""
_OPEN = """
SELECT state, category, count(*) AS alerts, min(created_at) AS oldest_created_at
FROM open_alert GROUP BY state, category
"""


@dataclass(frozen=True)
class DueAlert:
    alert_id: UUID
    agency_id: str
    due_at: datetime


async def due_unanswered(
    connection: Connection, now: datetime, limit: int, after: DueAlert | None = None
) -> list[DueAlert]:
    """Alerts of all agencies whose answer is due and that nobody answered, the longest due first;
    of those behind one of them."""
    behind = (None, None) if after is None else (after.due_at, after.alert_id)
    return [
        DueAlert(**dict(row)) for row in await connection.fetch(_UNANSWERED, now, limit, *behind)
    ]


async def next_due_at(connection: Connection, after: datetime | None = None) -> datetime | None:
    """When the next answer is due (after a time) of what is neither answered nor escalated."""
    due_at: datetime | None = await connection.fetchval(_NEXT_DUE, after)
    return due_at


@dataclass(frozen=True)
class OpenAlerts:
    state: str
    category: str
    alerts: int
    oldest_created_at: datetime


async def open_alerts(connection: Connection) -> list[OpenAlerts]:
    """How many alerts of all agencies are open, by state and category."""
    return [OpenAlerts(**dict(row)) for row in await connection.fetch(_OPEN)]
