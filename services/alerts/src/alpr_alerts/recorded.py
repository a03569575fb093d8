"""Routes whose gate leaves a record of whom it turned away (131.7-3a: every request is logged)."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute

from alpr_alerts import audit
from alpr_common.auth import AlprTrainingLapsed, Gate, LeadsTrainingLapsed, RoleNotAllowed


def recorded_by(gate: Gate) -> type[APIRoute]:
    """The class of such routes. What handlers refuse they record themselves; somebody who is not
    signed in has no agency whose record it could be."""

    class RecordedRoute(APIRoute):
        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            answer = super().get_route_handler()

            async def recorded(request: Request) -> Response:
                try:
                    return await answer(request)
                except (RoleNotAllowed, LeadsTrainingLapsed, AlprTrainingLapsed) as refusal:
                    principal = await gate.signed_in()(request)
                    deps = request.app.state.dependencies
                    subject = f"{request.method} {request.url.path}"
                    await audit.append_refusal(
                        deps.database, principal, "alerts.gate", subject, deps.clock(), refusal
                    )
                    raise

            return recorded

    return RecordedRoute
