"""The log's check page: an auditor's own checkpoint against the log, and one record in it."""

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Query, Request
from fastapi.responses import Response

from alpr_console.log_checking import LogShown, Verdict, check_held, check_record, look
from alpr_console.pages import Pages
from alpr_console.session import Session
from alpr_console.sessions import Sessions
from alpr_console.upstream import Problem, Refused, Upstream

_NOTE_MAX_CHARACTERS = 10_000


def routes(sessions: Sessions, pages: Pages, upstream: Upstream) -> APIRouter:
    router = APIRouter(include_in_schema=False)
    signed_in = Depends(sessions.gate())

    async def show(
        request: Request, session: Session, *, held: str = "", record_id: str = "", key: str = ""
    ) -> Response:
        """The page, with the check that was asked for, if one was."""
        shown, verdict, problem = await look(session), None, None
        try:
            if held.strip():
                verdict = await check_held(session, shown, held[:_NOTE_MAX_CHARACTERS], key)
            elif record_id.strip():
                verdict = await _checked_record(session, shown, record_id, key)
        except Refused as error:
            problem = error.here()
        except ValueError:
            problem = _NO_RECORD
        address = upstream.address("access-log")
        return pages.page(
            request, "log.html", session, status=problem.status if problem else HTTPStatus.OK,
            log=shown, looked_at=datetime.now(UTC), held=held, record_id=record_id, key=key,
            verdict=verdict, problem=problem,
            address=f"{address}/v1/log/{session.principal.agency_id}",
        )  # fmt: skip

    @router.get("/log")
    async def log(
        request: Request, record_id: Annotated[str, Query(max_length=64)] = "",
        session: Session = signed_in,
    ) -> Response:  # fmt: skip
        return await show(request, session, record_id=record_id)

    @router.post("/log")
    async def check(
        request: Request, held: Annotated[str, Form()] = "",
        record_id: Annotated[str, Form()] = "", key: Annotated[str, Form()] = "",
        session: Session = signed_in,
    ) -> Response:  # fmt: skip
        return await show(request, session, held=held, record_id=record_id, key=key)

    @router.get("/log/checkpoint")
    async def checkpoint(session: Session = signed_in) -> Response:
        """The newest checkpoint as a file to keep: what is held elsewhere nobody here can bend."""
        shown = await look(session)
        size = shown.checkpoint.size if shown.checkpoint else "unsigned"
        name = f"checkpoint-{session.principal.agency_id}-{size}.txt"
        disposition = (
            f'attachment; filename="{"".join(c for c in name if c.isalnum() or c in "-.")}"'
        )
        return Response(
            shown.note, media_type="text/plain", headers={"Content-Disposition": disposition}
        )

    return router


async def _checked_record(session: Session, shown: LogShown, record_id: str, key: str) -> Verdict:
    """Raises ValueError for what is no record's id."""
    return await check_record(session, shown, UUID(record_id.strip()), key)


_NO_RECORD = Problem(
    title="That is no record's id",
    status=HTTPStatus.UNPROCESSABLE_ENTITY,
    detail="Copy it from the access records, as it stands there.",
)
