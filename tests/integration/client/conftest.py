"""The client's tests: people of a real identity, and the `alpr` command as a process."""

from __future__ import annotations

import asyncio
import io
import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pyotp
import pytest
from PIL import Image

from alpr_client import Addresses
from alpr_common.kafka import Publisher
from alpr_common.messages.hit import Hit, HitKind, JurisdictionAgreement
from alpr_common.messages.hotlist import HotListEntry
from alpr_common.messages.read import Box, Read
from alpr_common.objects import Pictures, picture_key
from alpr_common.plates import match_key
from alpr_common.topics import HITS, READS
from alpr_local.processes import Services
from tests.support.waiting import eventually

AGENCY = "IL0222900"
PASSWORD = "nine kites above the reservoir"
HERE = (41.84, -87.95)


def jpeg() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (160, 48), (220, 222, 230)).save(out, "JPEG")
    return out.getvalue()


JPEG = jpeg()


@dataclass
class System:
    """Running services, and how to get people and commands at them."""

    services: Services
    _first_headers: dict[str, str] | None = None

    @property
    def addresses(self) -> Addresses:
        url = self.services.url
        return Addresses(
            url("ingest"), url("matcher"), url("alerts"), url("access-log"), url("identity")
        )

    def add_person(self, username: str, role: str = "officer", *, trained: bool = True) -> None:
        """Somebody whose password is `PASSWORD`, added by an administrator."""
        until = (datetime.now(UTC) + timedelta(days=90)).date().isoformat()
        training = {"leads_until": until, "alpr_until": until} if trained else {}
        said = {
            "username": username, "role": role, "name": f"{username.title()} Miller",
            "password": PASSWORD,
        }  # fmt: skip
        with httpx.Client(base_url=self.addresses.identity, timeout=60) as http:
            added = http.post("/v1/people", json=said | training, headers=self._first(http))
        assert added.status_code == 201, added.text

    def _first(self, http: httpx.Client) -> dict[str, str]:
        """Signed in as the first administrator, who is made at the command line."""
        if self._first_headers is None:
            subprocess.run(
                [
                    sys.executable, "-m", "alpr_identity", "create-person", "--agency", AGENCY,
                    "--username", "first", "--role", "administrator", "--name", "First",
                    "--password-stdin",
                ],
                env=self.services.environment_for_tools(), input=PASSWORD, text=True, check=True,
                capture_output=True, timeout=120,
            )  # fmt: skip
            said = {"username": "first", "password": PASSWORD}
            token = http.post("/v1/sessions", json=said).json()["access_token"]
            self._first_headers = {"Authorization": f"Bearer {token}"}
        return self._first_headers

    async def stored(self, *reads: Read) -> None:
        """Wait until access-log has them. In SQL: searches are recorded, and counted by plate."""
        wanted = [one.read_id for one in reads]
        database = await asyncpg.connect(self.services.stack.postgres_admin_dsn)
        count = "SELECT count(DISTINCT read_id) FROM access_log.read WHERE read_id = ANY($1)"

        async def there() -> bool:
            return bool(await database.fetchval(count, wanted) == len(wanted))

        try:
            await eventually(there, 120, interval_seconds=0.3, what="the reads are stored")
        finally:
            await database.close()

    def enrol(self, username: str) -> tuple[str, list[str]]:
        """Give somebody a second factor: its secret and the recovery codes."""
        said = {"username": username, "password": PASSWORD}
        with httpx.Client(base_url=self.services.url("identity"), timeout=60) as http:
            token = http.post("/v1/sessions", json=said).json()["access_token"]
            signed = {"Authorization": f"Bearer {token}"}
            begun = http.post(
                "/v1/me/second-factor", json={"password": PASSWORD}, headers=signed
            ).json()
            code = pyotp.TOTP(begun["secret"]).now()
            confirmed = http.post(
                "/v1/me/second-factor/confirm", json={"code": code}, headers=signed
            )
            assert confirmed.status_code == 200, confirmed.text
            return begun["secret"], confirmed.json()["recovery_codes"]


