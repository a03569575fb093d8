"""Legal holds over HTTP. Placing and releasing are for supervisors and administrators; every
request, a refused one too, is recorded (`recorded.RecordedRoute`)."""

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from alpr_access_log.api import LOG_READERS
from alpr_access_log.cursors import cursor_of, position_of
from alpr_access_log.holds import domain as holds_domain
from alpr_access_log.holds import handlers as holds
from alpr_access_log.holds.handlers import Holds
from alpr_access_log.recorded import recorded_router
from alpr_common.auth import Gate, Principal
from alpr_common.messages.base import Instant
from alpr_common.policy import Role
from alpr_common.web import StorableText

DECIDERS = (Role.SUPERVISOR, Role.ADMINISTRATOR)
_BODY_MAX_BYTES = 256 * 1024


class HoldRequest(BaseModel):
    """What is to be kept and why: `read_ids`, or an `alert_id`, or `plate`, `from` and `to`."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    reason: Annotated[StorableText, Field(max_length=2000)] | None = None
    case_number: Annotated[StorableText, Field(max_length=100)] | None = None
    read_ids: list[UUID] = Field(default_factory=list, max_length=5000)
    alert_id: UUID | None = None
    plate: Annotated[StorableText, Field(max_length=64)] | None = None
    lookalike: bool = Field(default=False, description="also plates that look alike")
    from_at: Instant | None = Field(default=None, alias="from")
    to_at: Instant | None = Field(
        default=None, alias="to", description="may lie ahead: what comes until then is kept too"
    )


class ReleaseRequest(BaseModel):
    model_config = ConfigDict(extra="forbid")

    reason: Annotated[StorableText, Field(max_length=2000)] | None = None


class HoldPage(BaseModel):
    items: list[dict[str, Any]] = Field(description="holds, newest first")
    next_cursor: str | None


def _holds(request: Request) -> Holds:
    found: Holds = request.app.state.holds
    return found


TheHolds = Annotated[Holds, Depends(_holds)]


def router(gate: Gate) -> APIRouter:
    """All routes of holds."""
    recorded = recorded_router("/v1/holds", "holds", body_max_bytes=_BODY_MAX_BYTES)
    _deciding(recorded, gate)
    _looking(recorded, gate)
    return recorded


def _deciding(routes: APIRouter, gate: Gate) -> None:
    @routes.post("", status_code=HTTPStatus.CREATED)
    async def place(
        asked: HoldRequest,
        principal: Annotated[Principal, Depends(gate.access(*DECIDERS))],
        keeping: TheHolds,
    ) -> dict[str, Any]:
        wanted = holds_domain.checked_wanted(
            asked.reason, asked.case_number, asked.read_ids, asked.alert_id, asked.plate,
            asked.lookalike, asked.from_at, asked.to_at, keeping.policies.of(principal.agency_id),
        )  # fmt: skip
        return (await holds.place(keeping, principal, wanted, datetime.now(UTC))).to_json()

    @routes.post("/{hold_id}/release")
    async def release(
        hold_id: UUID,
        asked: ReleaseRequest,
        principal: Annotated[Principal, Depends(gate.access(*DECIDERS))],
        keeping: TheHolds,
    ) -> dict[str, Any]:
        now = datetime.now(UTC)
        return (await holds.release(keeping, principal, hold_id, asked.reason, now)).to_json()


def _looking(routes: APIRouter, gate: Gate) -> None:
    # Ids, plates that were asked for and reasons; nothing of a read. So no training is needed.
    @routes.get("")
    async def list_holds(
        principal: Annotated[Principal, Depends(gate.signed_in(*LOG_READERS))],
        keeping: TheHolds,
        in_force: bool | None = None,
        cursor: Annotated[StorableText | None, Query(max_length=200)] = None,
        limit: Annotated[int, Query(ge=1, le=500)] = 50,
    ) -> HoldPage:
        after = position_of(cursor) if cursor else None
        found = await holds.page(keeping, principal, in_force, after, limit, datetime.now(UTC))
        shown = found[:limit]
        following = None
        if len(found) > limit:
            following = cursor_of(shown[-1].placed_at, shown[-1].hold_id)
        return HoldPage(items=[hold.to_json() for hold in shown], next_cursor=following)

    @routes.get("/{hold_id}")
    async def show(
        hold_id: UUID,
        principal: Annotated[Principal, Depends(gate.signed_in(*LOG_READERS))],
        keeping: TheHolds,
    ) -> dict[str, Any]:
        hold, named = await holds.show(keeping, principal, hold_id, datetime.now(UTC))
        reads = [
            {"read_id": one.read_id, "captured_at": one.captured_at, "pictures": one.pictures}
            for one in named
        ]
        return hold.to_json() | {"reads": reads}
