"""The migration runner on a real database: each once, in order, never edited afterwards."""

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from alpr_common.errors import Outage
from alpr_common.postgres import MigrationChanged, migrate, migrations_of
from alpr_local.stack import Stack

pytestmark = pytest.mark.integration


class Package:
    """A package with migrations, made for one test."""

    def __init__(self, folder: Path, name: str) -> None:
        self.name = name
        self._folder = folder / name
        (self._folder / "migrations").mkdir(parents=True)
        (self._folder / "__init__.py").touch()

    def write(self, file: str, sql: str) -> None:
        (self._folder / "migrations" / file).write_text(sql)


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Package]:
    name = f"migrated_{tmp_path.name.replace('-', '_')}"
    monkeypatch.syspath_prepend(str(tmp_path))
    yield Package(tmp_path, name)
    sys.modules.pop(name, None)


@pytest.fixture
def owner(fresh_schema: Stack) -> str:
    return fresh_schema.postgres_dsn("alpr_matcher_owner")


@pytest.fixture
def fresh_schema(stack: Stack) -> Stack:
    stack.clear()
    return stack


async def one(dsn: str, query: str) -> object:
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


async def test_migrations_are_applied_in_order_and_once(owner: str, package: Package) -> None:
    package.write("0002_second.sql", "ALTER TABLE thing ADD COLUMN size integer;")
    package.write("0001_first.sql", "CREATE TABLE thing (id integer);")
    package.write("notes.txt", "no migration")
    assert [m.number for m in migrations_of(package.name)] == [1, 2]
    assert await migrate(owner, package.name) == ["0001_first", "0002_second"]
    assert await migrate(owner, package.name) == []
    package.write("0003_third.sql", "ALTER TABLE thing ADD COLUMN colour text;")
    assert await migrate(owner, package.name) == ["0003_third"]
    assert await one(owner, "SELECT count(*) FROM schema_migration") == 3


async def test_a_migration_that_was_edited_after_it_was_applied_is_refused(
    owner: str, package: Package
) -> None:
    package.write("0001_first.sql", "CREATE TABLE thing (id integer);")
    await migrate(owner, package.name)
    package.write("0001_first.sql", "CREATE TABLE thing (id bigint);")
    with pytest.raises(MigrationChanged, match="0001_first was edited"):
        await migrate(owner, package.name)


async def test_a_migration_that_fails_leaves_nothing_of_any(owner: str, package: Package) -> None:
    package.write("0001_first.sql", "CREATE TABLE thing (id integer);")
    package.write("0002_broken.sql", "CREATE TABLE other (id integer); SELECT 1 / 0;")
    with pytest.raises(asyncpg.DivisionByZeroError):
        await migrate(owner, package.name)
    assert await one(owner, "SELECT to_regclass('thing')") is None
    assert await one(owner, "SELECT to_regclass('schema_migration')") is None


async def test_replicas_that_start_together_apply_each_migration_once(
    owner: str, package: Package
) -> None:
    package.write("0001_first.sql", "CREATE TABLE thing (id integer); SELECT pg_sleep(0.2);")
    applied = await asyncio.gather(*(migrate(owner, package.name) for _ in range(4)))
    assert sorted(applied) == [[], [], [], ["0001_first"]]


async def test_a_migration_sees_its_own_schema_and_its_tables_are_the_services(
    fresh_schema: Stack, owner: str, package: Package
) -> None:
    package.write(
        "0001_first.sql", "CREATE TABLE thing (id integer); INSERT INTO thing VALUES (7);"
    )
    await migrate(owner, package.name)
    assert await one(owner, "SELECT current_schema()") == "matcher"
    runtime = fresh_schema.postgres_dsn("alpr_matcher")
    assert await one(runtime, "SELECT id FROM thing") == 7
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await one(runtime, "CREATE TABLE matcher.mine (id integer)")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await one(fresh_schema.postgres_dsn("alpr_alerts"), "SELECT id FROM matcher.thing")


async def test_a_server_that_does_not_answer_is_an_outage(package: Package) -> None:
    package.write("0001_first.sql", "SELECT 1;")
    with pytest.raises(Outage):
        await migrate("postgresql://nobody@127.0.0.1:1/alpr", package.name)
