"""The log that access-log serves, its files and its proofs, as the Go team's packages see it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from base64 import b64encode
from pathlib import Path

import pytest

from alpr_access_log.log import reading as log_reading
from alpr_common.postgres import migrate
from alpr_local.stack import Stack
from alpr_translog.checkpoint import Checkpoint
from tests.support.verifiable_log import KEY, LogUnderTest

pytestmark = [pytest.mark.integration, pytest.mark.slow]


@pytest.mark.policy("131.7-3a")
async def test_go_accepts_what_the_service_serves(fresh_stack: Stack, tmp_path: Path) -> None:
    if shutil.which("go") is None:
        pytest.skip("needs Go, which is not installed")
    await migrate(fresh_stack.postgres_dsn("alpr_access_log_owner"), "alpr_access_log")
    log = await LogUnderTest.on(fresh_stack, tmp_path)
    try:
        await log.append(5)
        held = [await log.grow(count) for count in (1, 251, 400)]
        folder = await publish(log, held, tmp_path / "log")
    finally:
        await log.database.close()
    done = ask_go(folder, str(KEY.verifier(log.agency_id)), tmp_path / "tlog")
    assert done.stdout.strip() == "good 657", done.stderr


def ask_go(folder: Path, key: str, program: Path) -> subprocess.CompletedProcess[str]:
    source = Path(__file__).parent / "tlog"
    subprocess.run(["go", "build", "-o", str(program), "."], cwd=source, check=True)
    command = [str(program), str(folder), key]
    path = {"PATH": os.environ["PATH"]}
    return subprocess.run(command, capture_output=True, text=True, env=path)


async def publish(log: LogUnderTest, held: list[str], folder: Path) -> Path:
    """The served files and, as `proofs.json`, proofs that the service made."""
    for path, content in (await log.files()).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    inclusion = [
        await log_reading.inclusion(log.log, log.agency_id, index)
        for index in (0, 4, 5, 255, 256, 300, 656)
    ]
    olds = [Checkpoint.open(note, KEY.verifier(log.agency_id)) for note in held]
    proofs = {
        "inclusion": [{"index": said["index"], "path": said["path"]} for said in inclusion],
        "consistency": [
            {
                "old_size": old.size,
                "old_root": b64encode(old.root).decode(),
                "path": (await log_reading.consistency(log.log, log.agency_id, old.size))["path"],
            }
            for old in olds
        ],
    }
    (folder / "proofs.json").write_text(json.dumps(proofs))
    return folder
