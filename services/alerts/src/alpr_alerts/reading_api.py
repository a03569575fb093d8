"""HTTP: the list of alerts and one alert."""

import base64
import binascii
from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query

from alpr_alerts import handlers
from alpr_alerts.dependencies import Deps
from alpr_alerts.domain import ENDS
from alpr_alerts.refusals import CursorMalformed
from alpr_alerts.store import Cursor
from alpr_alerts.view import AlertDetailView, AlertPage
from alpr_common.auth import Gate, Principal
from alpr_common.messages.alert import AlertState

_OPEN_STATES = frozenset(AlertState) - ENDS


def add_list(router: APIRouter, gate: Gate) -> None:
    """The agency's alerts, newest first, by page."""

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


def add_detail(router: APIRouter, gate: Gate) -> None:
    """One alert with its hits and history."""

    @router.get("/{alert_id}", name="alert")
    async def show_alert(
        deps: Deps, principal: Annotated[Principal, Depends(gate.access())], alert_id: UUID
    ) -> AlertDetailView:
        return await handlers.show_alert(
            deps.database, deps.policies, principal, alert_id, deps.clock()
        )


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
        return Cursor(_instant(datetime.fromisoformat(created_at)), UUID(alert_id))
    except (ValueError, OverflowError, binascii.Error) as error:
        raise CursorMalformed("Give the next_cursor of the page before, unchanged.") from error


def _instant(time: datetime) -> datetime:
    if time.tzinfo is None:
        raise ValueError("a cursor's time has its offset from UTC")
    return time.astimezone(UTC)
