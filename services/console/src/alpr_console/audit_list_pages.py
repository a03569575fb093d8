"""The lists that people give for the audit: shifts, cases, own and relatives' plates (131.5-d).

A file is read twice: once to say what it holds and which of its lines are bad, and again when
somebody has looked at that and gives it. Own plates are never shown again, by whom ever.
"""

from http import HTTPStatus
from typing import Any, Literal
from urllib.parse import quote

from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response
from starlette.datastructures import UploadFile

from alpr_common.errors import AlprError
from alpr_common.policy import Role
from alpr_console.domain import audit_lists
from alpr_console.domain.forms import Typed, with_times
from alpr_console.domain.navigation import DECIDERS
from alpr_console.domain.periods import period, until
from alpr_console.error_pages import problem_of
from alpr_console.pages import Pages
from alpr_console.session import Session
from alpr_console.sessions import Sessions
from alpr_console.upstream import Fault, Problem, Refused

Kind = Literal["shifts", "cases"]

_KINDS = ("shifts", "cases", "plates")
_PATH = "/v1/audit/lists"
# Percent-encoded in a form, a character takes up to nine bytes; lists are mostly plain.
_BODY_MAX_BYTES = 32 * 1024 * 1024
_TAKES_SECONDS = 120.0
_NO_LONGER_IN = "somebody who is not on the roster any more"


def add_to(router: APIRouter, sessions: Sessions, pages: Pages) -> None:
    """The pages under /audit/lists."""
    # Plates first: they are no file, and their address would be taken for that of one.
    _plates(router, sessions, pages)
    _show_and_withdraw(router, sessions, pages)
    _check_and_give(router, sessions, pages)


async def _show(
    request: Request, session: Session, pages: Pages, *, at: str = "",
    error: AlprError | None = None, typed: Typed | None = None,
) -> Response:  # fmt: skip
    """The lists that there are. `at`: which list was refused."""
    problem = _problem(error) if error else None
    is_administrator = session.principal.role is Role.ADMINISTRATOR
    try:
        shown = await session.call("access-log", "GET", _PATH)
        people = await _people(session) if is_administrator else []
    except Refused as away:
        away.here()
        if problem is None or not typed:
            raise
        # They cannot be shown just now: what was typed is on the page to be sent again, alone.
        return pages.page(
            request, "audit_list_unsent.html", session, status=problem.status, problem=problem,
            at=at, typed=typed,
        )  # fmt: skip
    names = {one["person_id"]: one["name"] for one in people}
    return pages.page(
        request, "audit_lists.html", session, status=problem.status if problem else HTTPStatus.OK,
        lists=dict.fromkeys(_KINDS) | {one["kind"]: with_times(one) for one in shown["lists"]},
        own_plates=[
            one | {"name": names.get(one["person_id"], _NO_LONGER_IN)}
            for one in shown["own_plates"]
        ],
        people=sorted(people, key=lambda one: str(one["name"])), problem=problem, at=at,
        typed=typed or Typed(), done=request.query_params.get("done", ""),
        may_give=session.principal.role in DECIDERS, may_give_plates=is_administrator,
    )  # fmt: skip


async def _people(session: Session) -> list[dict[str, Any]]:
    """Everybody of the agency: whom the role may see of them. Raises `Refused`."""
    if session.principal.role is not Role.ADMINISTRATOR:
        roster = await session.call("identity", "GET", "/v1/training/roster")
        return list(roster["items"])
    found: list[dict[str, Any]] = []
    cursor = ""
    while True:
        params = {"cursor": cursor, "limit": 200}
        page = await session.call("identity", "GET", "/v1/people", params=params)
        found += page["items"]
        cursor = page["next_cursor"]
        if not cursor:
            return found


def _show_and_withdraw(router: APIRouter, sessions: Sessions, pages: Pages) -> None:
    signed_in = Depends(sessions.gate())

    @router.get("/audit/lists")
    async def lists(request: Request, session: Session = signed_in) -> Response:
        return await _show(request, session, pages)

    @router.post("/audit/lists/{kind}/withdraw")
    async def withdraw(request: Request, kind: Kind, session: Session = signed_in) -> Response:
        try:
            await session.call("access-log", "DELETE", f"{_PATH}/{kind}")
        except AlprError as error:
            return await _show(request, session, pages, at=kind, error=error)
        return _back_to(kind, "withdrawn")


