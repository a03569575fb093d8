"""What is rewritten in the database is not signed; the witness has copies that nobody replaces."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest

from alpr_access_log.log import reading as log_reading
from alpr_access_log.log.sequencer import WitnessLoop
from alpr_access_log.log.trust import ALARM, LogRewritten, Trust
from alpr_access_log.log.witness import WitnessAway
from alpr_common.errors import NotFound
from alpr_local.stack import Stack
from alpr_local.wiring import PROCESSES, choose_ports, process_environment
from tests.support.verifiable_log import (
    KEY,
    LogUnderTest,
    as_superuser,
    rewrite,
    stored_entries,
)
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration


@pytest.fixture
async def log(migrated: Stack, tmp_path: Path) -> AsyncIterator[LogUnderTest]:
    made = await LogUnderTest.on(migrated, tmp_path)
    yield made
    await made.database.close()


async def forge(log: LogUnderTest, entries: list[bytes]) -> None:
    await rewrite(log.stack, log.agency_id, entries, KEY.signer(log.agency_id))


@pytest.mark.policy("131.7-3a")
async def test_a_rewritten_log_is_not_signed_by_who_signed_the_true_one(log: LogUnderTest) -> None:
    sequencer = log.sequencer()
    await log.append_many(300)
    await sequencer.extend(log.agency_id)
    entries = await stored_entries(log.stack, log.agency_id)
    await forge(log, [b"forged", *entries[1:], b"one more"])
    await log.append()
    await sequencer.extend_all()
    assert "does not begin with" in sequencer.trust.alarms[log.agency_id]
    assert ALARM.labels(log.agency_id)._value.get() == 1
    await log.append()
    before = await log_reading.checkpoint(log.log, log.agency_id)
    await sequencer.extend_all()
    assert await log_reading.checkpoint(log.log, log.agency_id) == before


@pytest.mark.policy("131.7-3a")
@pytest.mark.parametrize("what", ["edited", "truncated", "emptied", "extended"])
async def test_after_a_restart_the_witness_tells(log: LogUnderTest, what: str) -> None:
    await log.grow(300)
    trust = Trust(log.keys, log.witness)
    assert await WitnessLoop(log.database, trust, interval_seconds=60).copy_all()
    entries = await stored_entries(log.stack, log.agency_id)
    forged = {
        "edited": [b"forged", *entries[1:]],
        "truncated": entries[:200],
        "emptied": [],
        "extended": [*entries, b"one more"],
    }[what]
    if forged:
        await forge(log, forged)
    else:
        tables = ("checkpoint", "node", "entry", "pending", "salt", "leaf")
        await as_superuser(
            log.stack,
            *(f"DELETE FROM log_{t} WHERE agency_id = '{log.agency_id}'" for t in tables),
        )
    await log.append()
    if what == "extended":  # signed with the key and true to what was vouched for: it stands
        assert await log.sequencer().extend(log.agency_id) == 1
        return
    with pytest.raises(LogRewritten):
        await log.sequencer().extend(log.agency_id)
    after_restart = Trust(log.keys, log.witness)
    await WitnessLoop(log.database, after_restart, interval_seconds=60).copy_all()
    assert log.agency_id in after_restart.alarms


@pytest.mark.parametrize(
    ("statement", "complaint"),
    [
        ("UPDATE log_entry SET leaf_hash = sha256('x') WHERE entry_index = 299", "do not make up"),
        ("UPDATE log_node SET hash = sha256('x')", "do not make up"),
        ("UPDATE log_entry SET entry_index = 1000 WHERE entry_index = 290", "1001 are stored"),
        ("DELETE FROM log_entry WHERE entry_index = 280", "are missing"),
        ("DELETE FROM log_checkpoint", "no checkpoint of them"),
        ("UPDATE log_checkpoint SET note = replace(note, '300', '299')", "is wrong"),
        ("UPDATE log_checkpoint SET root = sha256('x')", "says 300"),
    ],
)
async def test_hashes_that_do_not_fit_are_not_built_upon(
    log: LogUnderTest, statement: str, complaint: str
) -> None:
    await log.grow(300)
    where = "AND" if "WHERE" in statement else "WHERE"
    await as_superuser(
        log.stack,
        "SET session_replication_role = replica",
        f"{statement} {where} agency_id = '{log.agency_id}'",
    )
    await log.append()
    with pytest.raises(LogRewritten, match=complaint):
        await log.sequencer().extend(log.agency_id)


async def test_a_replica_follows_what_another_has_signed_since(log: LogUnderTest) -> None:
    ours, theirs = log.sequencer(), log.sequencer()
    for count in (1, 255, 1, 300):
        await log.append_many(count)
        await ours.extend(log.agency_id)
        await log.append_many(count)
        await theirs.extend(log.agency_id)
    assert (await log.verify()).size == 2 * 557


async def test_each_checkpoint_is_copied_once_and_held_against_the_log(
    log: LogUnderTest, tmp_path: Path
) -> None:
    loop = WitnessLoop(log.database, Trust(log.keys, log.witness), interval_seconds=60)
    for count in (2, 300):
        await log.grow(count)
        assert await loop.copy_all()
        assert await loop.copy_all()
    copies = sorted((tmp_path / "witness" / log.agency_id).iterdir())
    assert [int(copy.name) for copy in copies] == [2, 302]
    report = await log.verify(*(copy.read_text() for copy in copies))
    assert report.is_good, report.faults
    assert report.held == [(2, True), (302, True)]


async def test_while_the_witness_is_away_a_new_start_signs_nothing_and_then_goes_on(
    log: LogUnderTest, tmp_path: Path
) -> None:
    await log.append()
    (tmp_path / "witness").write_text("not a folder")
    sequencer = log.sequencer()
    with pytest.raises(WitnessAway):
        await sequencer.extend(log.agency_id)
    await sequencer.extend_all()
    assert log.agency_id not in sequencer.trust.alarms
    (tmp_path / "witness").unlink()
    assert await sequencer.extend(log.agency_id) == 1


async def test_copies_that_fail_are_tried_again(log: LogUnderTest, tmp_path: Path) -> None:
    await log.grow(4)
    trust = Trust(log.keys, log.witness)
    await trust.ask_witness(log.agency_id)
    (tmp_path / "witness").write_text("not a folder")
    loop = WitnessLoop(log.database, trust, interval_seconds=60, retry_seconds=0.02)
    running = asyncio.create_task(loop.run())
    try:
        await asyncio.sleep(0)
        (tmp_path / "witness").unlink()
        await eventually((tmp_path / "witness" / log.agency_id).is_dir, what="it is copied")
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_an_entry_is_covered_within_a_second(log: LogUnderTest) -> None:
    running = asyncio.create_task(log.sequencer().run())
    loop = asyncio.get_running_loop()
    took = []
    try:
        for number in range(1, 8):
            await log.append()
            began = loop.time()
            await eventually(partial(covers, log, number), interval_seconds=0.02)
            took.append(loop.time() - began)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    # The median: a machine that is busy with other tests stops for seconds now and then.
    assert sorted(took)[3] < 5


async def covers(log: LogUnderTest, size: int) -> bool:
    try:
        note = await log_reading.checkpoint(log.log, log.agency_id)
    except NotFound:
        return False
    return int(note.split("\n")[1]) >= size


@pytest.mark.policy("131.7-3a")
def test_the_signing_key_is_given_to_access_log_alone(migrated: Stack) -> None:
    ports = choose_ports()
    told = {name: process_environment(name, migrated, ports) for name in PROCESSES}
    variable = "ALPR_ACCESS_LOG_LOG_KEY_FILE"
    assert [name for name in PROCESSES if variable in told[name]] == ["access-log"]
    assert migrated.secrets.log_signing_key.stat().st_mode & 0o077 == 0
