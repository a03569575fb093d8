"""A frame: one JPEG image from one camera. The bytes are the Kafka value, this is its header."""

from typing import Self
from uuid import UUID

from pydantic import Field

from alpr_common.messages.base import Instant, Message, deterministic_id

HEADER = "alpr-frame"
"""The Kafka header that carries `Frame` as JSON beside the JPEG bytes."""


class Frame(Message):
    """Where and when a picture was taken (131.3-read: no frame without time, place and camera)."""

    frame_id: UUID
    agency_id: str
    camera_id: str
    captured_at: Instant
    received_at: Instant
    latitude: float = Field(ge=-90, le=90)
    longitude: float = Field(ge=-180, le=180)
    heading_degrees: float | None = Field(default=None, ge=0, lt=360)
    sequence: int | None = Field(default=None, ge=0)
    width: int = Field(gt=0, description="pixels")
    height: int = Field(gt=0, description="pixels")

    @staticmethod
    def id_of(camera_id: str, captured_at: Instant) -> UUID:
        """One camera takes one picture at a time, so a frame sent twice has one id."""
        return deterministic_id("frame", camera_id, captured_at)

    @classmethod
    def from_headers(cls, headers: dict[str, bytes]) -> Self:
        """The frame's metadata; raises `KeyError` when the header is missing."""
        return cls.model_validate_json(headers[HEADER])
