"""No row leaves unlogged: whatever dies at whichever step of a search, on real processes.

And what does stand in the log cannot be changed unseen by the database's superuser, not even with
the key that signs it.
"""

import asyncio
import json
import random
from base64 import b64decode
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx
import pytest
from typer.testing import CliRunner

from alpr_access_log import handlers
from alpr_access_log.log.key import LogKey
from alpr_access_log.log.witness import FolderWitness
from alpr_access_log.settings import Settings
from alpr_client.log_command import app as log_command
from alpr_common.auth import Principal, TokenIssuer
from alpr_common.policy import Policy, Role
from alpr_common.postgres import Database
from alpr_local.processes import ServiceProcess, Services
from alpr_local.stack import Stack
from tests.integration.access_log.conftest import OURS, make_read, search_body
from tests.support.door_faults import (
    CONVOY_STEPS,
    STEPS,
    TABLES,
    Step,
    failing,
    held,
    run,
    waiting_pid,
)
from tests.support.tampering import ATTACKS
from tests.support.verifiable_log import LogUnderTest, rewrite, stored_entries
from tests.support.waiting import eventually

pytestmark = [pytest.mark.integration, pytest.mark.slow]

PLATE = "FAULT01"
SECONDS = 30
LOG_NAME = Settings.model_fields["log_name"].default


@dataclass
class Door:
    """The real process, somebody who searches, and what the database says about it afterwards."""

    services: Services
    process: ServiceProcess
    client: httpx.AsyncClient

    @property
    def stack(self) -> Stack:
        return self.services.stack

    def token(self, person: str, role: Role = Role.OFFICER, agency: str = OURS) -> str:
        issuer = TokenIssuer.from_file(self.stack.secrets.token_private_key)
        principal = Principal(person, "Ann", agency, role, "s", date.max, date.max)
        return issuer.issue(principal, datetime.now(UTC))

    async def search(
        self, person: str, process: ServiceProcess | None = None
    ) -> httpx.Response | None:
        """The answer; None when the connection broke instead."""
        try:
            return await self.client.post(
                f"{(process or self.process).url}/v1/searches",
                json=search_body() | {"plate": PLATE},
                headers={"Authorization": f"Bearer {self.token(person)}"},
            )
        except httpx.TransportError:
            return None

    async def logged(self, person: str) -> list[UUID]:
        """Answered searches of the person that are stored, record and leaf, oldest first."""
        connection = await asyncpg.connect(self.stack.postgres_admin_dsn)
        try:
            rows = await connection.fetch(
                "SELECT record_id, returned_count FROM access_log.access_record r "
                "JOIN access_log.log_leaf l USING (record_id) "
                "WHERE person_id = $1 AND outcome = 'done' ORDER BY record_sequence",
                person,
            )
        finally:
            await connection.close()
        assert all(row["returned_count"] == 1 for row in rows)
        return [row["record_id"] for row in rows]

    async def recover(self) -> None:
        await asyncio.to_thread(self.process.start, deadline_seconds=120)


@pytest.fixture
async def door(services: Services) -> AsyncIterator[Door]:
    process = await asyncio.to_thread(services.start, "access-log", deadline_seconds=120)
    async with httpx.AsyncClient(timeout=SECONDS * 2, trust_env=False) as client:
        made = Door(services, process, client)
        await make_one_read(made)
        yield made


async def make_one_read(door: Door) -> None:
    """Exactly one read of the plate, however often this is called."""
    read = make_read(PLATE, read_id=UUID(int=4711), captured_at=_AN_HOUR_AGO)
    database = await Database.connect(door.stack.postgres_dsn("alpr_access_log"))
    try:
        at = datetime.now(UTC)
        await handlers.store_reads(database, [(read, read.to_bytes())], Policy(), at)
    finally:
        await database.close()


_AN_HOUR_AGO = datetime.fromtimestamp(datetime.now(UTC).timestamp() - 3600, UTC)


def shows_rows(answer: httpx.Response | None) -> bool:
    return answer is not None and PLATE in answer.text


async def end_the_connection(door: Door, pid: int) -> None:
    await run(door.stack, f"SELECT pg_terminate_backend({pid})")


