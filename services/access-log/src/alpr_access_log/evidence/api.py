"""Evidence packages over HTTP: for supervisors and administrators with current training. Every
request, a refused one too, is recorded (`recorded.RecordedRoute`)."""

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from alpr_access_log.cursors import cursor_of, position_of
from alpr_access_log.evidence import handlers as evidence
from alpr_access_log.evidence.domain import checked_asked
from alpr_access_log.evidence.gathering import Evidence
from alpr_access_log.holds.api import DECIDERS
from alpr_access_log.recorded import NOT_KEPT, recorded_router
from alpr_common.auth import Gate, Principal, public
from alpr_common.messages.base import Instant
from alpr_common.web import StorableText

_BODY_MAX_BYTES = 256 * 1024
_MOST_READS = 500
_MOST_ALERTS = 50


class EvidenceRequest(BaseModel):
    """What is to be packed, and why. Reads must be under a hold, those of the alerts too."""

    model_config = ConfigDict(extra="forbid")

    purpose: Annotated[StorableText, Field(max_length=100)] | None = None
    case_number: Annotated[StorableText, Field(max_length=100)] | None = None
    read_ids: list[UUID] = Field(default_factory=list, max_length=_MOST_READS)
    alert_ids: list[UUID] = Field(default_factory=list, max_length=_MOST_ALERTS)


class ReceiptRequest(BaseModel):
    """Who received the package on which portable medium."""

    model_config = ConfigDict(extra="forbid")

    received_by: Annotated[StorableText, Field(max_length=200)] | None = None
    received_at: Instant | None = Field(default=None, description="now, when it is left out")
    medium: Annotated[StorableText, Field(max_length=200)] | None = None
    serial: Annotated[StorableText, Field(max_length=200)] | None = None
    note: Annotated[StorableText, Field(max_length=2000)] | None = None


class EvidencePage(BaseModel):
    items: list[dict[str, Any]] = Field(description="packages, newest first")
    next_cursor: str | None


class ReceiptPage(BaseModel):
    items: list[dict[str, Any]] = Field(description="receipts, oldest first")
    next_cursor: str | None = None


def _evidence(request: Request) -> Evidence:
    found: Evidence = request.app.state.evidence
    return found


TheEvidence = Annotated[Evidence, Depends(_evidence)]


def router(gate: Gate) -> APIRouter:
    """All routes of evidence packages."""
    routes = recorded_router("/v1/evidence", "evidence", body_max_bytes=_BODY_MAX_BYTES)
    _key(routes)
    _packages(routes, gate)
    _receipts(routes, gate)
    return routes


def _key(routes: APIRouter) -> None:
    @routes.get("/keys/{agency_id}", dependencies=[Depends(public)], response_class=Response)
    async def key(
        agency_id: Annotated[StorableText, Field(min_length=1, max_length=200)],
        found: TheEvidence,
    ) -> Response:
        """The seal's verifier key. Compare it with the one that was handed out on paper."""
        text = f"{found.seal_key.verifier(agency_id)}\n"
        return Response(text, media_type="text/plain; charset=utf-8")


def _packages(routes: APIRouter, gate: Gate) -> None:
    decider = Annotated[Principal, Depends(gate.access(*DECIDERS))]

    @routes.post("", status_code=HTTPStatus.CREATED)
    async def prepare(
        asked: EvidenceRequest, principal: decider, found: TheEvidence
    ) -> dict[str, Any]:
        wanted = checked_asked(
            asked.purpose, asked.case_number, asked.read_ids, asked.alert_ids,
            found.keeping.policies.of(principal.agency_id),
        )  # fmt: skip
        package = await evidence.prepare(found, principal, wanted, lambda: datetime.now(UTC))
        return package.to_json()

    @routes.get("")
    async def list_packages(
        principal: decider,
        found: TheEvidence,
        case_number: Annotated[StorableText | None, Query(max_length=100)] = None,
        cursor: Annotated[StorableText | None, Query(max_length=200)] = None,
        limit: Annotated[int, Query(ge=1, le=500)] = 50,
    ) -> EvidencePage:
        after = position_of(cursor) if cursor else None
        packages = await evidence.page(
            found, principal, case_number, after, limit, datetime.now(UTC)
        )
        shown = packages[:limit]
        following = None
        if len(packages) > limit:
            following = cursor_of(shown[-1].prepared_at, shown[-1].evidence_id)
        return EvidencePage(items=[one.to_json() for one in shown], next_cursor=following)

    @routes.get("/{evidence_id}")
    async def show(evidence_id: UUID, principal: decider, found: TheEvidence) -> dict[str, Any]:
        package, receipts = await evidence.show(found, principal, evidence_id, datetime.now(UTC))
        return package.to_json() | {"receipts": [one.to_json() for one in receipts]}

    @routes.get(
        "/{evidence_id}/file",
        response_class=Response,
        responses={200: {"content": {"application/zip": {}}}},
    )
    async def download(evidence_id: UUID, principal: decider, found: TheEvidence) -> Response:
        package, content = await evidence.download(found, principal, evidence_id, datetime.now(UTC))
        headers = NOT_KEPT | {
            "Content-Disposition": f'attachment; filename="{package.inventory_number}.zip"'
        }
        return Response(content, media_type="application/zip", headers=headers)


def _receipts(routes: APIRouter, gate: Gate) -> None:
    decider = Annotated[Principal, Depends(gate.access(*DECIDERS))]

    @routes.post("/{evidence_id}/receipts", status_code=HTTPStatus.CREATED)
    async def add_receipt(
        evidence_id: UUID, said: ReceiptRequest, principal: decider, found: TheEvidence
    ) -> dict[str, Any]:
        receipt = await evidence.add_receipt(
            found, principal, evidence_id, said.model_dump(), datetime.now(UTC)
        )
        return receipt.to_json()

    @routes.get("/{evidence_id}/receipts")
    async def list_receipts(
        evidence_id: UUID, principal: decider, found: TheEvidence
    ) -> ReceiptPage:
        receipts = await evidence.receipts(found, principal, evidence_id, datetime.now(UTC))
        return ReceiptPage(items=[one.to_json() for one in receipts])
