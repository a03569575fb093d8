"""Entries that look like something else, or are broken: whose log they are in, that log alone."""

import asyncio
import json
from base64 import b64encode
from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from alpr_access_log.log import reading as log_reading
from alpr_access_log.log import store as log_store
from alpr_access_log.log.key import LogKeys
from alpr_access_log.log.leaves import Leaf, access_leaf
from alpr_access_log.log.sequencer import Sequencer, WitnessLoop
from alpr_access_log.log.trust import ALARM, Trust
from alpr_access_log.log.witness import FolderWitness
from alpr_local.stack import Stack
from tests.support.verifiable_log import KEY, NEXT_KEY, LogUnderTest, make_record, wipe
from tests.support.waiting import eventually

pytestmark = [pytest.mark.integration, pytest.mark.policy("131.7-3a")]


@pytest.fixture
async def log(migrated: Stack, tmp_path: Path) -> AsyncIterator[LogUnderTest]:
    made = await LogUnderTest.on(migrated, tmp_path)
    yield made
    await wipe(migrated, made.agency_id)
    await made.database.close()


async def put(log: LogUnderTest, *leaves: Leaf) -> None:
    async with log_store.extending(log.database, log.agency_id) as connection:
        await log_store.append_leaves(connection, log.agency_id, leaves)


def typed(agency_id: str, query: dict[str, Any]) -> Leaf:
    """What a refused search leaves behind; its id comes before nearly every other."""
    record = replace(make_record(agency_id), outcome="refused", returned=(), query=query)
    return access_leaf(replace(record, record_id=UUID(int=uuid4().int >> 32)))


async def test_what_people_type_hides_no_hand_over(log: LogUnderTest) -> None:
    before = await log.grow(3)
    log.keys = LogKeys(KEY, NEXT_KEY)
    await log.grow(2)
    decoy = {"area": {"kind": "log.key_rotated", "statement": ""}, "kind": "log.key_rotated"}
    await put(log, *(typed(log.agency_id, decoy) for _ in range(1001)))
    async with log.database.transaction(log.agency_id) as connection:
        assert [index for index, _ in await log_store.hand_overs(connection, log.agency_id)] == [3]
    log.keys = LogKeys(NEXT_KEY)
    after = await log.grow(1)
    assert [one["index"] for one in await log_reading.hand_overs(log.log, log.agency_id)] == [3]
    for key in (KEY, NEXT_KEY):
        report = await log.verify(before, after, key=key)
        assert report.is_good, report.faults
        assert report.size == 1008


@pytest.mark.parametrize("name", ["two words", "", "\ud800"])
async def test_a_broken_hand_over_ends_the_signing_of_its_own_log_alone(
    log: LogUnderTest, name: str
) -> None:
    other = LogUnderTest(log.stack, log.database, log.witness)
    key = f"{name}+00000000+{b64encode(bytes([1]) + bytes(32)).decode()}"
    statement = f"alpr log key hand-over v1\n{name}\n0\n\n{key}\n{key}\n\n\u2014 x y\n"
    said = {"agency_id": log.agency_id, "kind": "log.key_rotated", "statement": statement}
    entry = json.dumps(said, separators=(",", ":")).encode()
    await put(log, Leaf(uuid4(), log.agency_id, entry))
    sequencer = log.sequencer()
    running = asyncio.create_task(sequencer.run())
    try:
        await eventually(lambda: log.agency_id in sequencer.trust.alarms, 30)
        await other.append()
        await eventually(partial(is_covered, other), 30)
        assert not running.done()
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert (await other.verify()).size == 1


async def is_covered(log: LogUnderTest) -> bool:
    async with log.database.transaction(log.agency_id) as connection:
        return await log_store.newest_checkpoint(connection, log.agency_id) is not None


class WitnessOfAllButOne(FolderWitness):
    """One that raises what nobody thought of, for one agency."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.not_of: str | None = None

    async def newest(self, agency_id: str) -> str | None:
        if agency_id == self.not_of:
            raise ZeroDivisionError("nobody thought of this")
        return await super().newest(agency_id)


async def test_what_nobody_thought_of_is_the_alarm_of_one_agency_until_it_is_over(
    log: LogUnderTest, tmp_path: Path
) -> None:
    witness = WitnessOfAllButOne(tmp_path / "another")
    witness.not_of = log.agency_id
    other = LogUnderTest(log.stack, log.database, witness)
    trust = Trust(log.keys, witness)
    await log.append()
    await other.append()
    await Sequencer(log.database, trust).extend_all()
    loop = WitnessLoop(log.database, trust, interval_seconds=60)
    assert (await other.verify()).size == 1
    alarm, others = (ALARM.labels(one.agency_id)._value for one in (log, other))
    assert (alarm.get(), others.get()) == (1, 0)
    await log.sequencer().extend(log.agency_id)  # another replica
    assert not await loop.copy_all()
    assert await witness.newest(other.agency_id)
    witness.not_of = None
    await log.append()
    await Sequencer(log.database, trust).extend_all()
    assert alarm.get() == 1  # copying has not been tried again
    await loop.copy_all()
    assert alarm.get() == 0
    assert (await log.verify()).size == 2
