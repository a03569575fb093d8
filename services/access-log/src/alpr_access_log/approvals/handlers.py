"""Searches that a supervisor approves first: sweeps, and one plate again and again (131.6-3).

Who asks says everything that a search says. What is approved is exactly that, for one search of
the person who asked, until it expires; each step is an access record of its own.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from alpr_access_log import domain, handlers, store
from alpr_access_log.approvals import store as approvals_store
from alpr_access_log.approvals.store import Approval, Decision
from alpr_access_log.domain import AccessRecord, Query, Reason
from alpr_access_log.handlers import Door, Page, who
from alpr_access_log.refusals import (
    ApprovalNotFound,
    ApprovalNotUsable,
    OwnRequest,
    RankNotAllowed,
)
from alpr_common.auth import Principal
from alpr_common.policy import ApprovalKind, Policy, Role
from alpr_common.postgres import Connection

DECIDERS = (Role.SUPERVISOR,)
_SEE_ALL = frozenset({Role.SUPERVISOR, Role.ADMINISTRATOR})


async def request(
    door: Door, principal: Principal, reason: Reason, query: Query, now: datetime
) -> Approval:
    """Ask for a search to be approved; raises `SuspicionCopied`."""
    agency_id = principal.agency_id
    lifetime = door.policy.of(agency_id).search_approval_seconds
    approval = Approval(
        approval_id=uuid4(), approval_sequence=0, requested_by_id=principal.person_id,
        requested_by_name=principal.name, requested_at=now,
        expires_at=now + timedelta(seconds=lifetime), reason=reason, query=query, decision=None,
        decided_by_id=None, decided_by_name=None, decided_by_rank=None, decided_at=None, note=None,
        access_id=None, used_at=None,
    )  # fmt: skip
    async with store.recording(door.database, agency_id) as connection:
        previous = await store.last_suspicion(connection, agency_id, principal.person_id)
        domain.refuse_copied_suspicion(reason.suspicion, previous)
        await approvals_store.add(connection, agency_id, approval)
        await _record(connection, principal, approval, "search_approval.requested", now)
    return approval


async def decide(
    door: Door, principal: Principal, approval_id: UUID, decision: Decision, note: str | None,
    now: datetime,
) -> Approval:  # fmt: skip
    """Approve or deny what somebody else of the agency asked for.

    Raises `ApprovalNotFound`, `OwnRequest`, `RankNotAllowed`, `ApprovalNotUsable` when it was
    decided or expired.
    """
    agency_id = principal.agency_id
    async with store.recording(door.database, agency_id) as connection:
        approval = await _locked(connection, agency_id, approval_id)
        if approval.requested_by_id == principal.person_id:
            raise OwnRequest("Ask another supervisor of your agency to decide.")
        refuse_rank(door.policy.of(agency_id), approval, principal)
        state = approval.state(now)
        if state != "pending":
            raise ApprovalNotUsable(f"It is {state} already.")
        decided = replace(
            approval, decision=decision, decided_by_id=principal.person_id,
            decided_by_name=principal.name, decided_by_rank=principal.rank, decided_at=now,
            note=note,
        )  # fmt: skip
        await approvals_store.decide(connection, agency_id, decided)
        await _record(connection, principal, decided, f"search_approval.{decision}", now)
    return decided


def refuse_rank(policy: Policy, approval: Approval, principal: Principal) -> None:
    """Raise `RankNotAllowed` where the policy leaves that kind of approval to other ranks."""
    if policy.rank_decides(approval.kind, principal.rank):
        return
    ranks = policy.deciding_ranks(approval.kind)
    may = ", ".join(deciders(policy, approval))
    own = "no rank is on record for you"
    if principal.rank is not None:
        own = f"your rank is {policy.supervisor_ranks.get(principal.rank, principal.rank)}"
    raise RankNotAllowed(
        f"{_KINDS[approval.kind]} is decided on by: {may}; {own}. So says approval_ranks of your "
        "agency's policy file; your ALPR administrator records ranks.",
        ranks=sorted(ranks),
    )


_KINDS: dict[ApprovalKind, str] = {
    "sweep": "A search without a plate",
    "convoy": "A convoy question",
    "repeated_plate": "One plate again and again",
}


def deciders(policy: Policy, approval: Approval) -> list[str]:
    """What the ranks are called that decide on it, in the policy's order."""
    ranks = policy.deciding_ranks(approval.kind)
    return [label for rank, label in policy.supervisor_ranks.items() if rank in ranks]


