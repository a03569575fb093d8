"""People and their trainings, for administrators; the roster, for who oversees trainings."""

from http import HTTPStatus
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import RedirectResponse, Response

from alpr_common.policy import Role
from alpr_console.domain.forms import Typed, given, with_times
from alpr_console.pages import Pages
from alpr_console.session import Session
from alpr_console.sessions import Sessions
from alpr_console.upstream import Problem, Refused

_HUMANS = tuple(role for role in Role if role is not Role.SERVICE)
_TRAININGS = ("leads", "alpr")
# A generated password is shown once, on the answer: where that was lost, so is the password.
_IF_ADDED = (
    "Look for the person in the list. If they are there, give them a new password on their page: "
    "the first one was not shown to anybody."
)
_IF_GIVEN_ANEW = (
    "The old password may have ended, and the new one was not shown to anybody. Give another."
)


def routes(sessions: Sessions, pages: Pages) -> APIRouter:
    router = APIRouter(include_in_schema=False)
    _all(router, sessions, pages)
    _one(router, sessions, pages)
    return router


def _all(router: APIRouter, sessions: Sessions, pages: Pages) -> None:
    signed_in = Depends(sessions.gate())

    @router.get("/people")
    async def people(
        request: Request, cursor: Annotated[str, Query()] = "", session: Session = signed_in
    ) -> Response:
        listed = await session.call("identity", "GET", "/v1/people", params={"cursor": cursor})
        return pages.page(
            request, "people.html", session, people=[with_times(one) for one in listed["items"]],
            next_cursor=listed["next_cursor"], query={},
        )  # fmt: skip

    def form(
        request: Request, session: Session, typed: Typed, problem: Problem | None = None
    ) -> Response:
        status = problem.status if problem else HTTPStatus.OK
        return pages.page(
            request, "person_new.html", session, status=status, typed=typed, problem=problem,
            roles=_HUMANS,
        )  # fmt: skip

    @router.get("/people/new")
    async def new(request: Request, session: Session = signed_in) -> Response:
        return form(request, session, Typed({"role": str(Role.OFFICER)}))

    @router.post("/people")
    async def add(request: Request, session: Session = signed_in) -> Response:
        typed = Typed.of((await request.form()).items())
        try:
            person = await session.call("identity", "POST", "/v1/people", json=new_person(typed))
        except Refused as error:
            error.advise(_IF_ADDED)
            return form(request, session, typed, error.here())
        # Shown on the answer itself and not after a redirect: this once is all that it is shown.
        return pages.page(request, "person_added.html", session, person=person)

    @router.get("/training")
    async def roster(
        request: Request, show: Annotated[str, Query()] = "all", session: Session = signed_in
    ) -> Response:
        listed = await session.call("identity", "GET", "/v1/training/roster")
        lines = by_end(with_times(line) for line in listed["items"])
        if show == "due":
            lines = [line for line in lines if _attention(line)]
        return pages.page(request, "roster.html", session, lines=lines, show=show)


