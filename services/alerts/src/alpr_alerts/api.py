"""HTTP: all routes of alerts. Refusals become problem details in `web.py`."""

from fastapi import APIRouter, Depends

from alpr_alerts.bodies import AcceptRequest, StatusRequest
from alpr_alerts.dependencies import no_store
from alpr_alerts.pictures_api import add_pictures
from alpr_alerts.reading_api import add_detail, add_list
from alpr_alerts.recorded import recorded_by
from alpr_alerts.steps_api import add_steps
from alpr_alerts.stream_api import add_stream
from alpr_common.auth import Gate

# The bodies are for whoever stands in for this service, the console's tests for example.
__all__ = ["AcceptRequest", "StatusRequest", "routes"]


def routes(gate: Gate) -> APIRouter:
    """All routes of this service; each passes `gate.access()` (131.6-1, 131.6-2)."""
    router = APIRouter(
        prefix="/v1/alerts", dependencies=[Depends(no_store)], route_class=recorded_by(gate)
    )
    add_list(router, gate)
    add_stream(router, gate)  # before what takes any word for an alert's id
    add_detail(router, gate)
    add_pictures(router, gate)
    add_steps(router, gate)
    return router
