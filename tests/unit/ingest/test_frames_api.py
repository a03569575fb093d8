"""Every refusal over HTTP: it says why, cites its clause, is counted, and keeps nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import simplejpeg
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from fastapi import FastAPI
from prometheus_client import REGISTRY

from alpr_common.auth import ungated_routes
from alpr_common.lateness import spooled_at_most
from alpr_common.messages.frame import HEADER, Frame
from alpr_common.policy import Policy
from alpr_common.settings import CommonSettings
from alpr_ingest.api import Parts
from alpr_ingest.app import build
from alpr_ingest.bodies import InFlight
from alpr_ingest.delivery import Delivery
from alpr_ingest.domain import Attestation, Camera, CameraKind, Place, new_credential
from alpr_ingest.known_cameras import KnownCameras
from alpr_ingest.pictures import PictureLimits, PictureThreads
from alpr_ingest.settings import Settings
from alpr_ingest.spool import Spool
from alpr_ingest.spool_files import OutgoingFrame

NOW = datetime(2026, 5, 4, 10, 0, tzinfo=UTC)
JPEG = simplejpeg.encode_jpeg(np.full((48, 64, 3), 90, np.uint8), 90)
ATTESTED = Attestation("the road on the bridge", True, "Sgt. Hill", NOW)
POLICY = Policy()


class Taken:
    """A topic that keeps what it is given."""

    def __init__(self) -> None:
        self.frames: list[OutgoingFrame] = []

    async def connect(self) -> None:
        pass

    async def publish(self, frame: OutgoingFrame) -> None:
        self.frames.append(frame)


class Ingest:
    """The app with cameras in a dictionary and a topic in a list."""

    def __init__(self, app: FastAPI, topic: Taken, spool: Spool) -> None:
        self.app, self.topic = app, topic
        self.cameras: dict[str, Camera] = {}
        self.http = httpx.AsyncClient(
            transport=httpx.ASGITransport(app, raise_app_exceptions=False), base_url="http://ingest"
        )
        app.state.parts = Parts(
            database=None,  # type: ignore[arg-type]  # frames never touch it
            known=KnownCameras(self._load, lambda: 0.0, fresh_seconds=-1, outage_seconds=1),
            pictures=PictureThreads(1, PictureLimits(POLICY.frame_max_bytes, 50_000_000)),
            delivery=Delivery(
                topic,
                spool,
                kafka_timeout_seconds=1,
                waits_at_most=spooled_at_most(POLICY),
                clock=lambda: NOW,
            ),
            policy=POLICY,
            in_flight=InFlight(4),
            body_timeout_seconds=30,
            clock=lambda: NOW,
        )

    async def _load(self, camera_id: str) -> Camera | None:
        return self.cameras.get(camera_id)

    def camera(self, camera_id: str = "a", **changed: Any) -> str:
        """A camera's credential."""
        credential, digest = new_credential(camera_id)
        usual: dict[str, Any] = {
            "camera_id": camera_id, "agency_id": "IL0222900", "name": camera_id,
            "kind": CameraKind.FIXED, "place": Place(41.8, -88.1), "heading_degrees": 10.0,
            "attestation": ATTESTED, "privacy_masks": (), "credential_sha256": digest,
            "registered_at": NOW, "updated_at": NOW, "retired_at": None,
        }  # fmt: skip
        self.cameras[camera_id] = Camera(**{**usual, **changed})
        return credential

    async def send(
        self, credential: str | None, body: Any = JPEG, **details: str | None
    ) -> httpx.Response:
        usual = {"captured_at": NOW.isoformat(), "sent_at": NOW.isoformat()}
        headers = {
            "Alpr-" + name.replace("_", "-"): value
            for name, value in {**usual, **details}.items()
            if value is not None
        }
        if credential:
            headers["Authorization"] = f"Camera {credential}"
        return await self.http.post("/v1/frames", content=body, headers=headers)


@pytest.fixture
async def ingest(tmp_path: Path) -> AsyncIterator[Ingest]:
    spool = Spool(tmp_path / "spool", max_bytes=10**7, min_free_bytes=0)
    await spool.open()
    ingest = Ingest(app_of(tmp_path), Taken(), spool)
    running = asyncio.create_task(ingest.app.state.parts.delivery.run())
    await asyncio.sleep(0)
    yield ingest
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await ingest.http.aclose()
    spool.close()


