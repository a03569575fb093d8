"""Preparing a package that somebody asked for: ask, count, look through, recompute, write down.

Whoever asked is not there any more, and their token is used once, to ask identity, and not kept.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from prometheus_client import Counter, Histogram

from alpr_access_log import store
from alpr_access_log.audit import analysis, identity, logcheck
from alpr_access_log.audit.analysis import Analysed, Beside
from alpr_access_log.audit.figures import (
    finding_of,
    ids_of,
    lists_of,
    people_of,
    purges_of,
    usage_of,
)
from alpr_access_log.audit.handlers.auditing import Audit, record_by
from alpr_access_log.audit.identity import IdentitySays
from alpr_access_log.audit.progress import Progress
from alpr_access_log.audit.refusals import ClaimLost, NobodyToAskWith
from alpr_access_log.audit.rendering import rendered
from alpr_access_log.audit.rules import RULES
from alpr_access_log.audit.store import keeping, usage
from alpr_access_log.audit.store import lists as given
from alpr_access_log.audit.store import preparing as claims
from alpr_access_log.audit.store import records as records_store
from alpr_access_log.audit.store.keeping import File, Package
from alpr_access_log.audit.store.preparing import Claim
from alpr_access_log.audit.summary import FromIdentity, LogChecked, Misuse, RuleShown, Summary
from alpr_common.auth import Principal

PREPARED = Counter("alpr_audit_packages_total", "Audit packages prepared")
FAILED = Counter("alpr_audit_packages_failed_total", "Audit packages that could not be prepared")
PREPARE_SECONDS = Histogram(
    "alpr_audit_prepare_seconds", "From asking for an audit package until it is ready",
    buckets=(1, 3, 10, 30, 100, 300, 1000, 3000),
)  # fmt: skip
_LOOKS_AGAIN_SECONDS = 1.0


@dataclass(frozen=True)
class Work:
    """A package to be prepared, by the process that has the claim."""

    claim: Claim
    package: Package
    says: IdentitySays


async def begun(
    audit: Audit, claim: Claim, principal: Principal | None, hold_seconds: float
) -> Work:
    """The package, and what identity says: asked with the token of whoever is there still, and
    kept for a process that may have to take it up.

    Raises `NobodyToAskWith`, `ClaimLost`, or an `Outage`.
    """
    async with audit.database.transaction(claim.agency_id) as connection:
        package = await keeping.find_package(connection, claim.agency_id, claim.package_id)
        kept = await claims.identity_of(connection, claim)
    if package is None:
        raise ClaimLost(f"There is no package {claim.package_id}.")
    if kept is not None:
        return Work(claim, package, await asyncio.to_thread(identity.from_json, kept))
    if principal is None:
        raise NobodyToAskWith(
            "The service stopped before identity had answered, and nobody's sign-in is kept to ask "
            "it again. Prepare it once more."
        )
    says = await audit.identity.audited(principal, package.from_at, package.to_at)
    said = await asyncio.to_thread(identity.to_json, says)
    async with audit.database.transaction(claim.agency_id) as connection:
        if not await claims.hold(connection, claim, hold_seconds):
            raise ClaimLost("Another process prepares it.")
        await claims.keep_identity(connection, claim, said)
    return Work(claim, package, says)


async def prepare(
    audit: Audit, work: Work, progress: Progress, clock: Callable[[], datetime]
) -> Package:
    """Prepare and store the package; alone in its agency.

    Raises `ClaimLost`, or an `Outage`; then it is not ready, and may be begun again.
    """
    agency_id, package, says = work.claim.agency_id, work.package, work.says
    period = package.from_at, package.to_at
    async with _alone(audit, agency_id):
        found = await analysis.analysed(
            audit.database, agency_id, *period, audit.policies.of(agency_id).misuse,
            audit.plate_key, Beside(says.lapses, says.open_sessions),
            progress.begin("records"),
        )  # fmt: skip
        checked = await logcheck.checked(
            audit.log, audit.copies, audit.witness, agency_id, *period, clock(),
            progress.begin("log"),
        )  # fmt: skip
        progress.begin("usage")
        summary = await _summary(audit, work, found, checked, clock())
        ready = await _stored(audit, work, summary, found, progress)
    PREPARED.inc()
    PREPARE_SECONDS.observe((summary.prepared_at - package.asked_at).total_seconds())
    return ready


@asynccontextmanager
async def _alone(audit: Audit, agency_id: str) -> AsyncIterator[None]:
    """Wait until nobody else looks through the agency's records: the daily run, an analysis."""
    while True:
        async with audit.database.transaction(agency_id) as connection:
            if await keeping.try_alone(connection, agency_id):
                yield
                return
        await asyncio.sleep(_LOOKS_AGAIN_SECONDS)


