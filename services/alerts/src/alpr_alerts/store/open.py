"""What loops that serve all agencies may know of open alerts: no plate, place or person."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from alpr_common.postgres import Connection

_UNANSWERED = """
SELECT alert_id, agency_id FROM open_alert
WHERE state = 'new' AND NOT escalated AND created_at <= $1 ORDER BY created_at LIMIT $2
"""
_OLDEST_UNANSWERED = """
SELECT min(created_at) FROM open_alert WHERE state = 'new' AND NOT escalated
"""
_OPEN = """
SELECT state, category, count(*) AS alerts, min(created_at) AS oldest_created_at
FROM open_alert GROUP BY state, category
"""


async def unanswered_since(
    connection: Connection, before: datetime, limit: int
) -> list[tuple[UUID, str]]:
    """Alerts (id, agency) of all agencies that were raised before then and nobody answered."""
    rows = await connection.fetch(_UNANSWERED, before, limit)
    return [(row["alert_id"], row["agency_id"]) for row in rows]


async def oldest_unanswered_at(connection: Connection) -> datetime | None:
    """When the oldest alert was raised that is neither answered nor escalated."""
    oldest: datetime | None = await connection.fetchval(_OLDEST_UNANSWERED)
    return oldest


@dataclass(frozen=True)
class OpenAlerts:
    state: str
    category: str
    alerts: int
    oldest_created_at: datetime


async def open_alerts(connection: Connection) -> list[OpenAlerts]:
    """How many alerts of all agencies are open, by state and category."""
    return [OpenAlerts(**dict(row)) for row in await connection.fetch(_OPEN)]
