"""Signing in by the agency's own provider (OpenID Connect): to it, and back from it (131.7-3c).

identity knows the providers, makes the address and checks what comes back. This console ties the
way there and the way back to one browser, by a cookie: nobody can be signed in as somebody else by
following a link.
"""

import hmac
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from alpr_common.auth import public
from alpr_console.cookies import CookieSeal
from alpr_console.error_pages import ENROLMENT
from alpr_console.pages import Pages
from alpr_console.sessions import Sessions
from alpr_console.sign_in_pages import HOME, local_path
from alpr_console.upstream import Problem, Refused, Upstream

_SECONDS = 600


def routes(
    sessions: Sessions, pages: Pages, upstream: Upstream, seal: CookieSeal, *, secure: bool
) -> APIRouter:
    router = APIRouter(include_in_schema=False)
    cookie = "__Host-alpr-provider" if secure else "alpr-provider"

    def keep(request: Request, value: str, seconds: int) -> None:
        # Lax, unlike the session's: the way back begins at another site.
        ending = "; Secure" if secure else ""
        request.scope["alpr_set_cookies"].append(
            f"{cookie}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{ending}"
        )

    def refused(request: Request, problem: Problem, to: str = HOME) -> Response:
        return pages.page(
            request, "sign_in.html", None, status=problem.status, to=local_path(to), why="",
            problem=problem, username="", code_step="",
        )  # fmt: skip

    @router.get("/sign-in/provider/back", dependencies=[Depends(public)])
    async def back(
        request: Request,
        state: Annotated[str, Query(max_length=200)] = "",
        code: Annotated[str, Query(max_length=4000)] = "",
        iss: Annotated[str, Query(max_length=500)] = "",
        error: Annotated[str, Query(max_length=200)] = "",
    ) -> Response:
        begun = seal.open(cookie, request.cookies.get(cookie, ""))
        keep(request, "", 0)
        if (
            begun is None
            or not hmac.compare_digest(str(begun["s"]).encode(), state.encode())
            or float(begun["e"]) < datetime.now(UTC).timestamp()
        ):
            return refused(request, _ANOTHER_BROWSER)
        said = {"state": state, "code": code, "iss": iss, "error": error}
        try:
            answer = await upstream.call(
                "identity", "POST", "/v1/sessions/provider",
                json={name: value for name, value in said.items() if value},
            )  # fmt: skip
        except Refused as refusal:
            return refused(request, refusal.problem, begun["t"])
        session = sessions.begin(request, answer)
        target = local_path(begun["t"])
        if session.principal.must_enrol:
            target = ENROLMENT
        elif target == HOME:
            target = pages.navigation(session).home
        return _go_on(target)

    @router.get("/sign-in/provider/{provider_id}", dependencies=[Depends(public)])
    async def there(
        request: Request, provider_id: str, to: Annotated[str, Query(max_length=2000)] = HOME
    ) -> Response:
        try:
            begun = await upstream.call(
                "identity", "POST", "/v1/sessions/provider/begin",
                json={"provider_id": provider_id[:40]},
            )  # fmt: skip
        except Refused as refusal:
            return refused(request, refusal.problem, to)
        expires = datetime.now(UTC).timestamp() + _SECONDS
        content = {"s": begun["state"], "t": local_path(to), "e": expires}
        keep(request, seal.seal(cookie, content), _SECONDS)
        return RedirectResponse(begun["authorization_url"], HTTPStatus.SEE_OTHER)

    return router


def _go_on(target: str) -> HTMLResponse:
    """To the page by a step of its own: a redirect would still count as coming from the other
    site, and the session's cookie, SameSite=Strict, would not come along."""
    address = quote(target, safe="/?=&%#.,:;+-_~@!$'()*").replace("&", "&amp;")
    return HTMLResponse(
        f'<!doctype html><meta http-equiv="refresh" content="0; url={address}"><title>ALPR</title>'
    )


_ANOTHER_BROWSER = Problem(
    title="That sign-in was not begun here",
    status=HTTPStatus.UNAUTHORIZED,
    detail="It was begun in another browser, or took longer than ten minutes. Begin again.",
    clause="131.7-3c",
)
