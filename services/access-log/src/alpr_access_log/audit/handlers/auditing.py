"""What every use case of the audit needs, and how it is recorded."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import uuid4

from alpr_access_log.audit.identity import Identity
from alpr_access_log.audit.protection import PlateKey
from alpr_access_log.audit.witnessed import Copies
from alpr_access_log.domain import AccessRecord, Who
from alpr_access_log.handlers import who
from alpr_access_log.log.reading import Log
from alpr_common.auth import Principal
from alpr_common.objects import Pictures
from alpr_common.policy import Policies
from alpr_common.postgres import Database

SYSTEM = "system:audit"


@dataclass(frozen=True)
class Audit:
    """What every use case here needs. `witness` is the address that `copies` reads from."""

    database: Database
    objects: Pictures
    policies: Policies
    log: Log
    copies: Copies
    witness: str
    identity: Identity
    plate_key: PlateKey
    analysed_at_once_max: int = 50_000
    """Records that an analysis looks through while somebody waits for it: some ten seconds."""


def record_of(
    principal: Principal, action: str, subject: str, now: datetime, **said: Any
) -> AccessRecord:
    """The record of what somebody did here. `said` is texts and whole numbers."""
    return record_by(who(principal), action, subject, now, **said)


def record_by(by: Who, action: str, subject: str, now: datetime, **said: Any) -> AccessRecord:
    """The same for somebody who is not there any more."""
    return AccessRecord(
        record_id=uuid4(),
        who=by,
        occurred_at=now,
        action=action,
        subject=subject,
        outcome="done",
        query=said or None,
    )


def record_of_the_system(
    agency_id: str, action: str, subject: str, now: datetime, **said: Any
) -> AccessRecord:
    """The record of what nobody asked for: the daily run."""
    by = Who(SYSTEM, "", agency_id, "service", None, None)
    return record_by(by, action, subject, now, **said)
