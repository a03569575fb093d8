"""Routes of lists, second-person checks and imports."""

from collections.abc import Callable
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Any, Literal
from uuid import UUID, uuid4

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.datastructures import UploadFile

from alpr_common.auth import Gate, Principal
from alpr_common.body_limit import LIMITS_ITSELF
from alpr_common.errors import AlprError
from alpr_common.policy import Role
from alpr_common.web import StorableText
from alpr_matcher import imports, lists, subscriptions
from alpr_matcher.domain import FileTooLarge
from alpr_matcher.handlers import HotLists
from alpr_matcher.imports import Importing, WantedImport
from alpr_matcher.lists import WantedList
from alpr_matcher.lists_domain import ListKind
from alpr_matcher.mapper import Mapper, load_mapper, read_mapper

_FORM_BYTES = 128 * 1024
"""What multipart framing and a mapper add to a file."""
_BAD_LINES_ANSWERED = 1000
Mode = Literal["delta", "refresh"]
Name = Annotated[StorableText, Field(min_length=1, max_length=100)]
Agency = Annotated[StorableText, Field(min_length=1, max_length=64)]
Words = Annotated[StorableText, Field(max_length=500)]
MapperName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]


class FileMissing(AlprError):
    title = "There is no file in the request"


class LengthMissing(AlprError):
    status = HTTPStatus.LENGTH_REQUIRED
    title = "How large the file is has to be known before it comes"


class NewList(BaseModel):
    model_config = ConfigDict(extra="forbid")

    source: Annotated[str, Field(max_length=32)]
    name: Name
    kind: ListKind = ListKind.AGENCY
    subscribed_agency_ids: Annotated[list[Agency], Field(max_length=1000)] = []
    mapper: MapperName = "house-csv"
    import_mode: Mode = "delta"


class ChangedList(BaseModel):
    """What is not given stays. `reason` is kept with the version."""

    model_config = ConfigDict(extra="forbid")

    reason: Words | None = None
    name: Name | None = None
    subscribed_agency_ids: Annotated[list[Agency], Field(max_length=1000)] | None = None
    mapper: MapperName | None = None
    import_mode: Mode | None = None


class Answer(BaseModel):
    """`reason` is kept with the version."""

    model_config = ConfigDict(extra="forbid")

    accept: bool
    reason: Words | None = None


def list_routes(gate: Gate, importing: Callable[[], Importing]) -> APIRouter:
    """The routes under /v1/hotlist/lists, and /v1/hotlist/unchecked."""
    router = APIRouter(prefix="/v1/hotlist")
    anybody = Annotated[Principal, Depends(gate.access())]
    administrators = Annotated[Principal, Depends(gate.access(Role.ADMINISTRATOR))]
    keepers = Annotated[Principal, Depends(gate.access(Role.SUPERVISOR, Role.ADMINISTRATOR))]

    def opened() -> HotLists:
        return importing().lists

    @router.get("/lists")
    async def all_lists(person: anybody) -> dict[str, Any]:
        """The agency's lists and those offered to it, with size, freshness and subscriptions."""
        return {
            "items": await lists.all_lists(opened(), person, _now()),
            "next_cursor": None,
        }

    @router.post("/lists", status_code=201)
    async def add(body: NewList, person: keepers) -> dict[str, Any]:
        """Begin a list."""
        load_mapper(body.mapper, importing().mappers_folder)
        fields = body.model_dump() | {"subscribed_agency_ids": tuple(body.subscribed_agency_ids)}
        made = await lists.add_list(opened(), person, WantedList(**fields), _now())
        return lists.shown(opened(), made, _now())

    @router.get("/lists/{list_id}")
    async def one(list_id: UUID, person: anybody) -> dict[str, Any]:
        """One list."""
        found = await lists.one_list(opened(), person, list_id)
        return lists.shown(opened(), found, _now())

    @router.put("/lists/{list_id}")
    async def change(list_id: UUID, body: ChangedList, person: keepers) -> dict[str, Any]:
        """Change a list's name, subscribers, mapper or mode."""
        if body.mapper is not None:
            load_mapper(body.mapper, importing().mappers_folder)
        said = body.model_dump(exclude={"reason"})
        done = await lists.change_list(opened(), person, list_id, body.reason, _now(), **said)
        return lists.shown(opened(), done, _now())

    @router.get("/lists/{list_id}/history")
    async def history(list_id: UUID, person: keepers) -> dict[str, Any]:
        """A list's versions: who, when, why, before, after."""
        found = await lists.list_history(opened(), person, list_id)
        return {"items": found, "next_cursor": None}

    @router.post("/lists/{list_id}/subscription")
    async def answer(list_id: UUID, body: Answer, person: administrators) -> dict[str, Any]:
        """Accept another agency's list for one's own agency, or decline it."""
        done = await subscriptions.answer(
            opened(), person, list_id, accept=body.accept, reason=body.reason, now=_now()
        )
        return done.as_json()

    @router.get("/lists/{list_id}/subscriptions")
    async def subscription_history(list_id: UUID, person: keepers) -> dict[str, Any]:
        """Who was offered a list, accepted or declined it: the owner sees all, others their own."""
        found = await subscriptions.history(opened(), person, list_id)
        return {"items": found, "next_cursor": None}

    @router.get("/unchecked")
    async def unchecked(
        person: anybody, limit: Annotated[int, Query(ge=1, le=500)] = 100
    ) -> dict[str, Any]:
        """Entries by hand that wait for a second person."""
        found = await lists.unchecked(opened(), person, limit, _now())
        return {"items": found, "next_cursor": None}

    return router


