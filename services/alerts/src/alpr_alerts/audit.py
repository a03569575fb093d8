"""What goes to the log about people who work on alerts (131.7-3a): who, what, why, how it ended."""

from datetime import datetime
from typing import Literal
from uuid import UUID, uuid4

from alpr_common.auth import Principal
from alpr_common.errors import AlprError
from alpr_common.messages.audit import AuditRecord
from alpr_common.outbox import put
from alpr_common.postgres import Connection, Database
from alpr_common.topics import AUDIT

SERVICE = "alerts"
PURPOSE = "alert_verification"

Outcome = Literal["done", "refused", "failed"]


def subject_of(alert_id: UUID) -> str:
    """How an alert is named as a subject or as a purpose."""
    return f"alert:{alert_id}"


def record(
    principal: Principal,
    action: str,
    subject: str,
    now: datetime,
    *,
    purpose: str = PURPOSE,
    outcome: Outcome = "done",
    details: dict[str, str] | None = None,
) -> AuditRecord:
    return AuditRecord(
        audit_id=uuid4(),
        agency_id=principal.agency_id,
        occurred_at=now,
        service=SERVICE,
        person_id=principal.person_id,
        person_name=principal.name,
        role=principal.role.value,
        session_id=principal.session_id,
        address=principal.address,
        action=action,
        subject=subject,
        purpose=purpose,
        outcome=outcome,
        details=details or {},
    )


def of_the_system(
    agency_id: str, action: str, subject: str, now: datetime, details: dict[str, str]
) -> AuditRecord:
    """What nobody asked for: retention's doings."""
    return AuditRecord(
        audit_id=uuid4(),
        agency_id=agency_id,
        occurred_at=now,
        service=SERVICE,
        person_id="system:retention",
        role="service",
        action=action,
        subject=subject,
        outcome="done",
        details=details,
    )


async def append(connection: Connection, audit: AuditRecord) -> None:
    """Record it in the caller's transaction; call it last (see `outbox.put`)."""
    await put(connection, AUDIT, audit.agency_id, audit.to_bytes())


async def append_alone(database: Database, audit: AuditRecord) -> None:
    """Record it durably by itself; raises `Outage`, and then nothing may be shown."""
    async with database.transaction(audit.agency_id) as connection:
        await append(connection, audit)


async def append_refusal(
    database: Database,
    principal: Principal,
    action: str,
    subject: str,
    now: datetime,
    refusal: AlprError,
    outcome: Outcome = "refused",
) -> None:
    """Record what somebody was refused: the transaction that refused it left nothing behind."""
    details = {"code": refusal.code, "detail": refusal.detail}
    if refusal.clause:
        details["clause"] = refusal.clause
    await append_alone(
        database, record(principal, action, subject, now, outcome=outcome, details=details)
    )
