"""What every use case of the door needs: its dependencies, who asks, and recording."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID, uuid4

from prometheus_client import Counter

from alpr_access_log import store
from alpr_access_log.domain import AccessRecord, Refusal, Who
from alpr_common.auth import Principal
from alpr_common.objects import Pictures
from alpr_common.policy import Policies
from alpr_common.postgres import Database

RECORDS = Counter(
    "alpr_access_records_total", "Access records appended", ["service", "action", "outcome"]
)


@dataclass(frozen=True)
class Door:
    """What every use case of the door needs."""

    database: Database
    pictures: Pictures
    policy: Policies

    def kept(self, agency_id: str, now: datetime) -> store.Kept:
        """What of an agency's reads is within its retention at `now`."""
        days = self.policy.of(agency_id).reads_retention_days
        return store.Kept(now - timedelta(days=days), now)


@dataclass(frozen=True)
class Page:
    """One page of an access, newest reads first, as the messages that were stored."""

    access_id: UUID
    items: list[dict[str, Any]]
    next_cursor: str | None


@dataclass(frozen=True)
class Attempt:
    """What somebody tried, as far as it can be told from a request that was refused."""

    action: str
    subject: str
    access_id: UUID | None = None
    purpose: str | None = None
    case_number: str | None = None
    suspicion: str | None = None
    query: dict[str, Any] = field(default_factory=dict)


def who(principal: Principal) -> Who:
    return Who(
        principal.person_id, principal.name, principal.agency_id, principal.role.value,
        principal.session_id, principal.address,
    )  # fmt: skip


def done_by(
    principal: Principal, action: str, subject: str, now: datetime, **said: Any
) -> AccessRecord:
    """The record of something that whoever is signed in did. `said`: its further fields."""
    return AccessRecord(
        record_id=uuid4(),
        who=who(principal),
        occurred_at=now,
        action=action,
        subject=subject,
        outcome="done",
        **said,
    )


async def record_refusal(
    door: Door, principal: Principal, attempt: Attempt, refusal: Refusal,
    outcome: Literal["refused", "failed"], now: datetime,
) -> None:  # fmt: skip
    """Record, in a transaction of its own, what was asked and why it was not answered.

    Raises an `Outage` when it cannot: then not even the refusal is told.
    """
    record = AccessRecord(
        record_id=uuid4(),
        access_id=attempt.access_id,
        who=who(principal),
        occurred_at=now,
        action=attempt.action,
        subject=attempt.subject,
        outcome=outcome,
        purpose=attempt.purpose,
        case_number=attempt.case_number,
        suspicion=attempt.suspicion,
        query=attempt.query or None,
        refusal=refusal,
    )
    await append_apart(door, record)


async def append_apart(door: Door, record: AccessRecord) -> None:
    async with store.recording(door.database, record.who.agency_id) as connection:
        await store.append(connection, record)
    count_record(record)


def count_record(record: AccessRecord) -> None:
    RECORDS.labels(record.service, record.action, record.outcome).inc()


async def list_records(
    door: Door, principal: Principal, wanted: store.RecordFilter, before: int | None, limit: int
) -> tuple[list[dict[str, Any]], str | None]:
    """Access records of the caller's agency, newest first, and the cursor of the next page."""
    async with door.database.transaction(principal.agency_id) as connection:
        rows = await store.list_records(connection, principal.agency_id, wanted, before, limit + 1)
    more = len(rows) > limit
    rows = rows[:limit]
    return rows, str(rows[-1]["record_sequence"]) if more else None
