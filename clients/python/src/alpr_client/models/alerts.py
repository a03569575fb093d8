"""Alerts: hits that were put before a person."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import Field

from alpr_client.models.base import Answer
from alpr_client.models.hotlist import HotListEntry
from alpr_client.models.reads import Read


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
    differing_positions: tuple[dict[str, Any], ...] = ()
    """Where a look-alike's read and entry differ: `position`, `read_character`, …"""
    camera_id: str = ""
    captured_at: datetime | None = None
    latitude: float | None = None
    longitude: float | None = None
    hit_count: int = 1
    seen_after_end_at: datetime | None = None
    """The vehicle came back after the alert had ended; no alert of its own was raised for it."""
    handed_off: bool = False
    escalated_at: datetime | None = None
    retrospective: bool = False
    """A stored read met a later entry: no vehicle passed just now."""
    incident_number: str | None = None
    notice: str = ""
    allowed_steps: tuple[str, ...] = ()
    entry: HotListEntry | None = None
    read: Read | None = None


class AlertHit(Answer):
    """One sighting that belongs to an alert."""

    hit_id: UUID
    kind: str = ""
    jurisdiction: str = "unknown"
    read: Read
    matched_at: datetime | None = None


class AlertStep(Answer):
    """Who did what, when, on what evidence. No `person_id`: the system."""

    sequence: int
    step: str
    state: str
    person_id: str | None = None
    person_name: str = ""
    role: str = ""
    occurred_at: datetime
    details: dict[str, Any] = Field(default_factory=dict)


class AlertDetail(Alert):
    """An alert with all of its hits and its history."""

    hits: tuple[AlertHit, ...] = ()
    history: tuple[AlertStep, ...] = ()


class AlertRecord(Answer):
    """What was done about an alert, without plate and place: kept when its reads are gone."""

    alert_id: UUID
    state: str = ""
    category: str = ""
    history: tuple[AlertStep, ...] = ()


class AlertUpdate(Answer):
    """One message of the alert stream. Keep `stream_id` to resume after it later."""

    alert: Alert
    stream_id: str
