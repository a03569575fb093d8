"""An alert: a hit put before a person, and what that person decided (131.6)."""

from enum import StrEnum
from uuid import UUID

from pydantic import Field

from alpr_common.messages.base import Instant, Message


class AlertState(StrEnum):
    """`new → accepted → actionable → enforced | closed`, with `rejected` and `closed` as ends."""

    NEW = "new"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    ACTIONABLE = "actionable"
    ENFORCED = "enforced"
    CLOSED = "closed"


class StatusAnswer(StrEnum):
    """What Communications or LEADS answered when the entry's status was asked (131.6-4b)."""

    CONFIRMED = "confirmed"
    NOT_CONFIRMED = "not_confirmed"
    UNAVAILABLE = "unavailable"


class AlertChanged(Message):
    """One step of one alert, on `alpr.alerts.v1`. `sequence` counts the alert's steps from 1.

    `hit_attached` is no step: a further hit of an alert that was acted on. It repeats the last
    step's `sequence`, and `read_ids` has grown.
    """

    change_id: UUID
    alert_id: UUID
    agency_id: str
    sequence: int
    step: str
    state: AlertState
    plate: str = Field(description="empty where the topic would keep it for longer than its reads")
    category: str
    priority: int
    camera_id: str
    person_id: str | None = None
    occurred_at: Instant
    read_ids: tuple[UUID, ...] = Field(default=(), description="of all its hits so far")
    case_number: str | None = Field(default=None, description="the hot list entry's")
    incident_number: str | None = Field(default=None, description="under which it was enforced")
