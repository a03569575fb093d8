"""Cameras and what is answered to their frames."""

from datetime import datetime
from uuid import UUID

from alpr_client.models.base import Answer


class Camera(Answer):
    camera_id: str
    name: str = ""
    kind: str = "fixed"
    agency_id: str = ""
    latitude: float | None = None
    longitude: float | None = None
    heading_degrees: float | None = None
    attested: bool = False
    privacy_masks: tuple[list[tuple[float, float]], ...] = ()
    retired_at: datetime | None = None
    last_frame_at: datetime | None = None
    """When its last frame was taken in, to some seconds; None: never."""


class RegisteredCamera(Camera):
    """A camera with its credential, which is never shown again."""

    credential: str


class FrameReceipt(Answer):
    """The frame will not be lost. `spooled`: it waits on disk until Kafka is back."""

    frame_id: UUID
    spooled: bool = False
