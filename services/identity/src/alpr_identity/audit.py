"""Every change and every sign-in is told to the access log, in the transaction that makes it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import uuid4

from alpr_common import outbox
from alpr_common.auth import Principal
from alpr_common.messages.audit import AuditRecord
from alpr_common.policy import Role
from alpr_common.postgres import Connection
from alpr_common.topics import AUDIT
from alpr_identity import audit_store
from alpr_identity.domain import Person


@dataclass(frozen=True)
class Actor:
    """Who does something: a person over HTTP, or the operator at the command line."""

    person_id: str
    name: str
    role: str
    session_id: str | None = None
    address: str | None = None

    @classmethod
    def of(cls, principal: Principal) -> "Actor":
        return cls(
            principal.person_id, principal.name, principal.role.value, principal.session_id,
            principal.address,
        )  # fmt: skip

    @classmethod
    def of_person(
        cls, person: Person, address: str | None, session_id: str | None = None
    ) -> "Actor":
        """Somebody who signs in: claimed or proven is for the outcome to say."""
        return cls(str(person.person_id), person.name, person.role.value, session_id, address)


OPERATOR = Actor("operator", "Operator at the command line", Role.SERVICE.value)
UPKEEP = Actor("identity", "The sign-in service by itself", Role.SERVICE.value)


async def tell(
    connection: Connection,
    actor: Actor,
    agency_id: str,
    action: str,
    subject: str,
    now: datetime,
    outcome: Literal["done", "refused", "failed"] = "done",
    details: Mapping[str, str] | None = None,
) -> None:
    """Queue one audit record, and keep it for the yearly audit's figures. Call it last in the
    transaction (`outbox.put`)."""
    record = AuditRecord(
        audit_id=uuid4(),
        agency_id=agency_id,
        occurred_at=now,
        service="identity",
        person_id=actor.person_id,
        person_name=actor.name,
        role=actor.role,
        session_id=actor.session_id,
        address=actor.address,
        action=action,
        subject=subject,
        outcome=outcome,
        details=dict(details or {}),
    )
    await audit_store.add_event(
        connection, agency_id, now, action, outcome, subject, actor.person_id, actor.name,
        actor.address, record.details,
    )  # fmt: skip
    await outbox.put(connection, AUDIT, agency_id, record.to_bytes())
