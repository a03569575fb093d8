"""Identity's HTTP for the yearly audit (131.5-d): passwords, training, sessions of a period."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from alpr_common.auth import Gate, Principal
from alpr_common.policy import Role
from alpr_common.web import StorableText
from alpr_identity import yearly_audit
from alpr_identity.audit_bodies import (
    AuditedSession,
    AuditedSessions,
    FromAt,
    PasswordSecurityShown,
    ToAt,
    TrainingAuditShown,
)
from alpr_identity.identity import Identity
from alpr_identity.yearly_audit import Period

# Addresses, locks and ages of passwords are the administrator's and the auditors' to see; the
# training roster is open to supervisors as well.
AUDIT_READERS = (Role.ADMINISTRATOR, Role.AUDITOR)
TRAINING_READERS = (*AUDIT_READERS, Role.SUPERVISOR)
_NOT_KEPT = {"Cache-Control": "no-store"}


def _identity(request: Request) -> Identity:
    identity: Identity = request.app.state.identity
    return identity


TheIdentity = Annotated[Identity, Depends(_identity)]


def router(gate: Gate) -> APIRouter:
    routes = APIRouter(prefix="/audit")
    auditing = gate.signed_in(*AUDIT_READERS)

    @routes.get("/password-security")
    async def password_security(
        identity: TheIdentity, principal: Annotated[Principal, Depends(auditing)],
        response: Response, begin: FromAt, end: ToAt,
    ) -> PasswordSecurityShown:  # fmt: skip
        """Policy, accounts, second factors, ages of passwords, locks and sign-ins for the yearly
        audit (131.5-d): `?from=&to=`; administrators and auditors."""
        response.headers.update(_NOT_KEPT)
        report = await yearly_audit.password_security(
            identity, principal, Period(begin, end), datetime.now(UTC)
        )
        return PasswordSecurityShown.of(report)

    @routes.get("/training")
    async def training(
        identity: TheIdentity,
        principal: Annotated[Principal, Depends(gate.signed_in(*TRAINING_READERS))],
        response: Response, begin: FromAt, end: ToAt,
    ) -> TrainingAuditShown:  # fmt: skip
        """Everybody's training with its history, and every lapse that touches the period, with who
        had access when it began (131.5-d): `?from=&to=`; supervisors too."""
        response.headers.update(_NOT_KEPT)
        report = await yearly_audit.training(
            identity, principal, Period(begin, end), datetime.now(UTC)
        )
        return TrainingAuditShown.of(report)

    @routes.get("/sessions")
    async def sessions(
        identity: TheIdentity, principal: Annotated[Principal, Depends(auditing)],
        response: Response, begin: FromAt, end: ToAt,
        cursor: Annotated[StorableText | None, Query(max_length=200)] = None,
        limit: Annotated[int, Query(ge=1, le=5000)] = 1000,
    ) -> AuditedSessions:  # fmt: skip
        """Sessions that were open at some moment of the period, with person, address, begin and
        end (131.5-d): `?from=&to=`; administrators and auditors."""
        response.headers.update(_NOT_KEPT)
        rows, following = await yearly_audit.sessions_between(
            identity, principal, Period(begin, end), cursor, limit, datetime.now(UTC)
        )
        items = [AuditedSession.model_validate(row) for row in rows]
        return AuditedSessions(items=items, next_cursor=following)

    return routes
