"""Signing in, with the second factor where there is one, and out (131.7-3c)."""

from http import HTTPStatus
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, Form, Query, Request
from fastapi.responses import RedirectResponse, Response

from alpr_common.auth import public
from alpr_console.error_pages import ENROLMENT
from alpr_console.pages import Pages, is_fragment
from alpr_console.session import Session
from alpr_console.sessions import Sessions
from alpr_console.upstream import Problem, Refused

HOME = "/board"
_CODE_NEEDED = "second-factor-needed"


def routes(sessions: Sessions, pages: Pages) -> APIRouter:
    router = APIRouter(include_in_schema=False)

    def ask(
        request: Request, to: str, *, why: str = "", problem: Problem | None = None,
        username: str = "", code_step: str = "", ways: tuple[str, ...] = (),
    ) -> Response:  # fmt: skip
        template = "_sign_in_form.html" if is_fragment(request) else "sign_in.html"
        return pages.page(
            request, template, None, status=problem.status if problem else HTTPStatus.OK,
            to=local_path(to), why=why, problem=problem, username=username, code_step=code_step,
            ways=ways,
        )  # fmt: skip

    def entered(request: Request, session: Session, to: str) -> Response:
        return after_sign_in(request, pages, session, to)

    @router.get("/sign-in", dependencies=[Depends(public)])
    async def sign_in_page(
        request: Request, to: Annotated[str, Query()] = HOME, why: Annotated[str, Query()] = ""
    ) -> Response:
        return ask(request, to, why=why)

    @router.post("/sign-in", dependencies=[Depends(public)])
    async def sign_in(
        request: Request,
        username: Annotated[str, Form()] = "",
        password: Annotated[str, Form()] = "",
        to: Annotated[str, Form()] = HOME,
    ) -> Response:
        username = username.strip()
        try:
            session = await sessions.sign_in(request, username, password)
        except Refused as error:
            if error.problem.code == _CODE_NEEDED and "code" in (error.problem.ways or ("code",)):
                step = sessions.seal_code_step(username, password)
                return ask(request, to, username=username, code_step=step, ways=error.problem.ways)
            return ask(request, to, problem=error.problem, username=username)
        return entered(request, session, to)

    @router.post("/sign-in/code", dependencies=[Depends(public)])
    async def sign_in_with_code(
        request: Request,
        code_step: Annotated[str, Form()] = "",
        code: Annotated[str, Form()] = "",
        to: Annotated[str, Form()] = HOME,
    ) -> Response:
        said = sessions.open_code_step(code_step)
        if said is None:
            return ask(request, to, problem=_TOO_LONG)
        username, password = said
        if not code.strip():
            return ask(request, to, problem=_NO_CODE, username=username, code_step=code_step)
        try:
            session = await sessions.sign_in(request, username, password, code.strip())
        except Refused as error:
            return ask(request, to, problem=error.problem, username=username, code_step=code_step)
        return entered(request, session, to)

    @router.post("/sign-out", dependencies=[Depends(public)])
    async def sign_out(request: Request) -> Response:
        await sessions.sign_out(request)
        return RedirectResponse("/sign-in?why=signed-out", HTTPStatus.SEE_OTHER)

    return router


def after_sign_in(request: Request, pages: Pages, session: Session, to: str) -> Response:
    """Where somebody goes who has just signed in, whatever way of signing in it was."""
    if is_fragment(request):  # signing in again over the page one was on
        return Response(
            status_code=HTTPStatus.NO_CONTENT, headers={"Alpr-Person": session.principal.person_id}
        )
    target = local_path(to)
    if session.principal.must_enrol:
        target = ENROLMENT
    elif target == HOME:
        target = pages.navigation(session).home
    return RedirectResponse(target, HTTPStatus.SEE_OTHER)


def local_path(to: str) -> str:
    """A path of this console, whatever was asked for: never another site after signing in."""
    parts = urlsplit(to)
    local = to.startswith("/") and not to.startswith(("//", "/\\")) and not parts.netloc
    return to if local and not parts.path.startswith(("/sign-", "/session")) else HOME


_TOO_LONG = Problem(
    title="That took too long",
    status=HTTPStatus.UNAUTHORIZED,
    detail="Type your user name and password again; a code is asked for within five minutes.",
    clause="131.7-3c",
)
_NO_CODE = Problem(
    title="Type the code",
    status=HTTPStatus.UNPROCESSABLE_ENTITY,
    detail="The six digits that your app shows now, or one of your recovery codes.",
)