@dataclass
class Sightings:
    """What cameras and the matcher would have put on the topics."""

    publisher: Publisher
    pictures: Pictures

    async def capture(self, plate: str, **changed: Any) -> Read:
        """A read with pictures, on its topic."""
        captured_at = changed.pop("captured_at", datetime.now(UTC) - timedelta(minutes=5))
        read_id, frame_id = uuid4(), uuid4()
        camera_id = changed.pop("camera_id", "cam-1")
        place = (AGENCY, camera_id, captured_at, frame_id)
        said: dict[str, Any] = {
            "read_id": read_id, "agency_id": AGENCY, "camera_id": camera_id, "plate": plate,
            "match_key": match_key(plate), "captured_at": captured_at,
            "first_captured_at": captured_at, "last_captured_at": captured_at,
            "latitude": HERE[0], "longitude": HERE[1], "confidence": 0.9, "frame_id": frame_id,
            "frame_object": picture_key(*place), "jurisdiction": "US-IL",
            "plate_object": picture_key(*place, f"-plate-{read_id}"),
            "plate_box": Box(x1=0, y1=0, x2=10, y2=5), "emitted_at": captured_at,
        }  # fmt: skip
        read = Read(**(said | changed))
        await self.pictures.put(read.frame_object, JPEG)
        await self.pictures.put(read.plate_object, JPEG)
        await self.publisher.publish(READS, read.match_key, read.to_bytes())
        return read

    async def hit(self, read: Read) -> None:
        """The hit that the matcher would make of it."""
        entry = HotListEntry(
            entry_id=uuid4(), agency_id=AGENCY, serves_agency_ids=(AGENCY,), plate=read.plate,
            match_key=read.match_key, jurisdiction="US-IL", category="stolen_vehicle", priority=2,
            source="manual", reason="Stolen from Oak Street", effective_at=read.captured_at,
        )  # fmt: skip
        hit = Hit(
            hit_id=Hit.id_of(read.read_id, entry.entry_id), agency_id=AGENCY, kind=HitKind.EXACT,
            jurisdiction=JurisdictionAgreement.SAME, read=read, entry=entry,
            matched_at=datetime.now(UTC),
        )  # fmt: skip
        await self.publisher.publish(HITS, read.match_key, hit.to_bytes())


@dataclass
class Terminal:
    """One person's `alpr` commands: an environment and a folder of state of their own."""

    system: System
    state: Path
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def session_file(self) -> Path:
        return self.state / "alpr" / "session.json"

    def kept(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.session_file.read_text())
        return found

    def variables(self) -> dict[str, str]:
        addresses = self.system.addresses
        return {
            **{k: v for k, v in os.environ.items() if not k.startswith("ALPR_")},
            "XDG_STATE_HOME": str(self.state),
            "ALPR_IDENTITY_URL": addresses.identity,
            "ALPR_MATCHER_URL": addresses.matcher,
            "ALPR_ACCESS_LOG_URL": addresses.access_log,
            "COLUMNS": "200",
            **self.environment,
        }

    async def alpr(self, *arguments: str, said: str = "") -> tuple[int, str]:
        """Exit code and all that was said, of a command without a terminal."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", "from alpr_client.command import main; main()", *arguments,
            env=self.variables(), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        output, _ = await asyncio.wait_for(process.communicate(said.encode()), 120)
        assert process.returncode is not None
        return process.returncode, output.decode()

    async def sign_in(self, username: str, *lines: str) -> tuple[int, str]:
        said = "".join(f"{line}\n" for line in lines)
        return await self.alpr("sign-in", "--username", username, said=said)


@pytest.fixture(scope="module")
def system(services: Services) -> System:
    services.start("identity", deadline_seconds=180)
    return System(services)


@pytest.fixture
def terminal(system: System, tmp_path: Path) -> Terminal:
    return Terminal(system, tmp_path / "state")
