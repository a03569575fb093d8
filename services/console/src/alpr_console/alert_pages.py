"""The alert board, one alert with its steps, its pictures, and the live stream."""

from http import HTTPStatus
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import RedirectResponse, Response
from sse_starlette import EventSourceResponse

from alpr_console.handlers import Board, StepForm, StepTaken, load_alert, load_board, take_step
from alpr_console.pages import Pages, is_fragment
from alpr_console.session import Session
from alpr_console.sessions import Sessions
from alpr_console.stream import Relay

Step = Literal["accept", "reject", "status", "enforce", "close", "hand-off"]
Which = Literal["frame", "plate"]
Show = Literal["open", "finished"]


def routes(sessions: Sessions, pages: Pages, relay: Relay) -> APIRouter:
    router = APIRouter(include_in_schema=False)
    signed_in, watching = Depends(sessions.gate()), Depends(sessions.gate(passive=True))

    @router.get("/board")
    async def board(
        request: Request, show: Annotated[Show, Query()] = "open", session: Session = signed_in
    ) -> Response:
        shown = await load_board(session, finished=show == "finished")
        return pages.page(request, "board.html", session, board=shown, show=show, taken=None)

    @router.get("/board/rows")
    async def rows(
        request: Request, show: Annotated[Show, Query()] = "open", session: Session = watching
    ) -> Response:
        """The list alone, which the page asks for whenever its stream (re)starts."""
        shown = await load_board(session, finished=show == "finished")
        return pages.page(request, "_rows.html", session, board=shown, show=show, taken=None)

    @router.get("/board/stream")
    async def stream(
        request: Request,
        after: Annotated[str | None, Query()] = None,
        session: Session = watching,
    ) -> Response:
        last_event_id = request.headers.get("last-event-id") or after
        heard = await relay.listen(session, last_event_id)
        return EventSourceResponse(relay.events(heard), ping=0)

    @router.get("/alerts/{alert_id}")
    async def alert(alert_id: UUID, request: Request, session: Session = signed_in) -> Response:
        taken = StepTaken(await load_alert(session, alert_id))
        if is_fragment(request):
            return pages.page(request, "_alert.html", session, taken=taken)
        shown = await load_board(session, finished=taken.alert.finished)
        return _with_board(pages, request, session, shown, taken)

    @router.post("/alerts/{alert_id}/{step}")
    async def take(
        alert_id: UUID, step: Step, request: Request, session: Session = signed_in
    ) -> Response:
        form = StepForm.of(step, (await request.form()).multi_items())
        taken = await take_step(session, alert_id, form)
        status = taken.problem.status if taken.problem else HTTPStatus.OK
        if is_fragment(request):
            return pages.page(request, "_alert.html", session, status=status, taken=taken)
        if taken.problem is None:
            return RedirectResponse(f"/alerts/{alert_id}", HTTPStatus.SEE_OTHER)
        shown = await load_board(session, finished=taken.alert.finished)
        return _with_board(pages, request, session, shown, taken, status)

    @router.get("/alerts/{alert_id}/pictures/{which}")
    async def picture(alert_id: UUID, which: Which, session: Session = signed_in) -> Response:
        """Each look is recorded by the alert service, with the alert as its purpose (131.7-3a)."""
        path = f"/v1/alerts/{alert_id}/pictures/{which}"
        jpeg = await session.get("alerts", path)
        return Response(jpeg.content, media_type="image/jpeg")

    return router


def _with_board(
    pages: Pages, request: Request, session: Session, board: Board, taken: StepTaken,
    status: int = HTTPStatus.OK,
) -> Response:  # fmt: skip
    show = "finished" if taken.alert.finished else "open"
    return pages.page(
        request, "board.html", session, status=status, board=board, show=show, taken=taken
    )
