"""HTTP of search approvals. As at the door, every refusal is recorded before it is told."""

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from alpr_access_log import domain
from alpr_access_log.approvals import handlers as approvals
from alpr_access_log.approvals.store import Approval, Decision
from alpr_access_log.forms import BODY_MAX_BYTES, SearchForm, query_of
from alpr_access_log.handlers import Door
from alpr_access_log.recorded import NOT_KEPT, RecordedRoute, TheDoor
from alpr_common.auth import Gate, Principal
from alpr_common.policy import ApprovalKind
from alpr_common.web import StorableText


class Note(BaseModel):
    model_config = ConfigDict(extra="forbid")

    note: Annotated[StorableText, Field(max_length=2000)] | None = None


class ApprovalShown(BaseModel):
    approval_id: UUID
    state: Literal["pending", "approved", "denied", "used", "expired"]
    requested_by_id: str
    requested_by_name: str
    requested_at: datetime
    expires_at: datetime
    purpose: str
    case_number: str
    suspicion: str
    query: dict[str, Any] = Field(description="what would be searched for, as it was asked")
    decided_by_id: str | None
    decided_by_name: str | None
    decided_by_rank: str | None = Field(description="of supervisor_ranks, as it was then")
    decided_at: datetime | None
    note: str | None
    access_id: UUID | None = Field(description="the search that used it")
    used_at: datetime | None
    kind: ApprovalKind
    deciders: list[str] = Field(description="what the ranks are called that decide on it")
    may_decide: bool = Field(description="whether whoever asks can decide on it now")

    @classmethod
    def of(
        cls, approval: Approval, door: Door, principal: Principal, now: datetime
    ) -> "ApprovalShown":
        policy = door.policy.of(principal.agency_id)
        said = {
            name: value
            for name, value in vars(approval).items()
            if name not in ("reason", "query", "decision", "approval_sequence")
        }
        return cls(
            **said,
            **vars(approval.reason),
            state=approval.state(now),
            query=approval.query.to_record(),
            kind=approval.kind,
            deciders=approvals.deciders(policy, approval),
            may_decide=approvals.may_decide(policy, approval, principal, now),
        )


class ApprovalPage(BaseModel):
    items: list[ApprovalShown] = Field(description="newest first")
    next_cursor: str | None


def router(gate: Gate) -> APIRouter:
    routes = APIRouter(prefix="/v1", max_body_size=BODY_MAX_BYTES)
    recorded = APIRouter(route_class=RecordedRoute)
    _asking(recorded, gate)
    _deciding(recorded, gate)
    routes.include_router(recorded)
    return routes


def _asking(recorded: APIRouter, gate: Gate) -> None:
    @recorded.post("/search-approvals", status_code=HTTPStatus.CREATED)
    async def request(
        asked: SearchForm,
        principal: Annotated[Principal, Depends(gate.access())],
        door: TheDoor,
        response: Response,
    ) -> ApprovalShown:
        response.headers.update(NOT_KEPT)
        now, policy = datetime.now(UTC), door.policy.of(principal.agency_id)
        reason = domain.checked_reason(
            asked.purpose, asked.case_number, asked.suspicion, asked.attested, policy
        )
        query = query_of(asked, policy)
        approval = await approvals.request(door, principal, reason, query, now)
        return ApprovalShown.of(approval, door, principal, now)

    @recorded.get("/search-approvals")
    async def list_approvals(
        principal: Annotated[Principal, Depends(gate.access())],
        door: TheDoor,
        response: Response,
        pending: Annotated[bool, Query(description="only what waits for a decision")] = False,
        cursor: Annotated[int | None, Query(ge=1, lt=2**63)] = None,
        limit: Annotated[int, Query(ge=1, le=500)] = 50,
    ) -> ApprovalPage:
        response.headers.update(NOT_KEPT)
        now = datetime.now(UTC)
        found, following = await approvals.list_approvals(
            door, principal, pending, cursor, limit, now
        )
        return ApprovalPage(
            items=[ApprovalShown.of(one, door, principal, now) for one in found],
            next_cursor=following,
        )

    @recorded.get("/search-approvals/{approval_id}")
    async def get(
        approval_id: UUID,
        principal: Annotated[Principal, Depends(gate.access())],
        door: TheDoor,
        response: Response,
    ) -> ApprovalShown:
        response.headers.update(NOT_KEPT)
        approval = await approvals.get(door, principal, approval_id)
        return ApprovalShown.of(approval, door, principal, datetime.now(UTC))


def _deciding(recorded: APIRouter, gate: Gate) -> None:
    supervisor = gate.access(*approvals.DECIDERS)

    @recorded.post("/search-approvals/{approval_id}/approve")
    async def approve(
        approval_id: UUID,
        said: Note,
        principal: Annotated[Principal, Depends(supervisor)],
        door: TheDoor,
    ) -> ApprovalShown:
        return await _decided(door, principal, approval_id, "approved", said.note)

    @recorded.post("/search-approvals/{approval_id}/deny")
    async def deny(
        approval_id: UUID,
        said: Note,
        principal: Annotated[Principal, Depends(supervisor)],
        door: TheDoor,
    ) -> ApprovalShown:
        return await _decided(door, principal, approval_id, "denied", said.note)


async def _decided(
    door: Door, principal: Principal, approval_id: UUID, decision: Decision, note: str | None
) -> ApprovalShown:
    now = datetime.now(UTC)
    approval = await approvals.decide(door, principal, approval_id, decision, note, now)
    return ApprovalShown.of(approval, door, principal, now)
