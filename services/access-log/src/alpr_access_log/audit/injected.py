"""What the audit's routes get of the app."""

from typing import Annotated

from fastapi import Depends, Request

from alpr_access_log.audit.handlers.auditing import Audit
from alpr_access_log.audit.preparing import Preparing
from alpr_common.policy import Role

AUDITORS = (Role.ADMINISTRATOR, Role.AUDITOR, Role.SUPERVISOR)


def _audit(request: Request) -> Audit:
    audit: Audit = request.app.state.audit
    return audit


def _preparing(request: Request) -> Preparing:
    preparing: Preparing = request.app.state.preparing
    return preparing


TheAudit = Annotated[Audit, Depends(_audit)]
ThePreparing = Annotated[Preparing, Depends(_preparing)]
