"""What people do with hot lists, as the access log is told of it."""

from datetime import datetime
from typing import Any
from uuid import UUID

from alpr_common.auth import Principal
from alpr_common.messages.audit import AuditRecord


def audit_record(
    person: Principal, audit_id: UUID, action: str, subject: str, now: datetime, **said: Any
) -> AuditRecord:
    """Something that a person did. `said`: further fields of the record."""
    return AuditRecord(
        audit_id=audit_id,
        agency_id=person.agency_id,
        occurred_at=now,
        service="matcher",
        person_id=person.person_id,
        person_name=person.name,
        role=person.role,
        session_id=person.session_id,
        address=person.address,
        action=action,
        subject=subject,
        outcome="done",
        **said,
    )
