"""SQL of what waits to be told on the topics: keys, urgent ones and others."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from alpr_common.postgres import Connection
from alpr_common.telemetry import KafkaHeaders, trace_headers
from alpr_matcher.patterns import is_pattern

CHANNEL = "alpr_hotlist_untold"
_QUEUE = """
INSERT INTO hotlist_untold (urgent, is_pattern, key, headers)
SELECT $1, is_pattern, key, $4::jsonb FROM unnest($2::boolean[], $3::text[]) AS k (is_pattern, key)
"""
_NOTIFY = f"SELECT pg_notify('{CHANNEL}', current_schema())"
# A server that crashes may forget that a portion was told: it is told again then, as it is then.
# So nobody waits for the disk at each portion.
_LOCK = """
SELECT pg_try_advisory_xact_lock(hashtext('hot list telling:' || current_schema())),
    set_config('synchronous_commit', 'off', true)
"""
_TAKE = """
SELECT untold_id, is_pattern, key, headers::text AS headers, queued_at
FROM hotlist_untold WHERE urgent = $1 AND untold_id > $2 ORDER BY untold_id LIMIT $3
"""
_DROP = "DELETE FROM hotlist_untold WHERE urgent = $1 AND untold_id = ANY($2::bigint[])"
_RECORDS = "SELECT key, value FROM compose_records($1, $2)"
_PATTERNS = "SELECT key, value FROM compose_patterns($1, $2)"
_EXPIRED = "SELECT queue_expired($1, $2)"
_COUNT = "SELECT urgent, count(*) AS keys FROM hotlist_untold GROUP BY urgent"


@dataclass(frozen=True)
class Untold:
    """A key that waits: a match key; of a pattern, its entry's id."""

    untold_id: int
    is_pattern: bool
    key: str
    headers: KafkaHeaders
    queued_at: datetime


async def queue(
    connection: Connection, entries: Iterable[tuple[UUID, str]], *, urgent: bool
) -> None:
    """Have what these entries (id and plate's match key) are now told, after the commit.

    Takes no lock that others wait for, and may be called at any place of a transaction.
    """
    wanted = {
        (True, str(entry_id)) if is_pattern(match_key) else (False, match_key)
        for entry_id, match_key in entries
    }
    headers = json.dumps({name: text.decode() for name, text in trace_headers()})
    kinds, keys = [kind for kind, _ in wanted], [key for _, key in wanted]
    await connection.execute(_QUEUE, urgent, kinds, keys, headers)
    await notify(connection)


async def queue_expired(connection: Connection, expired_until: datetime, most: int) -> int:
    """Have entries told of that expired until then and are still on the topics; how many."""
    queued: int = await connection.fetchval(_EXPIRED, expired_until, most)
    if queued:
        await notify(connection)
    return queued


async def notify(connection: Connection) -> None:
    """Wake the relay at the commit."""
    await connection.execute(_NOTIFY)


async def is_telling(connection: Connection) -> bool:
    """Whether this replica is the one that tells, till the transaction ends."""
    mine: bool = await connection.fetchval(_LOCK)
    return mine


async def take(connection: Connection, urgent: bool, after_id: int, most: int) -> list[Untold]:
    """Keys that wait behind `after_id`, the longest waiting first."""
    return [
        Untold(
            row["untold_id"],
            row["is_pattern"],
            row["key"],
            _headers(row["headers"]),
            row["queued_at"],
        )
        for row in await connection.fetch(_TAKE, urgent, after_id, most)
    ]


def _headers(stored: str | None) -> KafkaHeaders:
    """An import's keys have none."""
    return [(name, text.encode()) for name, text in json.loads(stored).items()] if stored else []


async def drop(connection: Connection, urgent: bool, told: Sequence[Untold]) -> None:
    """These keys wait no more."""
    await connection.execute(_DROP, urgent, [one.untold_id for one in told])


async def records_of(
    connection: Connection, keys: Sequence[str], expired_until: datetime
) -> list[tuple[str, bytes | None]]:
    """Key and value of each key's record for the compacted topic, composed across agencies.

    Entries that expired until `expired_until` are left out; a key without any has the value None.
    """
    rows = await connection.fetch(_RECORDS, list(keys), expired_until)
    return [(row["key"], row["value"]) for row in rows]


async def patterns_of(
    connection: Connection, entry_ids: Sequence[str], expired_until: datetime
) -> list[tuple[str, bytes | None]]:
    """As `records_of`, for wildcard entries: one message each."""
    rows = await connection.fetch(_PATTERNS, list(entry_ids), expired_until)
    return [(row["key"], row["value"]) for row in rows]


async def count(connection: Connection) -> dict[bool, int]:
    """How many keys wait, urgent ones and others."""
    return {row["urgent"]: row["keys"] for row in await connection.fetch(_COUNT)}
