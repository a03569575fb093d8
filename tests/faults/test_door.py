"""No row leaves unlogged: whatever dies at whichever step of a search, on real processes."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from tests.support.door import (
    FAULTS,
    SECONDS,
    Door,
    end_the_connection,
    kill_the_process,
    kill_the_server,
    shows_rows,
)
from tests.support.door_faults import APPENDED, STEPS, TABLES, Step, failing, held, waiting_pid
from tests.support.waiting import eventually

pytestmark = [pytest.mark.integration, pytest.mark.slow]


@pytest.mark.policy("131.7-3a")
@pytest.mark.parametrize("fault", FAULTS, ids=lambda f: f.__name__)
@pytest.mark.parametrize("step", STEPS, ids=lambda s: s.name.replace(" ", "-"))
async def test_whatever_dies_at_whichever_step_no_row_leaves_unlogged(
    door: Door, step: Step, fault: Any
) -> None:
    if fault is kill_the_server and not door.stack.is_local:
        pytest.skip("needs a server that it may kill")
    person = str(uuid4())
    async with held(door.stack, step):
        searching = asyncio.create_task(door.search(person))
        pid = await waiting_pid(door.stack, step)
        assert not searching.done()
        await fault(door, pid)
    answer = await searching
    assert not shows_rows(answer)
    if fault is not kill_the_process:
        assert answer is not None
        assert answer.status_code == 503
        assert answer.headers["retry-after"]
    assert len(await door.logged(person)) <= step.may_be_stored

    await door.recover()
    again = await eventually(lambda: answered(door, person), SECONDS, what="the door is open again")
    assert again is not None
    assert UUID(again.json()["access_id"]) == (await door.logged(person))[-1]


@pytest.mark.policy("131.7-3a")
async def test_who_cannot_be_answered_is_told_so_although_not_even_that_can_be_recorded(
    door: Door,
) -> None:
    async with held(door.stack, APPENDED):
        searching = asyncio.create_task(door.search(str(uuid4())))
        await end_the_connection(door, await waiting_pid(door.stack, APPENDED))
        answer = await searching  # the table stays locked all the while
    assert answer is not None
    assert (answer.status_code, shows_rows(answer)) == (503, False)


async def answered(door: Door, person: str) -> httpx.Response | None:
    answer = await door.search(person)
    return answer if answer is not None and answer.status_code == 200 else None


@pytest.mark.policy("131.7-3a")
@pytest.mark.parametrize("at_commit", [False, True], ids=["at-once", "at-commit"])
@pytest.mark.parametrize("table", TABLES)
async def test_when_an_append_fails_no_row_leaves(door: Door, table: str, at_commit: bool) -> None:
    person = str(uuid4())
    async with failing(door.stack, table, at_commit=at_commit):
        answer = await door.search(person)
    assert answer is not None
    assert (answer.status_code, answer.json()["clause"]) == (503, "131.7-3a")
    assert not shows_rows(answer)
    assert await door.logged(person) == []
    again = await door.search(person)
    assert shows_rows(again)
    assert len(await door.logged(person)) == 1
