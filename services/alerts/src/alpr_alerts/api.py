"""HTTP: parse, pass the gate, call a handler. Refusals become problem details in `web.py`."""

import base64
import binascii
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from pydantic import AliasChoices, BaseModel, ConfigDict, Field, StrictBool
from sse_starlette import EventSourceResponse, ServerSentEvent

from alpr_alerts import domain, handlers
from alpr_alerts.domain import ENDS, Action, Alert, Move, RejectionReason, StatusSource, VisualCheck
from alpr_alerts.handlers import PictureKind
from alpr_alerts.recorded import recorded_by
from alpr_alerts.refusals import CursorMalformed, ResumePointMalformed
from alpr_alerts.store import Cursor
from alpr_alerts.stream import Wakeups, follow
from alpr_alerts.view import AlertDetailView, AlertPage, AlertView
from alpr_common.auth import Gate, Principal
from alpr_common.messages.alert import AlertState, StatusAnswer
from alpr_common.objects import Pictures
from alpr_common.policy import Policies
from alpr_common.postgres import Database
from alpr_common.web import StorableText

_OPEN_STATES = frozenset(AlertState) - ENDS
_NOTE = Field(default=None, max_length=2000)
# 131.7-1b: nothing of an alert stays on the client.
_NO_STORE = {"Cache-Control": "no-store"}


@dataclass(frozen=True)
class Dependencies:
    """What the routes work with; put into `app.state.dependencies` when the service starts."""

    database: Database
    pictures: Pictures
    policies: Policies
    wakeups: Wakeups
    clock: Callable[[], datetime]
    stream_heartbeat_seconds: float
    stream_send_timeout_seconds: float


class StepRequest(BaseModel):
    """`expected_sequence`: the alert's `sequence` that the caller decided on."""

    model_config = ConfigDict(str_max_length=2000)

    expected_sequence: int | None = Field(default=None, ge=1)


class AcceptRequest(StepRequest):
    """What was seen. What is not said counts as not checked."""

    characters_match: StrictBool = False
    state_matches: StrictBool = False
    confirmed_jurisdiction: StorableText | None = Field(default=None, max_length=16)
    checked_positions: frozenset[int] = frozenset()
    """For a look-alike hit: the differing positions (from 0) that were looked at one by one."""


class RejectRequest(StepRequest):
    reason: RejectionReason | None = None
    note: StorableText | None = _NOTE


class StatusRequest(StepRequest):
    answer: StatusAnswer
    source: StatusSource
    reference: StorableText | None = Field(default=None, max_length=64)


class EnforceRequest(StepRequest):
    incident_number: StorableText | None = Field(default=None, max_length=64)
    note: StorableText | None = _NOTE


class CloseRequest(StepRequest):
    reason: StorableText | None = Field(
        default=None, max_length=2000, validation_alias=AliasChoices("reason", "outcome")
    )
    note: StorableText | None = _NOTE


class HandOffRequest(StepRequest):
    note: StorableText | None = _NOTE


def _dependencies(request: Request) -> Dependencies:
    found = request.app.state.dependencies
    assert isinstance(found, Dependencies)
    return found


Deps = Annotated[Dependencies, Depends(_dependencies)]


def routes(gate: Gate) -> APIRouter:
    """All routes of this service; each passes `gate.access()` (131.6-1, 131.6-2)."""
    router = APIRouter(
        prefix="/v1/alerts", dependencies=[Depends(no_store)], route_class=recorded_by(gate)
    )
    _add_looking(router, gate)
    _add_stream(router, gate)
    _add_pictures(router, gate)
    _add_steps(router, gate)
    return router


async def no_store(response: Response) -> None:
    response.headers.update(_NO_STORE)


def _add_looking(router: APIRouter, gate: Gate) -> None:
    @router.get("")
    async def list_alerts(
        deps: Deps,
        principal: Annotated[Principal, Depends(gate.access())],
        state: Annotated[list[AlertState] | None, Query()] = None,
        open: bool | None = None,  # noqa: A002 - the parameter's name in the API
        cursor: str | None = None,
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
    ) -> AlertPage:
        after = _cursor(cursor) if cursor else None
        page, more = await handlers.list_alerts(
            deps.database,
            deps.policies,
            principal,
            _states(state, open),
            after,
            limit,
            deps.clock(),
        )
        return page.model_copy(update={"next_cursor": more and _cursor_text(more)})


def _states(states: list[AlertState] | None, is_open: bool | None) -> frozenset[AlertState] | None:
    """The states that are asked for; None: all."""
    wanted = frozenset(states) if states else None
    if is_open is None:
        return wanted
    side = _OPEN_STATES if is_open else ENDS
    return side if wanted is None else side & wanted


def _cursor_text(cursor: Cursor) -> str:
    text = f"{cursor.created_at.isoformat()} {cursor.alert_id}"
    return base64.urlsafe_b64encode(text.encode()).decode()


