"""Findings: made for a period, listed, and reviewed by somebody whom they are not about."""

from collections import Counter as Tally
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from prometheus_client import Counter

from alpr_access_log import store
from alpr_access_log.audit import analysis
from alpr_access_log.audit.analysis import Analysed, Beside
from alpr_access_log.audit.figures import finding_of, ids_of, people_of
from alpr_access_log.audit.handlers.auditing import Audit, record_of
from alpr_access_log.audit.handlers.packages import checked_period
from alpr_access_log.audit.refusals import (
    AnotherAuditRuns,
    FindingNotFound,
    OwnFinding,
    PeriodTooLarge,
)
from alpr_access_log.audit.store import keeping
from alpr_access_log.audit.store import records as records_store
from alpr_access_log.audit.store.keeping import FindingFilter, Review
from alpr_access_log.audit.summary import FindingShown
from alpr_common.auth import Principal
from alpr_common.postgres import Connection

FOUND = Counter("alpr_misuse_findings_total", "Findings that were not known before", ["rule"])


async def analyse(
    audit: Audit, principal: Principal, from_at: datetime, to_at: datetime, now: datetime
) -> tuple[list[FindingShown], int, Analysed]:
    """Look through [from, to) now; findings, how many are new, and what was not applied.

    Identity is asked with the caller's token. Raises `PeriodImpossible`, `PeriodTooLarge`,
    `AnotherAuditRuns`, or an `Outage`.
    """
    from_at, to_at = checked_period(from_at, to_at, now)
    agency_id = principal.agency_id
    async with audit.database.transaction(agency_id) as alone:
        if not await keeping.try_alone(alone, agency_id):
            raise AnotherAuditRuns("Wait until it is done.")
        await _check_size(alone, audit, agency_id, from_at, to_at)
        said = await audit.identity.audited(principal, from_at, to_at)
        found = await analysis.analysed(
            audit.database, agency_id, from_at, to_at, audit.policies.of(agency_id).misuse,
            audit.plate_key, Beside(said.lapses, said.open_sessions),
        )  # fmt: skip
        async with store.recording(audit.database, agency_id) as connection:
            new = await keep(connection, agency_id, found.findings, now)
            shown = await _shown(connection, agency_id, found.findings)
            record = record_of(
                principal, "audit.analysed", "audit", now, findings=len(shown), new=len(new),
                **{"from": from_at.isoformat(), "to": to_at.isoformat()},
            )  # fmt: skip
            await store.append(connection, record)
    return shown, len(new), found


async def _check_size(
    connection: Connection, audit: Audit, agency_id: str, from_at: datetime, to_at: datetime
) -> None:
    """Raise `PeriodTooLarge` for more than can be looked through within one request."""
    most, limits = audit.analysed_at_once_max, audit.policies.of(agency_id).misuse
    begin = analysis.reads_from(from_at, limits)
    if not await records_store.are_at_most(connection, agency_id, begin, to_at, most):
        days = (from_at - begin).days
        raise PeriodTooLarge(
            f"With the {days} days before it, which habits are taken from, this period has more "
            f"than {most} records. Ask for a shorter one, or for a package of it "
            "(POST /v1/audit/packages), which looks for the same in the background.",
            records_max=most,
        )


async def keep(
    connection: Connection, agency_id: str, findings: Sequence[dict[str, Any]], now: datetime
) -> list[dict[str, Any]]:
    """Store them; returns those that were not known before."""
    ids = set(await keeping.keep_findings(connection, agency_id, findings, now))
    new = [one for one in findings if UUID(one["finding_id"]) in ids]
    for rule, count in Tally(one["rule"] for one in new).items():
        FOUND.labels(rule).inc(count)
    return new


async def page(
    audit: Audit, principal: Principal, wanted: FindingFilter, before: int | None, limit: int,
    now: datetime,
) -> tuple[list[FindingShown], str | None]:  # fmt: skip
    """Findings newest first, and the cursor of the next page; the look is recorded."""
    agency_id = principal.agency_id
    async with store.recording(audit.database, agency_id) as connection:
        rows = await keeping.findings(connection, agency_id, wanted, before, limit + 1)
        shown = await _shown(connection, agency_id, [said for _, said in rows[:limit]])
        record = record_of(
            principal, "audit.findings.listed", "audit", now, count=len(shown),
            rule=wanted.rule, person_id=wanted.person_id,
        )  # fmt: skip
        await store.append(connection, record)
    following = str(rows[limit - 1][0]) if len(rows) > limit else None
    return shown, following


async def review(
    audit: Audit, principal: Principal, finding_id: UUID, outcome: str, note: str, now: datetime
) -> FindingShown:
    """Say what came out; may be said again, and nothing is taken back.

    Raises `FindingNotFound`, `OwnFinding`.
    """
    agency_id = principal.agency_id
    async with store.recording(audit.database, agency_id) as connection:
        said = await keeping.find_finding(connection, agency_id, finding_id)
        if said is None:
            raise FindingNotFound("Look at the list of findings.")
        if principal.person_id in said["people"]:
            raise OwnFinding("Ask somebody else who may review findings.")
        review = Review(
            uuid4(), finding_id, outcome, note, now, principal.person_id, principal.name
        )
        await keeping.add_review(connection, agency_id, review)
        record = record_of(
            principal, "audit.finding.reviewed", f"finding:{finding_id}", now,
            review=outcome, rule=said["rule"], people=said["people"],
        )  # fmt: skip
        await store.append(connection, record)
        return (await _shown(connection, agency_id, [said]))[0]


async def _shown(
    connection: Connection, agency_id: str, findings: Sequence[dict[str, Any]]
) -> list[FindingShown]:
    names = await records_store.named(connection, agency_id, people_of(findings))
    reviews = await keeping.reviews(connection, agency_id, ids_of(findings))
    return [
        finding_of(one, names, reviews.get(UUID(str(one["finding_id"])), ())) for one in findings
    ]
