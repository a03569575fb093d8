"""A read: the plate text recognised in one vehicle pass, with time, place and image (131.3)."""

from typing import Literal
from uuid import UUID

from pydantic import Field

from alpr_common.messages.base import Instant, Message, deterministic_id

UNKNOWN_JURISDICTION = "unknown"


class Alternative(Message):
    """Another character that the recognizer considered at a position."""

    character: str = Field(min_length=1, max_length=1)
    probability: float = Field(ge=0, le=1)


class Character(Message):
    """One position of the plate text, with what else it may be (most probable first)."""

    character: str = Field(min_length=1, max_length=1)
    probability: float = Field(ge=0, le=1)
    alternatives: tuple[Alternative, ...] = ()


class Box(Message):
    """Pixels of the frame; right and bottom are exclusive."""

    x1: float
    y1: float
    x2: float
    y2: float


class Read(Message):
    """What is stored, joined with hot lists and searched.

    `captured_at`, `frame_id` and the objects are those of the pass's best frame;
    `first_captured_at` and `last_captured_at` bound the pass.
    """

    read_id: UUID
    agency_id: str
    camera_id: str
    plate: str = Field(min_length=1, max_length=12, description="normalized text")
    match_key: str = Field(min_length=1, max_length=12)
    captured_at: Instant
    first_captured_at: Instant
    last_captured_at: Instant
    latitude: float = Field(ge=-90, le=90)
    longitude: float = Field(ge=-180, le=180)
    heading_degrees: float | None = None
    confidence: float = Field(ge=0, le=1, description="that the whole text is right")
    characters: tuple[Character, ...] = ()
    jurisdiction: str = UNKNOWN_JURISDICTION
    jurisdiction_probability: float = Field(default=0.0, ge=0, le=1)
    frame_id: UUID
    frame_count: int = Field(default=1, ge=1, description="frames of the pass that voted")
    frame_object: str = Field(description="object store key of the whole picture (JPEG)")
    plate_object: str = Field(description="object store key of the plate crop (JPEG)")
    plate_box: Box
    detector_model: str = Field(default="", description="name and version of the weights")
    reader_model: str = ""
    source: Literal["camera", "edge"] = "camera"
    vehicle_type: str | None = Field(default=None, description="None: the recognizer did not say")
    emitted_at: Instant

    @staticmethod
    def id_of(camera_id: str, first_frame_id: UUID, position_in_frame: int) -> UUID:
        """The id of the pass that began in that frame as its n-th plate (left to right)."""
        return deterministic_id("read", camera_id, first_frame_id, position_in_frame)
