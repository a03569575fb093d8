"""Passkeys: signing in with one, and one's own list of them (131.7-3c).

The browser talks to the authenticator, this console passes on what both sides say: identity asks
and checks.
"""

from http import HTTPStatus
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Query, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response
from pydantic import BaseModel, ConfigDict, Field

from alpr_common.auth import public
from alpr_console.domain.forms import given, with_times
from alpr_console.error_pages import ENROLMENT
from alpr_console.pages import Pages
from alpr_console.session import Session
from alpr_console.sessions import Sessions
from alpr_console.sign_in_pages import HOME, local_path
from alpr_console.upstream import Problem, Refused, Upstream

_MINE = "/v1/me/passkeys"
_PAGE = "/account/passkeys"
_FRAGMENTS = ("_sign_in_ways.html", "_account_passkeys.html")


class Said(BaseModel):
    """What the page's script sends."""

    model_config = ConfigDict(extra="forbid")


class SignInSaid(Said):
    credential: dict[str, Any]
    to: str = Field(default=HOME, max_length=2000)


class ProofSaid(Said):
    password: str = Field(default="", max_length=256)
    code: str = Field(default="", max_length=40)


class AddedSaid(Said):
    credential: dict[str, Any]
    name: str = Field(default="", max_length=60)


def routes(sessions: Sessions, pages: Pages, upstream: Upstream) -> APIRouter:
    router = APIRouter(include_in_schema=False)
    ways, part = _FRAGMENTS
    pages.sign_in_ways.append(ways)
    pages.account_parts.append(part)
    _sign_in(router, sessions, pages, upstream)
    _own(router, sessions, pages)
    _adding(router, sessions)
    return router


def _sign_in(router: APIRouter, sessions: Sessions, pages: Pages, upstream: Upstream) -> None:
    @router.get("/sign-in/ways", dependencies=[Depends(public)])
    async def ways() -> JSONResponse:
        """What the sign-in page can offer beside the password."""
        return JSONResponse(await upstream.call("identity", "GET", "/v1/sign-in-ways"))

    @router.post("/sign-in/passkey/begin", dependencies=[Depends(public)])
    async def begin() -> JSONResponse:
        return await _told(upstream.call("identity", "POST", "/v1/sessions/passkey/begin"))

    @router.post("/sign-in/passkey", dependencies=[Depends(public)])
    async def sign_in(request: Request, said: SignInSaid) -> JSONResponse:
        body = {"credential": said.credential}
        try:
            answer = await upstream.call("identity", "POST", "/v1/sessions/passkey", json=body)
        except Refused as error:
            return _problem(error.problem)
        session = sessions.begin(request, answer)
        target = local_path(said.to)
        if session.principal.must_enrol:
            target = ENROLMENT
        elif target == HOME:
            target = pages.navigation(session).home
        return JSONResponse({"to": target})


def _own(router: APIRouter, sessions: Sessions, pages: Pages) -> None:
    enrolling, signed_in = Depends(sessions.gate(enrolling=True)), Depends(sessions.gate())

    async def show(
        request: Request, session: Session, problem: Problem | None = None, at: str = "",
        done: str = "",
    ) -> Response:  # fmt: skip
        listed = await session.call("identity", "GET", _MINE)
        factor = await session.call("identity", "GET", "/v1/me/second-factor")
        ways = await session.call("identity", "GET", "/v1/sign-in-ways")
        return pages.page(
            request, "passkeys.html", session,
            status=problem.status if problem else HTTPStatus.OK, problem=problem, at=at, done=done,
            factor=factor, possible=ways["passkeys"],
            passkeys=[with_times(one) for one in listed["items"]],
        )  # fmt: skip

    @router.get(_PAGE)
    async def page(
        request: Request, done: Annotated[str, Query()] = "", session: Session = enrolling
    ) -> Response:
        return await show(request, session, done=done)

    @router.post(_PAGE + "/{passkey_id}/rename")
    async def rename(
        request: Request, passkey_id: UUID, name: Annotated[str, Form()] = "",
        session: Session = signed_in,
    ) -> Response:  # fmt: skip
        try:
            body = {"name": name.strip()}
            await session.call("identity", "PATCH", f"{_MINE}/{passkey_id}", json=body)
        except Refused as error:
            return await show(request, session, error.here(), str(passkey_id))
        return RedirectResponse(_PAGE, HTTPStatus.SEE_OTHER)

    @router.post(_PAGE + "/{passkey_id}/remove")
    async def remove(
        request: Request, passkey_id: UUID, password: Annotated[str, Form()] = "",
        code: Annotated[str, Form()] = "", session: Session = signed_in,
    ) -> Response:  # fmt: skip
        try:
            body = given({"password": password, "code": code.strip()})
            await session.call("identity", "POST", f"{_MINE}/{passkey_id}/remove", json=body)
        except Refused as error:
            return await show(request, session, _of_here(error), str(passkey_id))
        return RedirectResponse(f"{_PAGE}?done=removed", HTTPStatus.SEE_OTHER)


def _adding(router: APIRouter, sessions: Sessions) -> None:
    enrolling = Depends(sessions.gate(enrolling=True))

    @router.post(_PAGE + "/begin")
    async def begin(said: ProofSaid, session: Session = enrolling) -> JSONResponse:
        body = given({"password": said.password, "code": said.code.strip()})
        return await _told(session.call("identity", "POST", f"{_MINE}/begin", json=body))

    @router.post(_PAGE)
    async def add(request: Request, said: AddedSaid, session: Session = enrolling) -> JSONResponse:
        body = {"name": said.name.strip() or "Passkey", "credential": said.credential}
        answer = await _told(session.call("identity", "POST", _MINE, json=body))
        if answer.status_code == HTTPStatus.OK and session.principal.must_enrol:
            # The token says that a second factor is missing, which it is no more.
            await sessions.renew(request, session)
        return answer


async def _told(call: Any) -> JSONResponse:
    """identity's answer for the page's script, or its refusal."""
    try:
        return JSONResponse(await call)
    except Refused as error:
        return _problem(_of_here(error))


def _problem(problem: Problem) -> JSONResponse:
    # Not 401: to the page's script that means that the session has ended.
    status = HTTPStatus.UNPROCESSABLE_ENTITY if problem.status == 401 else problem.status
    return JSONResponse({"title": problem.title, "detail": problem.detail}, status)


def _of_here(error: Refused) -> Problem:
    """As `Refused.here`; that a code is missing, or an answer too late, is about the form."""
    about_the_form = error.problem.code in ("second-factor-needed", "sign-in-refused")
    return error.problem if about_the_form else error.here()
