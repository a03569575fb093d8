"""What an alert looks like to a person. Pure: from the alert service's JSON to what pages show."""

from enum import StrEnum
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from alpr_common.messages.alert import AlertState
from alpr_common.messages.base import Instant
from alpr_common.messages.hit import DifferingPosition, HitKind, JurisdictionAgreement
from alpr_common.messages.hotlist import HotListEntry
from alpr_common.messages.read import Read
from alpr_common.policy import NOT_PROBABLE_CAUSE

FINISHED = frozenset({AlertState.REJECTED, AlertState.ENFORCED, AlertState.CLOSED})

STATE_LABELS: dict[AlertState, str] = {
    AlertState.NEW: "To verify",
    AlertState.ACCEPTED: "Ask status",
    AlertState.ACTIONABLE: "Actionable",
    AlertState.ENFORCED: "Enforced",
    AlertState.CLOSED: "Closed",
    AlertState.REJECTED: "Rejected",
}

PRIORITY_SHAPES = {1: "octagon", 2: "triangle", 3: "diamond", 4: "square", 5: "circle"}
"""Colour is never alone: at night, in a hurry, or colour-blind, the shape says it too."""


class Sound(StrEnum):
    URGENT = "urgent"
    NOTICE = "notice"
    SILENT = "silent"


_EVIDENCE = {
    "confirmed_jurisdiction": "State:",
    "reason": "Because:",
    "source": "Answered by",
    "reference": "Reference",
    "incident_number": "Incident",
    "note": "Note:",
}


class HistoryStep(BaseModel):
    """Who did what to the alert, and when."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    sequence: int = 0
    step: str
    state: AlertState | None = None
    person_id: str | None = None
    person_name: str | None = None
    role: str | None = None
    occurred_at: Instant
    details: dict[str, Any] = Field(default_factory=dict)

    @property
    def who(self) -> str:
        name = self.person_name or self.person_id or "The system"
        return f"{name}, {self.role}" if self.person_id and self.role else name

    @property
    def evidence(self) -> tuple[str, ...]:
        """What the step rests on, in words; the ticks of the visual check go without saying."""
        return tuple(
            f"{_EVIDENCE[name]} {self._said(name, value)}"
            for name, value in self.details.items()
            if name in _EVIDENCE and value
        )

    def _said(self, name: str, value: Any) -> Any:
        """Why an alert was rejected is one of the service's codes; all else is people's words."""
        coded = self.step == "rejected" and name == "reason"
        return str(value).replace("_", " ") if coded else value


class Alert(BaseModel):
    """An alert as the alert service answers it; fields that this page does not show are left."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    alert_id: UUID
    agency_id: str
    state: AlertState
    plate: str
    entry: HotListEntry
    kind: HitKind
    jurisdiction: JurisdictionAgreement
    differing_positions: tuple[DifferingPosition, ...] = ()
    camera_id: str
    captured_at: Instant
    latitude: float
    longitude: float
    read: Read
    hit_count: int = 1
    category: str
    category_label: str
    priority: int = Field(ge=1, le=5)
    sound: Sound = Sound.NOTICE
    notice: str = NOT_PROBABLE_CAUSE
    retrospective: bool = False
    seen_after_end_at: Instant | None = None
    handed_off: bool = False
    escalated_at: Instant | None = None
    created_at: Instant
    updated_at: Instant
    sequence: int
    allowed_steps: tuple[str, ...] = ()
    history: tuple[HistoryStep, ...] = ()

    @property
    def finished(self) -> bool:
        return self.state in FINISHED

    @property
    def state_label(self) -> str:
        return STATE_LABELS[self.state]

    @property
    def shape(self) -> str:
        return PRIORITY_SHAPES[self.priority]

    @property
    def order(self) -> str:
        """Sorts the board as text: open before finished, urgent before not, newest first."""
        age = 10**16 - int(self.created_at.timestamp() * 1_000_000)
        return f"{int(self.finished)}-{self.priority}-{age:016d}"

    @property
    def position(self) -> str:
        """The place as one reads it over the radio: 39.80167 N, 89.64372 W."""
        north = "N" if self.latitude >= 0 else "S"
        east = "E" if self.longitude >= 0 else "W"
        return f"{abs(self.latitude):.5f} {north}, {abs(self.longitude):.5f} {east}"

    def may(self, step: str) -> bool:
        return step in self.allowed_steps


def announcement(alert: Alert) -> str:
    """What a screen reader says when the alert comes up."""
    return (
        f"Priority {alert.priority}. {alert.category_label}. Plate {' '.join(alert.plate)}. "
        f"Camera {alert.camera_id}. Not verified."
    )


def step_text(step: HistoryStep) -> str:
    """A step of the history in words."""
    if step.step == "escalated":
        told = "a supervisor" if step.details.get("to") == "supervisor" else "Communications"
        return f"Escalated to {told}: nobody had answered"
    return _STEP_TEXTS.get(step.step, step.step.replace("_", " ").capitalize())


_STEP_TEXTS = {
    "raised": "Alert raised",
    "became_live": "Seen by a camera just now: an alert of stored reads until then",
    "accepted": "Characters and state checked by eye",
    "status_confirmed": "Status confirmed",
    "status_not_confirmed": "Status not confirmed",
    "status_unavailable": "Status asked, no answer yet",
    "handed_off": "Handed to Communications",
    "expired": "Closed unanswered: its read has to go with the retention. A supervisor was told",
}
