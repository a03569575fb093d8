"""HTTP: an alert's record without its reads, and figures that name nobody."""

from datetime import date
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import BaseModel

from alpr_alerts.dependencies import Deps, no_store
from alpr_alerts.recorded import recorded_by
from alpr_alerts.refusals import PeriodMalformed
from alpr_alerts.retention import handlers
from alpr_alerts.retention.records import AlertRecord
from alpr_common.auth import Gate, Principal
from alpr_common.policy import Role


class FigureView(BaseModel):
    """`outcome`: rejected, enforced, closed, expired or open."""

    day: date
    category: str
    outcome: str
    alerts: int
    hits: int


class FiguresView(BaseModel):
    items: tuple[FigureView, ...]


def routes(gate: Gate) -> APIRouter:
    """Include it before `alpr_alerts.api.routes`, which takes any word for an alert's id."""
    router = APIRouter(
        prefix="/v1/alerts", dependencies=[Depends(no_store)], route_class=recorded_by(gate)
    )

    @router.get("/figures")
    async def figures(
        deps: Deps,
        principal: Annotated[
            Principal,
            Depends(gate.signed_in(Role.SUPERVISOR, Role.ADMINISTRATOR, Role.AUDITOR)),
        ],
        first_day: date,
        last_day: date,
    ) -> FiguresView:
        """How many alerts of each day and category came to what, those that are gone included:
        `?first_day=&last_day=`; supervisors, administrators, auditors."""
        if last_day < first_day:
            raise PeriodMalformed("Give a last_day that is not before first_day.")
        found = await handlers.show_figures(deps.database, principal, first_day, last_day)
        return FiguresView(items=tuple(FigureView(**vars(one)) for one in found))

    @router.get("/{alert_id}/record")
    async def record(
        deps: Deps, alert_id: UUID, principal: Annotated[Principal, Depends(gate.access())]
    ) -> AlertRecord:
        """Who did what and when, without plate and place, also after the reads are gone."""
        return await handlers.show_record(
            deps.database, deps.policies, principal, alert_id, deps.clock()
        )

    return router
