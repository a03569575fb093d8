"""Stored reads, and what a search for them answers (131.7)."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import Field

from alpr_client.models.base import Answer


class Read(Answer):
    read_id: UUID
    plate: str
    camera_id: str
    captured_at: datetime
    latitude: float
    longitude: float
    jurisdiction: str = "unknown"
    confidence: float | None = None


class SearchAnswer(Answer):
    """`access_id` names the record of this search in the log (131.7-3a)."""

    access_id: UUID
    items: list[Read]
    next_cursor: str | None = None


class AccompanyingVehicle(Answer):
    """A plate that was together with the one asked for, at so many cameras, so many times."""

    plate: str
    cameras: int
    times: int
    reads: tuple[Read, ...] = ()


class ConvoyAnswer(Answer):
    """Who went along with a plate. `is_complete` is false where it has older passes."""

    access_id: UUID
    passes: int
    is_complete: bool
    vehicles: list[AccompanyingVehicle]


class Approval(Answer):
    """A search that somebody asked a supervisor for: pending, approved, denied, used or expired."""

    approval_id: UUID
    state: str
    requested_by_id: str = ""
    requested_by_name: str = ""
    requested_at: datetime
    expires_at: datetime
    purpose: str = ""
    case_number: str = ""
    suspicion: str = ""
    query: dict[str, Any] = Field(default_factory=dict)
    kind: str = ""
    deciders: tuple[str, ...] = ()
    """What the ranks are called that decide on it."""
    may_decide: bool = False
    """Whether whoever asks can decide on it now."""
    decided_by_name: str | None = None
    decided_by_rank: str | None = None
    decided_at: datetime | None = None
    note: str | None = None
    access_id: UUID | None = None
    """The search that used it."""


class AccessRecord(Answer):
    """One line of the agency's access log."""

    record_id: UUID
    access_id: UUID | None = None
    occurred_at: datetime
    person_id: str = ""
    person_name: str = ""
    role: str = ""
    action: str = ""
    subject: str | None = None
    purpose: str | None = None
    case_number: str | None = None
    suspicion: str | None = None
    query: dict[str, Any] | None = None
    returned_count: int | None = None
    outcome: str = ""
    refusal_clause: str | None = None
    refusal_detail: str | None = None
