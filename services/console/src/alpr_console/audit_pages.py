"""The yearly audit (131.5-d): prepared for a period, read here, taken along; and its findings."""

from datetime import UTC, date, datetime, time, timedelta
from http import HTTPStatus
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Query, Request
from fastapi.responses import RedirectResponse, Response

from alpr_console.domain.forms import Typed, with_times
from alpr_console.evidence_pages import handed_on
from alpr_console.pages import Pages
from alpr_console.session import Session
from alpr_console.sessions import Sessions
from alpr_console.upstream import Problem, Refused

FileName = Literal["report.html", "report.pdf", "tables.zip"]
Outcome = Literal["explained", "referred"]
Show = Literal["open", "reviewed", "all"]

# A year of records is read and the whole log recomputed.
_PREPARES_SECONDS = 300.0
_REVIEWED = {"open": "false", "reviewed": "true"}


def routes(sessions: Sessions, pages: Pages) -> APIRouter:
    router = APIRouter(include_in_schema=False)
    _packages(router, sessions, pages)
    _findings(router, sessions, pages)
    return router


def _packages(router: APIRouter, sessions: Sessions, pages: Pages) -> None:
    signed_in = Depends(sessions.gate())

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
            body = period(typed, pages)
            package = await session.call(
                "access-log", "POST", "/v1/audit/packages", json=body,
                patience_seconds=_PREPARES_SECONDS,
            )  # fmt: skip
        except ValueError:
            return await show(request, session, typed, _NO_DAY)
        except Refused as error:
            return await show(request, session, typed, error.here())
        return RedirectResponse(f"/audit/{package['package_id']}", HTTPStatus.SEE_OTHER)

    @router.get("/audit/{package_id:uuid}")
    async def package(request: Request, package_id: UUID, session: Session = signed_in) -> Response:
        whole = await session.call("access-log", "GET", f"/v1/audit/packages/{package_id}")
        return pages.page(
            request, "audit.html", session, package=with_times(whole), said=whole["summary"]
        )

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


def period(typed: Typed, pages: Pages) -> dict[str, Any]:
    """From the first moment of the first day to the last of the last, in the console's zone.

    Raises ValueError for what is no day.
    """
    first, last = (date.fromisoformat(typed[name]) for name in ("first_day", "last_day"))
    begins = datetime.combine(first, time(), pages.zone)
    ends = datetime.combine(last + timedelta(days=1), time(), pages.zone)
    return {"from": begins.isoformat(), "to": ends.isoformat()}


def _finding(one: dict[str, Any]) -> dict[str, Any]:
    return with_times(one) | {
        "records": [with_times(record) for record in one["records"]],
        "reviews": [with_times(review) for review in one["reviews"]],
    }


_NO_DAY = Problem(
    title="A day could not be read",
    status=HTTPStatus.UNPROCESSABLE_ENTITY,
    detail="Give the first and the last day of the period.",
    clause="131.5-d",
)
