"""HTTP: the pictures of an alert's sightings."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Response

from alpr_alerts import handlers
from alpr_alerts.dependencies import NO_STORE, Deps
from alpr_alerts.handlers import PictureKind
from alpr_common.auth import Gate, Principal


def add_pictures(router: APIRouter, gate: Gate) -> None:
    """The whole frame and the plate crop."""

    @router.get("/{alert_id}/pictures/{kind}", response_class=Response)
    async def show_picture(
        deps: Deps,
        principal: Annotated[Principal, Depends(gate.access())],
        alert_id: UUID,
        kind: PictureKind,
        hit_id: UUID | None = None,
    ) -> Response:
        jpeg = await handlers.show_picture(
            deps.database, deps.pictures, principal, alert_id, kind, hit_id, deps.clock()
        )
        headers = {**NO_STORE, "X-Content-Type-Options": "nosniff"}
        return Response(jpeg, media_type="image/jpeg", headers=headers)
