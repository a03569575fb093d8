"""The audit over HTTP: for administrators, auditors and command supervisors. Every request, a
refused one too, is recorded (`recorded.RecordedRoute`)."""

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response

from alpr_access_log.audit import figures, list_api
from alpr_access_log.audit.bodies import (
    AnalysisShown,
    FindingPage,
    PackagePage,
    PeriodAsked,
    ReviewAsked,
)
from alpr_access_log.audit.handlers import findings, packages
from alpr_access_log.audit.injected import AUDITORS, TheAudit, ThePreparing
from alpr_access_log.audit.store.keeping import FindingFilter
from alpr_access_log.audit.summary import FindingShown, PackageShown, PackageWhole, Summary
from alpr_access_log.cursors import cursor_of, position_of
from alpr_access_log.recorded import NOT_KEPT, recorded_router
from alpr_common.auth import Gate, Principal
from alpr_common.messages.base import Instant
from alpr_common.web import StorableText

_BODY_MAX_BYTES = 12 * 1024 * 1024
# The page draws its figures itself and needs nothing from anywhere.
_PAGE_ALONE = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox"}

FileName = Literal["report.html", "report.pdf", "tables.zip"]


def router(gate: Gate) -> APIRouter:
    """All routes of the audit."""
    routes = recorded_router("/v1/audit", "audit", body_max_bytes=_BODY_MAX_BYTES)
    _packages(routes, gate)
    _findings(routes, gate)
    list_api.add_to(routes, gate)
    return routes


def _packages(routes: APIRouter, gate: Gate) -> None:
    auditor = Annotated[Principal, Depends(gate.signed_in(*AUDITORS))]

    @routes.post("/packages", status_code=HTTPStatus.ACCEPTED)
    async def prepare_audit(
        asked: PeriodAsked, principal: auditor, preparing: ThePreparing, response: Response
    ) -> PackageWhole:
        """Begin to prepare the yearly audit of a period (131.5-d): usage, passwords, training, the
        log recomputed, findings; as page, PDF and tables. It goes on when the caller is gone; one
        at a time for each agency."""
        package = await preparing.ask(principal, asked.from_at, asked.to_at)
        response.headers["Location"] = f"{routes.prefix}/packages/{package.package_id}"
        return _whole(figures.package_of(package), package.summary)

    @routes.get("/packages")
    async def list_audits(
        principal: auditor,
        audit: TheAudit,
        cursor: Annotated[StorableText | None, Query(max_length=200)] = None,
        limit: Annotated[int, Query(ge=1, le=500)] = 50,
    ) -> PackagePage:
        """Audits, newest first: those in the making and those that failed, too."""
        after = position_of(cursor) if cursor else None
        found = await packages.page(audit, principal, after, limit, datetime.now(UTC))
        shown = found[:limit]
        following = None
        if len(found) > limit:
            following = cursor_of(shown[-1].asked_at, shown[-1].package_id)
        items = [figures.package_of(one) for one in shown]
        return PackagePage(items=items, next_cursor=following)

    @routes.get("/packages/{package_id}")
    async def show_audit(package_id: UUID, principal: auditor, audit: TheAudit) -> PackageWhole:
        """A prepared audit with everything that it says; of one in the making, how far it is."""
        package = await packages.show(audit, principal, package_id, datetime.now(UTC))
        return _whole(figures.package_of(package), package.summary)

    @routes.get(
        "/packages/{package_id}/files/{name}",
        response_class=Response,
        responses={
            200: {"content": {"text/html": {}, "application/pdf": {}, "application/zip": {}}}
        },
    )
    async def download_audit(
        package_id: UUID, name: FileName, principal: auditor, audit: TheAudit
    ) -> Response:
        """A file of a prepared audit: report.html, report.pdf or tables.zip (CSV)."""
        file, content = await packages.download(
            audit, principal, package_id, name, datetime.now(UTC)
        )
        headers = (
            NOT_KEPT
            | _PAGE_ALONE
            | {"Content-Disposition": f'attachment; filename="audit-{package_id}-{name}"'}
        )
        return Response(content, media_type=file.media_type, headers=headers)


def _whole(shown: PackageShown, summary: object) -> PackageWhole:
    whole = None if summary is None else Summary.model_validate(summary)
    return PackageWhole(**dict(shown), summary=whole)


def _findings(routes: APIRouter, gate: Gate) -> None:
    auditor = Annotated[Principal, Depends(gate.signed_in(*AUDITORS))]

    @routes.post("/analysis")
    async def analyse(asked: PeriodAsked, principal: auditor, audit: TheAudit) -> AnalysisShown:
        """Look through a period now for what asks for a human; findings are hints. A period with
        more than 50,000 records is refused: ask for a package, which is made in the background."""
        shown, new, found = await findings.analyse(
            audit, principal, asked.from_at, asked.to_at, datetime.now(UTC)
        )
        return AnalysisShown(findings=shown, new=new, not_applied=found.why_not)

    @routes.get("/findings")
    async def list_findings(
        principal: auditor,
        audit: TheAudit,
        rule: Annotated[StorableText | None, Query(max_length=100)] = None,
        person_id: Annotated[StorableText | None, Query(max_length=200)] = None,
        reviewed: bool | None = None,
        from_at: Annotated[Instant | None, Query(alias="from")] = None,
        to_at: Annotated[Instant | None, Query(alias="to")] = None,
        cursor: Annotated[int | None, Query(ge=1, lt=2**63)] = None,
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
    ) -> FindingPage:
        """Findings with their reasons and reviews, newest first."""
        wanted = FindingFilter(rule, person_id, reviewed, from_at, to_at)
        items, following = await findings.page(
            audit, principal, wanted, cursor, limit, datetime.now(UTC)
        )
        return FindingPage(items=items, next_cursor=following)

    @routes.post("/findings/{finding_id}/review")
    async def review_finding(
        finding_id: UUID, asked: ReviewAsked, principal: auditor, audit: TheAudit
    ) -> FindingShown:
        """Say what came out: explained, or referred. Not by whom the finding is about."""
        return await findings.review(
            audit, principal, finding_id, asked.outcome, asked.note, datetime.now(UTC)
        )
