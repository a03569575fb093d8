"""Legal holds: what is kept although its time is over, why, and who may end that (131.5-c)."""

from http import HTTPStatus
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Query, Request
from fastapi.responses import RedirectResponse, Response

from alpr_console.domain.forms import Typed, given, ids_of, parse_local, with_times
from alpr_console.domain.navigation import DECIDERS
from alpr_console.pages import Pages
from alpr_console.session import Session
from alpr_console.sessions import Sessions
from alpr_console.upstream import Problem, Refused

Show = Literal["in-force", "released", "all"]
_IN_FORCE = {"in-force": "true", "released": "false"}


def routes(sessions: Sessions, pages: Pages) -> APIRouter:
    router = APIRouter(include_in_schema=False)
    signed_in = Depends(sessions.gate())

    async def show(
        request: Request, session: Session, which: Show = "in-force", cursor: str = "",
        typed: Typed | None = None, problem: Problem | None = None,
    ) -> Response:  # fmt: skip
        params = {"in_force": _IN_FORCE.get(which, ""), "cursor": cursor}
        listed = await session.call("access-log", "GET", "/v1/holds", params=params)
        return pages.page(
            request, "holds.html", session, status=problem.status if problem else HTTPStatus.OK,
            holds=[with_times(hold) for hold in listed["items"]], which=which,
            next_cursor=listed["next_cursor"], typed=typed or Typed(), problem=problem,
            may_decide=session.principal.role in DECIDERS,
        )  # fmt: skip

    async def show_one(
        request: Request, session: Session, hold_id: UUID, problem: Problem | None = None,
        reason: str = "",
    ) -> Response:  # fmt: skip
        hold = await session.call("access-log", "GET", f"/v1/holds/{hold_id}")
        return pages.page(
            request, "hold.html", session, status=problem.status if problem else HTTPStatus.OK,
            hold=with_times(hold), reads=[with_times(read) for read in hold["reads"]],
            problem=problem, reason=reason, may_decide=session.principal.role in DECIDERS,
            placed="placed" in request.query_params,
        )  # fmt: skip

    @router.get("/holds")
    async def holds(
        request: Request, show_: Annotated[Show, Query(alias="show")] = "in-force",
        cursor: Annotated[str, Query()] = "", session: Session = signed_in,
    ) -> Response:  # fmt: skip
        return await show(request, session, show_, cursor)

    @router.post("/holds")
    async def place(request: Request, session: Session = signed_in) -> Response:
        typed = Typed.of((await request.form()).items())
        try:
            body = hold_body(typed, pages)
            hold = await session.call("access-log", "POST", "/v1/holds", json=body)
        except ValueError:
            return await show(request, session, typed=typed, problem=_NO_TIME)
        except Refused as error:
            return await show(request, session, typed=typed, problem=error.here())
        return RedirectResponse(f"/holds/{hold['hold_id']}?placed=1", HTTPStatus.SEE_OTHER)

    @router.get("/holds/{hold_id}")
    async def hold(request: Request, hold_id: UUID, session: Session = signed_in) -> Response:
        return await show_one(request, session, hold_id)

    @router.post("/holds/{hold_id}/release")
    async def release(
        request: Request, hold_id: UUID, reason: Annotated[str, Form()] = "",
        session: Session = signed_in,
    ) -> Response:  # fmt: skip
        try:
            path, body = f"/v1/holds/{hold_id}/release", given({"reason": reason.strip()})
            await session.call("access-log", "POST", path, json=body)
        except Refused as error:
            return await show_one(request, session, hold_id, error.here(), reason)
        return RedirectResponse(f"/holds/{hold_id}", HTTPStatus.SEE_OTHER)

    return router


_NO_TIME = Problem(
    title="A time could not be read",
    status=HTTPStatus.UNPROCESSABLE_ENTITY,
    detail="Give from and to as a day and a time.",
)


def hold_body(typed: Typed, pages: Pages) -> dict[str, Any]:
    """The form as the access log wants it: what of the three ways to name reads was chosen.

    Raises ValueError when a time is none.
    """
    body: dict[str, Any] = {name: typed[name].strip() for name in ("reason", "case_number")}
    match typed["by"]:
        case "reads":
            body["read_ids"] = ids_of(typed["read_ids"]) or None
        case "alert":
            body["alert_id"] = typed["alert_id"].strip()
        case _:
            start = parse_local(typed["from"], pages.zone)
            end = parse_local(typed["to"], pages.zone)
            body |= {
                "plate": typed["plate"].strip(), "lookalike": "lookalike" in typed,
                "from": start and start.isoformat(), "to": end and end.isoformat(),
            }  # fmt: skip
    return given(body)