def import_routes(
    gate: Gate, importing: Callable[[], Importing], *, import_max_bytes: int
) -> APIRouter:
    """POST /v1/hotlist/import and the records of imports."""
    router = APIRouter(prefix="/v1/hotlist")
    importers = Annotated[Principal, Depends(gate.access(Role.SUPERVISOR, Role.ADMINISTRATOR))]

    # The body is taken from the request itself: declared as a parameter it would be read, all of
    # it, before the gate was asked.
    @router.post("/import", openapi_extra={"requestBody": _MULTIPART}, max_body_size=LIMITS_ITSELF)
    async def import_file(
        request: Request,
        person: importers,
        source: str = "import",
        mode: Mode | None = None,
        mapper: MapperName | None = None,
        dry_run: bool = False,
        confirm_removals: bool = False,
        import_id: UUID | None = None,
    ) -> dict[str, Any]:
        """Import a file into a list: all of its good lines or none; or preview it."""
        length = request.headers.get("content-length", "")
        if not length.isdecimal():
            raise LengthMissing("Send the request with its Content-Length, not in chunks.")
        _refuse_large(int(length) - _FORM_BYTES, import_max_bytes)
        async with request.form(max_files=2, max_fields=4) as form:
            file, own_mapper = form.get("file"), form.get("mapper")
            if not isinstance(file, UploadFile):
                raise FileMissing("Send the list as `file` of a multipart form.")
            _refuse_large(file.size or 0, import_max_bytes)
            wanted = WantedImport(
                source=source,
                file_name=_plain(file.filename or "file"),
                mode=mode,
                mapper_name=mapper,
                mapper=await _mapper(own_mapper),
                dry_run=dry_run,
                confirm_removals=confirm_removals,
                import_id=import_id or uuid4(),
            )
            report = await imports.import_file(importing(), person, wanted, file.file, _now())
        return report | {"rejected": report["rejected"][:_BAD_LINES_ANSWERED]}

    @router.get("/imports")
    async def records(person: importers) -> dict[str, Any]:
        """Imports, newest first."""
        found = await imports.import_records(importing().lists, person, None, _now())
        return {"items": [one | {"report": None} for one in found], "next_cursor": None}

    @router.get("/imports/{import_id}")
    async def record(import_id: UUID, person: importers) -> dict[str, Any]:
        """How an import stands, and its report."""
        (found,) = await imports.import_records(importing().lists, person, import_id, _now())
        return found

    return router


_MULTIPART: dict[str, Any] = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["file"],
                "properties": {
                    "file": {"type": "string", "format": "binary"},
                    "mapper": {
                        "type": "string",
                        "format": "binary",
                        "description": "a mapper (TOML) for this import alone",
                    },
                },
            }
        }
    },
}


async def _mapper(sent: object) -> Mapper | None:
    if sent is None:
        return None
    text = read_mapper(await sent.read()) if isinstance(sent, UploadFile) else str(sent)
    return Mapper.parse(text)


def _refuse_large(size: int, most: int) -> None:
    if size > most:
        raise FileTooLarge(f"The file has more than {most} bytes.")


def _plain(name: str) -> str:
    return "".join(c for c in name if c.isprintable()).encode("utf-8", "replace").decode()


def _now() -> datetime:
    return datetime.now(UTC)
