"""Evidence: sealed packages of what holds keep, handed out on portable media (131.7-2)."""

from http import HTTPStatus
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import RedirectResponse, Response

from alpr_console.domain.forms import Typed, given, ids_of, parse_local, with_times
from alpr_console.pages import Pages
from alpr_console.session import Session
from alpr_console.sessions import Sessions
from alpr_console.upstream import Problem, Refused

_SEALS_SECONDS = 120.0


def routes(sessions: Sessions, pages: Pages) -> APIRouter:
    router = APIRouter(include_in_schema=False)
    signed_in = Depends(sessions.gate())

    async def show(
        request: Request, session: Session, typed: Typed, problem: Problem | None = None,
        cursor: str = "", case_number: str = "",
    ) -> Response:  # fmt: skip
        params = {"cursor": cursor, "case_number": case_number}
        listed = await session.call("access-log", "GET", "/v1/evidence", params=params)
        return pages.page(
            request, "evidence.html", session,
            status=problem.status if problem else HTTPStatus.OK, typed=typed, problem=problem,
            packages=[with_times(one) for one in listed["items"]],
            next_cursor=listed["next_cursor"], case_number=case_number,
        )  # fmt: skip

    async def show_one(
        request: Request, session: Session, evidence_id: UUID, typed: Typed | None = None,
        problem: Problem | None = None,
    ) -> Response:  # fmt: skip
        package = await session.call("access-log", "GET", f"/v1/evidence/{evidence_id}")
        return pages.page(
            request, "package.html", session, status=problem.status if problem else HTTPStatus.OK,
            package=with_times(package), receipts=[with_times(one) for one in package["receipts"]],
            typed=typed or Typed(), problem=problem, prepared="prepared" in request.query_params,
        )  # fmt: skip

    @router.get("/evidence")
    async def evidence(
        request: Request, hold: Annotated[UUID | None, Query()] = None,
        case_number: Annotated[str, Query()] = "", cursor: Annotated[str, Query()] = "",
        session: Session = signed_in,
    ) -> Response:  # fmt: skip
        """With `hold`: the form filled with what that hold keeps."""
        typed = Typed()
        if hold is not None:
            kept = await session.call("access-log", "GET", f"/v1/holds/{hold}")
            typed["case_number"] = kept["case_number"] or ""
            typed["read_ids"] = "\n".join(read["read_id"] for read in kept["reads"])
        return await show(request, session, typed, None, cursor, case_number)

    @router.post("/evidence")
    async def prepare(request: Request, session: Session = signed_in) -> Response:
        typed = Typed.of((await request.form()).items())
        body = given({name: typed[name].strip() for name in ("purpose", "case_number")})
        body |= {name: ids_of(typed[name]) for name in ("read_ids", "alert_ids")}
        try:
            package = await session.call(
                "access-log", "POST", "/v1/evidence", json=body, patience_seconds=_SEALS_SECONDS
            )
        except Refused as error:
            return await show(request, session, typed, error.here())
        address = f"/evidence/{package['evidence_id']}?prepared=1"
        return RedirectResponse(address, HTTPStatus.SEE_OTHER)

    @router.get("/evidence/{evidence_id}")
    async def package(
        request: Request, evidence_id: UUID, session: Session = signed_in
    ) -> Response:
        return await show_one(request, session, evidence_id)

    @router.get("/evidence/{evidence_id}/file")
    async def download(evidence_id: UUID, session: Session = signed_in) -> Response:
        """The sealed file; that it was taken is recorded by the access log."""
        path = f"/v1/evidence/{evidence_id}/file"
        return handed_on(await session.get("access-log", path), "evidence.zip")

    @router.post("/evidence/{evidence_id}/receipts")
    async def add_receipt(
        request: Request, evidence_id: UUID, session: Session = signed_in
    ) -> Response:
        typed = Typed.of((await request.form()).items())
        try:
            path = f"/v1/evidence/{evidence_id}/receipts"
            await session.call("access-log", "POST", path, json=receipt_body(typed, pages))
        except ValueError:
            return await show_one(request, session, evidence_id, typed, _NO_TIME)
        except Refused as error:
            return await show_one(request, session, evidence_id, typed, error.here())
        return RedirectResponse(f"/evidence/{evidence_id}#receipts", HTTPStatus.SEE_OTHER)

    return router


_NO_TIME = Problem(
    title="A time could not be read",
    status=HTTPStatus.UNPROCESSABLE_ENTITY,
    detail="Give when it was received as a day and a time, or leave it empty for now.",
)


def receipt_body(typed: Typed, pages: Pages) -> dict[str, Any]:
    """The form as the access log wants it; raises ValueError when the time is none."""
    at = parse_local(typed["received_at"], pages.zone)
    fields = ("received_by", "medium", "serial", "note")
    body = {name: typed[name].strip() for name in fields}
    return given(body | {"received_at": at and at.isoformat()})


def handed_on(answer: Any, name: str) -> Response:
    """A service's file as a download, under the name that the service gave it."""
    disposition = answer.headers.get("content-disposition", f'attachment; filename="{name}"')
    return Response(
        answer.content, media_type=answer.headers.get("content-type", "application/octet-stream"),
        headers={"Content-Disposition": disposition},
    )  # fmt: skip
