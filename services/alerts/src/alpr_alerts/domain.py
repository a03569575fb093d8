"""The state machine of an alert (131.6): pure rules, no I/O.

    new ──accept──▶ accepted ──status confirmed──▶ actionable ──enforce──▶ enforced
     └──reject──▶ rejected    └──status not confirmed, close──▶ closed ◀──close──┘

Nothing is actionable without the visual check (131.6-4a) and the confirmed status (131.6-4b);
nothing is enforced without an incident number (131.6-6). Hand-off to Communications is open until
an end (131.6-8d) and changes no state: the alert is still somebody's to answer.

An accepted alert may also be closed (the vehicle is gone and nobody waits for the status any
longer): no enforcement follows from that, and the alternative is an alert that stays open for ever.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from pydantic import JsonValue

from alpr_alerts import refusals
from alpr_common.messages.alert import AlertState, StatusAnswer
from alpr_common.messages.hit import Hit, HitKind, JurisdictionAgreement

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
    updated_at: datetime
    last: Done
    answered: Done | None = None
    confirmed_jurisdiction: str | None = None
    status_confirmed_at: datetime | None = None
    incident_number: str | None = None
    handed_off_at: datetime | None = None
    escalated_at: datetime | None = None


@dataclass(frozen=True)
class VisualCheck:
    """What a person saw. `checked_positions` are those of a look-alike hit, counted from 0."""

    characters_match: bool = False
    state_matches: bool = False
    confirmed_jurisdiction: str | None = None
    checked_positions: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Move:
    """A step that the guards let through, not yet taken."""

    step: Step
    state: AlertState
    details: dict[str, JsonValue] = field(default_factory=dict)


def allowed_steps(state: AlertState) -> tuple[Action, ...]:
    """What a person may do next; nothing after an end."""
    return _ALLOWED.get(state, ())


def accept(alert: Alert, check: VisualCheck) -> Move:
    """131.6-4a: the person saw that the characters and the state are those of the entry."""
    _require_unanswered(alert)
    entry = alert.hit.entry
    if not check.characters_match:
        raise refusals.CharactersNotVerified(
            f"Compare the plate in the picture with {entry.plate}, character by character. If they "
            "agree, accept with characters_match; if not, reject the alert as misread."
        )
    _require_differing_positions(alert.hit, check)
    if not check.state_matches:
        raise refusals.StateNotVerified(
            f"Compare the state of the plate in the picture with the entry's "
            f"({entry.jurisdiction or 'not stated'}). If they agree, accept with state_matches; "
            "if not, reject the alert as wrong_state."
        )
    jurisdiction = _confirmed_jurisdiction(alert.hit, check)
    details: dict[str, JsonValue] = {
        "characters_match": True,
        "state_matches": True,
        "plate": entry.plate,
        "confirmed_jurisdiction": jurisdiction,
    }
    if alert.hit.differing_positions:
        details["checked_positions"] = [
            {"position": p.position, "read": p.read_character, "seen": p.entry_character}
            for p in alert.hit.differing_positions
        ]
    return Move(Step.ACCEPTED, AlertState.ACCEPTED, details)


def _require_differing_positions(hit: Hit, check: VisualCheck) -> None:
    if hit.kind is not HitKind.LOOKALIKE:
        return
    missing = [p for p in hit.differing_positions if p.position not in check.checked_positions]
    if missing:
        where = ", ".join(
            f"position {p.position} (read {p.read_character}, listed {p.entry_character})"
            for p in missing
        )
        raise refusals.DifferingPositionsNotChecked(
            f"The camera read {hit.read.plate}, the list says {hit.entry.plate}. Look again at "
            f"{where}. If the plate shows the listed characters, accept with checked_positions "
            "naming each of them; if it shows what was read, reject the alert as misread.",
            positions=[p.position for p in missing],
        )


def _confirmed_jurisdiction(hit: Hit, check: VisualCheck) -> str | None:
    """The state as a person confirmed it; must be said where the system does not know it."""
    said = (check.confirmed_jurisdiction or "").strip().upper()
    listed = hit.entry.jurisdiction
    if not said:
        if hit.jurisdiction is JurisdictionAgreement.SAME:
            return listed
        raise refusals.JurisdictionNotConfirmed(
            "The system could not tell that the plate's state is the entry's "
            f"({listed or 'not stated'}). Read the state off the picture and accept with it as "
            "confirmed_jurisdiction; if it cannot be read or differs, reject the alert as "
            "wrong_state."
        )
    if listed and said != listed.strip().upper():
        raise refusals.PlateOfAnotherState(
            f"You see a plate of {said}, the entry is for {listed}. Reject the alert as "
            "wrong_state, or correct confirmed_jurisdiction if you mistyped it."
        )
    return said


def reject(alert: Alert, reason: RejectionReason | None, note: str | None = None) -> Move:
    """131.6-5: the person says why this alert is none."""
    _require_unanswered(alert)
    if reason is None:
        raise refusals.RejectionReasonMissing(
            f"Say why, as reason: {', '.join(RejectionReason)}; add a note where it helps."
        )
    return Move(Step.REJECTED, AlertState.REJECTED, _details(reason=reason.value, note=note))


def status(
    alert: Alert, answer: StatusAnswer, source: StatusSource, reference: str | None = None
) -> Move:
    """131.6-4b: what Communications or LEADS answered about the entry's current status."""
    _require_open(alert)
    if alert.state is AlertState.NEW:
        raise refusals.VisualCheckFirst(
            "Check characters and state by eye and accept the alert; then ask for its status."
        )
    if alert.state is AlertState.ACTIONABLE:
        raise refusals.StatusAlreadyConfirmed(
            "Go on to enforce it with its incident number, or close it. If the entry was "
            "cancelled since, close it and say so."
        )
    steps = {
        StatusAnswer.CONFIRMED: (Step.STATUS_CONFIRMED, AlertState.ACTIONABLE),
        StatusAnswer.NOT_CONFIRMED: (Step.STATUS_NOT_CONFIRMED, AlertState.CLOSED),
        StatusAnswer.UNAVAILABLE: (Step.STATUS_UNAVAILABLE, AlertState.ACCEPTED),
    }
    step, state = steps[answer]
    return Move(step, state, _details(source=source.value, reference=reference))


