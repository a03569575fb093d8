"""HTTP of convoy questions. As at the door, every refusal is recorded before it is told."""

from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, Field

from alpr_access_log.convoys import handlers as convoys
from alpr_access_log.domain import checked_reason
from alpr_access_log.forms import BODY_MAX_BYTES, SearchForm, query_of
from alpr_access_log.recorded import NOT_KEPT, RecordedRoute, TheDoor
from alpr_access_log.refusals import ApprovalNotUsable, ConvoyMalformed, ConvoyNeedsApproval
from alpr_common.auth import Gate, Principal


class ConvoyRequest(SearchForm):
    """An approved convoy question, or one that is to be refused with what it lacks."""

    approval_id: UUID | None = Field(
        default=None, description="an approved request of yours: it says everything"
    )


class VehicleShown(BaseModel):
    plate: str
    cameras: int = Field(description="cameras at which it was together with the plate asked for")
    times: int = Field(description="its reads there")
    reads: list[dict[str, Any]] = Field(description="the newest of them, at most 20")


class ConvoyShown(BaseModel):
    access_id: UUID
    passes: int = Field(description="reads of the plate asked for whose company was looked at")
    is_complete: bool = Field(description="false: the plate has older passes in that time")
    vehicles: list[VehicleShown] = Field(description="at most cameras first")


def router(gate: Gate) -> APIRouter:
    routes = APIRouter(prefix="/v1", max_body_size=BODY_MAX_BYTES)
    recorded = APIRouter(route_class=RecordedRoute)

    @recorded.post("/searches/convoy")
    async def convoy(
        asked: ConvoyRequest,
        principal: Annotated[Principal, Depends(gate.access())],
        door: TheDoor,
        response: Response,
    ) -> ConvoyShown:
        """Plates seen together with one at several cameras; only with a supervisor's approval."""
        response.headers.update(NOT_KEPT)
        if asked.approval_id is None:
            policy = door.policy.of(principal.agency_id)
            checked_reason(
                asked.purpose, asked.case_number, asked.suspicion, asked.attested, policy
            )
            if query_of(asked, policy).convoy is None:
                raise ConvoyMalformed("Say in `convoy` what counts as together.")
            raise ConvoyNeedsApproval(
                "Ask a supervisor (POST /v1/search-approvals) and search with the approval.",
                approvals="/v1/search-approvals",
            )
        if asked.model_fields_set - {"approval_id"}:
            raise ApprovalNotUsable("Send `approval_id` alone: what was approved says the rest.")
        now = datetime.now(UTC)
        access_id, company = await convoys.search(door, principal, asked.approval_id, now)
        return ConvoyShown(
            access_id=access_id,
            passes=company.passes,
            is_complete=company.is_complete,
            vehicles=[
                VehicleShown(
                    plate=one.plate,
                    cameras=one.cameras,
                    times=one.times,
                    reads=[message for _, message in one.reads],
                )
                for one in company.vehicles
            ],
        )

    routes.include_router(recorded)
    return routes
