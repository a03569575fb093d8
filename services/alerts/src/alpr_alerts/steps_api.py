"""HTTP: the steps that people take (131.6)."""

from uuid import UUID

from fastapi import APIRouter, Depends

from alpr_alerts import handlers
from alpr_alerts.bodies import (
    AcceptRequest,
    CloseRequest,
    EnforceRequest,
    HandOffRequest,
    RejectRequest,
    StatusRequest,
    StepRequest,
)
from alpr_alerts.dependencies import Dependencies, Deps
from alpr_alerts.view import AlertView
from alpr_common.auth import Gate, Principal


def add_steps(router: APIRouter, gate: Gate) -> None:
    """One route for each step; each answers the alert as it stands after it."""
    caller = Depends(gate.access())

    @router.post("/{alert_id}/accept")
    async def accept(
        deps: Deps, alert_id: UUID, body: AcceptRequest, principal: Principal = caller
    ) -> AlertView:
        return await _take(deps, principal, alert_id, body)

    @router.post("/{alert_id}/reject")
    async def reject(
        deps: Deps, alert_id: UUID, body: RejectRequest, principal: Principal = caller
    ) -> AlertView:
        return await _take(deps, principal, alert_id, body)

    @router.post("/{alert_id}/status")
    async def status(
        deps: Deps, alert_id: UUID, body: StatusRequest, principal: Principal = caller
    ) -> AlertView:
        return await _take(deps, principal, alert_id, body)

    @router.post("/{alert_id}/enforce")
    async def enforce(
        deps: Deps, alert_id: UUID, body: EnforceRequest, principal: Principal = caller
    ) -> AlertView:
        return await _take(deps, principal, alert_id, body)

    @router.post("/{alert_id}/close")
    async def close(
        deps: Deps, alert_id: UUID, body: CloseRequest, principal: Principal = caller
    ) -> AlertView:
        return await _take(deps, principal, alert_id, body)

    @router.post("/{alert_id}/hand-off")
    async def hand_off(
        deps: Deps,
        alert_id: UUID,
        body: HandOffRequest | None = None,
        principal: Principal = caller,
    ) -> AlertView:
        return await _take(deps, principal, alert_id, body or HandOffRequest())


async def _take(
    deps: Dependencies, principal: Principal, alert_id: UUID, said: StepRequest
) -> AlertView:
    return await handlers.take_step(
        deps.database, deps.policies, principal, alert_id, said.action, said.decide,
        said.expected_sequence, deps.clock(),
    )  # fmt: skip
