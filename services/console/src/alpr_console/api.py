"""The frame of all pages: signing in and out, errors, static files."""

from http import HTTPStatus
from typing import Annotated
from urllib.parse import quote, urlsplit

import structlog
from fastapi import APIRouter, Depends, FastAPI, Form, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.exceptions import HTTPException

from alpr_common.auth import public
from alpr_common.errors import AlprError
from alpr_common.policy import CLAUSES
from alpr_console.assets import Assets
from alpr_console.pages import Pages, category_styles, here, is_fragment
from alpr_console.sessions import Session, Sessions, SignInNeeded
from alpr_console.upstream import Fault, Problem, Refused

log = structlog.get_logger()

HOME = "/board"


def routes(sessions: Sessions, pages: Pages, assets: Assets) -> APIRouter:
    router = APIRouter(include_in_schema=False)
    active_now = Depends(sessions.gate(early=True))
    watching = Depends(sessions.gate(passive=True, early=True))
    colours = category_styles(pages.policy)

    @router.get("/", dependencies=[Depends(public)])
    async def home() -> Response:
        return RedirectResponse(HOME, HTTPStatus.SEE_OTHER)

    @router.get("/sign-in", dependencies=[Depends(public)])
    async def sign_in_page(
        request: Request, to: Annotated[str, Query()] = HOME, why: Annotated[str, Query()] = ""
    ) -> Response:
        return pages.page(
            request, "sign_in.html", None, to=local_path(to), why=why, problem=None, username=""
        )

    @router.post("/sign-in", dependencies=[Depends(public)])
    async def sign_in(
        request: Request,
        username: Annotated[str, Form()] = "",
        password: Annotated[str, Form()] = "",
        to: Annotated[str, Form()] = HOME,
    ) -> Response:
        try:
            session = await sessions.sign_in(request, username.strip(), password)
        except Refused as error:
            template = "_sign_in_form.html" if is_fragment(request) else "sign_in.html"
            return pages.page(
                request, template, None, status=error.problem.status, to=local_path(to), why="",
                problem=error.problem, username=username,
            )  # fmt: skip
        if is_fragment(request):  # signing in again over the page one was on
            return Response(
                status_code=HTTPStatus.NO_CONTENT,
                headers={"Alpr-Person": session.principal.person_id},
            )
        return RedirectResponse(local_path(to), HTTPStatus.SEE_OTHER)

    @router.post("/sign-out", dependencies=[Depends(public)])
    async def sign_out(request: Request) -> Response:
        await sessions.sign_out(request)
        return RedirectResponse("/sign-in?why=signed-out", HTTPStatus.SEE_OTHER)

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


def local_path(to: str) -> str:
    """A path of this console, whatever was asked for: never another site after signing in."""
    parts = urlsplit(to)
    local = to.startswith("/") and not to.startswith(("//", "/\\")) and not parts.netloc
    return to if local and not parts.path.startswith(("/sign-", "/session")) else HOME


def add_error_pages(app: FastAPI, pages: Pages) -> None:
    """Every refusal as a page, or as the fragment that htmx puts where it belongs."""

    def shown(request: Request, problem: Problem) -> Response:
        template = "_problem.html" if is_fragment(request) else "problem.html"
        return pages.page(request, template, None, status=problem.status, problem=problem)

    @app.exception_handler(SignInNeeded)
    async def sign_in_needed(request: Request, error: SignInNeeded) -> Response:
        if _came_from_elsewhere(request):
            return _once_more(request)
        if _wants_page(request):
            address = f"/sign-in?why={error.reason}&to={quote(here(request), safe='')}"
            return RedirectResponse(address, HTTPStatus.SEE_OTHER)
        return JSONResponse(
            {"title": error.title, "reason": error.reason},
            HTTPStatus.UNAUTHORIZED,
            headers={"Alpr-Sign-In": error.reason},
        )

    @app.exception_handler(Refused)
    async def refused(request: Request, error: Refused) -> Response:
        if error.problem.status == HTTPStatus.UNAUTHORIZED:
            # The token looks good from here, but identity has withdrawn it (signed out elsewhere,
            # role or training changed).
            return await sign_in_needed(request, SignInNeeded("expired"))
        return shown(request, error.problem)

    @app.exception_handler(AlprError)
    async def own(request: Request, error: AlprError) -> Response:
        return shown(request, problem_of(error))

    @app.exception_handler(RequestValidationError)
    async def malformed(request: Request, error: RequestValidationError) -> Response:
        faults = tuple(Fault(where=str(e["loc"][-1]), what=str(e["msg"])) for e in error.errors())
        return shown(
            request,
            Problem(title="The form could not be read", status=422, faults=faults,
                    detail="Check the marked fields and send it again."),
        )  # fmt: skip

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> Response:
        title = "There is no such page" if error.status_code == 404 else "That was refused"
        return shown(
            request, Problem(title=title, status=error.status_code, detail=str(error.detail))
        )

    @app.exception_handler(Exception)
    async def unexpected(request: Request, error: Exception) -> Response:
        log.error("request.failed", path=request.url.path, error=repr(error), exc_info=error)
        return shown(
            request,
            Problem(title="The console made an error", status=500,
                    detail="It has been logged for the operators. Go back and try again."),
        )  # fmt: skip


def problem_of(error: AlprError) -> Problem:
    """A refusal of the console's own, in the form that the services' refusals have."""
    if isinstance(error, Refused):
        return error.problem
    return Problem(
        type=f"urn:alpr:problem:{error.code}", title=error.title, status=int(error.status),
        detail=error.detail, clause=error.clause, clause_text=CLAUSES.get(error.clause or "", ""),
    )  # fmt: skip


def _wants_page(request: Request) -> bool:
    """A person going to a page, in difference to a script or a picture asking for something."""
    return (
        request.method == "GET"
        and not is_fragment(request)
        and request.headers.get("sec-fetch-dest", "document") == "document"
        and "text/html" in request.headers.get("accept", "")
    )


def _came_from_elsewhere(request: Request) -> bool:
    return (
        request.method == "GET"
        and request.headers.get("sec-fetch-site") == "cross-site"
        and request.headers.get("sec-fetch-mode") == "navigate"
    )


def _once_more(request: Request) -> Response:
    """A link from another system (CAD, mail) brings no SameSite=Strict cookie. Going there once
    more from here does, so that whoever is signed in is not asked to sign in again."""
    address = here(request).replace("&", "&amp;").replace('"', "%22").replace("<", "%3C")
    return HTMLResponse(
        f'<!doctype html><meta http-equiv="refresh" content="0; url={address}"><title>ALPR</title>'
    )
