"""What an alert looks like to a person. Pure: from the services' JSON to what templates show."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from alpr_common.messages.alert import AlertState
from alpr_common.messages.base import Instant
from alpr_common.messages.hit import DifferingPosition, HitKind, JurisdictionAgreement
from alpr_common.messages.hotlist import HotListEntry
from alpr_common.messages.read import UNKNOWN_JURISDICTION, Character, Read
from alpr_common.policy import NOT_PROBABLE_CAUSE

UNCERTAIN_BELOW = 0.90
"""A character less probable than this is marked, so that the eye goes there first (131.6-4a)."""

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
            f"{_EVIDENCE[name]} {value}"
            for name, value in self.details.items()
            if name in _EVIDENCE and value
        )


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


@dataclass(frozen=True)
class Position:
    """One character of the read beside the entry's. Probabilities are 0..1, None: not known."""

    number: int
    read_character: str
    read_probability: float | None
    entry_character: str
    entry_probability: float | None

    @property
    def differs(self) -> bool:
        return self.read_character != self.entry_character

    @property
    def uncertain(self) -> bool:
        return self.read_probability is not None and self.read_probability < UNCERTAIN_BELOW


_MISSING = "·"


def compare(alert: Alert) -> tuple[Position, ...]:
    """The read's characters against the entry's, position by position (131.6-4a)."""
    read, entry = alert.read, alert.entry.plate
    known = {p.position: p for p in alert.differing_positions}
    positions = []
    for i in range(max(len(read.plate), len(entry))):
        read_character = read.plate[i] if i < len(read.plate) else _MISSING
        entry_character = entry[i] if i < len(entry) else _MISSING
        character = read.characters[i] if i < len(read.characters) else None
        probability = character.probability if character else None
        other = _probability_of(entry_character, character)
        if i in known:
            probability = known[i].read_probability if probability is None else probability
            other = known[i].entry_probability if other is None else other
        positions.append(Position(i + 1, read_character, probability, entry_character, other))
    return tuple(positions)


def _probability_of(wanted: str, character: Character | None) -> float | None:
    if character is None:
        return None
    if character.character == wanted:
        return character.probability
    return next((a.probability for a in character.alternatives if a.character == wanted), None)


class Progress(StrEnum):
    DONE = "done"
    CURRENT = "current"
    AHEAD = "ahead"
    STOPPED = "stopped"


@dataclass(frozen=True)
class Stage:
    """One of the three verifications that come before anybody is stopped."""

    label: str
    clause: str
    progress: Progress


_REACHED = {
    AlertState.NEW: 0,
    AlertState.ACCEPTED: 1,
    AlertState.ACTIONABLE: 2,
    AlertState.ENFORCED: 3,
    AlertState.CLOSED: 3,
    AlertState.REJECTED: 0,
}


def stages(alert: Alert) -> tuple[Stage, ...]:
    """Where the alert stands: visual check, status, outcome."""
    reached = _REACHED[alert.state]
    if alert.state is AlertState.CLOSED:
        passed = {step.state for step in alert.history}
        reached = 3 if AlertState.ACTIONABLE in passed else 1
    rows = [("Look", "131.6-4a"), ("Ask", "131.6-4b"), ("Outcome", "131.6-6")]
    return tuple(
        Stage(label, clause, _progress(i, reached, alert.finished))
        for i, (label, clause) in enumerate(rows)
    )


def _progress(stage: int, reached: int, finished: bool) -> Progress:
    if stage < reached:
        return Progress.DONE
    if finished:
        return Progress.STOPPED
    return Progress.CURRENT if stage == reached else Progress.AHEAD


def jurisdiction_text(jurisdiction: str | None, probability: float | None = None) -> str:
    """`IL`, `IL (93 %)`, or that it is not known."""
    if not jurisdiction or jurisdiction == UNKNOWN_JURISDICTION:
        return "not known"
    return f"{jurisdiction} ({percent(probability)})" if probability else jurisdiction


def percent(probability: float | None) -> str:
    """In words that never round to certainty."""
    if probability is None:
        return "–"
    return "> 99 %" if 0.99 < probability < 1 else f"{probability * 100:.0f} %"


def announcement(alert: Alert) -> str:
    """What a screen reader says when the alert comes up."""
    return (
        f"Priority {alert.priority}. {alert.category_label}. Plate {' '.join(alert.plate)}. "
        f"Camera {alert.camera_id}. Not verified."
    )


def step_text(step: HistoryStep) -> str:
    """A step of the history in words."""
    return _STEP_TEXTS.get(step.step, step.step.replace("_", " ").capitalize())


# What the services call a thing, and what it says on the page. Their refusals are written for
# programs too.
_PAGE_WORDS = {
    "characters_match": "“Every character matches”",
    "state_matches": "“The state matches”",
    "confirmed_jurisdiction": "“The state that you see”",
    "checked_positions": "the ticks",
    "incident_number": "“Incident or event number”",
    "wrong_state": "“Wrong state”",
    "misread": "“Misread”",
    "expires_at": "“Until”",
    "effective_at": "its beginning",
    "case_number": "“Case number”",
}


def plain(text: str, labels: Mapping[str, str]) -> str:
    """A refusal in the page's words. `labels`: what the policy calls its purposes and categories.

    Positions are counted from 1 on the page, from 0 in the API.
    """
    words = {**labels, **_PAGE_WORDS}
    text = re.sub(r"[a-z]+(?:_[a-z]+)+|\bmisread\b", lambda m: words.get(m[0], m[0]), text)
    text = re.sub(r"(position )(\d+)(?= \(read)", lambda m: f"{m[1]}{int(m[2]) + 1}", text)
    return text.replace("`", "")


_STEP_TEXTS = {
    "raised": "Alert raised",
    "accepted": "Characters and state checked by eye",
    "status_confirmed": "Status confirmed",
    "status_not_confirmed": "Status not confirmed",
    "status_unavailable": "Status asked, no answer yet",
    "handed_off": "Handed to Communications",
    "escalated": "Escalated to Communications: nobody had answered",
}


def parse_local(text: str, zone: Any) -> datetime | None:
    """A time typed into a `datetime-local` field, in the console's zone; None when empty.

    Raises ValueError when it is no time.
    """
    return datetime.fromisoformat(text).replace(tzinfo=zone) if text else None


class Typed(dict[str, str]):
    """What a form held; a field that it did not hold is empty."""

    def __missing__(self, name: str) -> str:
        return ""

    @classmethod
    def of(cls, items: Iterable[tuple[str, object]]) -> Self:
        """From a form's fields, without files."""
        return cls({name: value for name, value in items if isinstance(value, str)})


def given(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that somebody filled in: the services tell "absent" from "empty"."""
    return {name: value for name, value in fields.items() if value not in (None, "")}
