"""Each service signs in as a role that reaches its own schema and nothing else."""

from __future__ import annotations

from collections.abc import AsyncIterator

import asyncpg
import pytest

from alpr_local.provisioning import services_with_a_schema
from alpr_local.stack import Stack

pytestmark = pytest.mark.integration
Connection = asyncpg.Connection


@pytest.fixture
async def owner(fresh_stack: Stack) -> AsyncIterator[Connection]:
    connection = await asyncpg.connect(fresh_stack.postgres_dsn("alpr_access_log_owner"))
    yield connection
    await connection.execute("DROP TABLE IF EXISTS reads")
    await connection.close()


@pytest.fixture
async def runtime(fresh_stack: Stack) -> AsyncIterator[Connection]:
    connection = await asyncpg.connect(fresh_stack.postgres_dsn("alpr_access_log"))
    yield connection
    await connection.close()


@pytest.mark.parametrize("service", services_with_a_schema())
async def test_a_runtime_role_is_neither_superuser_nor_owner(
    fresh_stack: Stack, service: str
) -> None:
    connection = await asyncpg.connect(fresh_stack.postgres_dsn(f"alpr_{service}"))
    try:
        role = await connection.fetchrow(
            "SELECT rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolreplication "
            "FROM pg_roles WHERE rolname = current_user"
        )
        assert role is not None
        assert not any(role.values())
        assert await connection.fetchval("SELECT current_schema()") == service
        owner = await connection.fetchval(
            "SELECT pg_get_userbyid(nspowner) FROM pg_namespace WHERE nspname = $1", service
        )
        assert owner == f"alpr_{service}_owner"
    finally:
        await connection.close()


async def test_what_the_owner_creates_the_runtime_role_can_use(
    owner: Connection, runtime: Connection
) -> None:
    await owner.execute("CREATE TABLE reads (id bigserial PRIMARY KEY, plate text)")
    await runtime.execute("INSERT INTO reads (plate) VALUES ('ABC1234')")
    await runtime.execute("UPDATE reads SET plate = 'ABC1235'")
    assert await runtime.fetchval("SELECT plate FROM reads") == "ABC1235"
    await runtime.execute("DELETE FROM reads")


async def test_a_runtime_role_creates_nothing_lasting_but_may_stage_rows(
    owner: Connection, runtime: Connection
) -> None:
    await owner.execute("CREATE TABLE reads (plate text)")
    for statement in (
        "CREATE TABLE mine (a int)",
        "CREATE TABLE public.mine (a int)",
        "DROP TABLE reads",
        "ALTER TABLE reads DISABLE ROW LEVEL SECURITY",
        "TRUNCATE reads",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await runtime.execute(statement)
    await runtime.execute("CREATE TEMPORARY TABLE staging (LIKE reads)")
    await runtime.copy_records_to_table("staging", records=[("ABC1234",)])
    await runtime.execute("INSERT INTO reads SELECT * FROM staging")


async def test_row_level_security_binds_the_runtime_role(
    owner: Connection, runtime: Connection
) -> None:
    await owner.execute("CREATE TABLE reads (agency_id text)")
    await owner.execute("INSERT INTO reads VALUES ('IL0160000'), ('IL0990000')")
    await owner.execute("ALTER TABLE reads ENABLE ROW LEVEL SECURITY")
    await owner.execute("CREATE POLICY own ON reads USING (agency_id = 'IL0160000')")
    assert await runtime.fetchval("SELECT count(*) FROM reads") == 1


@pytest.mark.policy("131.7-3a")
@pytest.mark.parametrize("suffix", ["", "_owner"])
@pytest.mark.parametrize("other", ["ingest", "matcher", "alerts", "identity"])
async def test_no_other_service_can_read_the_stored_reads(
    fresh_stack: Stack, owner: Connection, other: str, suffix: str
) -> None:
    await owner.execute("CREATE TABLE reads (plate text)")
    stranger = await asyncpg.connect(fresh_stack.postgres_dsn(f"alpr_{other}{suffix}"))
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await stranger.fetch("SELECT * FROM access_log.reads")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await stranger.execute("SET ROLE alpr_access_log")
    finally:
        await stranger.close()


async def test_a_role_with_a_wrong_password_is_refused(fresh_stack: Stack) -> None:
    dsn = fresh_stack.postgres_dsn("alpr_ingest")
    password = dsn.split(":")[2].split("@")[0]
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(dsn.replace(password, "guessed"))


async def test_a_service_role_cannot_connect_to_another_database(fresh_stack: Stack) -> None:
    dsn = fresh_stack.postgres_dsn("alpr_ingest").rpartition("/")[0]
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await asyncpg.connect(f"{dsn}/postgres")


def test_provisioning_again_changes_nothing(fresh_stack: Stack) -> None:
    before = fresh_stack.postgres_dsn("alpr_ingest")
    fresh_stack.start()
    assert fresh_stack.postgres_dsn("alpr_ingest") == before


def test_secrets_are_readable_for_their_owner_alone(fresh_stack: Stack) -> None:
    assert fresh_stack.secrets.token_private_key.exists()
    folder = fresh_stack.secrets.folder
    assert folder.stat().st_mode & 0o077 == 0
    assert all(path.stat().st_mode & 0o077 == 0 for path in folder.iterdir())
