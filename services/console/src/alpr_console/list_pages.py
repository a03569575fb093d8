"""The agency's hot lists with their freshness, and entries that wait for a second person."""

from http import HTTPStatus
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import RedirectResponse, Response

from alpr_console.domain.forms import given, with_times
from alpr_console.pages import Pages
from alpr_console.session import Session
from alpr_console.sessions import Sessions
from alpr_console.upstream import Problem, Refused


def routes(sessions: Sessions, pages: Pages) -> APIRouter:
    router = APIRouter(include_in_schema=False)
    signed_in = Depends(sessions.gate())

    async def show(
        request: Request, session: Session, problem: Problem | None = None,
        refused_id: UUID | None = None,
    ) -> Response:  # fmt: skip
        lists = await session.call("matcher", "GET", "/v1/hotlist/lists")
        waiting = await session.call("matcher", "GET", "/v1/hotlist/unchecked")
        return pages.page(
            request, "lists.html", session, status=problem.status if problem else HTTPStatus.OK,
            lists=[with_times(one) for one in lists["items"]], problem=problem,
            refused_id=refused_id and str(refused_id), checked="checked" in request.query_params,
            waiting=[_entry(one) for one in waiting["items"]],
        )  # fmt: skip

    @router.get("/hotlist/lists")
    async def lists(request: Request, session: Session = signed_in) -> Response:
        return await show(request, session)

    @router.post("/hotlist/{entry_id}/check")
    async def check(
        request: Request, entry_id: UUID, note: Annotated[str, Form()] = "",
        session: Session = signed_in,
    ) -> Response:  # fmt: skip
        try:
            path = f"/v1/hotlist/entries/{entry_id}/check"
            await session.call("matcher", "POST", path, json=given({"note": note.strip()}))
        except Refused as error:
            return await show(request, session, error.here(), entry_id)
        return RedirectResponse("/hotlist/lists?checked=1#waiting", HTTPStatus.SEE_OTHER)

    return router


def _entry(waiting: dict[str, Any]) -> dict[str, Any]:
    return with_times(waiting)