async def kill_the_process(door: Door, pid: int) -> None:
    await asyncio.to_thread(door.process.kill)


async def kill_the_server(door: Door, pid: int) -> None:
    await asyncio.to_thread(door.stack.postgres.kill)
    await asyncio.to_thread(door.stack.postgres.start)


FAULTS = (end_the_connection, kill_the_process, kill_the_server)


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
        if fault is not kill_the_process:
            answer = await searching
            assert answer is not None
            assert answer.status_code == 503
            assert answer.headers["retry-after"]
    answer = await searching
    assert not shows_rows(answer)
    assert len(await door.logged(person)) <= step.may_be_stored

    await door.recover()
    again = await eventually(lambda: answered(door, person), SECONDS, what="the door is open again")
    assert again is not None
    assert UUID(again.json()["access_id"]) == (await door.logged(person))[-1]


async def answered(door: Door, person: str) -> httpx.Response | None:
    answer = await door.search(person)
    return answer if answer is not None and answer.status_code == 200 else None


async def approve_convoy(door: Door, person: str) -> str:
    """An approved convoy question of the person; the plate has company at three cameras."""
    database = await Database.connect(door.stack.postgres_dsn("alpr_access_log"))
    at = datetime.now(UTC)
    reads = [
        make_read(
            plate,
            read_id=UUID(int=4800 + 10 * n + camera),
            camera_id=f"road-{camera}",
            captured_at=_AN_HOUR_AGO + timedelta(minutes=camera),
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


LEAD, COMPANY = "FAULT02", "FAULT03"


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


@pytest.mark.policy("131.7-3a")
async def test_every_answer_of_a_storm_of_kills_stands_in_a_log_that_verifies(
    door: Door, tmp_path: Path
) -> None:
    rng, ended = random.Random(7), asyncio.Event()
    answered_ids: list[UUID] = []
    # A second replica answers and sequences all the while; only the first is killed.
    second = await asyncio.to_thread(
        door.services.start, "access-log", instance="second", deadline_seconds=120
    )

    async def search_on(process: ServiceProcess) -> None:
        while not ended.is_set():
            answer = await door.search(str(uuid4()), process)
            if answer is not None and answer.status_code == 200:
                assert shows_rows(answer)
                answered_ids.append(UUID(answer.json()["access_id"]))
            else:
                await asyncio.sleep(0.05)

    searchers = [asyncio.create_task(search_on(process)) for process in (door.process, second) * 2]
    for fault in (kill_the_process, kill_the_server, kill_the_process, kill_the_process):
        if fault is kill_the_server and not door.stack.is_local:
            continue
        wanted = len(answered_ids) + rng.randrange(10, 40)
        await eventually(lambda n=wanted: len(answered_ids) >= n, 90, what="searches are answered")  # type: ignore[misc]
        await asyncio.sleep(rng.random() * 0.05)  # at any point of whatever is under way
        await fault(door, 0)
        await door.recover()
    ended.set()
    await asyncio.gather(*searchers)
    await asyncio.to_thread(second.terminate)
    assert len(answered_ids) > 40
    stored = await stored_record_ids(door, answered_ids)
    assert set(answered_ids) - stored == set()

    key, folder = key_of(door, OURS), tmp_path / "copy"
    await eventually(lambda: all_covered(door), SECONDS, what="everything is covered")
    assert alpr_log(door, OURS, "fetch", url(door, OURS), str(folder)).exit_code == 0
    assert alpr_log(door, OURS, "verify", str(folder), "--key", key).exit_code == 0
    copied = b"".join(
        p.read_bytes() for p in (folder / "tile" / "entries").rglob("*") if p.is_file()
    )
    assert all(str(access_id).encode() in copied for access_id in answered_ids)


async def stored_record_ids(door: Door, ids: list[UUID]) -> set[UUID]:
    connection = await asyncpg.connect(door.stack.postgres_admin_dsn)
    try:
        rows = await connection.fetch(
            "SELECT record_id FROM access_log.access_record JOIN access_log.log_leaf "
            "USING (record_id) WHERE record_id = ANY($1::uuid[])",
            ids,
        )
    finally:
        await connection.close()
    return {row["record_id"] for row in rows}


async def all_covered(door: Door) -> bool:
    connection = await asyncpg.connect(door.stack.postgres_admin_dsn)
    try:
        return not await connection.fetchval("SELECT count(*) FROM access_log.log_pending")
    finally:
        await connection.close()


def url(door: Door, agency_id: str) -> str:
    return f"{door.process.url}/v1/log/{agency_id}"


def signing_key(door: Door) -> LogKey:
    return LogKey.from_file(door.stack.secrets.log_signing_key, LOG_NAME)


def key_of(door: Door, agency_id: str) -> str:
    return str(signing_key(door).verifier(agency_id))


def alpr_log(door: Door, agency_id: str, *arguments: str) -> Any:
    token = door.token("auditor", Role.AUDITOR, agency_id)
    no_proxy = {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
    return CliRunner().invoke(log_command, arguments, env={"ALPR_TOKEN": token, **no_proxy})


@pytest.mark.policy("131.7-3a")
@pytest.mark.parametrize("trial", range(20))
async def test_the_superuser_with_the_signing_key_is_found_out(
    door: Door, trial: int, tmp_path: Path
) -> None:
    rng = random.Random(trial)
    database = await Database.connect(door.stack.postgres_dsn("alpr_access_log"))
    log = LogUnderTest(door.stack, database, FolderWitness(tmp_path))
    agency_id, covered = log.agency_id, rng.randrange(2, 600)

    async def checkpoint(size: int) -> str | None:
        answer = await door.client.get(f"{url(door, agency_id)}/checkpoint")
        return answer.text if f"\n{size}\n" in answer.text else None

    try:
        await log.append_many(covered)
        held_note = await eventually(lambda: checkpoint(covered), SECONDS, what="it is covered")
        more = rng.randrange(1, 300)
        await log.append_many(more)
        await eventually(lambda: checkpoint(covered + more), SECONDS, what="the rest is covered")
        kept = tmp_path / "held"
        kept.write_text(str(held_note))
        arguments = (url(door, agency_id), "--key", key_of(door, agency_id), "--against", str(kept))
        before = alpr_log(door, agency_id, "verify", *arguments)
        assert (before.exit_code, "whole" in before.output) == (0, True), before.output

        entries = await stored_entries(door.stack, agency_id)
        attacked = ATTACKS[trial % len(ATTACKS)](entries, rng, covered)
        await rewrite(door.stack, agency_id, attacked, signing_key(door).signer(agency_id))
        unheld = alpr_log(door, agency_id, "verify", *arguments[:3])
        assert unheld.exit_code == 0, "the forgery is perfect but for what was held"
        after = alpr_log(door, agency_id, "verify", *arguments)
        assert (after.exit_code, "TAMPERED" in after.output) == (1, True), after.output

        # And the process that signed the true log does not build upon the forged one.
        size = len(attacked)
        await log.append_many(1)
        await eventually(lambda: alarmed(door, agency_id), SECONDS, what="the alarm is raised")
        assert await checkpoint(size)
    finally:
        await database.close()


async def alarmed(door: Door, agency_id: str) -> bool:
    metrics = (await door.client.get(f"{door.process.url}/metrics")).text
    return f'alpr_log_alarm{{agency="{agency_id}"}} 1.0' in metrics


async def test_the_log_of_real_searches_says_what_was_asked_and_shown(door: Door) -> None:
    answer = await door.search("honest")
    assert answer is not None
    access_id = answer.json()["access_id"]
    headers = {"Authorization": f"Bearer {door.token('auditor', Role.AUDITOR)}"}
    address = f"{url(door, OURS)}/proofs/inclusion?record_id={access_id}"

    async def proof() -> Any:
        got = await door.client.get(address, headers=headers)
        return got.json() if got.status_code == 200 else None

    said = await eventually(proof, SECONDS, what="it is covered")
    entry = json.loads(b64decode(said["entry"]))
    assert (entry["query"]["plate"], entry["returned_count"]) == (PLATE, 1)
    assert entry["read_ids"] == [answer.json()["items"][0]["read_id"]]
