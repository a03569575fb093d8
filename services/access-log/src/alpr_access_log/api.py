"""The door's HTTP. Every refusal behind a valid sign-in is recorded before it is told."""

import contextlib
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Any
from uuid import UUID

import structlog
from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from prometheus_client import Counter
from pydantic import BaseModel, ConfigDict, Field, model_validator
from starlette.exceptions import HTTPException

from alpr_access_log import attempts, domain, handlers, store
from alpr_access_log.approvals import handlers as approvals
from alpr_access_log.handlers import Door, PictureKind
from alpr_access_log.refusals import ApprovalNotUsable
from alpr_common.auth import Gate, NotSignedIn, Principal
from alpr_common.errors import AlprError, NotFound, Outage
from alpr_common.messages.base import Instant
from alpr_common.policy import Policy, Role
from alpr_common.web import StorableText

log = structlog.get_logger()

REFUSED = Counter("alpr_door_refusals_total", "Requests that the door refused", ["code"])
LOG_READERS = (Role.SUPERVISOR, Role.ADMINISTRATOR, Role.AUDITOR)
_DEFAULT_LIMIT = 50
# A body is read before anybody asks who sent it.
BODY_MAX_BYTES = 64 * 1024
# Nothing of what was shown may be kept by a browser or a proxy (131.7-1b).
NOT_KEPT = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


async def no_store(response: Response) -> None:
    """A dependency of routers whose answers nobody may keep."""
    response.headers.update(NOT_KEPT)


class AreaAsked(BaseModel):
    """A box (`south`, `west`, `north`, `east`) or a circle (`latitude`, `longitude`,
    `radius_meters`), in degrees and meters."""

    model_config = ConfigDict(extra="forbid")

    south: float | None = Field(default=None, ge=-90, le=90)
    west: float | None = Field(default=None, ge=-180, le=180)
    north: float | None = Field(default=None, ge=-90, le=90)
    east: float | None = Field(default=None, ge=-180, le=180)
    latitude: float | None = Field(default=None, ge=-90, le=90)
    longitude: float | None = Field(default=None, ge=-180, le=180)
    radius_meters: int | None = Field(default=None, ge=1, le=100_000)

    @model_validator(mode="after")
    def _one_shape(self) -> "AreaAsked":
        self.area()
        return self

    def area(self) -> domain.Area:
        said = self.model_dump(exclude_none=True)
        match sorted(said):
            case ["latitude", "longitude", "radius_meters"]:
                return domain.Circle(**said)
            case ["east", "north", "south", "west"]:
                box = domain.Box(**said)
                if box.south < box.north and box.west < box.east:
                    return box
        raise ValueError("say south < north and west < east, or latitude, longitude, radius_meters")


class ConvoyAsked(BaseModel):
    """What counts as together: at one camera within so many seconds, and so at so many cameras."""

    model_config = ConfigDict(extra="forbid")

    within_seconds: int = Field(ge=1, le=86_400)
    cameras: int = Field(ge=1, le=1000)


