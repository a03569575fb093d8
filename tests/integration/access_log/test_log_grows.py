"""The log grows by whole transactions, without gaps, and every file of it verifies."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest

from alpr_access_log import handlers, store
from alpr_access_log.log import reading as log_reading
from alpr_access_log.log import store as log_store
from alpr_access_log.log.trust import LogRewritten
from alpr_common.errors import Outage
from alpr_common.messages.audit import AuditRecord
from alpr_local.stack import Stack
from alpr_translog.checkpoint import Checkpoint
from alpr_translog.tiles import Tile
from tests.support.verifiable_log import (
    KEY,
    LogUnderTest,
    as_superuser,
    make_record,
    run_until_covered,
    stored_entries,
)
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration


@pytest.fixture
async def log(migrated: Stack, tmp_path: Path) -> AsyncIterator[LogUnderTest]:
    made = await LogUnderTest.on(migrated, tmp_path)
    yield made
    await made.database.close()


@pytest.mark.policy("131.7-3a")
async def test_every_access_record_becomes_an_entry_that_a_checkpoint_covers(
    log: LogUnderTest,
) -> None:
    record_ids = await log.append(3)
    assert await log.sequencer().extend(log.agency_id) == 3
    assert await log.sequencer().extend(log.agency_id) == 0
    report = await log.verify()
    assert report.is_good, report.faults
    entries = await stored_entries(log.stack, log.agency_id)
    assert [str(r) in e.decode() for r, e in zip(record_ids, entries, strict=True)] == [True] * 3
    assert b"Ann Miller" not in b"".join(entries)
    assert b"burglary" not in b"".join(entries)


async def test_records_of_other_services_enter_once_however_often_they_are_delivered(
    log: LogUnderTest,
) -> None:
    audit = AuditRecord.model_validate_json(
        (Path(__file__).parents[2] / "contracts" / "v1" / "audit_record.json").read_bytes()
    ).model_copy(update={"audit_id": uuid4(), "agency_id": log.agency_id})
    await handlers.append_audits(log.database, [audit, audit])
    await handlers.append_audits(log.database, [audit])
    await log.sequencer().extend(log.agency_id)
    (entry,) = await stored_entries(log.stack, log.agency_id)
    assert str(audit.audit_id) in entry.decode()
    assert (await log.verify()).is_good


@pytest.mark.slow
async def test_a_log_that_crosses_the_borders_of_tiles_verifies_at_every_size(
    log: LogUnderTest,
) -> None:
    counts = (1, 1, 253, 1, 1, 255, 3, 1000, 2581, 61_440, 1, 300)
    held = [await log.grow(count) for count in counts]
    sizes = [Checkpoint.open(note, KEY.verifier(log.agency_id)).size for note in held]
    assert 256 in sizes
    assert 257 in sizes
    assert sizes[-2:] == [65_537, 65_837]
    report = await log.verify(*held)
    assert report.is_good, report.faults
    assert report.size == 65_837
    for size in sizes:
        # What was covered once stays readable in the width that it had.
        tile = Tile(0, (size - 1) // 256, (size - 1) % 256 + 1)
        served = await log_reading.file(log.log, log.agency_id, tile.path)
        assert len(served.content) == 32 * tile.width


async def test_replicas_that_sequence_side_by_side_make_one_log(log: LogUnderTest) -> None:
    appended = asyncio.gather(*(log.append(40) for _ in range(4)), log.append_many(700))
    replicas = [log.sequencer(batch_size=n) for n in (7, 50, 400)]
    _, _ = await asyncio.gather(appended, run_until_covered(log, replicas, 860))
    report = await log.verify()
    assert report.is_good, report.faults
    assert report.size == 860


async def test_a_crash_in_the_middle_leaves_the_log_as_it_was(log: LogUnderTest) -> None:
    before = await log.grow(300)
    await log.append(5)
    admin = await asyncpg.connect(log.stack.postgres_admin_dsn)
    try:
        async with admin.transaction():
            # Indexes and hashes are written; the checkpoint has to wait. Here the connection goes.
            await admin.execute("LOCK TABLE access_log.log_checkpoint IN EXCLUSIVE MODE")
            cut = asyncio.create_task(log.sequencer().extend(log.agency_id))
            pid = await eventually(
                lambda: waiting_pid(log.stack, "INSERT INTO log_checkpoint"), what="it waits"
            )
            await admin.execute("SELECT pg_terminate_backend($1)", pid)
            with pytest.raises(Outage):
                await cut
    finally:
        await admin.close()
    assert await log_reading.checkpoint(log.log, log.agency_id) == before
    assert await log.sequencer().extend(log.agency_id) == 5
    report = await log.verify(before)
    assert report.is_good, report.faults
    assert report.size == 305


async def waiting_pid(stack: Stack, statement: str) -> int | None:
    connection = await asyncpg.connect(stack.postgres_admin_dsn)
    try:
        pid: int | None = await connection.fetchval(
            "SELECT pid FROM pg_stat_activity WHERE usename = 'alpr_access_log' "
            "AND wait_event_type = 'Lock' AND query LIKE '%' || $1 || '%'",
            statement,
        )
    finally:
        await connection.close()
    return pid


async def test_a_transaction_that_is_rolled_back_leaves_no_gap(log: LogUnderTest) -> None:
    await log.append()
    twice = make_record(log.agency_id)

    async def append_twice() -> None:
        async with store.recording(log.database, log.agency_id) as connection:
            await store.append(connection, twice)
            await store.append(connection, twice)

    with pytest.raises(Outage):
        await append_twice()
    await log.append()
    assert await log.sequencer().extend(log.agency_id) == 2
    assert (await log.verify()).size == 2


@pytest.mark.policy("131.7-3a")
async def test_a_record_without_its_leaf_cannot_be_committed(log: LogUnderTest) -> None:
    with pytest.raises(asyncpg.ForeignKeyViolationError):
        async with log.database.transaction(log.agency_id) as connection:
            await connection.execute(
                "INSERT INTO access_record (record_id, agency_id, occurred_at, service, person_id, "
                "person_name, role, action, subject, outcome) "
                "VALUES ($1, $2, now(), 's', 'p', '', 'r', 'a', 'x', 'done')",
                uuid4(),
                log.agency_id,
            )


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE log_leaf SET entry = 'x'",
        "DELETE FROM log_leaf",
        "TRUNCATE log_leaf CASCADE",
        "UPDATE log_entry SET leaf_hash = leaf_hash",
        "DELETE FROM log_entry",
        "INSERT INTO log_entry SELECT agency_id, 99, leaf_sequence, leaf_hash FROM log_entry",
        "DELETE FROM log_pending",
        "UPDATE log_node SET hash = hash",
        "DELETE FROM log_node",
        "UPDATE log_checkpoint SET note = ''",
        "DELETE FROM log_checkpoint",
        "UPDATE log_salt SET salt = NULL, forgotten_at = now()",
        "DELETE FROM log_salt",
        "ALTER TABLE log_leaf DISABLE TRIGGER ALL",
    ],
)
@pytest.mark.policy("131.7-3a")
async def test_the_runtime_role_can_only_add_to_the_log(log: LogUnderTest, statement: str) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with log.database.transaction(log.agency_id) as connection:
            await connection.execute(statement)


async def test_without_the_agency_no_leaf_is_seen_or_sequenced(
    log: LogUnderTest,
) -> None:
    await log.append(2)
    async with log.database.transaction("somebody else") as connection:
        assert await log_store.sequence(connection, log.agency_id, 10) == []
        assert await connection.fetchval("SELECT count(*) FROM log_leaf") == 0
    assert await log.sequencer().extend(log.agency_id) == 2


async def test_one_agencys_trouble_does_not_hold_up_the_others(
    log: LogUnderTest, tmp_path: Path
) -> None:
    troubled = LogUnderTest(log.stack, log.database, log.witness)
    await troubled.grow(3)
    await as_superuser(
        log.stack,
        f"UPDATE log_checkpoint SET note = 'nonsense' WHERE agency_id = '{troubled.agency_id}'",
    )
    await troubled.append()
    await log.append()
    sequencer = log.sequencer()
    await sequencer.extend_all()
    assert troubled.agency_id in sequencer.trust.alarms
    assert (await log.verify()).size == 1
    with pytest.raises(LogRewritten):
        await sequencer.extend(troubled.agency_id)
