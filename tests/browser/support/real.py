"""Real services under the console: people of identity, sightings on the real topics."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from alpr_common.kafka import Publisher
from alpr_common.messages.hit import Hit
from alpr_common.objects import Pictures
from alpr_common.topics import HITS, READS
from alpr_local.processes import Services
from tests.browser.support.sightings import AGENCY, Sighting, pictured

PROCESSES = ("identity", "matcher", "alerts", "access-log", "console")
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

    async def hires(self, username: str, name: str, role: str, *, trained: bool = True) -> None:
        """A new person, by the operators' command."""
        days = 90 if trained else -1
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
