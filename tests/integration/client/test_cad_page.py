"""docs/cad.md: every command and function of the page, against the real services."""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio

from alpr_client import Alert, AlprClient
from alpr_common.kafka import Publisher
from alpr_common.objects import Pictures
from alpr_local.folders import repository
from tests.integration.client.conftest import PASSWORD, Sightings, System
from tests.support.waiting import eventually

pytestmark = [pytest.mark.integration, pytest.mark.asyncio(loop_scope="module")]

PLATE = "CAD1234"


def blocks(language: str) -> list[str]:
    page = (repository() / "docs" / "cad.md").read_text("utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)


@dataclass
class Center(Sightings):
    """Services under the page's policy, an administrator and a dispatcher."""

    system: System
    administrator: AlprClient
    dispatcher: AlprClient

    async def alert(self) -> Alert:
        """A new one, of a read that is stored too."""
        read = await self.capture(PLATE)
        await self.hit(read)
        await self.system.stored(read)
        return await self.alert_of(read.read_id)

    async def alert_of(self, read_id: UUID) -> Alert:
        async def raised() -> Alert | None:
            page = await self.dispatcher.alerts.list(open_only=True)
            return next((a for a in page.items if a.read and a.read.read_id == read_id), None)

        found = await eventually(raised, 90, interval_seconds=0.3, what="the alert")
        assert found is not None
        return found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def center(system: System, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Center]:
    services = system.services
    policy = tmp_path_factory.mktemp("policy") / "policy.toml"
    policy.write_text("".join(blocks("toml")))
    for name in ("alerts", "access-log"):
        services.start(name, environment={"ALPR_POLICY_FILE": str(policy)}, wait=False)
    for name in ("alerts", "access-log"):
        await asyncio.to_thread(services.get(name).wait_until_ready, 180)
    clients = []
    for role in ("administrator", "dispatcher"):
        await asyncio.to_thread(system.add_person, role, role)
        clients.append(AlprClient(system.addresses, timeout_seconds=60))
        await clients[-1].sign_in(role, PASSWORD)
    publisher = Publisher(services.stack.kafka_bootstrap_servers)
    pictures = Pictures.at(services.stack.objects_folder.as_uri())
    yield Center(publisher, pictures, system, *clients)
    for client in clients:
        await client.close()
    await publisher.stop()


async def token(center: Center, username: str) -> str:
    async with AlprClient(center.system.addresses, timeout_seconds=60) as client:
        return (await client.sign_in(username, PASSWORD)).access_token


async def test_the_commands_do_what_the_page_says(center: Center, tmp_path: Path) -> None:
    for program in ("curl", "jq", "bash"):
        if shutil.which(program) is None:
            pytest.skip(f"the page's commands need {program}, which this machine has not")
    position = (await center.dispatcher.alerts.list(limit=1)).stream_position
    alert = await center.alert()
    now, addresses = datetime.now(UTC), center.system.addresses
    variables = {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "ALPR_IDENTITY_URL": addresses.identity, "ALPR_ALERTS_URL": addresses.alerts,
        "ALPR_ACCESS_LOG_URL": addresses.access_log, "POSITION": str(position),
        "ADMINISTRATOR": await token(center, "administrator"),
        "DISPATCHER": await token(center, "dispatcher"), "ALERT": str(alert.alert_id),
        "FROM": (now - timedelta(hours=1)).isoformat(), "TO": now.isoformat(),
    }  # fmt: skip
    until = (now + timedelta(days=300)).date().isoformat()
    script = "\n".join(blocks("bash")).replace("2027-06-30", until)
    done = await asyncio.to_thread(
        subprocess.run, ["bash", "-euc", script], env=variables, cwd=tmp_path, check=False,
        capture_output=True, text=True, timeout=240,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert f'"alert_id": "{alert.alert_id}"' in done.stdout
    assert '"state": "enforced"' in done.stdout
    assert (tmp_path / "plate.jpg").read_bytes().startswith(b"\xff\xd8")
    assert (tmp_path / "frame.jpg").read_bytes().startswith(b"\xff\xd8")


async def test_the_functions_do_what_the_page_says(
    center: Center, monkeypatch: pytest.MonkeyPatch
) -> None:
    page: dict[str, Any] = {}
    exec("\n".join(blocks("python")), page)
    addresses = center.system.addresses
    for name in ("identity", "alerts", "access_log"):
        monkeypatch.setenv(f"ALPR_{name.upper()}_URL", getattr(addresses, name))
    until = (datetime.now(UTC) + timedelta(days=300)).date()
    if "cad" not in {one.username async for one in center.administrator.people.every()}:
        await center.administrator.people.add("cad", name="CAD", role="service")
    (cad,) = [one async for one in center.administrator.people.every() if one.username == "cad"]
    assert cad.person_id is not None
    await center.administrator.people.record_training(
        cad.person_id, leads_until=until, alpr_until=until
    )
    password = await center.administrator.transport.json(
        "identity", "POST", f"/v1/people/{cad.person_id}/password", json={}
    )
    first = await center.alert()
    shown: list[tuple[Alert, str]] = []
    async with page["service"](password["password"]) as alpr:
        following = asyncio.create_task(
            page["follow"](alpr, None, lambda alert, position: shown.append((alert, position)))
        )
        await eventually(
            lambda: first.alert_id in {alert.alert_id for alert, _ in shown},
            60, what="the open alerts",
        )  # fmt: skip
        assert await page["answer"](center.dispatcher, str(first.alert_id)) == "actionable"

        def told() -> bool:
            mine = [a for a, _ in shown if a.alert_id == first.alert_id]
            return mine[-1].state == "actionable"

        await eventually(told, 60, what="the answer comes down the stream")
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
    now = datetime.now(UTC)
    found = await page["look_up"](center.dispatcher, PLATE, now - timedelta(hours=1), now)
    assert PLATE in {read.plate for read in found}
    refused = await page["look_up"](center.dispatcher, PLATE, now - timedelta(hours=1), now)
    assert "a copy of your previous one" in refused
    assert refused.endswith("(policy file)")
