"""The outbox on a real database and a real broker: what is committed is told, in order, once more
rather than never."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pytest

from alpr_common import outbox
from alpr_common.errors import Outage
from alpr_common.kafka import Publisher
from alpr_common.outbox import OUTBOX_TABLE, OutboxRelay
from alpr_common.postgres import Database
from alpr_common.topics import HOTLIST
from alpr_local.stack import Stack
from tests.support.topics import everything
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def schema(fresh_stack: Stack) -> Stack:
    async def make() -> None:
        connection = await asyncpg.connect(fresh_stack.postgres_dsn("alpr_matcher_owner"))
        await connection.execute(OUTBOX_TABLE)
        await connection.close()

    asyncio.run(make())
    return fresh_stack


@pytest.fixture
async def database(schema: Stack) -> AsyncIterator[Database]:
    opened = await Database.connect(schema.postgres_dsn("alpr_matcher"))
    yield opened
    await opened.close()


@asynccontextmanager
async def relaying(schema: Stack, database: Database, relays: int = 1) -> AsyncIterator[None]:
    publishers = [Publisher(schema.kafka_bootstrap_servers) for _ in range(relays)]
    tasks = [asyncio.create_task(OutboxRelay(database, p, batch_size=7).run()) for p in publishers]
    try:
        yield
        assert not any(task.done() for task in tasks), "a relay ended by itself"
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for publisher in publishers:
            await publisher.stop()


async def values_of(schema: Stack, key: str) -> list[bytes | None]:
    told = await everything(schema.kafka_bootstrap_servers, HOTLIST)
    return [message.value for message in told if message.key == key.encode()]


async def waiting_rows(database: Database) -> int:
    async with database.transaction() as connection:
        return int(await connection.fetchval("SELECT count(*) FROM outbox"))


async def empty(database: Database) -> None:
    await eventually(lambda: _is_empty(database), 90, what="the outbox is empty")


async def _is_empty(database: Database) -> bool:
    return await waiting_rows(database) == 0


async def test_what_was_put_before_the_relay_ran_is_told_with_its_tombstone(
    schema: Stack, database: Database
) -> None:
    async with database.transaction() as connection:
        await outbox.put(connection, HOTLIST, "BEFORE", b"one")
        await outbox.put(connection, HOTLIST, "BEFORE", None)
    async with relaying(schema, database):
        await empty(database)
    assert await values_of(schema, "BEFORE") == [b"one", None]


async def test_what_was_rolled_back_is_never_told(schema: Stack, database: Database) -> None:
    async with relaying(schema, database):
        with pytest.raises(RuntimeError):  # noqa: PT012 - the block is what is tested
            async with database.transaction() as connection:
                await outbox.put(connection, HOTLIST, "UNDONE", b"never")
                raise RuntimeError
        async with database.transaction() as connection:
            await outbox.put(connection, HOTLIST, "DONE", b"told")
        await empty(database)
    assert await values_of(schema, "UNDONE") == []
    assert await values_of(schema, "DONE") == [b"told"]


async def test_concurrent_writers_are_told_in_the_order_of_their_commits_by_many_relays(
    schema: Stack, database: Database
) -> None:
    committed: list[bytes] = []
    lock = asyncio.Lock()

    async def write(number: int) -> None:
        value = b"%d" % number
        async with database.transaction() as connection:
            await outbox.put(connection, HOTLIST, "ORDER", value)
            async with lock:  # the outbox's lock is held to the commit: this is its order
                committed.append(value)

    async with relaying(schema, database, relays=3):
        await asyncio.gather(*(write(n) for n in range(60)))
        await empty(database)
    assert await values_of(schema, "ORDER") == committed


async def test_many_are_put_at_once_in_their_order(schema: Stack, database: Database) -> None:
    messages = [("MANY", b"%d" % n) for n in range(100)]
    async with relaying(schema, database):
        async with database.transaction() as connection:
            await outbox.put_many(connection, HOTLIST, [*messages, ("MANY", None)])
            await outbox.put_many(connection, HOTLIST, [])
        await empty(database)
    assert await values_of(schema, "MANY") == [*(v for _, v in messages), None]


async def test_a_relay_whose_connections_are_cut_goes_on(schema: Stack, database: Database) -> None:
    admin = await asyncpg.connect(schema.postgres_admin_dsn)
    try:
        async with relaying(schema, database):
            for number in range(3):
                await admin.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE usename = 'alpr_matcher'"
                )
                async with asyncio.timeout(60):
                    await _put_again(database, b"%d" % number)
                await empty(database)
    finally:
        await admin.close()
    assert await values_of(schema, "CUT") == [b"0", b"1", b"2"]


async def _put_again(database: Database, value: bytes) -> None:
    """As a caller would: an outage means that nothing was stored, so once more."""
    while True:
        try:
            async with database.transaction() as connection:
                await outbox.put(connection, HOTLIST, "CUT", value)
            return
        except Outage:
            await asyncio.sleep(0.1)


async def test_what_is_put_while_the_broker_is_away_is_told_when_it_is_back(
    schema: Stack, database: Database
) -> None:
    if not schema.is_local:
        pytest.skip(f"needs a broker it may stop; this one is {schema.origin}")
    async with relaying(schema, database):
        await asyncio.to_thread(schema.kafka.stop)
        async with database.transaction() as connection:
            await outbox.put(connection, HOTLIST, "AWAY", b"later")
        await asyncio.to_thread(schema.kafka.start)
        await eventually(lambda: _is_empty(database), 90, what="the outbox is empty")
    assert set(await values_of(schema, "AWAY")) == {b"later"}
