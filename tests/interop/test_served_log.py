"""The log that access-log serves, its files and its proofs, as the Go team's packages see it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from alpr_access_log.log import reading as log_reading
from alpr_access_log.log.key import LogKeys
from alpr_common.postgres import migrate
from alpr_local.stack import Stack
from alpr_translog.handover import claimed_by
from tests.support.go_program import Ask, built
from tests.support.verifiable_log import KEY, NEXT_KEY, LogUnderTest

pytestmark = [pytest.mark.integration, pytest.mark.slow]


@pytest.mark.policy("131.7-3a")
async def test_go_accepts_what_the_service_serves_before_and_after_its_key_is_changed(
    fresh_stack: Stack, tmp_path: Path
) -> None:
    ask_go = built(tmp_path / "tlog")
    await migrate(fresh_stack.postgres_dsn("alpr_access_log_owner"), "alpr_access_log")
    log = await LogUnderTest.on(fresh_stack, tmp_path)
    old, new = (str(key.verifier(log.agency_id)) for key in (KEY, NEXT_KEY))
    try:
        await log.append(5)
        held = [await log.grow(count) for count in (1, 251, 400)]
        assert said(ask_go, await publish(log, held, tmp_path / "before"), old) == "good 657"
        log.keys = LogKeys(KEY, NEXT_KEY)
        held.append(await log.grow(10))
        both = await publish(log, held, tmp_path / "both")
        log.keys = LogKeys(NEXT_KEY)
        held.append(await log.grow(1))
        after = await publish(log, held, tmp_path / "after")
    finally:
        await log.database.close()
    for keys in ((old,), (new,), (old, new)):
        assert said(ask_go, both, *keys) == "good 668"
        assert said(ask_go, after, *keys) == "good 669"


def said(ask: Ask, folder: Path, *keys: str) -> str:
    done = ask(folder, *keys)
    return done.stdout.strip() + done.stderr


async def publish(log: LogUnderTest, held: list[str], folder: Path) -> Path:
    """The served files and, as `proofs.json`, proofs that the service made."""
    for path, content in (await log.files()).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    inclusion = [
        await log_reading.inclusion(log.log, log.agency_id, index)
        for index in (0, 4, 5, 255, 256, 300, 656)
    ]
    proofs = {
        "inclusion": [{"index": said["index"], "path": said["path"]} for said in inclusion],
        "consistency": [
            {
                "held": note,
                "path": (
                    await log_reading.consistency(
                        log.log, log.agency_id, claimed_by(note, note.split("\n")[0]).size
                    )
                )["path"],
            }
            for note in held
        ],
    }
    (folder / "proofs.json").write_text(json.dumps(proofs))
    return folder
