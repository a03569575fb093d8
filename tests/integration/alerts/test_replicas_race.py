"""Several consumers with the same hits at once: what a rebalance at the worst moment does."""

from __future__ import annotations

import asyncio
import random
from datetime import UTC, datetime

import pytest
from opentelemetry.context import Context

from alpr_alerts import store
from alpr_alerts.raising import Arrived, take_hits
from alpr_alerts.windows import alert_id_of
from alpr_common.errors import NotFound
from alpr_common.policy import Policy
from alpr_common.postgres import Database
from tests.unit.alerts.samples import AGENCY, OTHER_AGENCY, hit

pytestmark = pytest.mark.integration

POLICY = Policy(reads_retention_days=36500)


async def test_the_same_hits_at_once_in_any_batches_raise_each_alert_once(
    database: Database,
) -> None:
    hits = [
        hit(s, plate=f"RACE{n:02d}", agency_id=agency)
        for n in range(8)
        for s in (0, 100, 200)
        for agency in (AGENCY, OTHER_AGENCY)
    ]
    shuffle = random.Random(7)

    async def consumer(n: int) -> None:
        mine = [Arrived(one, Context()) for one in hits]
        shuffle.shuffle(mine)
        size = n + 1
        for start in range(0, len(mine), size):
            await take_hits(database, POLICY, mine[start : start + size], datetime.now(UTC))

    async with asyncio.timeout(60):
        await asyncio.gather(*(consumer(n) for n in range(6)))

    for agency in (AGENCY, OTHER_AGENCY):
        async with database.transaction(agency) as connection:
            alerts = await store.alerts_page(connection, None, None, 100)
            events = await store.stream_events(connection, agency, 0, 1000)
            told = await connection.fetchval(
                "SELECT count(*) FROM outbox WHERE topic = 'alpr.alerts.v1'"
            )
        assert {a.hit.read.plate for a in alerts} == {f"RACE{n:02d}" for n in range(8)}
        assert len(alerts) == 8
        assert all(a.hit_count == 3 for a in alerts)
        assert len(events) == 24, "one for each hit that was new, none for a repeated one"
        assert told == 16


async def test_positions_of_the_stream_become_visible_in_their_order(database: Database) -> None:
    """A reader that polls while many write never sees a number after a greater one."""
    seen: list[int] = []
    done = asyncio.Event()

    async def read() -> None:
        while not done.is_set() or len(seen) < 60:
            async with database.transaction("IL-STREAM") as connection:
                page = await store.stream_events(
                    connection, "IL-STREAM", seen[-1] if seen else 0, 1000
                )
            seen.extend(position for position, _ in page)
            await asyncio.sleep(0)

    async def write(n: int) -> None:
        for m in range(10):
            one = hit(m * 400, plate=f"STREA{n}", agency_id="IL-STREAM")
            await take_hits(database, POLICY, [Arrived(one, Context())], datetime.now(UTC))
            # A transaction that gives its number back.
            try:
                async with database.transaction("IL-STREAM") as connection:
                    await store.tell_streams(
                        connection, "IL-STREAM", [alert_id_of(one)], datetime.now(UTC)
                    )
                    raise NotFound("rolled back on purpose")
            except NotFound:
                pass

    async with asyncio.timeout(60):
        reading = asyncio.ensure_future(read())
        await asyncio.gather(*(write(n) for n in range(6)))
        done.set()
        await reading
    assert seen == list(range(seen[0], seen[0] + 60))