def enforce(alert: Alert, incident_number: str | None, note: str | None = None) -> Move:
    """131.6-6: enforcement, documented under its incident or event number."""
    _require_open(alert)
    if alert.state is AlertState.NEW:
        raise refusals.VisualCheckFirst(
            "Nothing may be done on a hit alone. Check characters and state by eye, accept the "
            "alert, then have its status confirmed by Communications or LEADS."
        )
    if alert.state is AlertState.ACCEPTED:
        raise refusals.StatusCheckFirst(
            "Have the current status confirmed by Communications or LEADS and record the answer; "
            "only a confirmed alert may be acted on."
        )
    number = (incident_number or "").strip()
    if not number:
        raise refusals.IncidentNumberMissing(
            "Give the number of the incident report or event as incident_number."
        )
    return Move(Step.ENFORCED, AlertState.ENFORCED, _details(incident_number=number, note=note))


def close(alert: Alert, reason: str | None, note: str | None = None) -> Move:
    """The alert ends without enforcement."""
    _require_open(alert)
    if alert.state is AlertState.NEW:
        raise refusals.AnswerBeforeClosing(
            "Reject the alert with its reason, or accept it after the visual check."
        )
    words = (reason or "").strip()
    if not words:
        raise refusals.ClosingReasonMissing(
            "Say in a few words what came of it, as reason: for example that the vehicle was gone."
        )
    return Move(Step.CLOSED, AlertState.CLOSED, _details(reason=words, note=note))


def hand_off(alert: Alert, note: str | None = None) -> Move:
    """131.6-8d: who cannot act tells Communications, who can pass it to others."""
    _require_open(alert)
    return Move(Step.HANDED_OFF, alert.state, _details(note=note))


def escalate(alert: Alert, now: datetime, after_seconds: float) -> Move:
    """131.6-5: nobody answered in time, so Communications is told, once."""
    due_at = alert.created_at + timedelta(seconds=after_seconds)
    if alert.state is not AlertState.NEW or alert.escalated_at is not None or now < due_at:
        raise refusals.NothingToEscalate("It was answered, escalated already, or is not due yet.")
    return Move(
        Step.ESCALATED, alert.state, {"to": "communications", "after_seconds": after_seconds}
    )


def raised(alert_id: UUID, hit: Hit, now: datetime) -> Alert:
    """The new alert that a hit becomes: unverified, nobody's yet."""
    seen_at = hit.read.captured_at
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
    return after


def require_sequence(alert: Alert, expected: int | None) -> None:
    """Raise `AlertMovedOn` when the caller decided on an older picture of the alert."""
    if expected is not None and expected != alert.sequence:
        raise refusals.AlertMovedOn(
            f"You saw step {expected}, it is at step {alert.sequence}: {alert.last}. Look at it "
            "again and decide then.",
            **_who(alert, alert.last),
        )


def _require_open(alert: Alert) -> None:
    if alert.state in ENDS:
        raise refusals.AlertEnded(
            f"It was {alert.last}. Nothing can be added to it; another sighting raises a new one.",
            **_who(alert, alert.last),
        )


def _require_unanswered(alert: Alert) -> None:
    if alert.state is not AlertState.NEW:
        answered = alert.answered or alert.last
        ended = alert.state in ENDS
        raise refusals.AlreadyAnswered(
            f"It was {answered}. "
            + ("It has ended." if ended else "Go on from there, or leave it to them."),
            **_who(alert, answered),
        )


def _who(alert: Alert, done: Done) -> dict[str, JsonValue]:
    """Members of the problem details that tell the caller who was first."""
    return {
        "state": alert.state.value,
        "sequence": alert.sequence,
        "step": done.step.value,
        "person_id": done.actor.person_id,
        "person_name": done.actor.name,
        "occurred_at": done.at.isoformat(),
    }


def _details(**given: str | None) -> dict[str, JsonValue]:
    return {name: text.strip() for name, text in given.items() if text and text.strip()}
