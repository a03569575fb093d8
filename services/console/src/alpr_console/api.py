"""The frame of all pages: where one begins, whether one is still there, static files."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from fastapi.responses import JSONResponse, RedirectResponse, Response

from alpr_common.auth import public
from alpr_console.assets import Assets
from alpr_console.pages import Pages, category_styles
from alpr_console.session import Session
from alpr_console.sessions import Sessions


def routes(sessions: Sessions, pages: Pages, assets: Assets) -> APIRouter:
    router = APIRouter(include_in_schema=False)
    signed_in = Depends(sessions.gate())
    active_now = Depends(sessions.gate(early=True, enrolling=True))
    watching = Depends(sessions.gate(passive=True, early=True, enrolling=True))
    colours = category_styles(pages.policy)

    @router.get("/")
    async def home(session: Session = signed_in) -> Response:
        return RedirectResponse(pages.navigation(session).home, HTTPStatus.SEE_OTHER)

    @router.get("/session")
    async def session_state(session: Session = watching) -> JSONResponse:
        """Whether somebody is signed in; asking is no sign of somebody being there."""
        return JSONResponse({"person_id": session.principal.person_id})

    @router.post("/session/active")
    async def active(session: Session = active_now) -> Response:
        """Somebody touched the page: the lock waits on."""
        return Response(
            status_code=HTTPStatus.NO_CONTENT,
            headers={"Alpr-Person": session.principal.person_id},
        )

    @router.get("/categories.css", dependencies=[Depends(public)])
    async def categories() -> Response:
        return Response(colours, media_type="text/css")

    @router.get("/static/{name:path}", dependencies=[Depends(public)])
    async def static(name: str, v: Annotated[str, Query()] = "") -> Response:
        return assets.serve(name, fingerprinted=bool(v))

    return router
