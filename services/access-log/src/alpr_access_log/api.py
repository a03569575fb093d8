"""The door's HTTP. Every refusal behind a valid sign-in is recorded before it is told."""

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, Field

from alpr_access_log import domain, handlers, store
from alpr_access_log.approvals import handlers as approvals
from alpr_access_log.forms import BODY_MAX_BYTES, SearchRequest, query_of
from alpr_access_log.handlers import PictureKind
from alpr_access_log.recorded import NOT_KEPT, RecordedRoute, TheDoor
from alpr_access_log.refusals import ApprovalNotUsable
from alpr_common.auth import Gate, Principal
from alpr_common.messages.base import Instant
from alpr_common.policy import Role
from alpr_common.web import StorableText

LOG_READERS = (Role.SUPERVISOR, Role.ADMINISTRATOR, Role.AUDITOR)
_DEFAULT_LIMIT = 50


class SearchPage(BaseModel):
    access_id: UUID
    items: list[dict[str, Any]] = Field(description="reads, newest first")
    next_cursor: str | None


class RecordPage(BaseModel):
    items: list[dict[str, Any]] = Field(description="access records, newest first")
    next_cursor: str | None


def router(gate: Gate) -> APIRouter:
    """All routes of the door."""
    routes = APIRouter(prefix="/v1", max_body_size=BODY_MAX_BYTES)
    _searches(routes, gate)
    _pictures(routes, gate)
    _records(routes, gate)
    return routes


def _searches(routes: APIRouter, gate: Gate) -> None:
    recorded = APIRouter(route_class=RecordedRoute)

    @recorded.post("/searches", status_code=HTTPStatus.OK)
    async def search(
        asked: SearchRequest,
        principal: Annotated[Principal, Depends(gate.access())],
        door: TheDoor,
        response: Response,
    ) -> SearchPage:
        response.headers.update(NOT_KEPT)
        policy = door.policy.of(principal.agency_id)
        limit = domain.checked_limit(_DEFAULT_LIMIT if asked.limit is None else asked.limit, policy)
        now = datetime.now(UTC)
        if asked.cursor is not None:
            position = domain.Position.of(asked.cursor)
            repeats = asked.plate is not None or asked.area or asked.camera_ids
            same = query_of(asked, policy) if repeats else None
            page = await handlers.next_page(door, principal, position, same, limit, now)
        elif asked.approval_id is not None:
            _refuse_other_search(asked)
            page = await approvals.search(door, principal, asked.approval_id, limit, now)
        else:
            reason = domain.checked_reason(
                asked.purpose, asked.case_number, asked.suspicion, asked.attested, policy
            )
            page = await handlers.search(
                door, principal, reason, query_of(asked, policy), limit, now
            )
        return SearchPage(access_id=page.access_id, items=page.items, next_cursor=page.next_cursor)

    routes.include_router(recorded)


def _refuse_other_search(asked: SearchRequest) -> None:
    """What was approved is searched for, and nothing else that the request may say beside it."""
    if asked.model_fields_set - {"approval_id", "limit"}:
        raise ApprovalNotUsable(
            "Send `approval_id` and `limit` alone: what was approved says the rest."
        )


def _pictures(routes: APIRouter, gate: Gate) -> None:
    recorded = APIRouter(route_class=RecordedRoute)

    @recorded.get(
        "/reads/{read_id}/pictures/{kind}",
        response_class=Response,
        responses={200: {"content": {"image/jpeg": {}}}},
    )
    async def picture(
        read_id: UUID,
        kind: PictureKind,
        principal: Annotated[Principal, Depends(gate.access())],
        door: TheDoor,
        access_id: UUID | None = None,
    ) -> Response:
        jpeg = await handlers.view_picture(
            door, principal, read_id, kind, access_id, datetime.now(UTC)
        )
        return Response(jpeg, media_type="image/jpeg", headers=NOT_KEPT)

    routes.include_router(recorded)


def _records(routes: APIRouter, gate: Gate) -> None:
    recorded = APIRouter(route_class=RecordedRoute)

    # The log itself holds no reads, so an auditor needs no training to read it.
    @recorded.get("/searches")
    async def records(
        principal: Annotated[Principal, Depends(gate.signed_in(*LOG_READERS))],
        door: TheDoor,
        response: Response,
        person_id: Annotated[StorableText, Query(max_length=200)] | None = None,
        action: Annotated[StorableText, Query(max_length=200)] | None = None,
        outcome: Annotated[StorableText, Query(pattern="^(done|refused|failed)$")] | None = None,
        from_at: Annotated[Instant | None, Query(alias="from")] = None,
        to_at: Annotated[Instant | None, Query(alias="to")] = None,
        cursor: Annotated[int | None, Query(ge=1, lt=2**63)] = None,
        limit: Annotated[int, Query(ge=1, le=500)] = _DEFAULT_LIMIT,
    ) -> RecordPage:
        response.headers.update(NOT_KEPT)
        wanted = store.RecordFilter(person_id, action, outcome, from_at, to_at)
        items, following = await handlers.list_records(door, principal, wanted, cursor, limit)
        return RecordPage(items=items, next_cursor=following)

    routes.include_router(recorded)