def may_decide(policy: Policy, approval: Approval, principal: Principal, now: datetime) -> bool:
    """Whether the caller can decide on it now."""
    return (
        approval.state(now) == "pending"
        and principal.role in DECIDERS
        and principal.person_id != approval.requested_by_id
        and policy.rank_decides(approval.kind, principal.rank)
    )


async def search(
    door: Door, principal: Principal, approval_id: UUID, limit: int, now: datetime
) -> Page:
    """The search that was approved, once, for the person who asked for it.

    Raises `ApprovalNotFound`, `ApprovalNotUsable`, or an `Outage` when it could not be recorded.
    """
    agency_id = principal.agency_id
    async with store.recording(door.database, agency_id) as connection:
        approval = await usable(connection, principal, approval_id, now)
        if approval.query.convoy is not None:
            raise ApprovalNotUsable("It is of a convoy question: use it at /v1/searches/convoy.")
        page = await handlers.answer(
            connection, door, principal, approval.reason, approval.query, limit, now,
            details(approval),
        )  # fmt: skip
        await approvals_store.use(connection, agency_id, approval_id, page.access_id, now)
    handlers.count_search()
    return page


async def usable(
    connection: Connection, principal: Principal, approval_id: UUID, now: datetime
) -> Approval:
    """The person's own approval, locked until it is used or the transaction ends.

    Raises `ApprovalNotFound`, `ApprovalNotUsable`.
    """
    approval = await _locked(connection, principal.agency_id, approval_id)
    if approval.requested_by_id != principal.person_id:
        raise ApprovalNotFound("Look at the list of what you asked for.")
    state = approval.state(now)
    if state != "approved":
        raise ApprovalNotUsable(f"It is {state}; only what is approved can be searched for.")
    return approval


def details(approval: Approval) -> dict[str, str]:
    """What the record of a search says about the approval that it used."""
    said = {
        "approval_id": str(approval.approval_id),
        "approved_by": approval.decided_by_id or "",
    }
    rank = approval.decided_by_rank
    return said | ({"approved_by_rank": rank} if rank else {})


async def list_approvals(
    door: Door, principal: Principal, pending: bool, before: int | None, limit: int, now: datetime
) -> tuple[list[Approval], str | None]:
    """One's own; for supervisors and administrators the agency's. Newest first, and a cursor."""
    own = None if principal.role in _SEE_ALL else principal.person_id
    async with door.database.transaction(principal.agency_id) as connection:
        found = await approvals_store.list_approvals(
            connection, principal.agency_id, own, pending, now, before, limit + 1
        )
    shown = found[:limit]
    return shown, str(shown[-1].approval_sequence) if len(found) > limit else None


async def get(door: Door, principal: Principal, approval_id: UUID) -> Approval:
    """One that the caller may see; raises `ApprovalNotFound`."""
    async with door.database.transaction(principal.agency_id) as connection:
        approval = await _locked(connection, principal.agency_id, approval_id)
    if principal.role not in _SEE_ALL and approval.requested_by_id != principal.person_id:
        raise ApprovalNotFound("Look at the list of what you asked for.")
    return approval


async def _locked(connection: Connection, agency_id: str, approval_id: UUID) -> Approval:
    approval = await approvals_store.lock(connection, agency_id, approval_id)
    if approval is None:
        raise ApprovalNotFound("Look at the list of what was asked for.")
    return approval


async def _record(
    connection: Connection, principal: Principal, approval: Approval, action: str, now: datetime
) -> None:
    details = {"requested_by": approval.requested_by_id}
    if approval.decision is not None:
        details["rank"] = approval.decided_by_rank or "not on record"
    record = AccessRecord(
        record_id=uuid4(),
        who=who(principal),
        occurred_at=now,
        action=action,
        subject=f"approval:{approval.approval_id}",
        outcome="done",
        purpose=approval.reason.purpose,
        case_number=approval.reason.case_number,
        suspicion=approval.reason.suspicion,
        query=approval.query.to_record(),
        details=details | ({"note": approval.note} if approval.note else {}),
    )
    await store.append(connection, record)
