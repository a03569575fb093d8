"""Cameras and their frames."""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import Any

from alpr_client.models import (
    Camera,
    FrameReceipt,
    Page,
    RegisteredCamera,
)
from alpr_client.transport import Transport, every, without_none


class Cameras:
    """`client.cameras`: the registry, for supervisors and administrators."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def register(
        self,
        camera_id: str,
        *,
        name: str,
        kind: str = "fixed",
        latitude: float | None = None,
        longitude: float | None = None,
        heading_degrees: float | None = None,
        site_description: str | None = None,
        privacy_masks: Sequence[Sequence[tuple[float, float]]] = (),
    ) -> RegisteredCamera:
        """`site_description` attests that the camera sees only what is exposed to public view
        (131.6-3a); without it the camera is registered, but its frames are refused."""
        attestation = None
        if site_description:
            attestation = {"site_description": site_description, "exposed_to_public_view": True}
        form = {
            "camera_id": camera_id,
            "name": name,
            "kind": kind,
            "latitude": latitude,
            "longitude": longitude,
            "heading_degrees": heading_degrees,
            "attestation": attestation,
            "privacy_masks": [list(polygon) for polygon in privacy_masks],
        }
        return await self._transport.model(
            RegisteredCamera, "ingest", "POST", "/v1/cameras", json=form
        )

    async def list(self, *, cursor: str | None = None, limit: int | None = None) -> Page[Camera]:
        wanted = {"cursor": cursor, "limit": limit}
        return await self._transport.model(
            Page[Camera], "ingest", "GET", "/v1/cameras", params=wanted
        )

    def every(self) -> AsyncIterator[Camera]:
        """All of the agency's cameras, page by page."""
        return every(lambda cursor: self.list(cursor=cursor))

    async def get(self, camera_id: str) -> Camera:
        path = f"/v1/cameras/{camera_id}"
        return await self._transport.model(Camera, "ingest", "GET", path)

    async def change(self, camera_id: str, **fields: Any) -> Camera:
        """Name, position, attestation or privacy masks; what is not given stays. A heading of None
        is taken away. Masks that cross themselves are refused (131.6-3a)."""
        path = f"/v1/cameras/{camera_id}"
        return await self._transport.model(Camera, "ingest", "PUT", path, json=fields)

    async def renew_credential(self, camera_id: str) -> RegisteredCamera:
        """The old credential ends within seconds."""
        path = f"/v1/cameras/{camera_id}/credential"
        return await self._transport.model(RegisteredCamera, "ingest", "POST", path)

    async def retire(self, camera_id: str) -> Camera:
        path = f"/v1/cameras/{camera_id}/retire"
        return await self._transport.model(Camera, "ingest", "POST", path)


class Frames:
    """`client.frames`: what a camera does."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def send(
        self,
        credential: str,
        jpeg: bytes,
        *,
        captured_at: datetime,
        latitude: float | None = None,
        longitude: float | None = None,
        heading: float | None = None,
        sequence: int | None = None,
    ) -> FrameReceipt:
        """Send one picture. After `UnavailableError` send it again, before any later one."""
        details = {
            "Alpr-Captured-At": captured_at.isoformat(),
            "Alpr-Sent-At": datetime.now(UTC).isoformat(),
            "Alpr-Latitude": latitude,
            "Alpr-Longitude": longitude,
            "Alpr-Heading": heading,
            "Alpr-Sequence": sequence,
        }
        headers = {name: str(value) for name, value in without_none(details).items()}
        headers |= {"Authorization": f"Camera {credential}", "Content-Type": "image/jpeg"}
        return await self._transport.model(
            FrameReceipt, "ingest", "POST", "/v1/frames", signed=False, content=jpeg,
            headers=headers,
        )  # fmt: skip
