"""Search of the stored reads: the door's form, and what came through it (131.7-3a, 131.7-3b)."""

from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response

from alpr_console.domain import Typed, given, parse_local
from alpr_console.pages import Pages, is_fragment
from alpr_console.sessions import Session, Sessions
from alpr_console.upstream import Problem, Refused, Upstream

_ROWS = 50


def routes(sessions: Sessions, pages: Pages, upstream: Upstream) -> APIRouter:
    router = APIRouter(include_in_schema=False)
    signed_in = Depends(sessions.gate())

    def show(
        request: Request, session: Session, typed: Typed, *,
        found: dict[str, Any] | None = None, problem: Problem | None = None,
    ) -> Response:  # fmt: skip
        template = "_found.html" if is_fragment(request) else "search.html"
        status = problem.status if problem else HTTPStatus.OK
        return pages.page(
            request, template, session, status=status, typed=typed, found=found, problem=problem
        )

    @router.get("/search")
    async def search_page(request: Request, session: Session = signed_in) -> Response:
        now = datetime.now(UTC)
        typed = Typed({"from": pages.field_time(now - timedelta(days=1))})
        typed["to"] = pages.field_time(now + timedelta(minutes=1))
        return show(request, session, typed)

    # POST though it only reads: a plate must not stand in an address, where histories and
    # proxies keep it.
    @router.post("/search")
    async def search(request: Request, session: Session = signed_in) -> Response:
        typed = Typed.of((await request.form()).items())
        try:
            body = search_body(typed, pages)
            found = await upstream.call(
                "access-log", "POST", "/v1/searches", token=session.access_token, json=body
            )
        except ValueError:
            return show(request, session, typed, problem=_NO_TIME)
        except Refused as error:
            if error.problem.status == HTTPStatus.UNAUTHORIZED:
                raise
            return show(request, session, typed, problem=error.problem)
        found["items"] = [read | {"at": _instant(read["captured_at"])} for read in found["items"]]
        return show(request, session, typed, found=found)

    @router.get("/reads/{read_id}/pictures/{which}")
    async def picture(
        read_id: UUID, which: Literal["frame", "plate"], access_id: Annotated[UUID, Query()],
        session: Session = signed_in,
    ) -> Response:  # fmt: skip
        """Given only under the access record whose search returned the read."""
        path = f"/v1/reads/{read_id}/pictures/{which}"
        params = {"access_id": str(access_id)}
        jpeg = await upstream.picture(path, "access-log", session.access_token, params)
        return Response(jpeg, media_type="image/jpeg")

    return router


_NO_TIME = Problem(
    title="A time could not be read",
    status=HTTPStatus.UNPROCESSABLE_ENTITY,
    detail="Give from and to as a day and a time.",
)


def search_body(typed: Typed, pages: Pages) -> dict[str, Any]:
    """The form as the door wants it; raises ValueError when a time is none.

    What was left empty is left out, and so refused by the door, which records refusals too.
    """
    start = parse_local(typed["from"], pages.zone)
    end = parse_local(typed["to"], pages.zone)
    cameras = [c for c in typed["camera_ids"].replace(",", " ").split() if c]
    fields = ("plate", "purpose", "case_number", "suspicion", "cursor")
    return given({name: typed[name].strip() for name in fields}) | given(
        {
            "lookalike": "lookalike" in typed,
            "attested": "attested" in typed,
            "from": start and start.isoformat(),
            "to": end and end.isoformat(),
            "camera_ids": cameras or None,
            "limit": _ROWS,
        }
    )


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)