def _check_and_give(router: APIRouter, sessions: Sessions, pages: Pages) -> None:
    signed_in = Depends(sessions.gate())

    @router.post("/audit/lists/{kind}/check", max_body_size=_BODY_MAX_BYTES)
    async def check(request: Request, kind: Kind, session: Session = signed_in) -> Response:
        """What the file says, before it replaces what is there."""
        form = await request.form()
        typed = Typed.of(form.items())
        try:
            body = await _body(session, kind, form.get("file"), typed, pages)
            checked = await session.call(
                "access-log", "POST", f"{_PATH}/{kind}/check", json=body,
                patience_seconds=_TAKES_SECONDS,
            )  # fmt: skip
            before = await session.call("access-log", "GET", _PATH)
        except AlprError as error:
            return await _show(request, session, pages, at=kind, error=error, typed=typed)
        replaced = [with_times(one) for one in before["lists"] if one["kind"] == kind]
        return pages.page(
            request, "audit_list_check.html", session, kind=kind, checked=with_times(checked),
            typed=typed, csv=body["csv"], replaced=replaced[0] if replaced else None,
        )  # fmt: skip

    @router.post("/audit/lists/{kind}", max_body_size=_BODY_MAX_BYTES)
    async def give(request: Request, kind: Kind, session: Session = signed_in) -> Response:
        """The list that was looked at, in place of the one before."""
        # The list comes as a field, and fields are taken up to 1 MiB where nothing else is said.
        typed = Typed.of((await request.form(max_part_size=_BODY_MAX_BYTES)).items())
        try:
            body = _dates(kind, typed, pages) | {"csv": typed["csv"].replace("\r\n", "\n")}
            await session.call(
                "access-log", "PUT", f"{_PATH}/{kind}", json=body, patience_seconds=_TAKES_SECONDS
            )
        except AlprError as error:
            return await _show(request, session, pages, at=kind, error=error, typed=typed)
        return _back_to(kind, "given")


async def _body(
    session: Session, kind: Kind, file: object, typed: Typed, pages: Pages
) -> dict[str, Any]:
    """A file and its days as the access log takes them.

    Raises `ListUnread`, `DayUnread`, or identity's refusal.
    """
    dates = _dates(kind, typed, pages)
    text = audit_lists.text_of(await file.read() if isinstance(file, UploadFile) else b"")
    if kind == "shifts" and audit_lists.has_usernames(text):
        text = audit_lists.with_person_ids(text, await _people(session))
    return dates | {"csv": text}


def _dates(kind: Kind, typed: Typed, pages: Pages) -> dict[str, str]:
    """Raises `DayUnread`."""
    if kind == "shifts":
        return period(typed, pages.zone)
    return {"to": until(typed["last_day"], pages.zone).isoformat()}


def _plates(router: APIRouter, sessions: Sessions, pages: Pages) -> None:
    signed_in = Depends(sessions.gate())

    @router.post("/audit/lists/plates")
    async def give_plates(request: Request, session: Session = signed_in) -> Response:
        typed = Typed.of((await request.form()).items())
        try:
            path, plates = _plates_of(typed), audit_lists.plates_of(typed["plates"])
            await session.call("access-log", "PUT", path, json={"plates": plates})
        except AlprError as error:
            return await _show(request, session, pages, at="plates", error=error, typed=typed)
        return _back_to("plates", "given")

    @router.post("/audit/lists/plates/withdraw")
    async def withdraw_plates(request: Request, session: Session = signed_in) -> Response:
        typed = Typed.of((await request.form()).items())
        try:
            await session.call("access-log", "DELETE", _plates_of(typed))
        except AlprError as error:
            return await _show(request, session, pages, at="plates", error=error)
        return _back_to("plates", "withdrawn")


def _plates_of(typed: Typed) -> str:
    """Where a person's plates are; raises `PlatesMissing` where nobody was chosen."""
    if not typed["person_id"]:
        raise audit_lists.PlatesMissing("Choose a person.")
    return f"{_PATH}/plates/{quote(typed['person_id'], safe='')}"


def _problem(error: AlprError) -> Problem:
    """A refusal to be shown beside the form, with the lines that it names."""
    if isinstance(error, Refused):
        return error.here()
    faults = tuple(Fault(where=at, what=what) for at, what in error.extra.get("faults", ()))
    return problem_of(error).model_copy(update={"faults": faults})


def _back_to(kind: str, done: str) -> Response:
    return RedirectResponse(f"/audit/lists?done={kind}-{done}#{kind}", HTTPStatus.SEE_OTHER)
