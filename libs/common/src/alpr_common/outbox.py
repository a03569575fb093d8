"""The transactional outbox: what a service decides and what it tells are one transaction.

A service's migration makes the table (`OUTBOX_TABLE` shows its shape), its handlers call `put`
inside their transaction, and one `OutboxRelay` per database publishes rows in order and deletes
them after the broker's acknowledgement. A crash between the two sends a row twice; receivers know
it by its deterministic id.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from prometheus_client import Counter, Gauge

from alpr_common.kafka import Publisher, all_acknowledged
from alpr_common.notified import work_when_notified
from alpr_common.postgres import Connection, Database
from alpr_common.telemetry import trace_headers
from alpr_common.topics import Topic

OUTBOX_TABLE = """
CREATE TABLE outbox (
    outbox_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    topic text NOT NULL,
    key text NOT NULL,
    value bytea,
    headers jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now()
);
"""

_CHANNEL = "alpr_outbox"
# A lock held to the end of the transaction makes ids commit in order; without it a row with a
# smaller id could appear after a larger one was already sent, and two versions of one key swap.
_ORDER = "SELECT pg_advisory_xact_lock(hashtext('outbox:' || current_schema()))"
_PUT = "INSERT INTO outbox (topic, key, value, headers) VALUES ($1, $2, $3, $4::jsonb)"
_PUT_MANY = """
INSERT INTO outbox (topic, key, value, headers)
SELECT $1, key, value, $4::jsonb
FROM unnest($2::text[], $3::bytea[]) WITH ORDINALITY AS given (key, value, position)
ORDER BY position
"""
_NOTIFY = f"SELECT pg_notify('{_CHANNEL}', current_schema())"
_RELAY_LOCK = (
    "SELECT pg_try_advisory_xact_lock(hashtext('outbox relay:' || current_schema())) AS mine"
)
_TAKE = """
SELECT outbox_id, topic, key, value, headers::text AS headers
FROM outbox ORDER BY outbox_id LIMIT $1
"""
_DROP = "DELETE FROM outbox WHERE outbox_id = ANY($1::bigint[])"

SENT = Counter("alpr_outbox_sent_total", "Messages relayed from the outbox", ["topic"])
WAITING = Gauge("alpr_outbox_waiting", "Messages seen waiting at the last look (capped)")


async def put(connection: Connection, topic: Topic, key: str, value: bytes | None) -> None:
    """Queue a message in the caller's transaction. `value` None is a tombstone.

    Call it last in the transaction: it takes a lock that other writers wait for until the commit.
    """
    headers = json.dumps({name: text.decode() for name, text in trace_headers()})
    await connection.execute(_ORDER)
    await connection.execute(_PUT, topic.name, key, value, headers)
    await connection.execute(_NOTIFY)


async def put_many(
    connection: Connection, topic: Topic, messages: Sequence[tuple[str, bytes | None]]
) -> None:
    """As `put`, for many keys and values at once, in their order."""
    if not messages:
        return
    headers = json.dumps({name: text.decode() for name, text in trace_headers()})
    keys, values = [key for key, _ in messages], [value for _, value in messages]
    await connection.execute(_ORDER)
    await connection.execute(_PUT_MANY, topic.name, keys, values, headers)
    await connection.execute(_NOTIFY)


class OutboxRelay:
    """Publishes the outbox of one database (as its runtime role), one relay at a time."""

    def __init__(self, database: Database, publisher: Publisher, *, batch_size: int = 500) -> None:
        self._database, self._publisher, self._batch_size = database, publisher, batch_size

    async def run(self) -> None:
        """Relay until cancelled; outages of either side are waited out."""
        await work_when_notified(self._database, _CHANNEL, self._relay_some, name="outbox")

    async def _relay_some(self) -> bool:
        """Send one batch; whether there may be more."""
        async with self._database.transaction() as connection:
            lock = await connection.fetchrow(_RELAY_LOCK)
            if not (lock and lock["mine"]):
                return False  # another replica is at it
            rows = await connection.fetch(_TAKE, self._batch_size)
            WAITING.set(len(rows))
            if not rows:
                return False
            await self._send([dict(row) for row in rows])
            await connection.execute(_DROP, [row["outbox_id"] for row in rows])
            for row in rows:
                SENT.labels(row["topic"]).inc()
            return len(rows) == self._batch_size

    async def _send(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Until all are acknowledged; raises `Outage`, with none of them left on its way."""
        await all_acknowledged(
            self._publisher.enqueue_raw(
                row["topic"],
                row["key"].encode(),
                row["value"],
                [(name, text.encode()) for name, text in json.loads(row["headers"]).items()],
            )
            for row in rows
        )
