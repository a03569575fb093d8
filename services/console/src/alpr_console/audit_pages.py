"""The yearly audit (131.5-d): prepared for a period, read here, taken along; and its findings."""

from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Query, Request
from fastapi.responses import RedirectResponse, Response

from alpr_console import audit_list_pages
from alpr_console.domain.forms import Typed, with_times
from alpr_console.domain.periods import DayUnread, period
from alpr_console.error_pages import problem_of
from alpr_console.evidence_pages import handed_on
from alpr_console.pages import Pages
from alpr_console.session import Session
from alpr_console.sessions import Sessions
from alpr_console.upstream import Problem, Refused

FileName = Literal["report.html", "report.pdf", "tables.zip"]
Outcome = Literal["explained", "referred"]
Show = Literal["open", "reviewed", "all"]

_REVIEWED = {"open": "false", "reviewed": "true"}


def routes(sessions: Sessions, pages: Pages) -> APIRouter:
    router = APIRouter(include_in_schema=False)
    audit_list_pages.add_to(router, sessions, pages)
    _packages(router, sessions, pages)
    _findings(router, sessions, pages)
    return router


def _packages(router: APIRouter, sessions: Sessions, pages: Pages) -> None:
    signed_in = Depends(sessions.gate())
    # A page that waits is no sign of somebody being there.
    waiting = Depends(sessions.gate(passive=True))

    async def show(
        request: Request, session: Session, typed: Typed, problem: Problem | None = None,
        cursor: str = "",
    ) -> Response:  # fmt: skip
        params = {"cursor": cursor}
        listed = await session.call("access-log", "GET", "/v1/audit/packages", params=params)
        return pages.page(
            request, "audits.html", session, status=problem.status if problem else HTTPStatus.OK,
            typed=typed, problem=problem, next_cursor=listed["next_cursor"],
            packages=[with_times(one) for one in listed["items"]],
        )  # fmt: skip

    @router.get("/audit")
    async def audits(
        request: Request, cursor: Annotated[str, Query()] = "", session: Session = signed_in
    ) -> Response:
        today = datetime.now(UTC).astimezone(pages.zone).date()
        year = {"first_day": str(today - timedelta(days=364)), "last_day": str(today)}
        return await show(request, session, Typed(year), cursor=cursor)

    @router.post("/audit")
    async def prepare(request: Request, session: Session = signed_in) -> Response:
        typed = Typed.of((await request.form()).items())
        try:
            body = period(typed, pages.zone)
            package = await session.call("access-log", "POST", "/v1/audit/packages", json=body)
        except DayUnread as error:
            return await show(request, session, typed, problem_of(error))
        except Refused as error:
            return await show(request, session, typed, error.here())
        return RedirectResponse(f"/audit/{package['package_id']}", HTTPStatus.SEE_OTHER)

    @router.get("/audit/{package_id:uuid}")
    async def package(request: Request, package_id: UUID, session: Session = signed_in) -> Response:
        whole = await session.call("access-log", "GET", f"/v1/audit/packages/{package_id}")
        return pages.page(request, "audit.html", session, **_package(whole))

    @router.get("/audit/{package_id:uuid}/progress")
    async def progress(request: Request, package_id: UUID, session: Session = waiting) -> Response:
        """How far it is, asked by the page itself until it is done; then all that it says."""
        try:
            path = f"/v1/audit/packages/{package_id}"
            whole = await session.call("access-log", "GET", path)
        except Refused as error:
            if error.here().status < HTTPStatus.INTERNAL_SERVER_ERROR:
                raise
            # The service that prepares it is started again, say: it goes on, and so does the page.
            return pages.page(
                request, "_audit_progress.html", session, package_id=package_id, package=None
            )
        return pages.page(request, "_audit.html", session, **_package(whole))

    @router.get("/audit/{package_id:uuid}/files/{name}")
    async def download(package_id: UUID, name: FileName, session: Session = signed_in) -> Response:
        """One of the package's files; that it was taken is recorded by the access log."""
        path = f"/v1/audit/packages/{package_id}/files/{name}"
        return handed_on(await session.get("access-log", path), name)


def _findings(router: APIRouter, sessions: Sessions, pages: Pages) -> None:
    signed_in = Depends(sessions.gate())

    async def show(
        request: Request, session: Session, which: Show = "open", cursor: str = "",
        problem: Problem | None = None, refused_id: UUID | None = None, note: str = "",
    ) -> Response:  # fmt: skip
        params = {"reviewed": _REVIEWED.get(which, ""), "cursor": cursor}
        listed = await session.call("access-log", "GET", "/v1/audit/findings", params=params)
        return pages.page(
            request, "findings.html", session,
            status=problem.status if problem else HTTPStatus.OK, which=which, problem=problem,
            refused_id=refused_id and str(refused_id), note=note,
            findings=[_finding(one) for one in listed["items"]],
            next_cursor=listed["next_cursor"],
        )  # fmt: skip

    @router.get("/audit/findings")
    async def findings(
        request: Request, show_: Annotated[Show, Query(alias="show")] = "open",
        cursor: Annotated[str, Query()] = "", session: Session = signed_in,
    ) -> Response:  # fmt: skip
        return await show(request, session, show_, cursor)

    @router.post("/audit/findings/{finding_id}/review")
    async def review(
        request: Request, finding_id: UUID, outcome: Annotated[Outcome | None, Form()] = None,
        note: Annotated[str, Form()] = "", session: Session = signed_in,
    ) -> Response:  # fmt: skip
        path = f"/v1/audit/findings/{finding_id}/review"
        body = {"outcome": outcome, "note": note}
        try:
            await session.call("access-log", "POST", path, json=body)
        except Refused as error:
            return await show(
                request, session, problem=error.here(), refused_id=finding_id, note=note
            )
        return RedirectResponse("/audit/findings?show=reviewed", HTTPStatus.SEE_OTHER)


def _package(whole: dict[str, Any]) -> dict[str, Any]:
    """What the templates take."""
    return {
        "package_id": whole["package_id"], "package": with_times(whole), "said": whole["summary"]
    }  # fmt: skip


def _finding(one: dict[str, Any]) -> dict[str, Any]:
    return with_times(one) | {
        "records": [with_times(record) for record in one["records"]],
        "reviews": [with_times(review) for review in one["reviews"]],
    }