def _cursor(text: str) -> Cursor:
    try:
        created_at, alert_id = base64.urlsafe_b64decode(text).decode().split(" ")
        cursor = Cursor(datetime.fromisoformat(created_at), UUID(alert_id))
    except (ValueError, binascii.Error) as error:
        raise CursorMalformed("Give the next_cursor of the page before, unchanged.") from error
    if cursor.created_at.tzinfo is None:
        raise CursorMalformed("Give the next_cursor of the page before, unchanged.")
    return cursor


def _add_stream(router: APIRouter, gate: Gate) -> None:
    @router.get("/stream", response_class=EventSourceResponse)
    async def stream(
        deps: Deps,
        principal: Annotated[Principal, Depends(gate.access())],
        last_event_id: Annotated[str | None, Header()] = None,
    ) -> EventSourceResponse:
        deps.wakeups.require_room()
        seen = _position(last_event_id) if last_event_id else None
        start = await handlers.open_stream(deps.database, principal, seen, deps.clock())

        async def events() -> AsyncIterator[ServerSentEvent]:
            changes = follow(
                deps.database, deps.policies, deps.wakeups, gate, principal, start, deps.clock
            )
            async with aclosing(changes):
                async for position, alert in changes:
                    yield ServerSentEvent(
                        event="alert", id=str(position), data=alert.model_dump_json()
                    )

        return EventSourceResponse(
            events(),
            headers=_NO_STORE,
            ping=deps.stream_heartbeat_seconds,
            ping_message_factory=lambda: ServerSentEvent(comment="heartbeat"),
            send_timeout=deps.stream_send_timeout_seconds,
        )


def _position(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise ResumePointMalformed(
            "Give the id of the last event that was received, or leave the header out."
        )
    return int(text)


def _add_pictures(router: APIRouter, gate: Gate) -> None:
    @router.get("/{alert_id}", name="alert")
    async def show_alert(
        deps: Deps, principal: Annotated[Principal, Depends(gate.access())], alert_id: UUID
    ) -> AlertDetailView:
        return await handlers.show_alert(
            deps.database, deps.policies, principal, alert_id, deps.clock()
        )

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
        headers = {**_NO_STORE, "X-Content-Type-Options": "nosniff"}
        return Response(jpeg, media_type="image/jpeg", headers=headers)


def _add_steps(router: APIRouter, gate: Gate) -> None:
    caller = Depends(gate.access())

    async def take(
        deps: Dependencies,
        principal: Principal,
        alert_id: UUID,
        action: Action,
        request: StepRequest,
        decide: Callable[[Alert], Move],
    ) -> AlertView:
        return await handlers.take_step(
            deps.database, deps.policies, principal, alert_id, action, decide,
            request.expected_sequence, deps.clock(),
        )  # fmt: skip

    @router.post("/{alert_id}/accept")
    async def accept(
        deps: Deps, alert_id: UUID, body: AcceptRequest, principal: Principal = caller
    ) -> AlertView:
        check = VisualCheck(
            body.characters_match,
            body.state_matches,
            body.confirmed_jurisdiction,
            body.checked_positions,
        )
        return await take(
            deps, principal, alert_id, Action.ACCEPT, body, lambda a: domain.accept(a, check)
        )

    @router.post("/{alert_id}/reject")
    async def reject(
        deps: Deps, alert_id: UUID, body: RejectRequest, principal: Principal = caller
    ) -> AlertView:
        return await take(
            deps, principal, alert_id, Action.REJECT, body,
            lambda a: domain.reject(a, body.reason, body.note),
        )  # fmt: skip

    @router.post("/{alert_id}/status")
    async def status(
        deps: Deps, alert_id: UUID, body: StatusRequest, principal: Principal = caller
    ) -> AlertView:
        return await take(
            deps, principal, alert_id, Action.STATUS, body,
            lambda a: domain.status(a, body.answer, body.source, body.reference),
        )  # fmt: skip

    @router.post("/{alert_id}/enforce")
    async def enforce(
        deps: Deps, alert_id: UUID, body: EnforceRequest, principal: Principal = caller
    ) -> AlertView:
        return await take(
            deps, principal, alert_id, Action.ENFORCE, body,
            lambda a: domain.enforce(a, body.incident_number, body.note),
        )  # fmt: skip

    @router.post("/{alert_id}/close")
    async def close(
        deps: Deps, alert_id: UUID, body: CloseRequest, principal: Principal = caller
    ) -> AlertView:
        return await take(
            deps, principal, alert_id, Action.CLOSE, body,
            lambda a: domain.close(a, body.reason, body.note),
        )  # fmt: skip

    @router.post("/{alert_id}/hand-off")
    async def hand_off(
        deps: Deps,
        alert_id: UUID,
        body: HandOffRequest | None = None,
        principal: Principal = caller,
    ) -> AlertView:
        said = body or HandOffRequest()
        return await take(
            deps, principal, alert_id, Action.HAND_OFF, said,
            lambda a: domain.hand_off(a, said.note),
        )  # fmt: skip
