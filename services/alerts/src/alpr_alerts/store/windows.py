"""Which alerts could take a hit, kept from others while that is decided."""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from uuid import UUID

from alpr_alerts.windows import Window, window_key
from alpr_common.messages.hit import Hit
from alpr_common.postgres import Connection

_LOCK_WINDOW = "SELECT pg_advisory_xact_lock(hashtextextended('window:' || $1, 0))"
_KNOWN_HITS = "SELECT hit_id FROM alert_hit WHERE hit_id = ANY($1::uuid[])"
_WINDOWS = """
SELECT alert_id, first_captured_at, last_captured_at FROM alert
WHERE agency_id = $1 AND entry_id = $2 AND plate = $3 AND camera_id = $4
  AND last_captured_at > $5 AND first_captured_at < $6
  AND $7 = (SELECT coalesce((h.hit ->> 'retrospective')::boolean, false)
            FROM alert_hit h WHERE h.hit_id = alert.opening_hit_id)
"""


async def lock_windows(connection: Connection, hits: Iterable[Hit]) -> None:
    """Keep other transactions from deciding about the same entry, plate and camera till the end."""
    await lock_keys(connection, {window_key(hit) for hit in hits})


async def lock_keys(connection: Connection, keys: Iterable[str]) -> None:
    """As `lock_windows`, by the windows' keys."""
    for key in sorted(set(keys)):
        await connection.execute(_LOCK_WINDOW, key)


async def known_hits(connection: Connection, hit_ids: Sequence[UUID]) -> set[UUID]:
    """Those of the hits that belong to an alert already."""
    return {row["hit_id"] for row in await connection.fetch(_KNOWN_HITS, hit_ids)}


async def windows_near(connection: Connection, hit: Hit, window_seconds: float) -> list[Window]:
    """Windows of the hit's entry, plate and camera that might take it.

    A retrospective hit joins none that live ones opened, nor a live one theirs: it would fall
    silent with them.
    """
    read, length = hit.read, timedelta(seconds=window_seconds)
    rows = await connection.fetch(
        _WINDOWS, hit.agency_id, hit.entry.entry_id, read.plate, read.camera_id,
        read.captured_at - length, read.captured_at + length, hit.retrospective,
    )  # fmt: skip
    return [Window(r["alert_id"], r["first_captured_at"], r["last_captured_at"]) for r in rows]
