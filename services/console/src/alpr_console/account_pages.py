"""One's own page: password, second factor, sessions (131.7-3c)."""

from http import HTTPStatus
from typing import Annotated, Any
from uuid import UUID

import segno
from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import RedirectResponse, Response
from markupsafe import Markup

from alpr_console.domain.forms import given, with_times
from alpr_console.pages import Pages
from alpr_console.session import Session
from alpr_console.sessions import Sessions
from alpr_console.sign_in_pages import local_path
from alpr_console.upstream import Problem, Refused

_FACTOR = "/v1/me/second-factor"
_NEW_SIGN_IN = "/sign-in?why=changed"
Password = Annotated[str, Form()]
Code = Annotated[str, Form()]


def routes(sessions: Sessions, pages: Pages) -> APIRouter:
    router = APIRouter(include_in_schema=False)
    _oneself(router, sessions, pages)
    _second_factor(router, sessions, pages)
    return router


def _oneself(router: APIRouter, sessions: Sessions, pages: Pages) -> None:
    signed_in = Depends(sessions.gate())

    async def show(
        request: Request, session: Session, problem: Problem | None = None, at: str = ""
    ) -> Response:
        """`at`: the part of the page that was refused."""
        me = await session.call("identity", "GET", "/v1/me")
        factor = await session.call("identity", "GET", _FACTOR)
        listed = await session.call("identity", "GET", "/v1/sessions")
        return pages.page(
            request, "account.html", session, status=problem.status if problem else HTTPStatus.OK,
            me=with_times(me), factor=with_times(factor), problem=problem, at=at,
            own_sessions=[with_times(one) for one in listed["items"]],
        )  # fmt: skip

    @router.get("/account")
    async def account(request: Request, session: Session = signed_in) -> Response:
        return await show(request, session)

    @router.post("/account/password")
    async def change_password(
        request: Request, present: Password = "", new: Password = "", again: Password = "",
        session: Session = signed_in,
    ) -> Response:  # fmt: skip
        if new != again:
            return await show(request, session, _NOT_TWICE, "password")
        try:
            body = {"present": present, "new": new}
            await session.call("identity", "POST", "/v1/me/password", json=body)
        except Refused as error:
            return await show(request, session, error.problem, "password")
        await sessions.sign_out(request)  # identity has ended every session, this one too
        return RedirectResponse(_NEW_SIGN_IN, HTTPStatus.SEE_OTHER)

    @router.post("/account/sessions/{session_id}/end")
    async def end(request: Request, session_id: UUID, session: Session = signed_in) -> Response:
        try:
            await session.call("identity", "DELETE", f"/v1/sessions/{session_id}")
        except Refused as error:
            return await show(request, session, error.problem, "sessions")
        return RedirectResponse("/account#sessions", HTTPStatus.SEE_OTHER)

    @router.post("/account/look-again")
    async def look_again(
        request: Request, to: Annotated[str, Form()] = "/account", session: Session = signed_in
    ) -> Response:
        """A training that was recorded since the person signed in counts from here on."""
        await sessions.renew(request, session)
        return RedirectResponse(local_path(to), HTTPStatus.SEE_OTHER)


def _second_factor(router: APIRouter, sessions: Sessions, pages: Pages) -> None:
    enrolling = Depends(sessions.gate(enrolling=True))
    signed_in = Depends(sessions.gate())

    async def show(
        request: Request, session: Session, problem: Problem | None = None, at: str = "begin",
        **shown: Any,
    ) -> Response:  # fmt: skip
        factor = await session.call("identity", "GET", _FACTOR)
        context: dict[str, Any] = {"uri": "", "qr": None, "secret": "", "codes": None} | shown
        return pages.page(
            request, "second_factor.html", session,
            status=problem.status if problem else HTTPStatus.OK,
            factor=with_times(factor), problem=problem, at=at, **context,
        )  # fmt: skip

    async def confirmed(session: Session, path: str, password: str, code: str) -> Any:
        body = given({"password": password, "code": code.strip()})
        return await session.call("identity", "POST", f"{_FACTOR}{path}", json=body)

    @router.get("/account/second-factor")
    async def standing(request: Request, session: Session = enrolling) -> Response:
        return await show(request, session)

    @router.post("/account/second-factor")
    async def begin(
        request: Request, password: Password = "", code: Code = "", session: Session = enrolling
    ) -> Response:
        try:
            pending = await confirmed(session, "", password, code)
        except Refused as error:
            return await show(request, session, _of_here(error), "begin")
        return await show(request, session, **_scanned(pending["otpauth_uri"]))

    @router.post("/account/second-factor/confirm")
    async def confirm(
        request: Request, uri: Annotated[str, Form()] = "", code: Code = "",
        session: Session = enrolling,
    ) -> Response:  # fmt: skip
        try:
            body = {"code": code.strip()}
            answer = await session.call("identity", "POST", f"{_FACTOR}/confirm", json=body)
        except Refused as error:
            return await show(request, session, _of_here(error), "confirm", **_scanned(uri))
        await sessions.renew(request, session)
        return await show(request, session, codes=answer["recovery_codes"])

    @router.post("/account/second-factor/recovery-codes")
    async def recovery_codes(
        request: Request, password: Password = "", code: Code = "", session: Session = signed_in
    ) -> Response:
        try:
            answer = await confirmed(session, "/recovery-codes", password, code)
        except Refused as error:
            return await show(request, session, _of_here(error), "codes")
        return await show(request, session, codes=answer["recovery_codes"])

    @router.post("/account/second-factor/remove")
    async def remove(
        request: Request, password: Password = "", code: Code = "", session: Session = signed_in
    ) -> Response:
        try:
            await confirmed(session, "/remove", password, code)
        except Refused as error:
            return await show(request, session, _of_here(error), "remove")
        await sessions.sign_out(request)
        return RedirectResponse(_NEW_SIGN_IN, HTTPStatus.SEE_OTHER)


def _of_here(error: Refused) -> Problem:
    """As `Refused.here`; that a code is missing is about the form, not the session."""
    return error.problem if error.problem.code == "second-factor-needed" else error.here()


def _scanned(uri: str) -> dict[str, Any]:
    """What an app needs to take the secret: the picture, and the words for who cannot scan it."""
    if not uri.startswith("otpauth://totp/"):
        return {}
    secret = uri.partition("secret=")[2].partition("&")[0]
    spaced = " ".join(secret[i : i + 4] for i in range(0, len(secret), 4))
    return {"uri": uri, "qr": qr_code(uri), "secret": spaced}


def qr_code(text: str) -> Markup:
    """A QR code as inline SVG: no address, no style, nothing that leaves the page."""
    drawn = segno.make(text, error="m").svg_inline(
        dark="#000", light="#fff", border=4, omitsize=True, svgclass="qr-code", lineclass=None
    )
    return Markup(drawn)  # noqa: S704 - made here from modules of a QR code, no text in it


_NOT_TWICE = Problem(
    title="The two new passwords differ",
    status=HTTPStatus.UNPROCESSABLE_ENTITY,
    detail="Type the new password twice, the same each time.",
)