class SearchForm(BaseModel):
    """What is looked for and why. What is missing is refused by the door, which records it."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    plate: Annotated[StorableText, Field(max_length=64)] | None = Field(
        default=None, description="exact, or with * (any characters) and ? (one character)"
    )
    lookalike: bool = Field(default=False, description="also plates that look alike (O and 0, …)")
    from_at: Instant | None = Field(default=None, alias="from")
    to_at: Instant | None = Field(default=None, alias="to")
    camera_ids: list[Annotated[StorableText, Field(max_length=200)]] | None = Field(
        default=None, max_length=500, description="none named: all of the agency's"
    )
    area: AreaAsked | None = None
    jurisdictions: list[Annotated[StorableText, Field(max_length=20)]] | None = Field(
        default=None, max_length=60, description="of the plate; none named: any, also unknown"
    )
    hit: bool | None = Field(default=None, description="only reads that were hits, or were none")
    convoy: ConvoyAsked | None = Field(
        default=None, description="which plates were seen together with this one, instead"
    )
    purpose: Annotated[StorableText, Field(max_length=100)] | None = None
    case_number: Annotated[StorableText, Field(max_length=100)] | None = None
    suspicion: Annotated[StorableText, Field(max_length=2000)] | None = None
    attested: bool | None = None


class SearchRequest(SearchForm):
    """A search, or a further page of one, or one that a supervisor approved."""

    approval_id: UUID | None = Field(
        default=None, description="an approved request of yours: it says everything but `limit`"
    )
    limit: int | None = None
    cursor: Annotated[StorableText, Field(max_length=200)] | None = Field(
        default=None, description="`next_cursor` of the page before; the rest may be left out"
    )


class SearchPage(BaseModel):
    access_id: UUID
    items: list[dict[str, Any]] = Field(description="reads, newest first")
    next_cursor: str | None


class RecordPage(BaseModel):
    items: list[dict[str, Any]] = Field(description="access records, newest first")
    next_cursor: str | None


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


def router(gate: Gate) -> APIRouter:
    """All routes of the door."""
    routes = APIRouter(prefix="/v1", max_body_size=BODY_MAX_BYTES)
    _searches(routes, gate)
    _pictures(routes, gate)
    _records(routes, gate)
    return routes


def _searches(routes: APIRouter, gate: Gate) -> None:
    recorded = APIRouter(route_class=RecordedRoute)

    @recorded.post("/searches", status_code=HTTPStatus.OK)
    async def search(
        asked: SearchRequest,
        principal: Annotated[Principal, Depends(gate.access())],
        door: TheDoor,
        response: Response,
    ) -> SearchPage:
        response.headers.update(NOT_KEPT)
        policy = door.policy.of(principal.agency_id)
        limit = domain.checked_limit(_DEFAULT_LIMIT if asked.limit is None else asked.limit, policy)
        now = datetime.now(UTC)
        if asked.cursor is not None:
            position = domain.Position.of(asked.cursor)
            repeats = asked.plate is not None or asked.area or asked.camera_ids
            same = query_of(asked, policy) if repeats else None
            page = await handlers.next_page(door, principal, position, same, limit, now)
        elif asked.approval_id is not None:
            _refuse_other_search(asked)
            page = await approvals.search(door, principal, asked.approval_id, limit, now)
        else:
            reason = domain.checked_reason(
                asked.purpose, asked.case_number, asked.suspicion, asked.attested, policy
            )
            page = await handlers.search(
                door, principal, reason, query_of(asked, policy), limit, now
            )
        return SearchPage(access_id=page.access_id, items=page.items, next_cursor=page.next_cursor)

    routes.include_router(recorded)


def _refuse_other_search(asked: SearchRequest) -> None:
    """What was approved is searched for, and nothing else that the request may say beside it."""
    if asked.model_fields_set - {"approval_id", "limit"}:
        raise ApprovalNotUsable(
            "Send `approval_id` and `limit` alone: what was approved says the rest."
        )


def query_of(asked: SearchForm, policy: Policy) -> domain.Query:
    """The query if it may be asked; raises a `SearchRefused`."""
    query = domain.checked_query(
        asked.plate,
        asked.lookalike,
        asked.from_at,
        asked.to_at,
        asked.camera_ids or [],
        policy,
        asked.area.area() if asked.area else None,
        asked.jurisdictions or [],
        asked.hit,
    )
    if asked.convoy is None:
        return query
    return domain.checked_convoy(query, domain.Convoy(**asked.convoy.model_dump()), policy)


def _pictures(routes: APIRouter, gate: Gate) -> None:
    recorded = APIRouter(route_class=RecordedRoute)

    @recorded.get(
        "/reads/{read_id}/pictures/{kind}",
        response_class=Response,
        responses={200: {"content": {"image/jpeg": {}}}},
    )
    async def picture(
        read_id: UUID,
        kind: PictureKind,
        principal: Annotated[Principal, Depends(gate.access())],
        door: TheDoor,
        access_id: UUID | None = None,
    ) -> Response:
        jpeg = await handlers.view_picture(
            door, principal, read_id, kind, access_id, datetime.now(UTC)
        )
        return Response(jpeg, media_type="image/jpeg", headers=NOT_KEPT)

    routes.include_router(recorded)


def _records(routes: APIRouter, gate: Gate) -> None:
    recorded = APIRouter(route_class=RecordedRoute)

    # The log itself holds no reads, so an auditor needs no training to read it.
    @recorded.get("/searches")
    async def records(
        principal: Annotated[Principal, Depends(gate.signed_in(*LOG_READERS))],
        door: TheDoor,
        response: Response,
        person_id: Annotated[StorableText, Query(max_length=200)] | None = None,
        action: Annotated[StorableText, Query(max_length=200)] | None = None,
        outcome: Annotated[StorableText, Query(pattern="^(done|refused|failed)$")] | None = None,
        from_at: Annotated[Instant | None, Query(alias="from")] = None,
        to_at: Annotated[Instant | None, Query(alias="to")] = None,
        cursor: Annotated[int | None, Query(ge=1, lt=2**63)] = None,
        limit: Annotated[int, Query(ge=1, le=500)] = _DEFAULT_LIMIT,
    ) -> RecordPage:
        response.headers.update(NOT_KEPT)
        wanted = store.RecordFilter(person_id, action, outcome, from_at, to_at)
        items, following = await handlers.list_records(door, principal, wanted, cursor, limit)
        return RecordPage(items=items, next_cursor=following)

    routes.include_router(recorded)
