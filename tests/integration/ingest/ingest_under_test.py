"""An ingest process, people with tokens, and cameras that keep what was acknowledged."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx
import numpy as np
import simplejpeg

from alpr_common.auth import Principal, TokenIssuer
from alpr_common.kafka import Received
from alpr_common.messages.frame import Frame
from alpr_common.policy import Role
from alpr_common.topics import FRAMES
from alpr_local.processes import Services
from tests.support.topics import everything
from tests.support.waiting import eventually

OURS, OTHERS = "IL0222900", "IL0160000"
SITE = {"site_description": "the road on the bridge", "exposed_to_public_view": True}


def picture(shade: int = 200, width: int = 320, height: int = 240) -> bytes:
    """A JPEG of one shade of grey."""
    return bytes(simplejpeg.encode_jpeg(np.full((height, width, 3), shade, np.uint8), 90))


@dataclass
class IngestUnderTest:
    services: Services
    http: httpx.AsyncClient

    def token(self, role: Role = Role.ADMINISTRATOR, agency: str = OURS) -> dict[str, str]:
        """Headers of somebody of that role."""
        issuer = TokenIssuer.from_file(self.services.stack.secrets.token_private_key)
        person = Principal("p-1", "Deputy Chief Ray", agency, role, "s-1", None, None)
        return {"Authorization": f"Bearer {issuer.issue(person, datetime.now(UTC))}"}

    async def lets_people_in(self) -> bool:
        return (await self.http.get("/v1/cameras", headers=self.token())).is_success

    async def register(self, camera_id: str, **fields: Any) -> httpx.Response:
        form = {
            "camera_id": camera_id, "name": camera_id, "latitude": 41.78, "longitude": -88.14,
            "attestation": SITE, **fields,
        }  # fmt: skip
        return await self.http.post("/v1/cameras", json=form, headers=self.token())

    async def camera(self, camera_id: str, **fields: Any) -> CameraUnderTest:
        response = await self.register(camera_id, **fields)
        assert response.status_code == 201, response.text
        return CameraUnderTest(self.http, camera_id, response.json()["credential"])

    async def on_kafka(self) -> dict[str, list[tuple[Frame, Received]]]:
        """By camera, the frames on the topic in their order, each id once; those too that Kafka
        was too busy for within ingest's patience, as soon as they are there."""
        await eventually(self.nothing_is_spooled, 90, what="the spool is empty")
        found: defaultdict[str, list[tuple[Frame, Received]]] = defaultdict(list)
        seen = set()
        for received in await everything(self.services.stack.kafka_bootstrap_servers, FRAMES):
            frame = Frame.from_headers(dict(received.headers))
            if frame.frame_id not in seen:
                seen.add(frame.frame_id)
                found[frame.camera_id].append((frame, received))
        return found

    async def nothing_is_spooled(self) -> bool:
        return await self.metric("alpr_ingest_spool_frames") == 0

    async def sequences_on_kafka(self, camera_id: str) -> list[int | None]:
        return [frame.sequence for frame, _ in (await self.on_kafka())[camera_id]]

    async def metric(self, name: str) -> float:
        lines = (await self.http.get("/metrics")).text.splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(name))


@dataclass
class CameraUnderTest:
    http: httpx.AsyncClient
    camera_id: str
    credential: str
    next_sequence: int = 0
    acknowledged: list[int] = field(default_factory=list)
    spooled: int = 0

    async def send(
        self, jpeg: bytes | AsyncIterator[bytes] | None = None, **headers: str
    ) -> httpx.Response:
        """One frame with the next sequence number; an acknowledgement is noted."""
        sequence, now = self.next_sequence, datetime.now(UTC).isoformat()
        details = {
            "Authorization": f"Camera {self.credential}", "Alpr-Captured-At": now,
            "Alpr-Sent-At": now, "Alpr-Sequence": str(sequence), **headers,
        }  # fmt: skip
        response = await self.http.post(
            "/v1/frames", content=jpeg or picture(sequence % 256), headers=details
        )
        if response.status_code == 202:
            self.next_sequence += 1
            self.acknowledged.append(sequence)
            self.spooled += response.json()["spooled"]
        return response

    async def send_patiently(
        self, jpeg: bytes | AsyncIterator[bytes] | None = None, **headers: str
    ) -> httpx.Response:
        """As `send`, and again, like a camera, while ingest cannot know who it is (503): whom it
        has not in mind PostgreSQL has a second to find, which is none on a busy machine."""

        async def answered() -> httpx.Response | None:
            response = await self.send(jpeg, **headers)
            return response if response.status_code != 503 else None

        response = await eventually(answered, 60, interval_seconds=0.2, what="an answer")
        assert response is not None
        return response

    async def send_for_ever(self, pause_seconds: float = 0.02) -> None:
        """Frame after frame, like a camera: what is not acknowledged is sent again."""
        while True:
            try:
                response = await self.send()
                assert response.status_code in (202, 503), response.text
            except httpx.TransportError:
                pass  # ingest is being restarted
            await asyncio.sleep(pause_seconds)
