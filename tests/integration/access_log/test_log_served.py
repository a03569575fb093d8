"""The log as outsiders read it: files of tlog-tiles, proofs, who may fetch what."""

import asyncio
import json
import subprocess
import sys
from base64 import b64decode
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fastapi import FastAPI

from alpr_access_log.log import api as log_api
from alpr_access_log.log import store as log_store
from alpr_access_log.log.forgetting import Erasure, forget
from alpr_access_log.log.key import LogKeys
from alpr_access_log.log.leaves import text_digest
from alpr_common.auth import Gate, Principal, TokenIssuer, TokenVerifier, ungated_routes
from alpr_common.policy import Policy, Role
from alpr_common.postgres import Database
from alpr_common.web import create_web_app
from alpr_local.processes import Services
from alpr_local.stack import Stack
from alpr_translog.checkpoint import Checkpoint
from alpr_translog.handover import Lineage, hand_over_in
from alpr_translog.merkle import leaf_hash, verify_consistency, verify_inclusion
from alpr_translog.note import VerifierKey
from alpr_translog.tiles import decode_bundle, decode_tile
from tests.support.verifiable_log import KEY, NEXT_KEY, LogUnderTest, stored_entries, wipe

pytestmark = pytest.mark.integration

ISSUER = TokenIssuer(Ed25519PrivateKey.generate())


def token(agency_id: str, role: Role = Role.AUDITOR) -> dict[str, str]:
    principal = Principal(str(uuid4()), "Ann", agency_id, role, str(uuid4()), None, None)
    return {"Authorization": f"Bearer {ISSUER.issue(principal, datetime.now(UTC))}"}


@pytest.fixture
async def log(migrated: Stack, tmp_path: Path) -> AsyncIterator[LogUnderTest]:
    made = await LogUnderTest.on(migrated, tmp_path)
    yield made
    await made.database.close()


@pytest.fixture
def served(log: LogUnderTest) -> FastAPI:
    app = create_web_app("access-log", "log")
    app.state.log = log.log
    app.include_router(
        log_api.router(Gate(TokenVerifier(ISSUER.private_key.public_key()), Policy()))
    )
    assert ungated_routes(app) == []
    return app


