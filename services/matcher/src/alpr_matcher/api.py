"""The hot-list API: parse, pass the gate, call a handler."""

import base64
import binascii
import json
import re
from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, File, Query, UploadFile
from pydantic import BaseModel, ConfigDict, Field

from alpr_common.auth import Gate, Principal
from alpr_common.errors import AlprError
from alpr_common.messages.base import Instant
from alpr_common.plates import match_key, normalize
from alpr_common.policy import Role
from alpr_matcher import handlers, list_file
from alpr_matcher.domain import MANUAL_SOURCE, FileTooLarge, SourceNotAllowed
from alpr_matcher.handlers import HotLists, WantedEntry
from alpr_matcher.store import Page, StoredEntry

_SOURCE = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
_BAD_LINES_NAMED = 1000
State = Literal["live", "expired", "retracted", "all"]
Limit = Annotated[int, Query(ge=1, le=500)]
Words = Annotated[str, Field(max_length=500)]


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


class Retraction(BaseModel):
    model_config = ConfigDict(extra="forbid")

    reason: Words | None = None


def routes(
    gate: Gate, lists: "LateHotLists", *, import_max_bytes: int, import_max_lines: int
) -> APIRouter:
    """The routes under /v1/hotlist."""
    router = APIRouter(prefix="/v1/hotlist")
    anybody = Annotated[Principal, Depends(gate.access())]
    importers = Annotated[Principal, Depends(gate.access(Role.SUPERVISOR, Role.ADMINISTRATOR))]

    @router.post("/entries", status_code=201)
    async def add(body: NewEntry, person: anybody) -> dict[str, Any]:
        wanted = WantedEntry(**body.model_dump())
        return _shown(await handlers.add_entry(lists.now_open, person, wanted, _now()), _now())

    @router.get("/entries")
    async def entries(
        person: anybody,
        plate: str | None = None,
        category: str | None = None,
        state: State = "live",
        cursor: str | None = None,
        limit: Limit = 50,
    ) -> dict[str, Any]:
        key = match_key(normalize(plate)) if plate else None
        page = Page(key, category, state, _entry_cursor(cursor), limit + 1)
        found = await handlers.entries(lists.now_open, person, page, _now())
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
        return _shown(await handlers.entry(lists.now_open, person, entry_id), _now())

    @router.get("/entries/{entry_id}/history")
    async def history(
        entry_id: UUID, person: anybody, cursor: str | None = None, limit: Limit = 50
    ) -> dict[str, Any]:
        before = _version_cursor(cursor)
        found = await handlers.history(lists.now_open, person, entry_id, before, limit + 1)
        shown = found[:limit]
        more = len(found) > limit
        return {"items": shown, "next_cursor": _cursor(shown[-1]["version"]) if more else None}

    @router.post("/entries/{entry_id}/retract")
    async def retract(entry_id: UUID, body: Retraction, person: anybody) -> dict[str, Any]:
        done = await handlers.retract_entry(lists.now_open, person, entry_id, body.reason, _now())
        return _shown(done, _now())

    @router.post("/import")
    async def import_file(
        person: importers, file: Annotated[UploadFile, File()], source: str = "import"
    ) -> dict[str, Any]:
        if not _SOURCE.fullmatch(source) or source == MANUAL_SOURCE:
            raise SourceNotAllowed(
                "A source is a short word such as leads or scofflaw: a-z, 0-9, - and _; entries by "
                f"hand alone are {MANUAL_SOURCE!r}."
            )
        content = await file.read(import_max_bytes + 1)
        if len(content) > import_max_bytes:
            raise FileTooLarge(f"The file has more than {import_max_bytes} bytes.")
        policy = lists.now_open.policy
        listed = list_file.parse(content, policy, max_lines=import_max_lines)
        done = await handlers.import_list(lists.now_open, person, listed, source, _now())
        return {
            "added": done.added,
            "changed": done.changed,
            "unchanged": done.unchanged,
            "rejected": [{"line": b.line, "what": b.what} for b in listed.bad_lines][
                :_BAD_LINES_NAMED
            ],
            "rejected_count": len(listed.bad_lines),
        }

    return router


class LateHotLists:
    """Stands for the hot lists in routes, which are declared before the database is open."""

    def __init__(self) -> None:
        self.opened: HotLists | None = None

    @property
    def now_open(self) -> HotLists:
        assert self.opened is not None, "no request is answered before the lifespan began"
        return self.opened


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
    return {**shown, "state": state}


def _now() -> datetime:
    return datetime.now(UTC)


def _cursor(*parts: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")


def _parts(cursor: str) -> list[Any]:
    try:
        parts = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, binascii.Error) as error:
        raise CursorInvalid("Send the `next_cursor` of the page before, unchanged.") from error
    return parts if isinstance(parts, list) else []


def _entry_cursor(cursor: str | None) -> tuple[datetime, UUID] | None:
    if cursor is None:
        return None
    try:
        added_at, entry_id = _parts(cursor)
        return datetime.fromisoformat(added_at), UUID(entry_id)
    except (ValueError, TypeError, AttributeError) as error:
        raise CursorInvalid("Send the `next_cursor` of the page before, unchanged.") from error


def _version_cursor(cursor: str | None) -> int | None:
    if cursor is None:
        return None
    match _parts(cursor):
        case [int(version)]:
            return version
        case _:
            raise CursorInvalid("Send the `next_cursor` of the page before, unchanged.")
