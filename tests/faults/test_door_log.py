"""What was answered stands in the log, through storms of kills, and cannot be changed there unseen
by the database's superuser, not even with the key that signs it."""

from __future__ import annotations

import asyncio
import json
import random
from base64 import b64decode
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from alpr_access_log.log.witness import FolderWitness
from alpr_common.policy import Role
from alpr_common.postgres import Database
from alpr_local.processes import ServiceProcess
from tests.integration.access_log.conftest import OURS
from tests.support.door import (
    PLATE,
    SECONDS,
    Door,
    alpr_log,
    key_of,
    kill_the_process,
    kill_the_server,
    shows_rows,
    signing_key,
    url,
)
from tests.support.tampering import ATTACKS
from tests.support.verifiable_log import LogUnderTest, rewrite, stored_entries
from tests.support.waiting import eventually

pytestmark = [pytest.mark.integration, pytest.mark.slow]


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
        await eventually(lambda n=wanted: len(answered_ids) >= n, 120, what="searches are answered")  # type: ignore[misc]
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
