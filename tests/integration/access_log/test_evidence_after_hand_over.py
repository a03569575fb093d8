"""Evidence packages of a real log whose key is changed: before, in between and after (131.7-2)."""

import asyncio
from base64 import b64decode
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from typer.testing import CliRunner, Result

from alpr_access_log.log import api as log_api
from alpr_access_log.log import reading as log_reading
from alpr_access_log.log.key import LogKey, LogKeys
from alpr_client.evidence_command import app
from alpr_common.auth import Gate, TokenIssuer, TokenVerifier
from alpr_common.policy import Policy
from alpr_common.web import create_web_app
from alpr_evidence.package import Contents, LogProof, seal
from alpr_translog.note import SignerKey
from tests.support.verifiable_log import KEY, NAME, NEXT_KEY, LogUnderTest

pytestmark = [pytest.mark.integration, pytest.mark.policy("131.7-2")]

SEAL = SignerKey("agency.example/evidence", Ed25519PrivateKey.from_private_bytes(b"\x01" * 32))
THIRD_KEY = LogKey(NAME, Ed25519PrivateKey.from_private_bytes(b"\x0b" * 32))
KEYS = (KEY, NEXT_KEY, THIRD_KEY)


@pytest.fixture
async def client(log: LogUnderTest) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody without an account."""
    issuer = TokenIssuer(Ed25519PrivateKey.generate())
    served = create_web_app("access-log", "log")
    served.include_router(
        log_api.router(Gate(TokenVerifier(issuer.private_key.public_key()), Policy()))
    )
    served.state.log = log.log
    transport = httpx.ASGITransport(served, raise_app_exceptions=False)
    url = f"http://log/v1/log/{log.agency_id}/"
    async with httpx.AsyncClient(transport=transport, base_url=url) as made:
        made.app = served  # type: ignore[attr-defined]
        yield made


async def packed(log: LogUnderTest, path: Path) -> int:
    """A package as the service gathers it; returns the size of its checkpoint."""
    note, checkpoint = await log_reading.opened(log.log, log.agency_id)
    said = await log_reading.inclusion(log.log, log.agency_id, 1, checkpoint.size)
    carried = await log_reading.proven_hand_overs(log.log, log.agency_id, checkpoint.size)
    proof = LogProof(1, b64decode(said["entry"]), tuple(map(b64decode, said["path"])))
    contents = Contents(
        "EV-1", "26-1", log.agency_id, "Ann", datetime.now(UTC), {}, (), note, (proof,), carried
    )
    await asyncio.to_thread(seal, path, contents, SEAL)
    return checkpoint.size


def verify(log: LogUnderTest, package: Path, key: LogKey, *more: str) -> Result:
    keys = ["--key", str(SEAL.verifier), "--log-key", str(key.verifier(log.agency_id))]
    return CliRunner().invoke(app, ["verify", str(package), *keys, *more])


async def test_every_key_verifies_packages_of_every_time_with_the_logs_public_answer(
    log: LogUnderTest, client: httpx.AsyncClient, tmp_path: Path
) -> None:
    sizes: list[int] = []
    phases: list[tuple[LogKey, ...]] = [
        (KEY,), (KEY, NEXT_KEY), (NEXT_KEY,), (NEXT_KEY, THIRD_KEY), (THIRD_KEY,),
    ]  # fmt: skip
    for number, keys in enumerate(phases):
        log.keys = LogKeys(*keys)
        await log.grow(70)
        sizes.append(await packed(log, tmp_path / f"{number}.zip"))
    client.app.state.log = log.log  # type: ignore[attr-defined]
    for number, size in enumerate(sizes):
        answer = await client.get("hand-overs", params={"size": size})
        assert answer.status_code == 200, answer.text
        saved = tmp_path / f"{number}.json"
        saved.write_bytes(answer.content)
        for key in KEYS:
            done = verify(log, tmp_path / f"{number}.zip", key, "--hand-overs", str(saved))
            assert done.exit_code == 0, (number, done.output)
    newest = tmp_path / f"{len(sizes) - 1}.zip"
    assert all(verify(log, newest, key).exit_code == 0 for key in KEYS)  # carried
    assert verify(log, tmp_path / "0.zip", KEY).exit_code == 0
    assert verify(log, tmp_path / "0.zip", THIRD_KEY).exit_code == 1
    other = verify(log, tmp_path / "0.zip", THIRD_KEY, "--hand-overs", str(tmp_path / "2.json"))
    assert other.exit_code == 1  # proven towards another package's checkpoint
    beyond = await client.get("hand-overs", params={"size": sizes[-1] + 1})
    assert beyond.status_code == 422


async def test_the_answer_without_a_size_is_the_entries_alone(
    log: LogUnderTest, client: httpx.AsyncClient
) -> None:
    await log.grow(3)
    log.keys = LogKeys(KEY, NEXT_KEY)
    await log.grow(3)
    client.app.state.log = log.log  # type: ignore[attr-defined]
    (plain,) = (await client.get("hand-overs")).json()["items"]
    assert set(plain) == {"index", "entry"}
    (proven,) = (await client.get("hand-overs", params={"size": 2})).json()["items"]
    assert set(proven) == {"index", "entry", "consistency"}
    (within,) = (await client.get("hand-overs", params={"size": 7})).json()["items"]
    assert set(within) == {"index", "entry", "consistency", "inclusion"}
