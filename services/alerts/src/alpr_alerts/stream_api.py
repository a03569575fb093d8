"""HTTP: alerts as they change, as server-sent events."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Annotated

from fastapi import APIRouter, Depends, Header
from sse_starlette import EventSourceResponse, ServerSentEvent

from alpr_alerts import handlers
from alpr_alerts.dependencies import NO_STORE, Dependencies, Deps
from alpr_alerts.refusals import ResumePointMalformed
from alpr_alerts.stream import follow
from alpr_common.auth import Gate, Principal


def add_stream(router: APIRouter, gate: Gate) -> None:
    """The stream. Add it before the routes that take any word for an alert's id."""

    @router.get("/stream", response_class=EventSourceResponse)
    async def stream(
        deps: Deps,
        principal: Annotated[Principal, Depends(gate.access())],
        last_event_id: Annotated[str | None, Header()] = None,
    ) -> EventSourceResponse:
        deps.wakeups.require_room()
        seen = _position(last_event_id) if last_event_id else None
        start = await handlers.open_stream(deps.database, principal, seen, deps.clock())
        return EventSourceResponse(
            _events(deps, gate, principal, start),
            headers=NO_STORE,
            ping=deps.stream_heartbeat_seconds,
            ping_message_factory=lambda: ServerSentEvent(comment="heartbeat"),
            send_timeout=deps.stream_send_timeout_seconds,
        )


async def _events(
    deps: Dependencies, gate: Gate, principal: Principal, start: int
) -> AsyncIterator[ServerSentEvent]:
    # An id without data is no event, but readers resume after it: from the first moment on, one
    # whose connection breaks misses nothing.
    yield ServerSentEvent(id=str(start))
    changes = follow(deps.database, deps.policies, deps.wakeups, gate, principal, start, deps.clock)
    async with aclosing(changes):
        async for position, alert in changes:
            yield ServerSentEvent(event="alert", id=str(position), data=alert.model_dump_json())


def _position(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise ResumePointMalformed(
            "Give the id of the last event that was received, or leave the header out."
        )
    return int(text)
