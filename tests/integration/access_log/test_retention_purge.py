"""The purge when things go wrong, and what the database lets nobody do."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from uuid import uuid4

import asyncpg
import pytest

from alpr_access_log import handlers
from alpr_access_log.evidence.alerts import Alerts
from alpr_access_log.holds import handlers as holds
from alpr_access_log.holds.domain import Wanted
from alpr_access_log.holds.handlers import Holds
from alpr_access_log.retention import handlers as retention
from alpr_access_log.retention import store as retention_store
from alpr_common.auth import Principal
from alpr_common.errors import Outage
from alpr_common.messages.read import Read
from alpr_common.objects import ObjectNotFound, Pictures, picture_key
from alpr_common.policy import AgencyPolicies, Policy, Role
from alpr_local.processes import Services
from tests.integration.access_log.conftest import DoorUnderTest, make_read

pytestmark = pytest.mark.integration

NOW = datetime.now(UTC)
KIM = Principal("kim", "Kim", "", Role.SUPERVISOR, "s", date.max, date.max)


class UnwillingPictures(Pictures):
    """A real store that refuses to delete for a while."""

    refuses = True

    async def delete(self, keys: Sequence[str]) -> None:
        if self.refuses:
            raise Outage("the store is away")
        await super().delete(keys)


@pytest.fixture
async def agency() -> str:
    """One of its own per test: the purge goes over all of them."""
    return f"IL{uuid4().hex[:7].upper()}"


@pytest.fixture
async def keeping(door: DoorUnderTest) -> Holds:
    return Holds(door.database, door.pictures, Policy(), Alerts("http://127.0.0.1:1"))


async def stored_read(door: DoorUnderTest, agency: str, days_ago: float) -> Read:
    """A read stored on the day that it was captured, with pictures."""
    captured_at = NOW - timedelta(days=days_ago)
    read_id, frame_id = uuid4(), uuid4()
    read = make_read(
        "PURGE01", agency=agency, read_id=read_id, frame_id=frame_id, captured_at=captured_at,
        frame_object=picture_key(agency, "cam-1", captured_at, frame_id),
        plate_object=picture_key(agency, "cam-1", captured_at, frame_id, f"-plate-{read_id}"),
    )  # fmt: skip
    await door.pictures.put(read.frame_object, b"frame")
    await door.pictures.put(read.plate_object, b"plate")
    await handlers.store_reads(door.database, [(read, read.to_bytes())], Policy(), captured_at)
    return read


async def certificates(door: DoorUnderTest, agency: str) -> list[asyncpg.Record]:
    return await door.records(agency, action=retention.ACTION)


@pytest.mark.policy("131.7-1d")
async def test_pictures_whose_deletion_failed_are_deleted_by_the_next_run(
    door: DoorUnderTest, keeping: Holds, agency: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    read = await stored_read(door, agency, 40)
    unwilling = UnwillingPictures(door.pictures._store)
    stuck = Holds(door.database, unwilling, Policy(), keeping.alerts)
    with pytest.raises(Outage):
        await retention.enforce(stuck, NOW)
    assert len(await certificates(door, agency)) == 1
    assert await door.pictures.get(read.frame_object) == b"frame"
    unwilling.refuses = False
    await retention.enforce(stuck, NOW)
    for key in (read.frame_object, read.plate_object):
        with pytest.raises(ObjectNotFound):
            await door.pictures.get(key)
    assert len(await certificates(door, agency)) == 1


@pytest.mark.policy("131.7-1d")
async def test_that_a_plate_was_seen_is_forgotten_with_its_reads(
    door: DoorUnderTest, keeping: Holds, agency: str
) -> None:
    longer = Policy(reads_retention_days=60)
    both = AgencyPolicies(Policy(), {"other": longer})
    own, others = await stored_read(door, agency, 42), await stored_read(door, "other", 42)
    keeping = Holds(door.database, keeping.pictures, both, keeping.alerts)
    count = "SELECT count(*) FROM access_log.seen_plate WHERE agency_id = $1 AND day = $2"
    admin = await asyncpg.connect(door.stack.postgres_admin_dsn)

    async def seen() -> list[int]:
        day = own.captured_at.date()
        return [await admin.fetchval(count, read.agency_id, day) for read in (own, others)]

    try:
        assert await seen() == [1, 1]
        await retention.enforce(keeping, NOW)
        assert await seen() == [0, 1]
        await retention.enforce(keeping, NOW + timedelta(days=40))
        assert await seen() == [0, 0]
        table = f"access_log.seen_plate_{own.captured_at:%Y%m%d}"
        assert await admin.fetchval("SELECT to_regclass($1)", table) is None
    finally:
        await admin.close()


@pytest.mark.policy("131.7-1d")
async def test_a_purge_that_the_log_does_not_take_removes_nothing(
    door: DoorUnderTest, keeping: Holds, agency: str
) -> None:
    read = await stored_read(door, agency, 41)
    admin = await asyncpg.connect(door.stack.postgres_admin_dsn)
    try:
        await admin.execute(
            "ALTER TABLE access_log.log_leaf ADD CONSTRAINT full_disk CHECK (false) NOT VALID"
        )
        with pytest.raises(Outage):
            await retention.enforce(keeping, NOW)
        count = "SELECT count(*) FROM access_log.read WHERE read_id = $1"
        assert await admin.fetchval(count, read.read_id) == 1
        await admin.execute("ALTER TABLE access_log.log_leaf DROP CONSTRAINT full_disk")
        await retention.enforce(keeping, NOW)
        assert await admin.fetchval(count, read.read_id) == 0
    finally:
        await admin.execute("ALTER TABLE access_log.log_leaf DROP CONSTRAINT IF EXISTS full_disk")
        await admin.close()
    assert len(await certificates(door, agency)) == 1


@pytest.mark.policy("131.7-1d")
async def test_the_services_own_role_cannot_purge_without_certificate_nor_too_early(
    door: DoorUnderTest, agency: str
) -> None:
    read = await stored_read(door, agency, 20)
    day = f"{read.captured_at:%Y-%m-%d}"
    statements = (
        "DELETE FROM access_record",
        "DELETE FROM log_leaf",
        "DELETE FROM read",
        "DELETE FROM held_read",
        "DELETE FROM hold",
        "UPDATE read_day SET purged_at = now()",
        f"SELECT purge_day('{agency}', '{day}', gen_random_uuid(), now(), true)",
        f"SELECT purge_day('{agency}', '{NOW:%Y-%m-%d}', gen_random_uuid(), now(), true)",
        f"SELECT drop_read_partition('{day}')",
    )
    for statement in statements:
        with pytest.raises(asyncpg.PostgresError):
            async with door.database.transaction(agency) as connection:
                await connection.execute(statement)


@pytest.mark.policy("131.7-1d")
async def test_access_records_and_the_log_outlive_every_purge(
    door: DoorUnderTest, keeping: Holds, agency: str
) -> None:
    read = await stored_read(door, agency, 18)
    headers = door.token(agency=agency)
    answer = await door.search(
        headers, plate="PURGE01",
        **{"from": (NOW - timedelta(days=20)).isoformat(), "to": NOW.isoformat()},
    )  # fmt: skip
    assert [item["read_id"] for item in answer.json()["items"]] == [str(read.read_id)]
    shorter = AgencyPolicies(Policy(), {agency: Policy(reads_retention_days=14)})
    await retention.enforce(Holds(door.database, door.pictures, shorter, keeping.alerts), NOW)
    assert len(await certificates(door, agency)) == 1
    kept = await door.records(agency, action="search")
    assert [list(record["read_ids"]) for record in kept] == [[read.read_id]]


async def test_a_dry_run_says_what_would_go_and_changes_nothing(
    door: DoorUnderTest, keeping: Holds, agency: str
) -> None:
    first, second = await stored_read(door, agency, 42), await stored_read(door, agency, 42)
    kim = Principal(**{**KIM.__dict__, "agency_id": agency})
    # Placed while it was still within the retention.
    wanted = Wanted("x", "26-1", (first.read_id,))
    await holds.place(keeping, kim, wanted, NOW - timedelta(days=35))
    planned = await retention.enforce(keeping, NOW, dry_run=True)
    assert planned is not None
    mine = [one for one in planned if one.agency_id == agency]
    assert [(one.tally.count, one.tally.kept, one.certificate_id) for one in mine] == [(1, 1, None)]
    assert await certificates(door, agency) == []
    done = await retention.enforce(keeping, NOW)
    assert done is not None
    assert [o.tally.ids_root for o in done if o.agency_id == agency] == [mine[0].tally.ids_root]
    assert await door.pictures.get(first.plate_object) == b"plate"
    with pytest.raises(ObjectNotFound):
        await door.pictures.get(second.plate_object)


async def test_pictures_that_no_read_came_for_go_with_their_day(
    door: DoorUnderTest, keeping: Holds, agency: str
) -> None:
    await stored_read(door, agency, 1)
    orphan = picture_key(agency, "cam-1", NOW - timedelta(days=50), uuid4())
    await door.pictures.put(orphan, b"orphan")
    await retention.enforce(keeping, NOW)
    with pytest.raises(ObjectNotFound):
        await door.pictures.get(orphan)


async def test_one_process_purges_at_a_time(door: DoorUnderTest, keeping: Holds) -> None:
    async with retention_store.alone(door.database) as mine:
        assert mine
        assert await retention.enforce(keeping, NOW) is None


@pytest.mark.slow
async def test_the_command_purges_and_says_so(
    door: DoorUnderTest, services: Services, agency: str
) -> None:
    await stored_read(door, agency, 43)
    environment = {**os.environ, **services.environment_for_tools()}
    command = [sys.executable, "-m", "alpr_access_log", "purge"]

    def run(*more: str) -> str:
        done = subprocess.run(
            [*command, *more], env=environment, capture_output=True, text=True, timeout=240
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert f"{agency}  " in run("--dry-run")
    assert "certificate" in run()
    assert agency not in run("--dry-run")
