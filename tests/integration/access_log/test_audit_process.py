"""`alpr audit package` against access-log and identity as processes: one command, all files."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest

from alpr_common.auth import Principal, TokenIssuer
from alpr_common.policy import Role
from alpr_local.processes import Services
from tests.integration.access_log.conftest import OURS, search_body
from tests.support.waiting import eventually, wait_until

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]


def token(services: Services, role: Role) -> str:
    issuer = TokenIssuer.from_file(services.stack.secrets.token_private_key)
    who = Principal(str(uuid4()), "Quinn", OURS, role, str(uuid4()), date.max, date.max)
    return issuer.issue(who, datetime.now(UTC))


@pytest.mark.policy("131.5-d")
def test_one_command_makes_the_whole_package_with_what_identity_says(
    services: Services, tmp_path: Path
) -> None:
    services.start_all("identity", "access-log", deadline_seconds=240)
    url = services.url("access-log")
    officer = {"Authorization": f"Bearer {token(services, Role.OFFICER)}"}
    for _ in range(2):
        body = search_body()
        done = httpx.post(f"{url}/v1/searches", json=body, headers=officer, timeout=60)
        assert done.status_code == 200, done.text
    checkpoint = f"{url}/v1/log/{OURS}/checkpoint"
    wait_until(lambda: "\n2\n" in httpx.get(checkpoint, timeout=60).text, 60, what="both covered")

    out = tmp_path / "audit"
    begin = (datetime.now(UTC) - timedelta(days=2)).date().isoformat()
    end = (datetime.now(UTC) + timedelta(days=1)).date().isoformat()
    ran = subprocess.run(
        [str(Path(sys.executable).parent / "alpr"), "audit", "package", "--from", begin, "--to",
         end, "--out", str(out)],
        capture_output=True, text=True, timeout=300,
        env=os.environ | {
            "ALPR_TOKEN": token(services, Role.ADMINISTRATOR), "ALPR_ACCESS_LOG_URL": url,
        },
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "2 answered" in ran.stdout
    names = {file.name for file in out.iterdir()}
    assert names == {"report.html", "report.pdf", "tables.zip", "summary.json"}
    summary = json.loads((out / "summary.json").read_text())
    assert summary["is_complete"]
    assert summary["log"]["is_good"] is True
    assert summary["password_security"]["data"]["policy"]["password_min_characters"] >= 8
    assert summary["training"]["data"]["lapses"] == []
    rules = {rule["name"]: rule["why_not"] for rule in summary["misuse"]["rules"]}
    assert rules["after_lapse"] is None
    assert rules["overlapping_sessions"] is None


@pytest.mark.policy("131.5-d")
async def test_a_package_outlives_the_replica_that_was_killed_over_it(services: Services) -> None:
    await asyncio.to_thread(services.start_all, "identity", "access-log", deadline_seconds=240)
    other = await asyncio.to_thread(
        services.start, "access-log", instance="second", deadline_seconds=240
    )
    busy = await asyncpg.connect(services.stack.postgres_admin_dsn)
    await busy.execute(f"SELECT pg_advisory_lock(hashtextextended('access_log.audit:{OURS}', 0))")
    headers = {"Authorization": f"Bearer {token(services, Role.ADMINISTRATOR)}"}
    begin, end = (datetime.now(UTC) - timedelta(days=2)), datetime.now(UTC)
    asked = {"from": begin.isoformat(), "to": end.isoformat()}
    async with httpx.AsyncClient(headers=headers, timeout=60) as client:
        url = f"{services.url('access-log')}/v1/audit/packages"
        answer = await client.post(url, json=asked)
        assert answer.status_code == 202, answer.text
        at_the_other = f"{other.url}/v1/audit/packages/{answer.json()['package_id']}"

        async def shown() -> dict[str, Any]:
            looked = await client.get(at_the_other)
            assert looked.status_code == 200, looked.text
            return dict(looked.json())

        async def waits() -> bool:
            return bool((await shown())["step"] == "waiting")

        await eventually(waits, 60)
        await asyncio.to_thread(services.get("access-log").kill)
        await busy.close()

        async def is_done() -> bool:
            return bool((await shown())["state"] != "preparing")

        await eventually(is_done, 180, interval_seconds=1)
        package = await shown()
    assert package["state"] == "ready", package
    assert package["summary"]["is_complete"], package["summary"]["missing"]
