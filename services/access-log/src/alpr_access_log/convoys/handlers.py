"""Convoy questions: answered once per approval, and recorded before anything leaves (131.7-3a)."""

from datetime import datetime
from uuid import UUID, uuid4

from alpr_access_log import handlers, store
from alpr_access_log.approvals import handlers as approvals
from alpr_access_log.approvals import store as approvals_store
from alpr_access_log.convoys import store as convoys_store
from alpr_access_log.convoys.store import Company
from alpr_access_log.domain import AccessRecord
from alpr_access_log.handlers import Door, who
from alpr_access_log.refusals import ApprovalNotUsable
from alpr_common.auth import Principal


async def search(
    door: Door, principal: Principal, approval_id: UUID, now: datetime
) -> tuple[UUID, Company]:
    """Who was seen together with the plate that was approved, and the id of this access.

    Raises `ApprovalNotFound`, `ApprovalNotUsable`, or an `Outage` when it could not be recorded.
    """
    agency_id, access_id = principal.agency_id, uuid4()
    async with store.recording(door.database, agency_id) as connection:
        approval = await approvals.usable(connection, principal, approval_id, now)
        query = approval.query
        if query.convoy is None:
            raise ApprovalNotUsable("It is of another search: use it at /v1/searches.")
        company = await convoys_store.find(
            connection, agency_id, query, door.policy.of(agency_id), door.kept(agency_id, now)
        )
        record = AccessRecord(
            record_id=access_id,
            access_id=access_id,
            who=who(principal),
            occurred_at=now,
            action="search",
            subject=query.subject,
            outcome="done",
            purpose=approval.reason.purpose,
            case_number=approval.reason.case_number,
            suspicion=approval.reason.suspicion,
            query=query.to_record(),
            returned=tuple(read_id for one in company.vehicles for read_id, _ in one.reads),
            details=approvals.details(approval),
        )
        await store.append(connection, record)
        await approvals_store.use(connection, agency_id, approval_id, access_id, now)
    handlers.count_search()
    return access_id, company
