"""The log's key changed under the running service, with the commands of docs/verifying-the-log.md,
and what somebody outside finds then."""

import asyncio
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from alpr_common.auth import Principal, TokenIssuer
from alpr_common.policy import Role
from alpr_local.processes import ServiceProcess, Services
from alpr_translog.note import VerifierKey
from tests.integration.access_log.conftest import OURS, search_body
from tests.support.waiting import eventually

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(600)]

KEY_FILE = "ALPR_ACCESS_LOG_LOG_KEY_FILE"
WITNESS_INTERVAL = "ALPR_ACCESS_LOG_LOG_WITNESS_INTERVAL_SECONDS"
HERE = Path(sys.executable).parent


@dataclass
class Outside:
    """The service, its operator, and somebody who has a folder, the `alpr` command and a token."""

    services: Services
    key_file: Path
    folder: Path
    http: httpx.AsyncClient

    def start(self) -> ServiceProcess:
        environment = {KEY_FILE: str(self.key_file), WITNESS_INTERVAL: "1"}
        return self.services.start("access-log", environment=environment)

    def token(self, role: Role) -> str:
        issuer = TokenIssuer.from_file(self.services.stack.secrets.token_private_key)
        person = Principal(str(uuid4()), "Ann Miller", OURS, role, str(uuid4()), date.max, date.max)
        return issuer.issue(person, datetime.now(UTC))

    async def search(self) -> None:
        headers = {"Authorization": f"Bearer {self.token(Role.OFFICER)}"}
        answer = await self.http.post("/v1/searches", json=search_body(), headers=headers)
        assert answer.status_code == 200, answer.text

    async def keep(self, name: str, what: str = "checkpoint") -> str:
        """Fetch what is public, and keep it as a file."""
        answer = await self.http.get(f"/v1/log/{OURS}/{what}")
        text = answer.text if answer.status_code == 200 else ""
        await asyncio.to_thread((self.folder / name).write_text, text)
        return text

    async def kept_beyond(self, name: str, size: int) -> bool:
        text = await self.keep(name)
        return bool(text) and int(text.split("\n")[1]) > size

    async def alpr(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        environment = {"ALPR_TOKEN": self.token(Role.AUDITOR), "NO_PROXY": "127.0.0.1"}
        command = [str(HERE / "alpr"), "log", *arguments]
        return await asyncio.to_thread(
            subprocess.run,
            command,
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
        )

    async def rotate(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        environment = self.services.environment_for_tools() | {KEY_FILE: str(self.key_file)}
        command = [sys.executable, "-m", "alpr_access_log", "rotate-log-key", *arguments]
        return await asyncio.to_thread(
            subprocess.run, command, env=environment, capture_output=True, text=True
        )


@pytest.fixture
async def outside(services: Services, tmp_path: Path) -> AsyncIterator[Outside]:
    key_file = tmp_path / "operator" / "log-key.pem"
    key_file.parent.mkdir()
    shutil.copy(services.stack.secrets.log_signing_key, key_file)
    (tmp_path / "outside").mkdir()
    async with httpx.AsyncClient(base_url=services.url("access-log"), timeout=30) as http:
        made = Outside(services, key_file, tmp_path / "outside", http)
        made.start()
        yield made


@pytest.mark.policy("131.7-3a")
async def test_the_key_is_changed_while_the_service_runs_and_everybody_outside_can_follow(
    outside: Outside,
) -> None:
    log = f"{outside.http.base_url}/v1/log/{OURS}"
    await outside.search()
    await eventually(lambda: outside.kept_beyond("old.checkpoint", 0), 60)
    old = await outside.keep("old.vkey", "key")
    fetched = await outside.alpr("fetch", log, "copy/")
    assert fetched.returncode == 0, fetched.stderr
    begun = await outside.rotate()
    assert begun.returncode == 0, begun.stderr
    new = await eventually(lambda: changed_from(outside, old), 60, what="the log is handed over")
    again = await outside.rotate()
    assert (again.returncode, "finish that change first" in again.stderr) == (1, True)
    done = await outside.alpr("verify", log, "--key", "old.vkey", "--against", "old.checkpoint")
    assert done.returncode == 0, done.stdout + done.stderr

    finished = await outside.rotate("--finish")
    assert finished.returncode == 0, finished.stderr
    assert f"{OURS}: handed over at entry 1 to {new.strip()}" in finished.stdout
    await outside.search()
    await eventually(lambda: outside.kept_beyond("new.checkpoint", 2), 60)
    outside.start().restart()
    await outside.search()
    await eventually(lambda: outside.kept_beyond("newer.checkpoint", 3), 60)
    assert (await outside.alpr("fetch", log, "copy/")).returncode == 0
    witness = str(outside.services.stack.witness_folder / OURS)
    await eventually(Path(witness).is_dir, 60, what="the witness has a copy")
    held = ["--against", "old.checkpoint", "--against", "new.checkpoint", "--against", witness]
    ids = [VerifierKey.parse(key).key_id.hex() for key in (old, new)]
    for key in ("old.vkey", "new.vkey"):
        done = await outside.alpr("verify", "copy/", "--key", key, *held)
        assert done.returncode == 0, done.stdout + done.stderr
        assert f"signed by key {ids[1]}, handed over by key {ids[0]} at entry 1" in done.stdout
        assert ("the log's verifier key is now" in done.stdout) == (key == "old.vkey")


async def changed_from(outside: Outside, old: str) -> str:
    key = await outside.keep("new.vkey", "key")
    return key if key != old else ""
