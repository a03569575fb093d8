"""Real services under the console: people of identity, sightings on the real topics."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import asyncpg

from alpr_common.kafka import Publisher
from alpr_common.messages.hit import Hit
from alpr_common.objects import Pictures
from alpr_common.topics import HITS, READS
from alpr_local.processes import Services
from tests.browser.support.sightings import AGENCY, Sighting, pictured
from tests.support.waiting import eventually

PROCESSES = ("identity", "ingest", "matcher", "alerts", "access-log", "console")
PASSWORD = "correct-horse-battery-47"


@dataclass
class Agency:
    """A running system and what arrives in it."""

    services: Services
    publisher: Publisher
    pictures: Pictures

    @property
    def console_url(self) -> str:
        return self.services.url("console")

    async def hires(
        self, username: str, name: str, role: str, *, trained: bool = True, days: int = 90
    ) -> None:
        """A new person, by the operators' command, whose trainings end in so many days."""
        days = days if trained else -1
        until = (datetime.now(UTC) + timedelta(days=days)).date().isoformat()
        await asyncio.to_thread(
            subprocess.run,
            [
                sys.executable, "-m", "alpr_identity", "create-person", "--agency", AGENCY,
                "--username", username, "--role", role, "--name", name,
                "--leads-until", until, "--alpr-until", until, "--password-stdin",
            ],
            env=self.services.environment_for_tools(), input=PASSWORD, text=True, check=True,
            capture_output=True,
        )  # fmt: skip

    async def sees(self, sighting: Sighting) -> Hit:
        """A listed vehicle passes: pictures in the store, its read and its hit on the topics."""
        shown = pictured(sighting)
        read = shown.hit.read
        await self.pictures.put(read.frame_object, shown.frame_jpeg)
        await self.pictures.put(read.plate_object, shown.plate_jpeg)
        await self.publisher.publish(READS, read.match_key, read.to_bytes())
        await self.publisher.publish(HITS, read.match_key, shown.hit.to_bytes())
        return shown.hit

    async def stored(self, sighting: Sighting) -> Hit:
        """As `sees`, and waits until the access log keeps the read."""
        hit = await self.sees(sighting)
        connection = await asyncpg.connect(self.services.stack.postgres_admin_dsn)
        try:
            await eventually(
                lambda: connection.fetchval(
                    "SELECT count(*) FROM access_log.read WHERE read_id = $1", hit.read.read_id
                ),
                60,
                what="the access log keeps the read",
            )
        finally:
            await connection.close()
        return hit


@asynccontextmanager
async def agency_on(services: Services, policy: str = "") -> AsyncIterator[Agency]:
    """The console and everything under it, running; `policy` is the agency's policy file."""
    if policy:
        file = services.stack.objects_folder.parent / "policy.toml"
        file.write_text(policy)
        services.environment["ALPR_POLICY_FILE"] = str(file)
    services.start_all(*PROCESSES)
    publisher = Publisher(services.stack.kafka_bootstrap_servers)
    await publisher.start()
    try:
        pictures = Pictures.at(services.stack.objects_folder.as_uri())
        yield Agency(services, publisher, pictures)
    finally:
        await publisher.stop()
