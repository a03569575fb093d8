"""Entries that look like something else, or are broken: whose log they are in, that log alone."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from alpr_access_log.log import reading as log_reading
from alpr_access_log.log import store as log_store
from alpr_access_log.log.key import LogKeys
from alpr_access_log.log.leaves import Leaf, access_leaf
from alpr_local.stack import Stack
from tests.support.verifiable_log import KEY, NEXT_KEY, LogUnderTest, make_record, wipe

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
