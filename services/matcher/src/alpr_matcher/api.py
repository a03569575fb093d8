"""The hot-list API: parse, pass the gate, call a handler."""

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from alpr_common.auth import Gate, Principal
from alpr_common.errors import AlprError
from alpr_common.messages.base import Instant
from alpr_common.plates import match_key, normalize
from alpr_common.web import StorableText
from alpr_matcher import handlers
from alpr_matcher.handlers import HotLists, WantedEntry
from alpr_matcher.store import Page, StoredEntry

State = Literal["live", "expired", "retracted", "all"]
Limit = Annotated[int, Query(ge=1, le=500)]
Words = Annotated[StorableText, Field(max_length=500)]
Short = Annotated[StorableText, Field(max_length=64)]


class CursorInvalid(AlprError):
    title = "That is no cursor of this list"


class NewEntry(BaseModel):
    """`reason` and `expires_at` are required; the refusal cites what requires them."""

    model_config = ConfigDict(extra="forbid")

    plate: Annotated[str, Field(max_length=40)]
    category: Annotated[str, Field(max_length=64)]
    reason: Words | None = None
    expires_at: Instant | None = None
    jurisdiction: Annotated[str, Field(max_length=16)] | None = None
    case_number: Words | None = None
    vehicle: Words | None = None
    caution: Words | None = None
    effective_at: Instant | None = None
    priority: int | None = Field(default=None, ge=1, le=5)
    list_id: UUID | None = Field(default=None, description="one of the agency's lists")
    forbidden_hit_kinds: Annotated[tuple[str, ...], Field(max_length=3)] = ()
    lookalike_positions: int | None = Field(default=None, ge=0, le=2)
    vehicle_type: Short | None = None
    vehicle_make: Short | None = None
    vehicle_model: Short | None = None
    vehicle_colour: Short | None = None
    vehicle_year: int | None = Field(default=None, ge=1880, le=2100)


class Check(BaseModel):
    model_config = ConfigDict(extra="forbid")

    note: Words | None = None


class Retraction(BaseModel):
    model_config = ConfigDict(extra="forbid")

    reason: Words | None = None


def routes(gate: Gate, opened: Callable[[], HotLists]) -> APIRouter:
    """The routes under /v1/hotlist/entries."""
    router = APIRouter(prefix="/v1/hotlist")
    anybody = Annotated[Principal, Depends(gate.access())]

    @router.post("/entries", status_code=201)
    async def add(body: NewEntry, person: anybody) -> dict[str, Any]:
        """Put one plate or pattern on the hot list by hand, with its reason and expiry."""
        wanted = WantedEntry(**body.model_dump())
        return _shown(await handlers.add_entry(opened(), person, wanted, _now()), _now())

    @router.get("/entries")
    async def entries(
        person: anybody,
        plate: str | None = None,
        category: StorableText | None = None,
        state: State = "live",
        list_id: UUID | None = None,
        cursor: str | None = None,
        limit: Limit = 50,
    ) -> dict[str, Any]:
        """Entries, newest first; of a plate, look-alikes and patterns that it fits too."""
        key = match_key(normalize(plate)) if plate else None
        page = Page(key, category, state, _entry_cursor(cursor), limit + 1, list_id)
        found = await handlers.entries(opened(), person, page, _now())
        shown = found[:limit]
        more = len(found) > limit
        return {
            "items": [_shown(stored, _now()) for stored in shown],
            "next_cursor": _cursor(shown[-1].added_at.isoformat(), str(shown[-1].entry.entry_id))
            if more
            else None,
        }

    @router.get("/entries/{entry_id}")
    async def entry(entry_id: UUID, person: anybody) -> dict[str, Any]:
        """One entry as it is now."""
        return _shown(await handlers.entry(opened(), person, entry_id), _now())

    @router.get("/entries/{entry_id}/history")
    async def history(
        entry_id: UUID, person: anybody, cursor: str | None = None, limit: Limit = 50
    ) -> dict[str, Any]:
        """An entry's versions: who, when, why, before, after."""
        before = _version_cursor(cursor)
        found = await handlers.history(opened(), person, entry_id, before, limit + 1)
        shown = found[:limit]
        more = len(found) > limit
        return {"items": shown, "next_cursor": _cursor(shown[-1]["version"]) if more else None}

    @router.post("/entries/{entry_id}/retract")
    async def retract(entry_id: UUID, body: Retraction, person: anybody) -> dict[str, Any]:
        """Take an entry off its list."""
        done = await handlers.retract_entry(opened(), person, entry_id, body.reason, _now())
        return _shown(done, _now())

    @router.post("/entries/{entry_id}/check")
    async def check(entry_id: UUID, person: anybody, body: Check | None = None) -> dict[str, Any]:
        """Confirm, as the second person, an entry by hand."""
        note = body.note if body else None
        done = await handlers.check_entry(opened(), person, entry_id, note, _now())
        return _shown(done, _now())

    return router


def _shown(stored: StoredEntry, now: datetime) -> dict[str, Any]:
    """An entry as the API answers it: the message's fields, who entered it, and its state."""
    entry = stored.entry
    if stored.retracted:
        state = "retracted"
    elif entry.expires_at is not None and entry.expires_at <= now:
        state = "expired"
    else:
        state = "live" if entry.effective_at <= now else "not_yet_effective"
    shown = stored.as_json()
    del shown["retracted"]
    return {**shown, "state": state, "check": _check_state(stored, now)}


def _check_state(stored: StoredEntry, now: datetime) -> str:
    """How the second person's check stands (131.6-7)."""
    if stored.check_due_at is None:
        return "not_needed"
    if stored.checked_at is not None:
        return "done"
    return "waiting" if now < stored.check_due_at else "overdue"


def _now() -> datetime:
    return datetime.now(UTC)


def _cursor(*parts: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")


def _parts(cursor: str) -> list[Any]:
    try:
        parts = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, RecursionError) as error:
        raise _invalid() from error
    return parts if isinstance(parts, list) else []


def _entry_cursor(cursor: str | None) -> tuple[datetime, UUID] | None:
    if cursor is None:
        return None
    match _parts(cursor):
        case [str(added_at), str(entry_id)]:
            try:
                at = datetime.fromisoformat(added_at)
                if at.tzinfo is not None:
                    return at.astimezone(UTC), UUID(entry_id)
            except (ValueError, OverflowError) as error:
                raise _invalid() from error
    raise _invalid()


def _version_cursor(cursor: str | None) -> int | None:
    if cursor is None:
        return None
    match _parts(cursor):
        case [int(version)] if 0 < version < 2**31 and version is not True:
            return version
    raise _invalid()


def _invalid() -> CursorInvalid:
    return CursorInvalid("Send the `next_cursor` of the page before, unchanged.")