async def fail(audit: Audit, claim: Claim, why: str, now: datetime) -> None:
    """Say that the package cannot be prepared, and why; on record, for whoever asked for it.

    Raises an `Outage`.
    """
    async with store.recording(audit.database, claim.agency_id) as connection:
        package = await keeping.find_package(connection, claim.agency_id, claim.package_id)
        if package is None or not await claims.end_failed(connection, claim, why):
            return
        record = record_by(
            package.prepared_by, "audit.package.failed", f"audit:{claim.package_id}", now, why=why
        )
        await store.append(connection, replace(record, outcome="failed"))
    FAILED.inc()


async def _summary(
    audit: Audit, work: Work, found: Analysed, checked: LogChecked, now: datetime
) -> Summary:
    package, says, agency_id = work.package, work.says, work.claim.agency_id
    by, policy = package.prepared_by, audit.policies.of(agency_id)
    async with audit.database.transaction(agency_id) as connection:
        counted = await usage.counted(
            connection, agency_id, package.from_at, package.to_at, policy.misuse.time_zone
        )
        misuse = await _misuse(connection, audit, agency_id, found)
    missing = _missing(says, checked)
    return Summary(
        package_id=package.package_id,
        agency_id=agency_id,
        from_at=package.from_at,
        to_at=package.to_at,
        prepared_at=now,
        prepared_by=f"{by.person_name} ({by.role}, {by.person_id})",
        policy_version=policy.version,
        is_complete=not missing,
        missing=missing,
        usage=usage_of(counted, policy),
        password_security=says.password_security,
        training=says.training,
        sessions=says.sessions,
        log=checked,
        purges=purges_of(counted.purges),
        misuse=misuse,
    )


async def _misuse(connection: Any, audit: Audit, agency_id: str, found: Analysed) -> Misuse:
    names = await records_store.named(connection, agency_id, people_of(found.findings))
    reviews = await keeping.reviews(connection, agency_id, ids_of(found.findings))
    notes = await given.notes(connection, agency_id)
    plates = await given.plate_counts(connection, agency_id, audit.plate_key.key_id)
    order = {rule.name: n for n, rule in enumerate(RULES)}
    shown = [
        finding_of(
            one, names, reviews.get(UUID(one["finding_id"]), ()), found.words.get(one["finding_id"])
        )
        for one in sorted(found.findings, key=lambda f: (order[f["rule"]], f["first_at"]))
    ]
    rules = [
        RuleShown(
            name=rule.name,
            title=rule.title,
            looks_for=rule.looks_for,
            clause=rule.clause,
            limits=found.limits[rule.name],
            why_not=found.why_not.get(rule.name),
            findings=sum(one.rule == rule.name for one in shown),
        )
        for rule in RULES
    ]
    return Misuse(rules=rules, findings=shown, lists=lists_of(notes, plates))


def _missing(identity: IdentitySays, checked: LogChecked) -> list[str]:
    parts: list[tuple[str, FromIdentity]] = [
        ("Password security", identity.password_security),
        ("Training", identity.training),
        ("Sessions", identity.sessions),
    ]
    missing = [f"{name}: {part.why_not}." for name, part in parts if not part.answered]
    if checked.witness_why_not:
        missing.append(f"Copies of checkpoints: {checked.witness_why_not}.")
    return missing


async def _stored(
    audit: Audit, work: Work, summary: Summary, found: Analysed, progress: Progress
) -> Package:
    """The files first, then entry, findings and record in one transaction. A crash in between
    leaves files that no entry names: each attempt has a folder of its own."""
    tell = progress.begin("writing")
    agency_id, now, claim = work.claim.agency_id, summary.prepared_at, work.claim
    made = await asyncio.to_thread(rendered, summary)
    files = []
    for number, (name, (media_type, content)) in enumerate(made.items(), 1):
        key = f"audit/{agency_id}/{summary.package_id}/{claim.claim}/{name}"
        await audit.objects.put(key, content)
        digest = hashlib.sha256(content).hexdigest()
        files.append(File(name, media_type, key, len(content), digest))
        tell(number / (len(made) + 1))
    ready = replace(
        work.package, state="ready", step=None, progress=1.0, prepared_at=now, files=tuple(files),
        summary=summary.model_dump(mode="json", by_alias=True),
    )  # fmt: skip
    progress.is_ending = True
    async with store.recording(audit.database, agency_id) as connection:
        if not await claims.end_ready(connection, claim, ready):
            raise ClaimLost("Another process prepares it.")
        await keeping.keep_findings(connection, agency_id, found.findings, now)
        record = record_by(
            ready.prepared_by, "audit.package.prepared", f"audit:{ready.package_id}", now,
            findings=len(found.findings), missing=summary.missing,
            log_is_good=summary.log.is_good, files={file.name: file.sha256 for file in files},
            **{"from": summary.from_at.isoformat(), "to": summary.to_at.isoformat()},
        )  # fmt: skip
        await store.append(connection, record)
    return ready
