"""What is kept of an alert when its reads go: who did what and when, without plate or place."""

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, JsonValue

from alpr_alerts.view import AlertDetailView, StepView
from alpr_common.messages.alert import AlertState
from alpr_common.messages.base import Instant
from alpr_common.messages.hit import HitKind

_REMOVED = "[plate removed]"
_BETWEEN = r"[\s.\-]*"


class RecordedEntry(BaseModel):
    """Why the alert was raised, in the words of the list."""

    entry_id: UUID
    source: str
    reason: str
    case_number: str | None


class RecordedRead(BaseModel):
    """The name of a read: what a legal hold keeps of it lies in access-log under the same."""

    read_id: UUID


class RecordedHit(BaseModel):
    hit_id: UUID
    kind: HitKind
    read: RecordedRead


class AlertRecord(BaseModel):
    """As it is stored and as HTTP shows it. `reads_removed_at` None: the reads are still there."""

    model_config = ConfigDict(frozen=True)

    alert_id: UUID
    agency_id: str
    state: AlertState
    category: str
    category_label: str
    priority: int
    retrospective: bool
    entry: RecordedEntry
    incident_number: str | None
    escalated_at: Instant | None
    handed_off_at: Instant | None
    created_at: Instant
    updated_at: Instant
    reads_removed_at: Instant | None
    hits: tuple[RecordedHit, ...]
    history: tuple[StepView, ...]

    @classmethod
    def of(cls, alert: AlertDetailView, reads_removed_at: datetime | None) -> Self:
        """The record of an alert; texts that people wrote lose the plates that they name."""
        plates = {alert.plate, alert.entry.plate, *(hit.read.plate for hit in alert.hits)}
        named = _naming(plates)
        reason, case_number = alert.entry.reason, alert.entry.case_number
        return cls(
            alert_id=alert.alert_id,
            agency_id=alert.agency_id,
            state=alert.state,
            category=alert.category,
            category_label=alert.category_label,
            priority=alert.priority,
            retrospective=alert.retrospective,
            entry=RecordedEntry(
                entry_id=alert.entry.entry_id,
                source=alert.entry.source,
                reason=named.sub(_REMOVED, reason),
                case_number=case_number,
            ),
            incident_number=alert.incident_number,
            escalated_at=alert.escalated_at,
            handed_off_at=alert.handed_off_at,
            created_at=alert.created_at,
            updated_at=alert.updated_at,
            reads_removed_at=reads_removed_at,
            hits=tuple(
                RecordedHit(
                    hit_id=hit.hit_id, kind=hit.kind, read=RecordedRead(read_id=hit.read.read_id)
                )
                for hit in alert.hits
            ),
            history=tuple(_without_plates(step, named) for step in alert.history),
        )


def _naming(plates: Iterable[str]) -> re.Pattern[str]:
    """Finds the plates as words, also as people write them: `abc 123`, `ABC-123`."""
    ways = (_BETWEEN.join(map(re.escape, plate)) for plate in sorted(plates, key=len, reverse=True))
    return re.compile(rf"(?<![A-Za-z0-9])(?:{'|'.join(ways)})(?![A-Za-z0-9])", re.IGNORECASE)


def _without_plates(step: StepView, named: re.Pattern[str]) -> StepView:
    details: dict[str, JsonValue] = {}
    for name, said in step.details.items():
        if name == "plate":
            continue
        if name == "checked_positions" and isinstance(said, list):
            # Which positions were looked at stays; the characters are the plate's.
            details[name] = [p["position"] if isinstance(p, dict) else p for p in said]
        else:
            details[name] = named.sub(_REMOVED, said) if isinstance(said, str) else said
    return step.model_copy(update={"details": details})
