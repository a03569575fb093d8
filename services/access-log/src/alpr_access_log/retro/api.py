"""Retro-match: the matcher compares new hot list entries with reads that were stored before them.

A system access, for service accounts of the agency alone and for this purpose alone. It is
recorded in the transaction that reads the rows, like every search, before anything leaves.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal
from uuid import uuid4

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from alpr_access_log import store
from alpr_access_log.api import SearchPage
from alpr_access_log.domain import AccessRecord, Position
from alpr_access_log.handlers import RECORDS, Door, who
from alpr_access_log.recorded import RecordedRoute
from alpr_access_log.refusals import SearchRefused, WindowTooLong
from alpr_access_log.retro import store as retro_store
from alpr_common.auth import Gate, Principal
from alpr_common.messages.base import Instant
from alpr_common.policy import Role

PURPOSE: Literal["retro_match"] = "retro_match"
_ROWS_MAX = 2000
_BODY_MAX_BYTES = 256 * 1024
_RECORDED_KEYS = 1000
_KEY = r"^[A-Z0-9]{1,12}$"
_PATTERN = re.compile(r"[A-Z0-9?*]{1,12}")
_TAKEN_FROM_CLOCKS = timedelta(hours=1)


class PatternMalformed(SearchRefused):
    title = "That is not a pattern of match keys"


class RetroSearch(BaseModel):
    """Which reads, by match key or by pattern of match keys (`?` one character, `*` any)."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    purpose: Literal["retro_match"]
    match_keys: Annotated[list[Annotated[str, Field(pattern=_KEY)]], Field(max_length=1000)] = []
    patterns: Annotated[list[str], Field(max_length=50)] = []
    from_at: Instant = Field(alias="from")
    to_at: Instant = Field(alias="to")
    cursor: Annotated[str, Field(max_length=200)] | None = None


@dataclass(frozen=True)
class RetroQuery:
    """A checked question. `likes` are patterns as SQL's LIKE writes them."""

    match_keys: tuple[str, ...]
    likes: tuple[str, ...]
    from_at: datetime
    to_at: datetime


def router(gate: Gate) -> APIRouter:
    routes = APIRouter(prefix="/v1", max_body_size=_BODY_MAX_BYTES, route_class=RecordedRoute)

    @routes.post("/searches/retro")
    async def search(
        asked: RetroSearch,
        # A service account holds no training: what it may is this purpose, for its own agency.
        principal: Annotated[Principal, Depends(gate.signed_in(Role.SERVICE))],
        request: Request,
        response: Response,
    ) -> SearchPage:
        """Stored reads that new hot list entries would have met; for service accounts."""
        response.headers["Cache-Control"] = "no-store"
        door: Door = request.app.state.door
        return await retro_search(door, principal, asked, datetime.now(UTC))

    return routes


async def retro_search(
    door: Door, principal: Principal, asked: RetroSearch, now: datetime
) -> SearchPage:
    """One page, newest first; its record is on disk before this returns.

    Raises `WindowTooLong`, `PatternMalformed`, `CursorInvalid`, or an `Outage` when it could not
    be recorded.
    """
    agency_id = principal.agency_id
    policy = door.policy.of(agency_id)
    query = checked(asked, policy.retro_match_hours)
    after = Position.of(asked.cursor) if asked.cursor else None
    access_id = after.access_id if after else uuid4()
    async with store.recording(door.database, agency_id) as connection:
        found = await retro_store.find(
            connection, agency_id, query.match_keys, query.likes, query.from_at, query.to_at,
            (after.captured_at, after.read_id) if after else None, door.kept(agency_id, now).since,
            _ROWS_MAX + 1,
        )  # fmt: skip
        shown = found[:_ROWS_MAX]
        record = AccessRecord(
            record_id=uuid4() if after else access_id,
            access_id=access_id,
            who=who(principal),
            occurred_at=now,
            action="search.retro",
            subject=f"hotlist entries: {len(query.match_keys)} keys, {len(query.likes)} patterns",
            outcome="done",
            purpose=PURPOSE,
            query=_recorded(asked),
            returned=tuple(one.read_id for one in shown),
        )
        await store.append(connection, record)
    RECORDS.labels(record.service, record.action, record.outcome).inc()
    cursor = None
    if len(found) > len(shown):
        cursor = Position(access_id, shown[-1].captured_at, shown[-1].read_id).cursor
    return SearchPage(access_id=access_id, items=[one.message for one in shown], next_cursor=cursor)


def checked(asked: RetroSearch, hours: int) -> RetroQuery:
    """The question if it may be asked: no further back than the policy's window."""
    if asked.to_at - asked.from_at > timedelta(hours=hours) + _TAKEN_FROM_CLOCKS:
        raise WindowTooLong(f"Retro-match looks back {hours} hours (retro_match_hours).")
    for pattern in asked.patterns:
        if not _PATTERN.fullmatch(pattern) or not pattern.strip("?*"):
            raise PatternMalformed(f"{pattern[:40]!r}")
    likes = (pattern.replace("?", "_").replace("*", "%") for pattern in asked.patterns)
    return RetroQuery(tuple(asked.match_keys), tuple(likes), asked.from_at, asked.to_at)


def _recorded(asked: RetroSearch) -> dict[str, object]:
    keys: Sequence[str] = asked.match_keys[:_RECORDED_KEYS]
    return {
        "match_keys": list(keys),
        "patterns": asked.patterns,
        "from": asked.from_at.isoformat(),
        "to": asked.to_at.isoformat(),
    }
