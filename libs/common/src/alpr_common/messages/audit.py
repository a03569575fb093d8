"""What a service did for somebody with stored data; access-log keeps it (131.7-3a)."""

from typing import Literal
from uuid import UUID

from pydantic import Field

from alpr_common.messages.base import Instant, Message


class AuditRecord(Message):
    """Who saw or did what, why, and how it ended. Refusals are recorded too."""

    audit_id: UUID
    agency_id: str
    occurred_at: Instant
    service: str
    person_id: str
    person_name: str = ""
    role: str
    session_id: str | None = None
    address: str | None = Field(default=None, description="network address of the caller")
    action: str = Field(description="for example alert.picture.viewed, hotlist.entry.added")
    subject: str = Field(description="what it was done to: an alert, entry, read, person …")
    purpose: str | None = None
    case_number: str | None = None
    outcome: Literal["done", "refused", "failed"]
    details: dict[str, str] = Field(default_factory=dict)
