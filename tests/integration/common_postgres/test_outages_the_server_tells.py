"""What PostgreSQL answers when the fault is its own is an outage; a fault of the data is not."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from alpr_common.errors import Outage
from alpr_common.postgres import Database
from alpr_local.stack import Stack

pytestmark = pytest.mark.integration


@pytest.fixture
async def database(stack: Stack) -> AsyncIterator[Database]:
    opened = await Database.connect(stack.postgres_dsn("alpr_alerts"), pool_size=1)
    yield opened
    await opened.close()


async def answer_with(database: Database, sqlstate: str) -> None:
    """Make the server answer a statement with that error."""
    async with database.transaction() as connection:
        await connection.execute(
            f"DO $$ BEGIN RAISE EXCEPTION 'as if' USING ERRCODE = '{sqlstate}'; END $$"
        )


@pytest.mark.parametrize(
    "sqlstate",
    [
        pytest.param("53100", id="disk full"),
        pytest.param("53200", id="out of memory"),
        pytest.param("57014", id="query cancelled"),
        pytest.param("58030", id="input or output error"),
        pytest.param("40001", id="serialization failure"),
        pytest.param("40P01", id="deadlock"),
        pytest.param("25006", id="a standby that only reads"),
    ],
)
async def test_a_fault_of_the_server_is_an_outage_and_tried_again(
    database: Database, sqlstate: str
) -> None:
    with pytest.raises(Outage):
        await answer_with(database, sqlstate)
    async with database.transaction() as connection:
        assert await connection.fetchval("SELECT 1") == 1


@pytest.mark.parametrize("sqlstate", ["22021", "23505", "42501"])
async def test_a_fault_of_the_data_is_none(database: Database, sqlstate: str) -> None:
    with pytest.raises(asyncpg.PostgresError):
        await answer_with(database, sqlstate)
