"""An alert as HTTP and the stream show it (CAD systems and the console read exactly this)."""

from uuid import UUID

from pydantic import BaseModel, JsonValue

from alpr_alerts.domain import Alert, Step, allowed_steps
from alpr_alerts.retention.domain import reads_go_at
from alpr_alerts.store import AttachedHit, TakenStep
from alpr_common.messages.alert import AlertState
from alpr_common.messages.base import Instant
from alpr_common.messages.hit import DifferingPosition, HitKind, JurisdictionAgreement
from alpr_common.messages.hotlist import HotListEntry
from alpr_common.messages.read import Read
from alpr_common.policy import NOT_PROBABLE_CAUSE, Policy

# For a category that the agency's policy file no longer names: visible, but no alarm.
_UNNAMED_COLOUR = "#c58bff"
_UNNAMED_SOUND = "notice"
_SILENT = "silent"


class AlertView(BaseModel):
    """`read` and `entry` are as they were when they agreed; `sequence` counts the steps so far."""

    alert_id: UUID
    agency_id: str
    state: AlertState
    plate: str
    entry: HotListEntry
    kind: HitKind
    jurisdiction: JurisdictionAgreement
    differing_positions: tuple[DifferingPosition, ...]
    camera_id: str
    captured_at: Instant
    first_captured_at: Instant
    last_captured_at: Instant
    latitude: float
    longitude: float
    read: Read
    hit_count: int
    category: str
    category_label: str
    priority: int
    colour: str
    sound: str
    notice: str
    retrospective: bool
    """A stored read met a later entry: no vehicle passed just now, so it makes no sound."""
    became_live_at: Instant | None
    """When the live hit of that read came after all: from then on it is as any other. Who plays
    `sound` when a new alert comes plays it when a new one ceases to be retrospective, too."""
    seen_after_end_at: Instant | None
    """When the vehicle was last seen after the alert had ended, within its window: such a hit
    raises no alert of its own and takes no step. It is told once more, without a sound."""
    handed_off: bool
    handed_off_at: Instant | None
    escalated_at: Instant | None
    assigned_person_id: str | None
    assigned_person_name: str | None
    assigned_at: Instant | None
    confirmed_jurisdiction: str | None
    status_confirmed_at: Instant | None
    incident_number: str | None
    created_at: Instant
    due_at: Instant
    """When it is escalated if nobody has answered by then."""
    reads_go_at: Instant
    """When its reads are past their retention; an open alert is closed shortly before."""
    updated_at: Instant
    sequence: int
    allowed_steps: tuple[str, ...]


class HitView(BaseModel):
    """One sighting that belongs to an alert."""

    hit_id: UUID
    kind: HitKind
    jurisdiction: JurisdictionAgreement
    read: Read
    matched_at: Instant
    attached_at: Instant
    retrospective: bool
    """It came as that of a stored read."""
    seen_live_at: Instant | None
    """When it came live as well, after that."""


class StepView(BaseModel):
    """Who did what, when, on what evidence. No `person_id`: the system."""

    sequence: int
    step: str
    state: AlertState
    person_id: str | None
    person_name: str
    role: str
    occurred_at: Instant
    details: dict[str, JsonValue]


class AlertDetailView(AlertView):
    hits: tuple[HitView, ...]
    history: tuple[StepView, ...]


class AlertPage(BaseModel):
    """`stream_position`: give it as Last-Event-ID and the stream goes on where this page stood."""

    items: tuple[AlertView, ...]
    next_cursor: str | None
    stream_position: int


def view(alert: Alert, policy: Policy) -> AlertView:
    hit, read = alert.hit, alert.hit.read
    category = policy.categories.get(hit.entry.category)
    accepted = alert.answered if alert.answered and alert.answered.step is Step.ACCEPTED else None
    return AlertView(
        alert_id=alert.alert_id,
        agency_id=alert.agency_id,
        state=alert.state,
        plate=read.plate,
        entry=hit.entry,
        kind=hit.kind,
        jurisdiction=hit.jurisdiction,
        differing_positions=hit.differing_positions,
        camera_id=read.camera_id,
        captured_at=read.captured_at,
        first_captured_at=alert.first_captured_at,
        last_captured_at=alert.last_captured_at,
        latitude=read.latitude,
        longitude=read.longitude,
        read=read,
        hit_count=alert.hit_count,
        category=hit.entry.category,
        category_label=category.label if category else hit.entry.category.replace("_", " "),
        priority=hit.entry.priority,
        colour=category.colour if category else _UNNAMED_COLOUR,
        sound=_SILENT if alert.retrospective else category.sound if category else _UNNAMED_SOUND,
        notice=NOT_PROBABLE_CAUSE,
        retrospective=alert.retrospective,
        became_live_at=alert.became_live_at,
        seen_after_end_at=alert.seen_after_end_at,
        handed_off=alert.handed_off_at is not None,
        handed_off_at=alert.handed_off_at,
        escalated_at=alert.escalated_at,
        assigned_person_id=accepted.actor.person_id if accepted else None,
        assigned_person_name=accepted.actor.name if accepted else None,
        assigned_at=accepted.at if accepted else None,
        confirmed_jurisdiction=alert.confirmed_jurisdiction,
        status_confirmed_at=alert.status_confirmed_at,
        incident_number=alert.incident_number,
        created_at=alert.created_at,
        due_at=alert.due_at,
        reads_go_at=reads_go_at(alert.first_captured_at, hit.entry.category, policy),
        updated_at=alert.updated_at,
        sequence=alert.sequence,
        allowed_steps=tuple(action.value for action in allowed_steps(alert.state)),
    )


def detail_view(
    alert: Alert, hits: list[AttachedHit], steps: list[TakenStep], policy: Policy
) -> AlertDetailView:
    return AlertDetailView(
        **dict(view(alert, policy)),
        hits=tuple(
            HitView(
                hit_id=attached.hit.hit_id,
                kind=attached.hit.kind,
                jurisdiction=attached.hit.jurisdiction,
                read=attached.hit.read,
                matched_at=attached.hit.matched_at,
                attached_at=attached.attached_at,
                retrospective=attached.hit.retrospective,
                seen_live_at=attached.seen_live_at,
            )
            for attached in hits
        ),
        history=tuple(
            StepView(
                sequence=step.sequence,
                step=step.done.step.value,
                state=step.state,
                person_id=step.done.actor.person_id,
                person_name=step.done.actor.name,
                role=step.done.actor.role,
                occurred_at=step.done.at,
                details=step.details,
            )
            for step in steps
        ),
    )
