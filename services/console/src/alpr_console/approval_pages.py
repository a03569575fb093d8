"""Searches that wait for a supervisor: looked at whole, approved or denied with a reason."""

from http import HTTPStatus
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Query, Request
from fastapi.responses import RedirectResponse, Response

from alpr_console.domain.forms import given, with_times
from alpr_console.pages import Pages
from alpr_console.session import Session
from alpr_console.sessions import Sessions
from alpr_console.upstream import Problem, Refused

Show = Literal["waiting", "all"]


def routes(sessions: Sessions, pages: Pages) -> APIRouter:
    router = APIRouter(include_in_schema=False)
    signed_in = Depends(sessions.gate())

    async def show(
        request: Request, session: Session, which: Show = "waiting", cursor: str = "",
        problem: Problem | None = None, refused_id: UUID | None = None, note: str = "",
    ) -> Response:  # fmt: skip
        params = {"pending": str(which == "waiting").lower(), "cursor": cursor}
        listed = await session.call("access-log", "GET", "/v1/search-approvals", params=params)
        return pages.page(
            request, "approvals.html", session,
            status=problem.status if problem else HTTPStatus.OK, which=which,
            approvals=[with_times(one) for one in listed["items"]],
            next_cursor=listed["next_cursor"], problem=problem,
            refused_id=refused_id and str(refused_id), note=note,
            decided=request.query_params.get("decided", ""),
        )  # fmt: skip

    @router.get("/approvals")
    async def inbox(
        request: Request, show_: Annotated[Show, Query(alias="show")] = "waiting",
        cursor: Annotated[str, Query()] = "", session: Session = signed_in,
    ) -> Response:  # fmt: skip
        return await show(request, session, show_, cursor)

    @router.post("/approvals/{approval_id}/{decision}")
    async def decide(
        request: Request, approval_id: UUID, decision: Literal["approve", "deny"],
        note: Annotated[str, Form()] = "", session: Session = signed_in,
    ) -> Response:  # fmt: skip
        path = f"/v1/search-approvals/{approval_id}/{decision}"
        try:
            body = given({"note": note.strip()})
            await session.call("access-log", "POST", path, json=body)
        except Refused as error:
            return await show(
                request, session, problem=error.here(), refused_id=approval_id, note=note
            )
        return RedirectResponse(f"/approvals?decided={decision}", HTTPStatus.SEE_OTHER)

    return router
