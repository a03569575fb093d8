"""Who, what, why, when, outcome: what an access record says."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal
from uuid import UUID


@dataclass(frozen=True)
class Who:
    """The caller as the record keeps them."""

    person_id: str
    person_name: str
    agency_id: str
    role: str
    session_id: str | None
    address: str | None


@dataclass(frozen=True)
class Refusal:
    code: str
    clause: str | None
    detail: str


@dataclass(frozen=True)
class AccessRecord:
    """Who, what, why, when, outcome. `returned` are ids of the reads that were shown."""

    record_id: UUID
    who: Who
    occurred_at: datetime
    action: str
    subject: str
    outcome: Literal["done", "refused", "failed"]
    service: str = "access-log"
    access_id: UUID | None = None
    purpose: str | None = None
    case_number: str | None = None
    suspicion: str | None = None
    query: dict[str, Any] | None = None
    returned: tuple[UUID, ...] = ()
    refusal: Refusal | None = None
    details: dict[str, str] = field(default_factory=dict)
