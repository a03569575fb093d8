"""Every refusal as a page, or as the fragment that htmx puts where it belongs."""

from http import HTTPStatus
from urllib.parse import quote

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.exceptions import HTTPException

from alpr_common.errors import AlprError
from alpr_common.policy import CLAUSES
from alpr_console.pages import Pages, here, is_fragment
from alpr_console.session import EnrolmentNeeded, SignInNeeded
from alpr_console.upstream import Fault, Problem, Refused

log = structlog.get_logger()

ENROLMENT = "/account/second-factor"


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

    @app.exception_handler(EnrolmentNeeded)
    async def enrolment_needed(request: Request, error: EnrolmentNeeded) -> Response:
        if _wants_page(request):
            return RedirectResponse(ENROLMENT, HTTPStatus.SEE_OTHER)
        answer = shown(request, problem_of(error))
        if is_fragment(request):
            answer.headers["HX-Redirect"] = ENROLMENT
        return answer

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
