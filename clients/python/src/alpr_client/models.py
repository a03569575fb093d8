"""What the system answers. Fields that a later version adds are kept, not refused."""

from datetime import datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict

T = TypeVar("T")


class Answer(BaseModel):
    """Base: frozen; unknown fields are reachable as attributes."""

    model_config = ConfigDict(frozen=True, extra="allow")


class Page(Answer, Generic[T]):
    """Part of a list; `next_cursor` fetches the next part, None says that this is the last.

    Of alerts, `stream_position` is where `alerts.stream(after=…)` goes on from this page.
    """

    items: list[T]
    next_cursor: str | None = None
    stream_position: int | None = None


class Person(Answer):
    """Who is signed in."""

    person_id: str | None = None
    username: str | None = None
    name: str = ""
    agency_id: str = ""
    role: str = ""


class Session(Answer):
    access_token: str
    expires_at: datetime
    refresh_token: str | None = None
    person: Person | None = None
    must_enrol: bool = False
    """Nothing is open until the person has set up a second factor."""


class HotListEntry(Answer):
    entry_id: UUID
    plate: str
    category: str
    reason: str = ""
    jurisdiction: str | None = None
    priority: int | None = None
    source: str | None = None
    case_number: str | None = None
    vehicle: str | None = None
    caution: str | None = None
    effective_at: datetime | None = None
    expires_at: datetime | None = None
    agency_id: str = ""
    state: str = ""
    check: str = ""
    """How the second person's check stands: not_needed, waiting, overdue or done (131.6-7)."""
    added_by_name: str = ""


class Read(Answer):
    read_id: UUID
    plate: str
    camera_id: str
    captured_at: datetime
    latitude: float
    longitude: float
    jurisdiction: str = "unknown"
    confidence: float | None = None


class Alert(Answer):
    """A hit put before a person. A hit alone is no reason for a stop: see `notice`."""

    alert_id: UUID
    state: str
    plate: str
    sequence: int = 0
    agency_id: str = ""
    category: str = ""
    category_label: str = ""
    priority: int | None = None
    kind: str = ""
    jurisdiction: str = "unknown"
    differing_positions: list[dict[str, Any]] = []
    """Where a look-alike's read and entry differ: `position`, `read_character`, …"""
    camera_id: str = ""
    captured_at: datetime | None = None
    latitude: float | None = None
    longitude: float | None = None
    hit_count: int = 1
    handed_off: bool = False
    notice: str = ""
    allowed_steps: list[str] = []
    entry: dict[str, Any] | None = None
    read: dict[str, Any] | None = None


class AlertUpdate(Answer):
    """One message of the alert stream. Keep `stream_id` to resume after it later."""

    alert: Alert
    stream_id: str


class SearchAnswer(Answer):
    """`access_id` names the record of this search in the log (131.7-3a)."""

    access_id: UUID
    items: list[Read]
    next_cursor: str | None = None


class Camera(Answer):
    camera_id: str
    name: str = ""
    kind: str = "fixed"
    agency_id: str = ""
    latitude: float | None = None
    longitude: float | None = None
    heading_degrees: float | None = None
    attested: bool = False
    privacy_masks: list[list[tuple[float, float]]] = []
    retired_at: datetime | None = None


class RegisteredCamera(Camera):
    """A camera with its credential, which is never shown again."""

    credential: str


class FrameReceipt(Answer):
    """The frame will not be lost. `spooled`: it waits on disk until Kafka is back."""

    frame_id: UUID
    spooled: bool = False
