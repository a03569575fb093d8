"""The pool on a real database: row-level security per transaction, outages, notifications."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from alpr_common.errors import Outage
from alpr_common.postgres import Database
from alpr_local.stack import Stack

pytestmark = pytest.mark.integration

TABLE = """
CREATE TABLE thing (agency_id text NOT NULL, name text NOT NULL);
ALTER TABLE thing ENABLE ROW LEVEL SECURITY;
ALTER TABLE thing FORCE ROW LEVEL SECURITY;
CREATE POLICY own_agency ON thing USING (agency_id = current_setting('alpr.agency_id', true));
"""


@pytest.fixture(scope="module")
def schema(fresh_stack: Stack) -> Stack:
    async def make() -> None:
        connection = await asyncpg.connect(fresh_stack.postgres_dsn("alpr_matcher_owner"))
        await connection.execute(TABLE)
        await connection.close()

    asyncio.run(make())
    return fresh_stack


@pytest.fixture
async def database(schema: Stack) -> AsyncIterator[Database]:
    opened = await Database.connect(schema.postgres_dsn("alpr_matcher"), pool_size=3)
    yield opened
    await opened.close()


async def names(database: Database, agency_id: str | None) -> list[str]:
    async with database.transaction(agency_id) as connection:
        return [r["name"] for r in await connection.fetch("SELECT name FROM thing ORDER BY name")]


@pytest.mark.policy("131.1")
async def test_a_transaction_sees_and_writes_its_own_agency_alone(database: Database) -> None:
    for agency in ("A", "B"):
        async with database.transaction(agency) as connection:
            await connection.execute("INSERT INTO thing VALUES ($1, $2)", agency, f"of {agency}")
    assert await names(database, "A") == ["of A"]
    assert await names(database, "B") == ["of B"]
    assert await names(database, None) == []
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
        async with database.transaction("A") as connection:
            await connection.execute("INSERT INTO thing VALUES ('B', 'smuggled')")


async def test_the_agency_does_not_stay_on_the_pooled_connection(schema: Stack) -> None:
    database = await Database.connect(schema.postgres_dsn("alpr_matcher"), pool_size=1)
    try:
        async with database.transaction("A") as connection:
            await connection.execute("INSERT INTO thing VALUES ('A', 'kept')")
        with pytest.raises(RuntimeError):
            async with database.transaction("A"):
                raise RuntimeError
        assert await names(database, None) == []
    finally:
        await database.close()


async def test_what_a_failed_block_wrote_is_gone(database: Database) -> None:
    with pytest.raises(RuntimeError):  # noqa: PT012 - the block is what is tested
        async with database.transaction("C") as connection:
            await connection.execute("INSERT INTO thing VALUES ('C', 'undone')")
            raise RuntimeError
    assert await names(database, "C") == []


async def test_a_connection_that_the_server_cuts_is_an_outage_and_the_next_one_works(
    schema: Stack, database: Database
) -> None:
    admin = await asyncpg.connect(schema.postgres_admin_dsn)
    try:
        with pytest.raises(Outage):  # noqa: PT012 - the block is what is tested
            async with database.transaction("A") as connection:
                pid = await connection.fetchval("SELECT pg_backend_pid()")
                await admin.execute("SELECT pg_terminate_backend($1, 60000)", pid)
                await connection.execute("SELECT 1")
    finally:
        await admin.close()
    assert await database.is_ready()
    await names(database, "A")


@pytest.mark.parametrize(
    ("statement", "arguments"),
    [
        ("SELECT $1::integer", ()),
        ("SELECT $1::integer", (1, 2)),
        ("SELECT $1::integer", ("no number",)),
        ("SELECT $1::integer", (2**31,)),
    ],
)
async def test_a_statement_called_wrongly_is_no_outage_that_somebody_would_wait_out(
    database: Database, statement: str, arguments: tuple[object, ...]
) -> None:
    with pytest.raises((asyncpg.InterfaceError, asyncpg.DataError)):
        async with database.transaction("A") as connection:
            await connection.fetchval(statement, *arguments)
    await names(database, "A")


async def test_a_closed_pool_is_an_outage(schema: Stack) -> None:
    database = await Database.connect(schema.postgres_dsn("alpr_matcher"), pool_size=1)
    await database.close()
    assert not await database.is_ready()
    with pytest.raises(Outage):
        async with database.transaction("A"):
            pass


async def test_an_address_that_is_none_is_said_as_it_is() -> None:
    with pytest.raises(asyncpg.InterfaceError):
        await Database.connect("mysql://nobody@127.0.0.1:1/alpr")


async def test_a_pool_that_is_used_up_is_an_outage_and_not_a_hang(schema: Stack) -> None:
    database = await Database.connect(schema.postgres_dsn("alpr_matcher"), pool_size=1)
    try:
        async with database.transaction("A"):
            assert not await database.is_ready()
    finally:
        await database.close()


async def test_a_server_that_does_not_answer_is_an_outage() -> None:
    with pytest.raises(Outage):
        await Database.connect("postgresql://nobody@127.0.0.1:1/alpr")


async def test_notifications_arrive_while_listening(database: Database) -> None:
    async with database.listening("a_channel") as queue:
        async with database.transaction() as connection:
            await connection.execute("SELECT pg_notify('a_channel', 'hello')")
        assert await asyncio.wait_for(queue.get(), 60) == "hello"


async def test_a_listener_whose_connection_is_cut_is_told_and_can_be_cancelled(
    schema: Stack, database: Database
) -> None:
    cut = asyncio.Event()

    async def listen() -> None:
        async with database.listening("a_channel") as queue:
            with pytest.raises(Outage):
                await queue.get()
            cut.set()
            await asyncio.Event().wait()

    listening = asyncio.create_task(listen())
    admin = await asyncpg.connect(schema.postgres_admin_dsn)
    try:
        while not cut.is_set():
            await admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE usename = 'alpr_matcher' AND query LIKE 'LISTEN%'"
            )
            await asyncio.wait({listening}, timeout=0.1)
    finally:
        await admin.close()
    listening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await listening
