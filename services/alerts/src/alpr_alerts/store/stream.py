"""The numbered changes that streams tell."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from alpr_alerts.domain import Alert
from alpr_alerts.store.alerts import alert_from
from alpr_common.postgres import Connection

WAKE_CHANNEL = "alpr_alerts_stream"


_ADVANCE = "UPDATE stream_clock SET position = position + $1 RETURNING position"
_INSERT_EVENT = """
INSERT INTO stream_event (position, agency_id, alert_id, created_at) VALUES ($1, $2, $3, $4)
"""
_WAKE = f"SELECT pg_notify('{WAKE_CHANNEL}', $1)"


async def tell_streams(
    connection: Connection, agency_id: str, alert_ids: Sequence[UUID], now: datetime
) -> None:
    """Number one stream event per change. From here to the commit other writers wait: call late."""
    row = await connection.fetchrow(_ADVANCE, len(alert_ids))
    assert row is not None
    first = row["position"] - len(alert_ids) + 1
    for position, alert_id in enumerate(alert_ids, first):
        await connection.execute(_INSERT_EVENT, position, agency_id, alert_id, now)
    await connection.execute(_WAKE, agency_id)


_POSITION = "SELECT position FROM stream_clock"
_EVENTS = """
SELECT e.position, a.*, h.hit::text AS hit
FROM stream_event e JOIN alert a USING (alert_id) JOIN alert_hit h ON h.hit_id = a.opening_hit_id
WHERE e.agency_id = $1 AND e.position > $2 ORDER BY e.position LIMIT $3
"""


async def stream_position(connection: Connection) -> int:
    """The number of the last stream event of all."""
    position: int = await connection.fetchval(_POSITION)
    return position


async def stream_events(
    connection: Connection, agency_id: str, after: int, limit: int
) -> list[tuple[int, Alert]]:
    """The agency's stream events after that position, each with its alert as it stands now."""
    rows = await connection.fetch(_EVENTS, agency_id, after, limit)
    return [(row["position"], alert_from(row)) for row in rows]
