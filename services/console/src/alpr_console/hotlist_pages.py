"""The hot list: what the agency looks for, by hand and from files (131.3-hotlist, 131.6-7)."""

from http import HTTPStatus
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, File, Form, Request, UploadFile
from fastapi.responses import RedirectResponse, Response

from alpr_common.policy import Role
from alpr_console.domain.forms import Typed, given, parse_local, with_times
from alpr_console.handlers import load_entry
from alpr_console.pages import Pages, is_fragment
from alpr_console.session import Session
from alpr_console.sessions import Sessions
from alpr_console.upstream import Problem, Refused

_IMPORTERS = frozenset({Role.SUPERVISOR, Role.ADMINISTRATOR})
_FILE_MAX_BYTES = 32 * 1024 * 1024


def routes(sessions: Sessions, pages: Pages) -> APIRouter:
    router = APIRouter(include_in_schema=False)
    signed_in = Depends(sessions.gate())

    async def show(request: Request, session: Session, **shown: Any) -> Response:
        """The hot list's page around whatever an action on it gave."""
        query = {name: request.query_params.get(name, "") for name in ("plate", "category")}
        query["state"] = request.query_params.get("state", "live")
        params = query | {"cursor": request.query_params.get("cursor", ""), "limit": 50}
        listed: dict[str, Any] = {"items": [], "next_cursor": None}
        list_problem = None
        try:
            listed = await session.call("matcher", "GET", "/v1/hotlist/entries", params=params)
        except Refused as error:
            if error.problem.status == HTTPStatus.UNAUTHORIZED:
                raise
            list_problem = error.problem
        context = {"typed": Typed(), "problem": None, "imported": None, "added": None} | shown
        fragment = is_fragment(request) and request.method == "GET"
        problem = context["problem"] or list_problem
        return pages.page(
            request, "_entries.html" if fragment else "hotlist.html", session,
            status=problem.status if problem else HTTPStatus.OK,
            entries=[with_times(entry) for entry in listed["items"]], query=query,
            next_cursor=listed["next_cursor"], list_problem=list_problem,
            may_import=session.principal.role in _IMPORTERS, **context,
        )  # fmt: skip

    @router.get("/hotlist")
    async def hotlist(request: Request, session: Session = signed_in) -> Response:
        return await show(request, session)

    @router.post("/hotlist")
    async def add(request: Request, session: Session = signed_in) -> Response:
        typed = Typed.of((await request.form()).items())
        try:
            entry = await session.call(
                "matcher", "POST", "/v1/hotlist/entries", json=entry_body(typed, pages)
            )
        except ValueError:
            return await show(request, session, typed=typed, problem=_NO_TIME)
        except Refused as error:
            return await show(request, session, typed=typed, problem=error.problem)
        return RedirectResponse(f"/hotlist/{entry['entry_id']}?added=1", HTTPStatus.SEE_OTHER)

    # A file a little too large is told on the page; what is larger is not read at all.
    @router.post("/hotlist/import", max_body_size=2 * _FILE_MAX_BYTES)
    async def import_file(
        request: Request, file: Annotated[UploadFile, File()],
        source: Annotated[str, Form()] = "", session: Session = signed_in,
    ) -> Response:  # fmt: skip
        content = await file.read(_FILE_MAX_BYTES + 1)
        if len(content) > _FILE_MAX_BYTES:
            return await show(request, session, problem=_TOO_LARGE)
        try:
            imported = await session.call(
                "matcher", "POST", "/v1/hotlist/import",
                params={"source": source.strip()},
                files={"file": (file.filename or "hotlist.csv", content, "text/csv")},
            )  # fmt: skip
        except Refused as error:
            return await show(request, session, problem=error.problem)
        return await show(request, session, imported=imported)

    async def show_entry(
        request: Request, session: Session, entry_id: UUID, problem: Problem | None = None,
        reason: str = "",
    ) -> Response:  # fmt: skip
        entry, history = await load_entry(session, entry_id)
        return pages.page(
            request, "entry.html", session, status=problem.status if problem else HTTPStatus.OK,
            entry=with_times(entry), history=[with_times(step) for step in history],
            problem=problem, reason=reason, added="added" in request.query_params,
        )  # fmt: skip

    @router.get("/hotlist/{entry_id}")
    async def entry(request: Request, entry_id: UUID, session: Session = signed_in) -> Response:
        return await show_entry(request, session, entry_id)

    @router.post("/hotlist/{entry_id}/retract")
    async def retract(
        request: Request, entry_id: UUID, reason: Annotated[str, Form()] = "",
        session: Session = signed_in,
    ) -> Response:  # fmt: skip
        try:
            await session.call(
                "matcher", "POST", f"/v1/hotlist/entries/{entry_id}/retract",
                json=given({"reason": reason.strip()}),
            )  # fmt: skip
        except Refused as error:
            return await show_entry(request, session, entry_id, error.problem, reason)
        return RedirectResponse(f"/hotlist/{entry_id}", HTTPStatus.SEE_OTHER)

    return router


_NO_TIME = Problem(
    title="A time could not be read",
    status=HTTPStatus.UNPROCESSABLE_ENTITY,
    detail="Give the end of the entry as a day and a time.",
)
_TOO_LARGE = Problem(
    title="The file is too large",
    status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    detail="Files of up to 32 MiB are taken. Split it, or give it to the operators to load.",
)


def entry_body(typed: Typed, pages: Pages) -> dict[str, Any]:
    """The form as the matcher wants it; raises ValueError when a time is none."""
    fields = ("plate", "jurisdiction", "category", "reason", "case_number", "vehicle", "caution")
    expires_at = parse_local(typed["expires_at"], pages.zone)
    body = {name: typed[name].strip() for name in fields}
    return given(body | {"expires_at": expires_at and expires_at.isoformat()})
