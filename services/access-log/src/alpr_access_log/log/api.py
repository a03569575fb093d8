"""The verifiable log over HTTP: C2SP tlog-tiles under `/v1/log/<agency>`, and proofs.

Checkpoint and keys are public: they tell a size and a hash, and what a witness cannot fetch it
cannot hold against the log. So are hand-overs with their proofs, which are a few hashes more: a
court that has an evidence package has no account here. Everything else is for those of the agency
who may read its records.
"""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from alpr_access_log.log import reading as log_reading
from alpr_access_log.log.reading import Log, SizesImpossible
from alpr_common.auth import Gate, Principal, public
from alpr_common.errors import NotFound
from alpr_common.policy import Role
from alpr_common.web import StorableText

LOG_READERS = (Role.SUPERVISOR, Role.ADMINISTRATOR, Role.AUDITOR)
_TEXT = "text/plain; charset=utf-8"
# A checkpoint is out of date within the second.
_ALWAYS_ASK = {"Cache-Control": "no-cache"}
# A tile is named by its width, so none ever changes. Hashes may be kept, by the reader alone.
_FOR_EVER = {"Cache-Control": "private, max-age=31536000, immutable"}
# Entries tell who looked for which plate: nothing of stored data is kept by a client (131.7-1b).
_NOT_KEPT = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}

AgencyId = Annotated[StorableText, Path(min_length=1, max_length=200)]
Size = Annotated[int | None, Query(ge=1, lt=2**63)]


def _log(request: Request) -> Log:
    log: Log = request.app.state.log
    return log


TheLog = Annotated[Log, Depends(_log)]


def router(gate: Gate) -> APIRouter:
    """All routes of the log."""
    routes = APIRouter(prefix="/v1/log/{agency_id}", tags=["log"])
    _public(routes)
    _files(routes, gate)
    _proofs(routes, gate)
    return routes


def _public(routes: APIRouter) -> None:
    @routes.get("/checkpoint", dependencies=[Depends(public)], response_class=Response)
    async def checkpoint(agency_id: AgencyId, log: TheLog) -> Response:
        note = await log_reading.checkpoint(log, agency_id)
        return Response(note, headers=_ALWAYS_ASK, media_type=_TEXT)

    @routes.get("/key", dependencies=[Depends(public)], response_class=Response)
    async def key(agency_id: AgencyId, log: TheLog) -> Response:
        """The verifier key. Compare it with the one that was handed out on paper."""
        found = await log_reading.key_at(log, agency_id)
        return Response(f"{found}\n", headers=_ALWAYS_ASK, media_type=_TEXT)

    @routes.get("/hand-overs", dependencies=[Depends(public)])
    async def hand_overs(
        agency_id: AgencyId, log: TheLog, response: Response, size: Size = None
    ) -> dict[str, list[dict[str, Any]]]:
        """Entries that hand the log over from one key to the next: from the key that you have to
        the one that signs now. They tell keys, sizes and roots. With `size`: proven towards a
        checkpoint of that size, as an evidence package has one."""
        response.headers.update(_ALWAYS_ASK)
        return {"items": await log_reading.hand_overs(log, agency_id, size)}


def _files(routes: APIRouter, gate: Gate) -> None:
    @routes.get("/tile/{name:path}", response_class=Response)
    async def tile(
        agency_id: AgencyId,
        name: str,
        principal: Annotated[Principal, Depends(gate.signed_in(*LOG_READERS))],
        log: TheLog,
    ) -> Response:
        _refuse_strangers(principal, agency_id)
        found = await log_reading.file(log, agency_id, f"tile/{name}")
        return Response(
            found.content,
            headers=_NOT_KEPT if found.is_entries else _FOR_EVER,
            media_type="application/octet-stream",
        )


def _proofs(routes: APIRouter, gate: Gate) -> None:
    @routes.get("/proofs/inclusion")
    async def inclusion(
        agency_id: AgencyId,
        principal: Annotated[Principal, Depends(gate.signed_in(*LOG_READERS))],
        log: TheLog,
        response: Response,
        record_id: UUID | None = None,
        index: Annotated[int | None, Query(ge=0, lt=2**63)] = None,
        size: Size = None,
    ) -> dict[str, Any]:
        _refuse_strangers(principal, agency_id)
        response.headers.update(_NOT_KEPT)
        wanted = record_id if index is None else index
        if wanted is None or (record_id is not None and index is not None):
            raise SizesImpossible("Say which entry: either `record_id` or `index`.")
        return await log_reading.inclusion(log, agency_id, wanted, size)

    @routes.get("/proofs/consistency")
    async def consistency(
        agency_id: AgencyId,
        principal: Annotated[Principal, Depends(gate.signed_in(*LOG_READERS))],
        log: TheLog,
        response: Response,
        old_size: Annotated[int, Query(ge=1, lt=2**63)],
        new_size: Size = None,
    ) -> dict[str, Any]:
        _refuse_strangers(principal, agency_id)
        response.headers.update(_NOT_KEPT)
        return await log_reading.consistency(log, agency_id, old_size, new_size)


def _refuse_strangers(principal: Principal, agency_id: str) -> None:
    if principal.agency_id != agency_id:
        raise NotFound("That is another agency's log.")
