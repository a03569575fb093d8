"""What an alert is: its states, the words for what is done to it, and how a step changes it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from pydantic import JsonValue

from alpr_common.messages.alert import AlertState
from alpr_common.messages.hit import Hit
from alpr_common.policy import Policy

_DEFAULTS = Policy()

ANSWER_WITHIN = "answer_within_seconds"
ENDS = frozenset({AlertState.REJECTED, AlertState.ENFORCED, AlertState.CLOSED})
ACTED_ON = frozenset({AlertState.ACCEPTED, AlertState.ACTIONABLE, AlertState.ENFORCED})
"""States in which what the alert rests on is preserved (131.5-c)."""


class Action(StrEnum):
    """What a person may do, by the word in the route."""

    ACCEPT = "accept"
    REJECT = "reject"
    STATUS = "status"
    ENFORCE = "enforce"
    CLOSE = "close"
    HAND_OFF = "hand-off"


_ALLOWED: Mapping[AlertState, tuple[Action, ...]] = {
    AlertState.NEW: (Action.ACCEPT, Action.REJECT, Action.HAND_OFF),
    AlertState.ACCEPTED: (Action.STATUS, Action.CLOSE, Action.HAND_OFF),
    AlertState.ACTIONABLE: (Action.ENFORCE, Action.CLOSE, Action.HAND_OFF),
}


class Step(StrEnum):
    """What was done, by the word in the history."""

    RAISED = "raised"
    ESCALATED = "escalated"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    STATUS_CONFIRMED = "status_confirmed"
    STATUS_NOT_CONFIRMED = "status_not_confirmed"
    STATUS_UNAVAILABLE = "status_unavailable"
    ENFORCED = "enforced"
    CLOSED = "closed"
    HANDED_OFF = "handed_off"
    EXPIRED = "expired"
    """Nobody ended it before its reads had to go (131.7-1d)."""
    BECAME_LIVE = "became_live"
    """The read that was found among the stored ones was hit live as well (131.3-alert)."""


class RejectionReason(StrEnum):
    MISREAD = "misread"
    WRONG_STATE = "wrong_state"
    NOT_THE_VEHICLE = "not_the_vehicle"
    ENTRY_OUTDATED = "entry_outdated"
    DUPLICATE = "duplicate"
    OTHER = "other"


class StatusSource(StrEnum):
    """Who was asked (131.6-4b)."""

    COMMUNICATIONS = "communications"
    LEADS = "leads"


@dataclass(frozen=True)
class Actor:
    """Who takes a step. The system itself has no `person_id`."""

    person_id: str | None
    name: str
    role: str
    session_id: str | None = None


SYSTEM = Actor(None, "The system", "service")


@dataclass(frozen=True)
class Done:
    """A step that was taken: by whom and when."""

    step: Step
    actor: Actor
    at: datetime

    def __str__(self) -> str:
        return f"{self.step.replace('_', ' ')} by {self.actor.name} at {self.at:%H:%M:%S} UTC"


@dataclass(frozen=True)
class Alert:
    """An alert as it stands. `hit` is the one that raised it; `sequence` counts its steps."""

    alert_id: UUID
    agency_id: str
    hit: Hit
    state: AlertState
    sequence: int
    first_captured_at: datetime
    last_captured_at: datetime
    hit_count: int
    created_at: datetime
    due_at: datetime
    """When it is escalated if nobody has answered by then."""
    updated_at: datetime
    last: Done
    answered: Done | None = None
    confirmed_jurisdiction: str | None = None
    status_confirmed_at: datetime | None = None
    incident_number: str | None = None
    handed_off_at: datetime | None = None
    escalated_at: datetime | None = None
    became_live_at: datetime | None = None
    """When the live hit of a read came that had been found among the stored ones before."""

    @property
    def retrospective(self) -> bool:
        """Whether stored reads alone are known to have met the entry: nothing passes just now."""
        return self.hit.retrospective and self.became_live_at is None

    @property
    def seen_after_end_at(self) -> datetime | None:
        """When the vehicle was last seen after the alert had ended, within its window: the hit
        attaches, nobody is asked anything, but who ended it may want to know. None: it was not.

        Both by the camera's clock and by when the hit came: one that was on its way already, or
        whose camera's clock is ahead, is no return.
        """
        ended = self.state in ENDS
        returned = min(self.last_captured_at, self.updated_at) > self.last.at
        return self.last_captured_at if ended and returned else None

    @property
    def waits_since(self) -> datetime:
        """From when on its answer is awaited."""
        return self.became_live_at or self.created_at


@dataclass(frozen=True)
class Move:
    """A step that the guards let through, not yet taken."""

    step: Step
    state: AlertState
    details: dict[str, JsonValue] = field(default_factory=dict)


def allowed_steps(state: AlertState) -> tuple[Action, ...]:
    """What a person may do next; nothing after an end."""
    return _ALLOWED.get(state, ())


def raised(alert_id: UUID, hit: Hit, now: datetime, policy: Policy = _DEFAULTS) -> Alert:
    """The new alert that a hit becomes: unverified, nobody's yet."""
    seen_at = hit.read.captured_at
    due_at = now + timedelta(seconds=policy.escalation_seconds(retrospective=hit.retrospective))
    return Alert(
        alert_id=alert_id,
        agency_id=hit.agency_id,
        hit=hit,
        state=AlertState.NEW,
        sequence=1,
        first_captured_at=seen_at,
        last_captured_at=seen_at,
        hit_count=1,
        created_at=now,
        due_at=due_at,
        updated_at=now,
        last=Done(Step.RAISED, SYSTEM, now),
    )


def take(alert: Alert, move: Move, actor: Actor, now: datetime) -> Alert:
    """The alert after that step."""
    # Whoever waited for somebody else's step asked for the time before it: the history stays in
    # order all the same.
    now = max(now, alert.last.at)
    done = Done(move.step, actor, now)
    after = replace(alert, state=move.state, sequence=alert.sequence + 1, updated_at=now, last=done)
    match move.step:
        case Step.ACCEPTED:
            seen = move.details["confirmed_jurisdiction"]
            return replace(
                after, answered=done, confirmed_jurisdiction=None if seen is None else str(seen)
            )
        case Step.REJECTED:
            return replace(after, answered=done)
        case Step.STATUS_CONFIRMED:
            return replace(after, status_confirmed_at=now)
        case Step.ENFORCED:
            return replace(after, incident_number=str(move.details["incident_number"]))
        case Step.HANDED_OFF:
            return replace(after, handed_off_at=alert.handed_off_at or now)
        case Step.ESCALATED:
            return replace(after, escalated_at=now)
        case Step.BECAME_LIVE:
            return _live(after, move)
    return after


def _live(after: Alert, move: Move) -> Alert:
    """Who was told of the calm alert was not told of a live one: an answer is due anew."""
    after = replace(after, became_live_at=after.last.at)
    match move.details.get(ANSWER_WITHIN):
        case int() | float() as seconds:
            due_at = after.last.at + timedelta(seconds=seconds)
            return replace(after, due_at=due_at, escalated_at=None)
    return after