@pytest.fixture
async def client(log: LogUnderTest, served: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(served, raise_app_exceptions=False)
    base = f"http://log/v1/log/{log.agency_id}/"
    async with httpx.AsyncClient(transport=transport, base_url=base) as made:
        made.headers.update(token(log.agency_id))
        yield made


def opened(log: LogUnderTest, note: str) -> Checkpoint:
    return Checkpoint.open(note, KEY.verifier(log.agency_id))


async def test_a_checkpoint_and_the_key_are_for_everybody(
    log: LogUnderTest, client: httpx.AsyncClient
) -> None:
    await log.grow(5)
    del client.headers["Authorization"]
    answer = await client.get("checkpoint")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache"
    assert opened(log, answer.text).size == 5
    assert opened(log, answer.text).origin == f"alpr.example/log/{log.agency_id}"
    assert VerifierKey.parse((await client.get("key")).text) == KEY.verifier(log.agency_id)
    for path in ("tile/0/000.p/5", "tile/entries/000.p/5", "proofs/inclusion?index=0"):
        assert (await client.get(path)).status_code == 401


async def test_who_has_one_key_gets_to_the_other_without_signing_in(
    log: LogUnderTest, client: httpx.AsyncClient, served: FastAPI
) -> None:
    del client.headers["Authorization"]
    assert (await client.get("hand-overs")).json() == {"items": []}
    await log.grow(5)
    log.keys = LogKeys(KEY, NEXT_KEY)
    served.state.log = log.log
    assert VerifierKey.parse((await client.get("key")).text) == KEY.verifier(log.agency_id)
    await log.grow(1)
    answer = await client.get("hand-overs")
    assert answer.headers["cache-control"] == "no-cache"
    found = [hand_over_in(b64decode(one["entry"]), one["index"]) for one in answer.json()["items"]]
    new = VerifierKey.parse((await client.get("key")).text)
    assert new == NEXT_KEY.verifier(log.agency_id)
    for key in (KEY.verifier(log.agency_id), new):
        lineage = Lineage.through(key, [one for one in found if one])
        assert lineage.open((await client.get("checkpoint")).text).size == 7
    await wipe(log.stack, log.agency_id)


@pytest.mark.policy("131.4")
async def test_entries_and_proofs_are_for_the_agencys_own_overseers(
    log: LogUnderTest, client: httpx.AsyncClient
) -> None:
    await log.grow(5)
    paths = (
        "tile/0/000.p/5", "tile/entries/000.p/5", "proofs/inclusion?index=0",
        "proofs/consistency?old_size=1",
    )  # fmt: skip
    for path in paths:
        for role in Role:
            answer = await client.get(path, headers=token(log.agency_id, role))
            assert answer.status_code == (200 if role in log_api.LOG_READERS else 403)
        strange = await client.get(path, headers=token("IL0160000"))
        assert strange.status_code == 404
        assert strange.headers["content-type"] == "application/problem+json"


async def test_tiles_and_bundles_are_served_under_their_exact_names_alone(
    log: LogUnderTest, client: httpx.AsyncClient
) -> None:
    await log.grow(300)
    entries = await stored_entries(log.stack, log.agency_id)
    full, tail = await client.get("tile/0/000"), await client.get("tile/0/001.p/44")
    assert decode_tile(full.content, 256) == [leaf_hash(e) for e in entries[:256]]
    assert decode_tile(tail.content, 44) == [leaf_hash(e) for e in entries[256:]]
    assert full.headers["cache-control"] == "private, max-age=31536000, immutable"
    bundle = await client.get("tile/entries/001.p/44")
    assert decode_bundle(bundle.content, 44) == entries[256:]
    assert bundle.headers["cache-control"] == "no-store"
    assert bundle.headers["content-type"] == "application/octet-stream"
    assert len((await client.get("tile/1/000.p/1")).content) == 32
    earlier = await client.get("tile/0/001.p/3")
    assert earlier.content == tail.content[:96]
    for path in (
        "tile/0/001.p/45", "tile/0/001", "tile/0/002.p/1", "tile/1/000.p/2", "tile/2/000.p/1",
        "tile/0/0", "tile/00/000", "tile/0/x000/000", "tile/0/000.p/256", "tile/0/000.p/01",
        "tile/entries/000.p/0", "tile/63/000", f"tile/entries/{'x999/' * 7}999",
        "tile/0/000/", "tile/", "tile/0/%00", "tile/key",
    ):  # fmt: skip
        answer = await client.get(path)
        assert answer.status_code == 404, path


@pytest.mark.policy("131.7-3a")
async def test_inclusion_is_proved_by_record_or_by_index(
    log: LogUnderTest, client: httpx.AsyncClient
) -> None:
    record_ids = await log.append(3)
    await log.grow(700)
    for wanted in ({"record_id": str(record_ids[1])}, {"index": "1"}):
        said = (await client.get("proofs/inclusion", params=wanted)).json()
        checkpoint = opened(log, said["checkpoint"])
        path = [b64decode(part) for part in said["path"]]
        entry = b64decode(said["entry"])
        assert UUID(said["record_id"]) == record_ids[1]
        verify_inclusion(leaf_hash(entry), said["index"], checkpoint.size, path, checkpoint.root)
        assert json.loads(entry)["record_id"] == str(record_ids[1])
    early = (await client.get("proofs/inclusion", params={"index": "1", "size": "3"})).json()
    assert (early["size"], len(early["path"])) == (3, 2)


async def test_consistency_is_proved_between_any_two_sizes(
    log: LogUnderTest, client: httpx.AsyncClient
) -> None:
    notes = [await log.grow(count) for count in (3, 250, 3, 300)]
    new = opened(log, notes[-1])
    for note in notes:
        old = opened(log, note)
        said = (await client.get("proofs/consistency", params={"old_size": old.size})).json()
        path = [b64decode(part) for part in said["path"]]
        verify_consistency(old.size, new.size, old.root, new.root, path)
        assert said["new_size"] == 556
    old, middle = opened(log, notes[0]), opened(log, notes[1])
    said = (await client.get("proofs/consistency?old_size=3&new_size=253")).json()
    path = [b64decode(part) for part in said["path"]]
    verify_consistency(old.size, middle.size, old.root, middle.root, path)


async def test_proofs_that_cannot_be_are_refused(
    log: LogUnderTest, client: httpx.AsyncClient
) -> None:
    assert (await client.get("checkpoint")).status_code == 404
    assert (await client.get("proofs/inclusion?index=0")).status_code == 404
    await log.grow(10)
    for path, status in (
        ("proofs/inclusion", 422),
        (f"proofs/inclusion?index=1&record_id={uuid4()}", 422),
        (f"proofs/inclusion?record_id={uuid4()}", 404),
        ("proofs/inclusion?index=10", 404),
        ("proofs/inclusion?index=9&size=9", 422),
        ("proofs/inclusion?index=1&size=11", 422),
        (f"proofs/inclusion?index={2**63}", 422),
        ("proofs/consistency?old_size=11", 422),
        ("proofs/consistency?old_size=0", 422),
        ("proofs/consistency?old_size=5&new_size=4", 422),
    ):
        answer = await client.get(path)
        assert (path, answer.status_code) == (path, status)
    (waiting,) = await log.append()
    answer = await client.get("proofs/inclusion", params={"record_id": str(waiting)})
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")


@pytest.mark.policy("131.7-3a")
async def test_a_forgotten_name_is_gone_and_the_log_still_verifies(
    log: LogUnderTest, client: httpx.AsyncClient
) -> None:
    first, second = await log.append(2)
    held = await log.grow(1)

    async def texts(record_id: UUID) -> dict[str, dict[str, str | None]]:
        answer = await client.get("proofs/inclusion", params={"record_id": str(record_id)})
        hashes = json.loads(b64decode(answer.json()["entry"]))["salted_sha256"]
        shown: dict[str, dict[str, str | None]] = answer.json()["texts"]
        for name, text in shown.items():
            if text["text"] is not None and text["salt"] is not None:
                assert text_digest(bytes.fromhex(text["salt"]), text["text"]) == hashes[name]
        return shown

    assert (await texts(first))["person_name"]["text"] == "Ann Miller"
    owner = await Database.connect(log.stack.postgres_dsn("alpr_access_log_owner"), 1)
    try:
        now = datetime.now(UTC)
        by_person = Erasure(log.agency_id, ("person_name",), "ann", "court order 26-7", "op")
        assert await forget(owner, by_person, now) == {"person_name": 2}
        by_record = Erasure(log.agency_id, ("suspicion",), first, "court order 26-8", "op")
        assert await forget(owner, by_record, now) == {"suspicion": 1}
        assert await forget(owner, by_person, now) == {"person_name": 0}
    finally:
        await owner.close()
    await log.sequencer().extend(log.agency_id)
    gone = await texts(first)
    assert [gone[n]["text"] for n in ("person_name", "suspicion")] == [None, None]
    assert [gone[n]["salt"] for n in ("person_name", "suspicion")] == [None, None]
    assert gone["person_name"]["forgotten_at"]
    assert (await texts(second))["suspicion"]["text"]
    async with log.database.transaction(log.agency_id) as connection:
        rows = await connection.fetch("SELECT * FROM access_record WHERE person_id = 'ann'")
        salts = await connection.fetchval("SELECT count(*) FROM log_salt WHERE salt IS NULL")
    assert {row["person_name"] for row in rows} == {""}
    assert sorted(row["suspicion"] is None for row in rows) == [False, True]
    assert salts == 3
    report = await log.verify(held)
    assert report.is_good, report.faults
    last = json.loads((await stored_entries(log.stack, log.agency_id))[-1])
    assert (last["action"], last["case_number"]) == ("log.text.forgotten", "court order 26-7")


async def test_only_the_owner_can_forget(log: LogUnderTest) -> None:
    await log.append()
    erasure = Erasure(log.agency_id, ("person_name",), "ann", "none", "op")
    with pytest.raises(Exception, match="did not take the record"):
        await forget(log.database, erasure, datetime.now(UTC))
    async with log.database.transaction(log.agency_id) as connection:
        with pytest.raises(ValueError, match="none of"):
            await log_store.forget(connection, log.agency_id, "plate; --", "ann", datetime.now(UTC))


async def test_the_operator_forgets_from_the_command_line(log: LogUnderTest) -> None:
    await log.append()
    first = await asyncio.to_thread(run_forget, log, "--order", "26 CH 1234")
    assert (first.returncode, first.stdout) == (0, "person_name: erased in 1 records\n")
    again = await asyncio.to_thread(run_forget, log, "--order", "26 CH 1234")
    assert again.returncode == 1
    without_an_order = await asyncio.to_thread(run_forget, log)
    assert without_an_order.returncode == 2


def run_forget(log: LogUnderTest, *more: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "alpr_access_log", "forget", "--agency", log.agency_id]
    return subprocess.run(
        [*command, "--person-id", "ann", "--field", "person_name", *more],
        env=Services(log.stack).environment_for_tools(), capture_output=True, text=True,
    )  # fmt: skip
