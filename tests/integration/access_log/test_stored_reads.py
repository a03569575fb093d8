"""The tables under the door: idempotent, by day, closed to whoever names no agency."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from alpr_access_log import handlers
from alpr_common.messages.audit import AuditRecord
from alpr_common.policy import Policy
from alpr_common.postgres import Connection
from tests.integration.access_log.conftest import OTHERS, OURS, DoorUnderTest, make_read

pytestmark = pytest.mark.integration


async def count(connection: Connection, table: str) -> int:
    counted: int = await connection.fetchval(f"SELECT count(*) FROM {table}")
    return counted


async def test_redelivered_reads_are_stored_once(door: DoorUnderTest) -> None:
    read = make_read("TWICE01")
    await door.store(read, read)
    await door.store(read)
    answer = await door.search(door.token(), plate="TWICE01")
    assert len(answer.json()["items"]) == 1


@pytest.mark.policy("131.7-1a")
async def test_a_stored_read_has_date_time_and_place(door: DoorUnderTest) -> None:
    read = make_read("PLACED1", latitude=41.5, longitude=-88.5)
    await door.store(read)
    (item,) = (await door.search(door.token(), plate="PLACED1")).json()["items"]
    assert datetime.fromisoformat(item["captured_at"]) == read.captured_at
    assert (item["latitude"], item["longitude"]) == (41.5, -88.5)
    async with door.database.transaction(OURS) as connection:
        row = await connection.fetchrow("SELECT * FROM read WHERE plate = 'PLACED1'")
    assert row is not None
    assert (row["captured_at"], row["latitude"], row["longitude"]) == (
        read.captured_at,
        41.5,
        -88.5,
    )


async def test_a_batch_of_several_agencies_and_days_is_stored_whole(door: DoorUnderTest) -> None:
    reads = [
        make_read("MIXED01", agency=agency, minutes_ago=minutes)
        for agency in (OURS, OTHERS)
        for minutes in (1, 60 * 24, 60 * 24 * 5)
    ]
    await door.store(*reads)
    for agency in (OURS, OTHERS):
        async with door.database.transaction(agency) as connection:
            rows = await connection.fetch(
                "SELECT agency_id, tableoid::regclass::text AS day, captured_at FROM read "
                "WHERE plate = 'MIXED01'"
            )
        assert len(rows) == 3
        assert {r["agency_id"] for r in rows} == {agency}
        for row in rows:
            assert row["day"] == f"read_{row['captured_at']:%Y%m%d}"


@pytest.mark.policy("131.7-1d")
async def test_a_read_beyond_its_retention_is_left_out(door: DoorUnderTest) -> None:
    await door.store(make_read("ANCIENT", minutes_ago=60 * 24 * 31))
    async with door.database.transaction(OURS) as connection:
        found = await connection.fetch("SELECT 1 FROM read WHERE plate = 'ANCIENT'")
    assert found == []


async def test_consumers_that_meet_a_new_day_together_make_it_once(door: DoorUnderTest) -> None:
    reads = [make_read("NEWDAY1", minutes_ago=60 * 24 * 20) for _ in range(6)]
    await asyncio.gather(*(door.store(read) for read in reads))
    async with door.database.transaction(OURS) as connection:
        assert await connection.fetchval("SELECT count(*) FROM read WHERE plate = 'NEWDAY1'") == 6


@pytest.mark.parametrize("days", [-4000, 3])
async def test_a_day_far_from_today_gets_no_table(door: DoorUnderTest, days: int) -> None:
    wanted = (datetime.now(UTC) + timedelta(days=days)).date()
    with pytest.raises(asyncpg.PostgresError, match="too far from today"):
        async with door.database.transaction() as connection:
            await connection.execute("SELECT ensure_read_partition($1)", wanted)


async def test_without_an_agency_the_runtime_role_sees_nothing(door: DoorUnderTest) -> None:
    await door.store(make_read("HIDDEN1"), make_read("HIDDEN1", agency=OTHERS))
    await door.search(door.token(), plate="HIDDEN1")
    bare = await asyncpg.connect(door.stack.postgres_dsn("alpr_access_log"))
    try:
        assert await count(bare, "read") == 0
        assert await count(bare, "access_record") == 0
        await bare.execute("SELECT set_config('alpr.agency_id', $1, false)", OURS)
        agencies = await bare.fetch("SELECT DISTINCT agency_id FROM read")
        assert [r["agency_id"] for r in agencies] == [OURS]
    finally:
        await bare.close()


async def test_not_even_the_owner_reads_past_the_policy(door: DoorUnderTest) -> None:
    await door.store(make_read("HIDDEN2"))
    owner = await asyncpg.connect(door.stack.postgres_dsn("alpr_access_log_owner"))
    try:
        assert await count(owner, "read") == 0
        partition = await owner.fetchval(
            "SELECT inhrelid::regclass::text FROM pg_inherits "
            "WHERE inhparent = 'read'::regclass LIMIT 1"
        )
        assert await count(owner, partition) == 0
    finally:
        await owner.close()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE read SET plate = 'X'",
        "DELETE FROM read",
        "TRUNCATE read",
        "UPDATE access_record SET purpose = 'X'",
        "DELETE FROM access_record",
        "TRUNCATE access_record",
        "ALTER TABLE access_record DISABLE ROW LEVEL SECURITY",
        "DROP TABLE access_record",
        "SET ROLE alpr_access_log_owner",
        "SELECT * FROM {partition}",
        "INSERT INTO {partition} (read_id) SELECT read_id FROM read",
        "SELECT * FROM seen_plate",
        "DELETE FROM seen_plate",
        "SELECT ensure_seen_plate_partition('2026-01-01')",
    ],
)
@pytest.mark.policy("131.7-3a")
async def test_the_runtime_role_can_only_append(door: DoorUnderTest, statement: str) -> None:
    await door.store(make_read("APPEND1"))
    async with door.database.transaction(OURS) as connection:
        partition = await connection.fetchval("SELECT tableoid::regclass::text FROM read LIMIT 1")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with door.database.transaction(OURS) as connection:
            await connection.execute(statement.format(partition=partition))


async def test_plates_are_named_to_their_own_agency_alone(door: DoorUnderTest) -> None:
    await door.store(make_read("NAMED01"), make_read("NAMED02", agency=OTHERS))
    asked = "SELECT plate FROM seen_plates('{NA,AM}', 'NAMED%', false, 'yesterday', 'tomorrow')"
    named = {}
    for agency_id in (OURS, OTHERS, "IL0000000", None):
        async with door.database.transaction(agency_id) as connection:
            named[agency_id] = [row["plate"] for row in await connection.fetch(asked)]
    assert named == {OURS: ["NAMED01"], OTHERS: ["NAMED02"], "IL0000000": [], None: []}


async def test_a_row_of_another_agency_is_not_taken(door: DoorUnderTest) -> None:
    await door.store(make_read("FOREIGN"))
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
        async with door.database.transaction(OURS) as connection:
            await connection.execute(
                "INSERT INTO read (read_id, captured_at, agency_id, camera_id, plate, match_key, "
                "jurisdiction, latitude, longitude, message) VALUES ($1, now(), $2, 'c', 'P', 'P', "
                "'unknown', 0, 0, '{}')",
                uuid4(),
                OTHERS,
            )


@pytest.mark.parametrize(
    ("condition", "arguments"),
    [
        ("plate = $2", ["AB12345"]),
        ("match_key = $2", ["A812345"]),
        ("plate >= $2 AND plate < $3 AND plate LIKE $4", ["AB", "AB~", "AB_2%"]),
    ],
)
async def test_the_policy_does_not_keep_the_planner_from_the_plates_index(
    door: DoorUnderTest, condition: str, arguments: list[Any]
) -> None:
    # Enough of them that looking at all of an agency's would cost more than looking for one plate.
    await door.store(*(make_read(f"PLAN{n:04d}") for n in range(3000)))
    async with door.database.transaction(OURS) as connection:
        await connection.execute("SET LOCAL enable_seqscan = off")
        await connection.execute("SET LOCAL enable_bitmapscan = off")
        lines = await connection.fetch(
            f"EXPLAIN SELECT * FROM read WHERE agency_id = $1 AND {condition}", OURS, *arguments
        )
    conditions = [line[0] for line in lines if "Index Cond" in line[0]]
    column = condition.split()[0]
    # Of days without reads any index is as good.
    assert any("agency_id" in c and column in c for c in conditions), conditions


async def test_other_services_audit_records_are_appended_once(door: DoorUnderTest) -> None:
    record = AuditRecord(
        audit_id=uuid4(), agency_id=OURS, occurred_at=datetime.now(UTC), service="alerts",
        person_id="audited", person_name="Ann Miller", role="officer", address="192.0.2.7",
        action="alert.picture.viewed", subject="alert:1", purpose="alert_verification",
        case_number=None, outcome="done", details={"picture": "plate"},
    )  # fmt: skip
    elsewhere = record.model_copy(update={"audit_id": uuid4(), "agency_id": OTHERS})
    await handlers.append_audits(door.database, [record, elsewhere, record])
    await handlers.append_audits(door.database, [record])
    (stored,) = await door.records(person_id="audited")
    assert (stored["record_id"], stored["service"]) == (record.audit_id, "alerts")
    (other,) = await door.records(OTHERS, person_id="audited")
    assert other["record_id"] == elsewhere.audit_id


def test_the_search_window_fits_the_retention() -> None:
    assert Policy().search_window_max_days <= Policy().reads_retention_days
