"""Routes whose refusals are on record, and whose answers nobody keeps."""

import contextlib
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from typing import Annotated, Any

import structlog
from fastapi import APIRouter, Depends, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from prometheus_client import Counter
from starlette.exceptions import HTTPException

from alpr_access_log import attempts, handlers
from alpr_access_log.handlers import Door
from alpr_common.auth import NotSignedIn
from alpr_common.errors import AlprError, NotFound, Outage

log = structlog.get_logger()

REFUSED = Counter("alpr_door_refusals_total", "Requests that the door refused", ["code"])
# Nothing of what was shown may be kept by a browser or a proxy (131.7-1b).
NOT_KEPT = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


async def no_store(response: Response) -> None:
    """A dependency of routers whose answers nobody may keep."""
    response.headers.update(NOT_KEPT)


class RecordedRoute(APIRoute):
    """A route whose refusals, the gate's and malformed requests included, become access records.

    It stands around everything that FastAPI does for the route, so that no refusal slips by. A
    caller who is not signed in has no agency whose record it could be: counted and logged alone.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        answer = super().get_route_handler()

        async def recorded(request: Request) -> Response:
            try:
                return await answer(request)
            except Outage as outage:
                # Nothing was shown. Recorded if there is something left to record it in.
                with contextlib.suppress(Outage):
                    await _record(request, outage)
                raise
            except (AlprError, RequestValidationError, HTTPException) as refusal:
                await _record(request, refusal)
                raise

        return recorded


def recorded_router(prefix: str, tag: str, *, body_max_bytes: int) -> APIRouter:
    """For routes whose refusals are all on record and whose answers nobody may keep."""
    return APIRouter(
        prefix=prefix, tags=[tag], max_body_size=body_max_bytes,
        dependencies=[Depends(no_store)], route_class=RecordedRoute,
    )  # fmt: skip


async def _record(
    request: Request, refused: AlprError | RequestValidationError | HTTPException
) -> None:
    refusal = attempts.refusal_of(refused)
    REFUSED.labels(refusal.code).inc()
    try:
        principal = await request.app.state.gate.signed_in()(request)
    except NotSignedIn:
        address = request.client.host if request.client else None
        log.warning("door.not_signed_in", path=request.url.path, address=address)
        return
    await handlers.record_refusal(
        request.app.state.door,
        principal,
        await attempts.attempt_of(request),
        refusal,
        "failed" if isinstance(refused, NotFound | Outage) else "refused",
        datetime.now(UTC),
    )


def _door(request: Request) -> Door:
    door: Door = request.app.state.door
    return door


TheDoor = Annotated[Door, Depends(_door)]
