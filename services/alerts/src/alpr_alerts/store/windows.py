"""Which alerts could take a hit, kept from others while that is decided."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from alpr_alerts.domain import ENDS
from alpr_alerts.windows import Window, window_key
from alpr_common.messages.alert import AlertState
from alpr_common.messages.hit import Hit
from alpr_common.postgres import Connection

_LOCK_WINDOW = "SELECT pg_advisory_xact_lock(hashtextextended('window:' || $1, 0))"
_KNOWN_HITS = """
SELECT h.hit_id, h.alert_id,
       coalesce((h.hit ->> 'retrospective')::boolean, false) AND l.hit_id IS NULL AS retrospective
FROM alert_hit h LEFT JOIN alert_hit_live l USING (hit_id) WHERE h.hit_id = ANY($1::uuid[])
"""
_WINDOWS = """
SELECT alert_id, first_captured_at, last_captured_at FROM alert
WHERE agency_id = $1 AND entry_id = $2 AND plate = $3 AND camera_id = $4
  AND last_captured_at > $5 AND first_captured_at < $6
  AND $7 = (became_live_at IS NULL
            AND (SELECT coalesce((h.hit ->> 'retrospective')::boolean, false)
                 FROM alert_hit h WHERE h.hit_id = alert.opening_hit_id))
  AND state = ANY($8::text[])
"""
_IS_RAISED = "SELECT EXISTS (SELECT FROM alert WHERE alert_id = $1)"
_MARK_LIVE = """
INSERT INTO alert_hit_live (hit_id, alert_id, agency_id, matched_at, seen_live_at)
VALUES ($1, $2, $3, $4, $5)
"""


@dataclass(frozen=True)
class KnownHit:
    """A hit that belongs to an alert already, and whether it never came live so far."""

    alert_id: UUID
    retrospective: bool


async def lock_windows(connection: Connection, hits: Iterable[Hit]) -> None:
    """Keep other transactions from deciding about the same entry, plate and camera till the end."""
    await lock_keys(connection, {window_key(hit) for hit in hits})


async def lock_keys(connection: Connection, keys: Iterable[str]) -> None:
    """As `lock_windows`, by the windows' keys."""
    for key in sorted(set(keys)):
        await connection.execute(_LOCK_WINDOW, key)


async def known_hits(connection: Connection, hit_ids: Sequence[UUID]) -> dict[UUID, KnownHit]:
    """Those of the hits that belong to an alert already."""
    return {
        row["hit_id"]: KnownHit(row["alert_id"], row["retrospective"])
        for row in await connection.fetch(_KNOWN_HITS, hit_ids)
    }


async def mark_live(connection: Connection, alert_id: UUID, live: Hit, now: datetime) -> None:
    """Note that a hit came live that came as retrospective before."""
    await connection.execute(
        _MARK_LIVE, live.hit_id, alert_id, live.agency_id, live.matched_at, now
    )


async def windows_near(
    connection: Connection, hit: Hit, window_seconds: float, *, open_only: bool = False
) -> list[Window]:
    """Windows of the hit's entry, plate and camera that might take it.

    A retrospective hit joins none that are live, nor a live one theirs: it would fall silent with
    them.
    """
    read, length = hit.read, timedelta(seconds=window_seconds)
    states = frozenset(AlertState) - ENDS if open_only else frozenset(AlertState)
    rows = await connection.fetch(
        _WINDOWS, hit.agency_id, hit.entry.entry_id, read.plate, read.camera_id,
        read.captured_at - length, read.captured_at + length, hit.retrospective,
        [state.value for state in states],
    )  # fmt: skip
    return [Window(r["alert_id"], r["first_captured_at"], r["last_captured_at"]) for r in rows]


async def is_raised(connection: Connection, alert_id: UUID) -> bool:
    """Whether the agency has an alert of that id."""
    there: bool = await connection.fetchval(_IS_RAISED, alert_id)
    return there
