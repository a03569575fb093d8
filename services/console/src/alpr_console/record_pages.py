"""Access records: who looked for what, why, and what came of it (131.7-3a)."""

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response

from alpr_console.domain.forms import parse_local, with_times
from alpr_console.domain.records import ACTIONS, OUTCOMES
from alpr_console.pages import Pages, is_fragment
from alpr_console.session import Session
from alpr_console.sessions import Sessions
from alpr_console.upstream import Problem, Refused

_ROWS = 50


def routes(sessions: Sessions, pages: Pages) -> APIRouter:
    router = APIRouter(include_in_schema=False)
    signed_in = Depends(sessions.gate())

    # What a filter says stands in the address: people, times and actions, never a plate.
    @router.get("/records")
    async def records(
        request: Request, person_id: Annotated[str, Query()] = "",
        action: Annotated[str, Query()] = "", outcome: Annotated[str, Query()] = "",
        from_: Annotated[str, Query(alias="from")] = "", to: Annotated[str, Query()] = "",
        cursor: Annotated[str, Query()] = "", session: Session = signed_in,
    ) -> Response:  # fmt: skip
        query = {"person_id": person_id, "action": action, "outcome": outcome, "from": from_,
                 "to": to}  # fmt: skip
        listed: dict[str, Any] = {"items": [], "next_cursor": None}
        problem: Problem | None = None
        try:
            params = query | _times(from_, to, pages) | {"cursor": cursor, "limit": _ROWS}
            listed = await session.call("access-log", "GET", "/v1/searches", params=params)
        except ValueError:
            problem = _NO_TIME
        except Refused as error:
            problem = error.here()
        fragment = is_fragment(request)
        return pages.page(
            request, "_records.html" if fragment else "records.html", session,
            status=problem.status if problem else HTTPStatus.OK, query=query,
            records=[with_times(one) for one in listed["items"]], problem=problem,
            next_cursor=listed["next_cursor"], actions=ACTIONS, outcomes=OUTCOMES,
            people=() if fragment else await _people(session),
        )  # fmt: skip

    return router


def _times(start: str, end: str, pages: Pages) -> dict[str, str | None]:
    typed = {"from": parse_local(start, pages.zone), "to": parse_local(end, pages.zone)}
    return {name: at.isoformat() if at else None for name, at in typed.items()}


async def _people(session: Session) -> list[dict[str, Any]]:
    """Whom to choose from; without them the records still can be read."""
    try:
        listed = await session.call("identity", "GET", "/v1/training/roster")
    except Refused as error:
        error.here()
        return []
    people: list[dict[str, Any]] = sorted(listed["items"], key=lambda person: person["name"])
    return people


_NO_TIME = Problem(
    title="A time could not be read",
    status=HTTPStatus.UNPROCESSABLE_ENTITY,
    detail="Give from and to as a day and a time.",
)
