"""Search of the stored reads: the door's form, and what came through it (131.7-3a, 131.7-3b)."""

from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Query, Request
from fastapi.responses import RedirectResponse, Response

from alpr_console.domain.forms import Typed
from alpr_console.domain.navigation import DECIDERS
from alpr_console.domain.search import APPROVAL_NEEDED, ROWS, NotANumber, search_form
from alpr_console.handlers import load_requests
from alpr_console.pages import Pages, is_fragment
from alpr_console.session import Session
from alpr_console.sessions import Sessions
from alpr_console.upstream import Problem, Refused


def routes(sessions: Sessions, pages: Pages) -> APIRouter:
    router = APIRouter(include_in_schema=False)
    signed_in = Depends(sessions.gate())

    async def show(
        request: Request, session: Session, typed: Typed, *,
        found: dict[str, Any] | None = None, problem: Problem | None = None,
    ) -> Response:  # fmt: skip
        fragment = is_fragment(request)
        return pages.page(
            request, "_found.html" if fragment else "search.html", session,
            status=problem.status if problem else HTTPStatus.OK, typed=typed, found=found,
            problem=problem, may_hold=session.principal.role in DECIDERS,
            may_ask=problem is not None and problem.code in APPROVAL_NEEDED,
            requests=() if fragment else await load_requests(session),
        )  # fmt: skip

    async def searched(
        request: Request, session: Session, typed: Typed, body: dict[str, Any]
    ) -> Response:
        try:
            found = await session.call("access-log", "POST", "/v1/searches", json=body)
        except Refused as error:
            return await show(request, session, typed, problem=error.here())
        found["items"] = [read | {"at": _instant(read["captured_at"])} for read in found["items"]]
        return await show(request, session, typed, found=found)

    @router.get("/search")
    async def search_page(request: Request, session: Session = signed_in) -> Response:
        return await show(request, session, _of_a_day(pages))

    # POST though it only reads: a plate must not stand in an address, where histories and
    # proxies keep it.
    @router.post("/search")
    async def search(request: Request, session: Session = signed_in) -> Response:
        typed = Typed.of((await request.form()).items())
        if typed["cursor"]:  # a further page: the access says the rest
            body = {"cursor": typed["cursor"], "limit": ROWS}
            return await searched(request, session, typed, body)
        try:
            body = search_form(typed, pages.zone) | {"limit": ROWS}
        except ValueError as error:
            return await show(request, session, typed, problem=_misread(error))
        return await searched(request, session, typed, body)

    @router.post("/search/requests")
    async def ask(request: Request, session: Session = signed_in) -> Response:
        """Ask a supervisor for the search that the form says."""
        typed = Typed.of((await request.form()).items())
        try:
            body = search_form(typed, pages.zone)
            await session.call("access-log", "POST", "/v1/search-approvals", json=body)
        except ValueError as error:
            return await show(request, session, typed, problem=_misread(error))
        except Refused as error:
            return await show(request, session, typed, problem=error.here())
        if is_fragment(request):
            return Response(headers={"HX-Redirect": "/search/requests?asked=1"})
        return RedirectResponse("/search/requests?asked=1", HTTPStatus.SEE_OTHER)

    @router.get("/search/requests")
    async def own_requests(request: Request, session: Session = signed_in) -> Response:
        return pages.page(
            request, "requests.html", session, requests=await load_requests(session, needed=True),
            asked="asked" in request.query_params,
        )  # fmt: skip

    @router.post("/search/approved")
    async def search_approved(
        request: Request, approval_id: Annotated[UUID, Form()], session: Session = signed_in
    ) -> Response:
        """The search that a supervisor approved, exactly as it was asked for, once."""
        body = {"approval_id": str(approval_id), "limit": ROWS}
        return await searched(request, session, _of_a_day(pages), body)

    @router.get("/reads/{read_id}/pictures/{which}")
    async def picture(
        read_id: UUID, which: Literal["frame", "plate"], access_id: Annotated[UUID, Query()],
        session: Session = signed_in,
    ) -> Response:  # fmt: skip
        """Given only under the access record whose search returned the read."""
        path = f"/v1/reads/{read_id}/pictures/{which}"
        jpeg = await session.get("access-log", path, {"access_id": str(access_id)})
        return Response(jpeg.content, media_type="image/jpeg")

    return router


def _of_a_day(pages: Pages) -> Typed:
    """The form before anything was typed."""
    now = datetime.now(UTC)
    typed = Typed({"from": pages.field_time(now - timedelta(days=1))})
    typed["to"] = pages.field_time(now + timedelta(minutes=1))
    return typed


def _misread(error: ValueError) -> Problem:
    title, detail = "A time could not be read", "Give from and to as a day and a time."
    if isinstance(error, NotANumber):
        title = "A number of the area could not be read"
        detail = f"Give the {error} as a number, degrees with a point: 41.8489, -87.9284."
    return Problem(title=title, status=HTTPStatus.UNPROCESSABLE_ENTITY, detail=detail)


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)
