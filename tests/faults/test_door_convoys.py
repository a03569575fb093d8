"""No company of a plate leaves unlogged, and no approval serves twice, whatever dies meanwhile."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx
import pytest

from alpr_access_log import handlers
from alpr_common.policy import Policy, Role
from alpr_common.postgres import Database
from tests.integration.access_log.conftest import make_read, search_body
from tests.support.door import AN_HOUR_AGO, FAULTS, SECONDS, Door
from tests.support.door_faults import CONVOY_STEPS, Step, held, waiting_pid
from tests.support.waiting import eventually

pytestmark = [pytest.mark.integration, pytest.mark.slow]

LEAD, COMPANY = "FAULT02", "FAULT03"


async def approve_convoy(door: Door, person: str) -> str:
    """An approved convoy question of the person; the plate has company at three cameras."""
    database = await Database.connect(door.stack.postgres_dsn("alpr_access_log"))
    at = datetime.now(UTC)
    reads = [
        make_read(
            plate,
            read_id=UUID(int=4800 + 10 * n + camera),
            camera_id=f"road-{camera}",
            captured_at=AN_HOUR_AGO + timedelta(minutes=camera),
        )
        for n, plate in enumerate((LEAD, COMPANY))
        for camera in range(3)
    ]
    try:
        await handlers.store_reads(database, [(r, r.to_bytes()) for r in reads], Policy(), at)
    finally:
        await database.close()
    body = search_body() | {"plate": LEAD, "convoy": {"within_seconds": 30, "cameras": 3}}
    approvals = f"{door.process.url}/v1/search-approvals"
    theirs = {"Authorization": f"Bearer {door.token(person)}"}
    asked = await door.client.post(approvals, json=body, headers=theirs)
    approval_id: str = asked.json()["approval_id"]
    supervisor = {"Authorization": f"Bearer {door.token('asc', Role.SUPERVISOR)}"}
    said = await door.client.post(f"{approvals}/{approval_id}/approve", json={}, headers=supervisor)
    assert said.status_code == 200, said.text
    return approval_id


async def use_convoy(door: Door, person: str, approval_id: str) -> httpx.Response | None:
    try:
        return await door.client.post(
            f"{door.process.url}/v1/searches/convoy",
            json={"approval_id": approval_id},
            headers={"Authorization": f"Bearer {door.token(person)}"},
        )
    except httpx.TransportError:
        return None


@pytest.mark.policy("131.7-3a")
@pytest.mark.parametrize("fault", FAULTS[:2], ids=lambda f: f.__name__)
@pytest.mark.parametrize("step", CONVOY_STEPS, ids=lambda s: s.name.replace(" ", "-"))
async def test_no_company_leaves_unlogged_and_no_approval_serves_twice(
    door: Door, step: Step, fault: Any
) -> None:
    person = str(uuid4())
    approval_id = await approve_convoy(door, person)
    async with held(door.stack, step):
        asking = asyncio.create_task(use_convoy(door, person, approval_id))
        pid = await waiting_pid(door.stack, step)
        assert not asking.done()
        await fault(door, pid)
    answer = await asking
    assert answer is None or (answer.status_code == 503 and COMPANY not in answer.text)
    stored = await logged_of(door, person)
    assert len(stored) <= step.may_be_stored

    await door.recover()

    async def answered_now() -> httpx.Response | None:
        again = await use_convoy(door, person, approval_id)
        return again if again is not None and again.status_code in (200, 409) else None

    again = await eventually(answered_now, SECONDS, what="the door is open again")
    assert again is not None
    # A commit that nobody heard of used the approval up: what it found is told to nobody.
    assert again.status_code == (409 if stored else 200)
    assert (COMPANY in again.text) == (again.status_code == 200)
    assert len(await logged_of(door, person)) == 1


async def logged_of(door: Door, person: str) -> list[Any]:
    """Answered searches of the person that are stored, record and leaf."""
    connection = await asyncpg.connect(door.stack.postgres_admin_dsn)
    try:
        return await connection.fetch(
            "SELECT record_id FROM access_log.access_record JOIN access_log.log_leaf "
            "USING (record_id) WHERE person_id = $1 AND action = 'search' AND outcome = 'done'",
            person,
        )
    finally:
        await connection.close()
