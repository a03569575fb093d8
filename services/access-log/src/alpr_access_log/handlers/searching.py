"""Searches, page by page; each is on disk before its rows leave."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from alpr_access_log import domain, store
from alpr_access_log.approvals import store as approvals_store
from alpr_access_log.domain import AccessRecord, Position, Query, Reason
from alpr_access_log.handlers.door import RECORDS, Door, Page, count_record, who
from alpr_access_log.refusals import (
    AccessNotYours,
    ConvoyNeedsApproval,
    CursorInvalid,
    SweepNeedsApproval,
)
from alpr_common.auth import Principal
from alpr_common.postgres import Connection


async def search(
    door: Door, principal: Principal, reason: Reason, query: Query, limit: int, now: datetime
) -> Page:
    """The first page of a new access; the record is on disk before this returns.

    Raises `SuspicionCopied`, `SweepNeedsApproval`, `ConvoyNeedsApproval`, `RepeatNeedsApproval`,
    or an `Outage` when it could not be recorded.
    """
    agency_id, person_id = principal.agency_id, principal.person_id
    if query.convoy is not None:
        raise ConvoyNeedsApproval(
            "Ask a supervisor (POST /v1/search-approvals) and search with the approval.",
            approvals="/v1/search-approvals",
        )
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
        if access.query.convoy is not None:
            raise CursorInvalid("A convoy question has one page. Ask again.")
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
    count_record(record)
    return _page(access.access_id, found, limit)


def _page(access_id: UUID, found: Sequence[store.Found], limit: int) -> Page:
    shown = found[:limit]
    cursor = None
    if len(found) > limit:
        cursor = Position(access_id, shown[-1].captured_at, shown[-1].read_id).cursor
    return Page(access_id, [f.message for f in shown], cursor)
