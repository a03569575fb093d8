"""What lets a step through: each guard gives the move, or refuses with its clause."""

from datetime import datetime

from pydantic import JsonValue

from alpr_alerts import refusals
from alpr_alerts.domain.alert import (
    ANSWER_WITHIN,
    ENDS,
    Alert,
    Done,
    Move,
    RejectionReason,
    StatusSource,
    Step,
)
from alpr_alerts.domain.visual_check import (
    VisualCheck,
    confirmed_jurisdiction,
    require_differing_positions,
)
from alpr_common.messages.alert import AlertState, StatusAnswer
from alpr_common.messages.hit import Hit
from alpr_common.policy import Policy


def accept(alert: Alert, check: VisualCheck) -> Move:
    """131.6-4a: the person saw that the characters and the state are those of the entry."""
    _require_unanswered(alert)
    entry = alert.hit.entry
    if not check.characters_match:
        raise refusals.CharactersNotVerified(
            f"Compare the plate in the picture with {entry.plate}, character by character. If they "
            "agree, accept with characters_match; if not, reject the alert as misread."
        )
    require_differing_positions(alert.hit, check)
    if not check.state_matches:
        raise refusals.StateNotVerified(
            f"Compare the state of the plate in the picture with the entry's "
            f"({entry.jurisdiction or 'not stated'}). If they agree, accept with state_matches; "
            "if not, reject the alert as wrong_state."
        )
    jurisdiction = confirmed_jurisdiction(alert.hit, check)
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


def escalate(alert: Alert, now: datetime) -> Move:
    """131.6-5: nobody answered in time, so Communications is told, once.

    Of a stored read no vehicle passes just now: it is a supervisor's to see that it is answered.
    """
    if alert.state is not AlertState.NEW or alert.escalated_at is not None or now < alert.due_at:
        raise refusals.NothingToEscalate("It was answered, escalated already, or is not due yet.")
    to = "supervisor" if alert.retrospective else "communications"
    after_seconds = (alert.due_at - alert.waits_since).total_seconds()
    return Move(Step.ESCALATED, alert.state, {"to": to, "after_seconds": after_seconds})


def become_live(alert: Alert, live: Hit, policy: Policy) -> Move:
    """131.3-alert: the live hit of a read came that had been found among the stored ones first.

    | the alert is | then |
    |---|---|
    | new | it sounds, and an answer is due as of a live one, also where a supervisor was told |
    | accepted, actionable | its history and its mark say so; who works on it goes on |
    | rejected, enforced, closed | refused: an end is final. A person has seen this very read |
    """
    if not alert.retrospective or alert.state in ENDS:
        raise refusals.NothingToWake("It is live already, or it has ended.")
    seen_at, stored_at = live.read.captured_at, alert.created_at
    details: dict[str, JsonValue] = {
        "hit_id": str(live.hit_id),
        "captured_at": seen_at.isoformat(),
        "matched_at": live.matched_at.isoformat(),
        "reason": f"a live hit of what was seen at {seen_at:%Y-%m-%d %H:%M:%S} UTC came; "
        f"stored reads alone had raised this alert, at {stored_at:%H:%M:%S} UTC",
    }
    if alert.state is AlertState.NEW:
        details[ANSWER_WITHIN] = policy.escalation_seconds(retrospective=False)
    return Move(Step.BECAME_LIVE, alert.state, details)


def expire(alert: Alert, now: datetime, expires_at: datetime, reads_go_at: datetime) -> Move:
    """131.7-1d: its reads are about to go, so it ends although nobody ended it; a supervisor is
    told, because somebody ought to have (131.6-5)."""
    if alert.state in ENDS or now < expires_at:
        raise refusals.NothingToExpire("It has ended, or its reads are kept for a while yet.")
    return Move(
        Step.EXPIRED,
        AlertState.CLOSED,
        {"to": "supervisor", "was": alert.state.value, "reads_go_at": reads_go_at.isoformat()},
    )


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
            f"It was {alert.last}. Nothing can be added to it; a sighting after its time window "
            "raises a new one.",
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