def app_of(folder: Path) -> FastAPI:
    key = Ed25519PrivateKey.generate().public_key()
    file = folder / "public.pem"
    file.write_bytes(key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return build(
        Settings(
            database_url="postgresql://nobody@127.0.0.1:1/none",
            migration_database_url="postgresql://nobody@127.0.0.1:1/none",
            common=CommonSettings(token_public_key_file=file),
        )
    )


def refused(reason: str) -> float:
    return REGISTRY.get_sample_value("alpr_frames_refused_total", {"reason": reason}) or 0.0


def test_every_route_declares_a_gate(tmp_path: Path) -> None:
    assert ungated_routes(app_of(tmp_path)) == []


async def test_a_good_frame_is_on_the_topic_when_it_is_acknowledged(ingest: Ingest) -> None:
    captured = NOW - timedelta(hours=71)
    response = await ingest.send(
        ingest.camera(), captured_at=captured.isoformat(), heading="270", sequence="8"
    )
    assert response.status_code == 202
    assert response.json()["spooled"] is False
    (sent,) = ingest.topic.frames
    frame = Frame.from_headers(dict(sent.headers))
    assert sent.jpeg == JPEG
    assert sent.camera_id == frame.camera_id == "a"
    assert response.json()["frame_id"] == str(frame.frame_id)
    assert frame.frame_id == Frame.id_of("a", captured)
    assert (frame.width, frame.height, frame.sequence) == (64, 48, 8)
    assert (frame.latitude, frame.longitude, frame.heading_degrees) == (41.8, -88.1, 270)
    assert (frame.captured_at, frame.received_at) == (captured, NOW)
    assert HEADER in dict(sent.headers)


async def test_details_may_come_in_the_query(ingest: Ingest) -> None:
    query = {"captured_at": "2026-05-04T10:00:00Z", "sent_at": "2026-05-04T12:00:00+02:00"}
    response = await ingest.http.post(
        "/v1/frames", params=query, content=JPEG,
        headers={"Authorization": f"Camera {ingest.camera()}"},
    )  # fmt: skip
    assert response.status_code == 202


FAR = (65_000).to_bytes(2, "big") * 2
_START = JPEG.index(b"\xff\xc0") + 5
HUGE = JPEG[:_START] + FAR + JPEG[_START + 4 :]
OLD = (NOW - timedelta(hours=72, seconds=1)).isoformat()
REFUSALS = [
    # reason, status, clause, body, details
    ("not-a-jpeg", 415, "131.3-read", b"GIF89a", {}),
    ("not-a-jpeg", 415, "131.3-read", b"", {}),
    ("picture-truncated", 422, "131.3-read", JPEG[:-40], {}),
    ("picture-truncated", 422, "131.3-read", JPEG[:-40] + b"\xff\xd9", {}),
    ("frame-too-large", 413, "policy file", JPEG + bytes(4 * 1024 * 1024), {}),
    ("too-many-pixels", 413, "policy file", HUGE, {}),
    ("frame-without-time", 422, "131.3-read", JPEG, {"captured_at": None}),
    ("frame-without-time", 422, "131.3-read", JPEG, {"sent_at": None}),
    ("frame-without-place", 422, "131.3-read", JPEG, {"latitude": "41"}),
    ("frame-detail-malformed", 422, None, JPEG, {"captured_at": "noon"}),
    ("clock-skewed", 422, "policy file", JPEG,
     {"sent_at": (NOW + timedelta(seconds=301)).isoformat()}),
    ("clock-skewed", 422, "policy file", JPEG,
     {"sent_at": (NOW - timedelta(seconds=301)).isoformat(), "captured_at": OLD}),
    ("captured-after-sent", 422, "131.7-1c", JPEG,
     {"captured_at": (NOW + timedelta(seconds=1)).isoformat()}),
    ("delivered-too-late", 422, "131.7-1c", JPEG, {"captured_at": OLD}),
]  # fmt: skip


@pytest.mark.policy("131.3-read")
@pytest.mark.policy("131.7-1c")
@pytest.mark.parametrize(("reason", "status", "clause", "body", "details"), REFUSALS)
async def test_a_refusal_says_why_and_is_counted(
    ingest: Ingest,
    reason: str,
    status: int,
    clause: str | None,
    body: bytes,
    details: dict[str, str | None],
) -> None:
    before = refused(reason)
    response = await ingest.send(ingest.camera(), body, **details)
    problem = response.json()
    assert response.status_code == problem["status"] == status
    assert response.headers["content-type"] == "application/problem+json"
    assert problem["type"] == f"urn:alpr:problem:{reason}"
    assert problem.get("clause") == clause
    assert problem["title"]
    assert problem["detail"]
    assert refused(reason) == before + 1
    assert ingest.topic.frames == []


@pytest.mark.policy("131.6-3a")
async def test_an_unattested_camera_is_refused(ingest: Ingest) -> None:
    response = await ingest.send(ingest.camera(attestation=None))
    assert (response.status_code, response.json()["clause"]) == (403, "131.6-3a")


async def test_a_retired_camera_is_refused(ingest: Ingest) -> None:
    response = await ingest.send(ingest.camera(retired_at=NOW))
    assert response.status_code == 403
    assert response.json()["type"] == "urn:alpr:problem:camera-retired"


@pytest.mark.parametrize("credential", [None, "a.wrong", "nobody.x", "nonsense", "a."])
async def test_a_wrong_credential_is_refused(ingest: Ingest, credential: str | None) -> None:
    ingest.camera("a")
    before = refused("wrong-credential")
    response = await ingest.send(credential)
    assert response.status_code == 401
    assert response.headers["www-authenticate"] == "Camera"
    assert refused("wrong-credential") == before + 1


async def test_a_persons_token_is_no_camera_credential(ingest: Ingest) -> None:
    response = await ingest.http.post(
        "/v1/frames", content=JPEG, headers={"Authorization": f"Bearer {ingest.camera()}"}
    )
    assert response.status_code == 401


async def test_reading_stops_at_the_limit_without_a_content_length(ingest: Ingest) -> None:
    given = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal given
        yield b"\xff\xd8"
        while given < 100 * 1024 * 1024:
            given += 64 * 1024
            yield bytes(64 * 1024)

    response = await ingest.send(ingest.camera(), endless())
    assert response.status_code == 413
    assert response.headers["connection"] == "close"


async def test_a_camera_that_sends_too_slowly_is_told_so(ingest: Ingest) -> None:
    async def slow() -> AsyncIterator[bytes]:
        yield JPEG[:100]
        await asyncio.Event().wait()

    ingest.app.state.parts = replace(ingest.app.state.parts, body_timeout_seconds=0.3)
    response = await asyncio.wait_for(ingest.send(ingest.camera(), slow()), 30)
    assert response.status_code == 408


async def test_too_many_frames_at_once_are_told_to_come_again(ingest: Ingest) -> None:
    credential = ingest.camera()
    with (
        ingest.app.state.parts.in_flight.one(),
        ingest.app.state.parts.in_flight.one(),
        ingest.app.state.parts.in_flight.one(),
        ingest.app.state.parts.in_flight.one(),
    ):
        response = await ingest.send(credential)
    assert (response.status_code, response.headers["retry-after"]) == (503, "1")
    assert (await ingest.send(credential)).status_code == 202


@pytest.mark.policy("131.6-3a")
async def test_masks_are_burned_in_before_the_frame_goes_anywhere(ingest: Ingest) -> None:
    half = ((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0))
    assert (await ingest.send(ingest.camera(privacy_masks=(half,)))).status_code == 202
    pixels = simplejpeg.decode_jpeg(ingest.topic.frames[0].jpeg)
    assert pixels[:, :30].max() < 8
    assert pixels[:, 40:].min() > 75


@pytest.mark.policy("131.3-fixed")
async def test_a_mobile_camera_sends_its_place(ingest: Ingest) -> None:
    credential = ingest.camera(kind=CameraKind.MOBILE, place=None)
    assert (await ingest.send(credential)).json()["clause"] == "131.3-read"
    moved = await ingest.send(credential, latitude="41.5", longitude="-88")
    assert moved.status_code == 202
    assert Frame.from_headers(dict(ingest.topic.frames[0].headers)).latitude == 41.5
