"""What access-log does, one function per use case. Nothing is shown that was not recorded first."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from uuid import UUID, uuid4

import structlog
from prometheus_client import Counter, Histogram

from alpr_access_log import domain, store
from alpr_access_log.approvals import store as approvals_store
from alpr_access_log.domain import AccessRecord, Position, Query, Reason, Refusal, Who
from alpr_access_log.refusals import AccessNotYours, CursorInvalid, SweepNeedsApproval
from alpr_common.auth import Principal
from alpr_common.errors import NotFound
from alpr_common.messages.audit import AuditRecord
from alpr_common.messages.hit import Hit
from alpr_common.messages.read import Read
from alpr_common.objects import Pictures
from alpr_common.policy import Policies
from alpr_common.postgres import Connection, Database

log = structlog.get_logger()

STORED = Counter(
    "alpr_reads_stored_total", "Reads by what became of them: new, known, past_retention", ["how"]
)
STORE_SECONDS = Histogram(
    "alpr_reads_store_delay_seconds", "From a read's emission to its being stored",
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60, 3600),
)  # fmt: skip
RECORDS = Counter(
    "alpr_access_records_total", "Access records appended", ["service", "action", "outcome"]
)

PictureKind = Literal["frame", "plate"]


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


async def search(
    door: Door, principal: Principal, reason: Reason, query: Query, limit: int, now: datetime
) -> Page:
    """The first page of a new access; the record is on disk before this returns.

    Raises `SuspicionCopied`, `SweepNeedsApproval`, `RepeatNeedsApproval`, or an `Outage` when it
    could not be recorded.
    """
    agency_id, person_id = principal.agency_id, principal.person_id
    if query.plate is None:
        raise SweepNeedsApproval(
            "Ask a supervisor (POST /v1/search-approvals) and search with the approval.",
            approvals="/v1/search-approvals",
        )
    async with store.recording(door.database, agency_id) as connection:
        day_ago = now - timedelta(days=1)
        searched = await approvals_store.plates_searched_since(
            connection, agency_id, person_id, day_ago
        )
        domain.refuse_repetition(query, searched, door.policy.of(agency_id))
        previous = await store.last_suspicion(connection, agency_id, person_id)
        domain.refuse_copied_suspicion(reason.suspicion, previous)
        page = await answer(connection, door, principal, reason, query, limit, now)
    count_search()
    return page


async def answer(
    connection: Connection,
    door: Door,
    principal: Principal,
    reason: Reason,
    query: Query,
    limit: int,
    now: datetime,
    details: dict[str, str] | None = None,
) -> Page:
    """Read the first page and append its record, in the caller's transaction: nothing of it may
    leave before that has committed."""
    agency_id, access_id = principal.agency_id, uuid4()
    kept = door.kept(agency_id, now)
    found = await store.find_reads(connection, agency_id, query, None, limit + 1, kept)
    record = AccessRecord(
        record_id=access_id,
        access_id=access_id,
        who=who(principal),
        occurred_at=now,
        action="search",
        subject=query.subject,
        outcome="done",
        purpose=reason.purpose,
        case_number=reason.case_number,
        suspicion=reason.suspicion,
        query=query.to_record(),
        returned=tuple(f.read_id for f in found[:limit]),
        details=details or {},
    )
    await store.append(connection, record)
    return _page(access_id, found, limit)


def count_search() -> None:
    """One more search was answered, after its record became durable."""
    RECORDS.labels("access-log", "search", "done").inc()


async def next_page(
    door: Door,
    principal: Principal,
    position: Position,
    same_query: Query | None,
    limit: int,
    now: datetime,
) -> Page:
    """A further page of the person's own access, recorded as part of it.

    `same_query` is what the request repeated, None if nothing. Raises `AccessNotYours`,
    `AccessExpired`, `CursorInvalid` when the request asks for something else.
    """
    agency_id = principal.agency_id
    async with store.recording(door.database, agency_id) as connection:
        access = await store.find_access(
            connection, agency_id, principal.person_id, position.access_id
        )
        if access is None:
            raise AccessNotYours("The cursor belongs to no search of yours. Search again.")
        policy = door.policy.of(agency_id)
        domain.refuse_expired(access.occurred_at, policy.search_paging_seconds, now)
        if same_query is not None and same_query != access.query:
            raise CursorInvalid("The cursor belongs to another search. Search without it.")
        found = await store.find_reads(
            connection, agency_id, access.query, position, limit + 1, door.kept(agency_id, now)
        )
        record = AccessRecord(
            record_id=uuid4(),
            access_id=access.access_id,
            who=who(principal),
            occurred_at=now,
            action="search.page",
            subject=access.query.subject,
            outcome="done",
            purpose=access.purpose,
            case_number=access.case_number,
            suspicion=access.suspicion,
            query=access.query.to_record(),
            returned=tuple(f.read_id for f in found[:limit]),
        )
        await store.append(connection, record)
    _count(record)
    return _page(access.access_id, found, limit)


def _page(access_id: UUID, found: Sequence[store.Found], limit: int) -> Page:
    shown = found[:limit]
    cursor = None
    if len(found) > limit:
        cursor = Position(access_id, shown[-1].captured_at, shown[-1].read_id).cursor
    return Page(access_id, [f.message for f in shown], cursor)


async def view_picture(
    door: Door,
    principal: Principal,
    read_id: UUID,
    kind: PictureKind,
    access_id: UUID | None,
    now: datetime,
) -> bytes:
    """The JPEG of a read that this access returned to this person; recorded before it leaves.

    Raises `AccessNotYours`, `AccessExpired`, `ObjectNotFound`, or an `Outage`.
    """
    agency_id, person_id = principal.agency_id, principal.person_id
    if access_id is None:
        raise AccessNotYours("Say in `access_id` which search of yours returned this read.")
    async with door.database.transaction(agency_id) as connection:
        access = await store.find_access(connection, agency_id, person_id, access_id)
        shown_at = await store.returned_at(connection, agency_id, person_id, access_id, read_id)
        if access is None or shown_at is None:
            raise AccessNotYours("That search of yours did not return this read. Search for it.")
        policy = door.policy.of(agency_id)
        domain.refuse_expired(shown_at, policy.picture_view_seconds, now)
        read = await store.read_message(
            connection, agency_id, read_id, access.query, door.kept(agency_id, now)
        )
    if read is None:
        raise NotFound("The read is not stored any more.")
    # Taken first and shown last: between the two the record becomes durable.
    jpeg = await door.pictures.get(read.frame_object if kind == "frame" else read.plate_object)
    record = AccessRecord(
        record_id=uuid4(),
        access_id=access_id,
        who=who(principal),
        occurred_at=now,
        action="read.picture.viewed",
        subject=f"read:{read_id}",
        outcome="done",
        purpose=access.purpose,
        case_number=access.case_number,
        suspicion=access.suspicion,
        returned=(read_id,),
        details={"picture": kind},
    )
    await _append(door, record)
    return jpeg


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
    await _append(door, record)


async def _append(door: Door, record: AccessRecord) -> None:
    async with store.recording(door.database, record.who.agency_id) as connection:
        await store.append(connection, record)
    _count(record)


def _count(record: AccessRecord) -> None:
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


async def store_reads(
    database: Database, reads: Sequence[tuple[Read, bytes]], policies: Policies, now: datetime
) -> None:
    """Store a batch, each agency's reads in a transaction of their own; redeliveries change
    nothing. Reads beyond their retention are left out and counted."""
    by_agency: dict[str, list[tuple[Read, bytes]]] = defaultdict(list)
    for read, message in reads:
        if domain.is_past_retention(read, policies.of(read.agency_id), now):
            STORED.labels("past_retention").inc()
        else:
            by_agency[read.agency_id].append((read, message))
    kept = [read for group in by_agency.values() for read, _ in group]
    if not kept:
        return
    # Apart from the rows: partitions are made under a lock that should not outlast the making.
    async with database.transaction() as connection:
        await store.ensure_partitions(connection, domain.days_of(kept))
    for agency_id, group in by_agency.items():
        async with database.transaction(agency_id) as connection:
            new = await store.store_reads(connection, group)
        STORED.labels("new").inc(new)
        STORED.labels("known").inc(len(group) - new)
    stored_at = datetime.now(UTC)
    for read in kept:
        STORE_SECONDS.observe(max(0.0, (stored_at - read.emitted_at).total_seconds()))


async def note_hits(
    database: Database, hits: Sequence[Hit], policies: Policies, now: datetime
) -> None:
    """Mark the reads that were hits, for searches that ask for them; again changes nothing.

    The marker of a read beyond its retention is left out: no purge would come by for it.
    """
    by_agency: dict[str, list[tuple[UUID, datetime]]] = defaultdict(list)
    for hit in hits:
        if not domain.is_past_retention(hit.read, policies.of(hit.agency_id), now):
            by_agency[hit.agency_id].append((hit.read.read_id, hit.read.captured_at))
    for agency_id, reads in by_agency.items():
        async with database.transaction(agency_id) as connection:
            await approvals_store.note_hits(connection, agency_id, reads)


async def append_audits(database: Database, records: Sequence[AuditRecord]) -> None:
    """Append what other services report; redeliveries change nothing."""
    by_agency: dict[str, list[AuditRecord]] = defaultdict(list)
    for record in records:
        by_agency[record.agency_id].append(record)
    for agency_id, group in by_agency.items():
        async with database.transaction(agency_id) as connection:
            await store.append_audits(connection, group)
        for record in group:
            RECORDS.labels(record.service, record.action, record.outcome).inc()