def _one(router: APIRouter, sessions: Sessions, pages: Pages) -> None:
    signed_in = Depends(sessions.gate())

    async def show(
        request: Request, session: Session, person_id: UUID, *, problem: Problem | None = None,
        at: str = "", password: str | None = None, typed: Typed | None = None,
    ) -> Response:  # fmt: skip
        """`at`: the part of the page that was refused, or done."""
        path = f"/v1/people/{person_id}"
        person = await session.call("identity", "GET", path)
        listed = await session.call("identity", "GET", f"{path}/sessions")
        keys = await session.call("identity", "GET", f"{path}/passkeys")
        return pages.page(
            request, "person.html", session, status=problem.status if problem else HTTPStatus.OK,
            person=with_times(person) | {"training": [with_times(t) for t in person["training"]]},
            sessions=[with_times(one) for one in listed["items"]],
            passkeys=[with_times(one) for one in keys["items"]], problem=problem, at=at,
            password=password, typed=typed or Typed(), roles=_HUMANS,
            done=request.query_params.get("done", ""),
        )  # fmt: skip

    async def taken(
        request: Request, session: Session, person_id: UUID, at: str, method: str, path: str,
        body: dict[str, Any] | None = None, typed: Typed | None = None,
    ) -> Response:  # fmt: skip
        """Ask identity for a change and come back to the person."""
        try:
            await session.call("identity", method, f"/v1{path}", json=body)
        except Refused as error:
            return await show(request, session, person_id, problem=error.here(), at=at, typed=typed)
        return RedirectResponse(f"/people/{person_id}?done={at}#{at}", HTTPStatus.SEE_OTHER)

    @router.get("/people/{person_id}")
    async def person(request: Request, person_id: UUID, session: Session = signed_in) -> Response:
        return await show(request, session, person_id)

    @router.post("/people/{person_id}")
    async def change(request: Request, person_id: UUID, session: Session = signed_in) -> Response:
        typed = Typed.of((await request.form()).items())
        body = given({name: typed[name].strip() for name in ("name", "role")})
        body |= {"rank": typed["rank"].strip(), "active": typed["active"] == "yes"}
        if typed["role"] == Role.SUPERVISOR and "supervisor_rank" in typed:
            body["supervisor_rank"] = typed["supervisor_rank"]
        path = f"/people/{person_id}"
        return await taken(request, session, person_id, "person", "PATCH", path, body)

    @router.post("/people/{person_id}/training")
    async def training(request: Request, person_id: UUID, session: Session = signed_in) -> Response:
        typed = Typed.of((await request.form()).items())
        path, body = f"/people/{person_id}/training", training_body(typed)
        return await taken(request, session, person_id, "training", "PUT", path, body, typed)

    @router.post("/people/{person_id}/release")
    async def release(request: Request, person_id: UUID, session: Session = signed_in) -> Response:
        path = f"/people/{person_id}/release"
        return await taken(request, session, person_id, "access", "POST", path)

    @router.post("/people/{person_id}/password")
    async def new_password(
        request: Request, person_id: UUID, session: Session = signed_in
    ) -> Response:
        try:
            path = f"/v1/people/{person_id}/password"
            answer = await session.call("identity", "POST", path, json={})
        except Refused as error:
            error.advise(_IF_GIVEN_ANEW)
            return await show(request, session, person_id, problem=error.here(), at="access")
        return await show(request, session, person_id, at="access", password=answer["password"])

    @router.post("/people/{person_id}/second-factor/remove")
    async def remove_factor(
        request: Request, person_id: UUID, session: Session = signed_in
    ) -> Response:
        path = f"/people/{person_id}/second-factor"
        return await taken(request, session, person_id, "access", "DELETE", path)

    @router.post("/people/{person_id}/passkeys/{passkey_id}/remove")
    async def remove_passkey(
        request: Request, person_id: UUID, passkey_id: UUID, session: Session = signed_in
    ) -> Response:
        path = f"/people/{person_id}/passkeys/{passkey_id}"
        return await taken(request, session, person_id, "access", "DELETE", path)

    @router.post("/people/{person_id}/sessions/{session_id}/end")
    async def end_session(
        request: Request, person_id: UUID, session_id: UUID, session: Session = signed_in
    ) -> Response:
        path = f"/sessions/{session_id}"
        return await taken(request, session, person_id, "sessions", "DELETE", path)


def new_person(typed: Typed) -> dict[str, Any]:
    """The form of a new person as identity wants it; the password is generated there."""
    fields = ["username", "name", "role", "rank", "leads_until", "leads_certificate",
              "alpr_until", "alpr_certificate"]  # fmt: skip
    if typed["role"] == Role.SUPERVISOR:
        fields.append("supervisor_rank")
    return given({name: typed[name].strip() for name in fields})


def training_body(typed: Typed) -> dict[str, Any]:
    """The trainings that the form records: one that was left empty stays as it is, unless it is
    ticked to be taken away."""
    body: dict[str, Any] = {}
    for kind in _TRAININGS:
        until = typed[f"{kind}_until"].strip()
        if f"{kind}_away" in typed:
            body[f"{kind}_until"] = None
        elif until:
            body[f"{kind}_until"] = until
            body |= given({f"{kind}_certificate": typed[f"{kind}_certificate"].strip()})
    return body


def by_end(lines: Any) -> list[dict[str, Any]]:
    """The roster, whoever lapses first on top; who never had a training comes before all."""

    def first_end(line: dict[str, Any]) -> tuple[str, str]:
        ends = [line[kind]["valid_until"] or "" for kind in _TRAININGS]
        return min(ends), line["name"]

    return sorted(lines, key=first_end)


def _attention(line: dict[str, Any]) -> bool:
    return any(line[kind]["standing"] != "current" for kind in _TRAININGS)
