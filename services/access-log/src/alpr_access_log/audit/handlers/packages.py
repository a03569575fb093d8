"""Preparing the package of a period, and handing it out again."""

import asyncio
import hashlib
from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from prometheus_client import Counter, Histogram

from alpr_access_log import store
from alpr_access_log.audit import analysis, logcheck
from alpr_access_log.audit.analysis import Analysed, Beside
from alpr_access_log.audit.figures import (
    finding_of,
    ids_of,
    lists_of,
    people_of,
    purges_of,
    usage_of,
)
from alpr_access_log.audit.handlers.auditing import Audit, record_of
from alpr_access_log.audit.identity import IdentitySays
from alpr_access_log.audit.refusals import AnotherAuditRuns, PackageNotFound, PeriodImpossible
from alpr_access_log.audit.rendering import rendered
from alpr_access_log.audit.rules import RULES
from alpr_access_log.audit.store import keeping, usage
from alpr_access_log.audit.store import lists as given
from alpr_access_log.audit.store import records as records_store
from alpr_access_log.audit.store.keeping import File, Package
from alpr_access_log.audit.summary import FromIdentity, LogChecked, Misuse, RuleShown, Summary
from alpr_common.auth import Principal

PREPARED = Counter("alpr_audit_packages_total", "Audit packages prepared")
PREPARE_SECONDS = Histogram(
    "alpr_audit_prepare_seconds", "Preparing an audit package", buckets=(1, 3, 10, 30, 100, 300)
)


def checked_period(from_at: datetime, to_at: datetime, now: datetime) -> tuple[datetime, datetime]:
    """[from, to) without what lies ahead; raises `PeriodImpossible`."""
    to_at = min(to_at, now)
    if from_at >= to_at:
        raise PeriodImpossible("Say `from` and a later `to`; the period begins in the past.")
    if to_at - from_at > analysis.LONGEST:
        raise PeriodImpossible(f"Ask for at most {analysis.LONGEST.days} days at once.")
    return from_at, to_at


async def prepare(
    audit: Audit, principal: Principal, from_at: datetime, to_at: datetime,
    clock: Callable[[], datetime],
) -> Package:  # fmt: skip
    """Ask, count, look through, recompute, write down and store the package of [from, to).

    Raises `PeriodImpossible`, `AnotherAuditRuns`, or an `Outage`; then there is no package.
    """
    begun_at = clock()
    from_at, to_at = checked_period(from_at, to_at, begun_at)
    agency_id = principal.agency_id
    async with audit.database.transaction(agency_id) as alone:
        if not await keeping.try_alone(alone, agency_id):
            raise AnotherAuditRuns("Wait until it is done, and look at the list.")
        identity = await audit.identity.audited(principal, from_at, to_at)
        limits = audit.policies.of(agency_id).misuse
        found = await analysis.analysed(
            audit.database, agency_id, from_at, to_at, limits, audit.plate_key,
            Beside(identity.lapses, identity.open_sessions),
        )  # fmt: skip
        checked = await logcheck.checked(
            audit.log, audit.copies, audit.witness, agency_id, from_at, to_at, begun_at
        )
        package_id = uuid4()
        summary = await _summary(
            audit, principal, package_id, (from_at, to_at), identity, found, checked, clock()
        )
        package = await _stored(audit, principal, summary, found)
    PREPARED.inc()
    PREPARE_SECONDS.observe((clock() - begun_at).total_seconds())
    return package


async def _summary(
    audit: Audit, principal: Principal, package_id: UUID, period: tuple[datetime, datetime],
    identity: IdentitySays, found: Analysed, checked: LogChecked, now: datetime,
) -> Summary:  # fmt: skip
    agency_id = principal.agency_id
    policy = audit.policies.of(agency_id)
    async with audit.database.transaction(agency_id) as connection:
        counted = await usage.counted(connection, agency_id, *period, policy.misuse.time_zone)
        misuse = await _misuse(connection, audit, agency_id, found)
    missing = _missing(identity, checked)
    return Summary(
        package_id=package_id,
        agency_id=agency_id,
        from_at=period[0],
        to_at=period[1],
        prepared_at=now,
        prepared_by=f"{principal.name} ({principal.role.value}, {principal.person_id})",
        policy_version=policy.version,
        is_complete=not missing,
        missing=missing,
        usage=usage_of(counted, policy),
        password_security=identity.password_security,
        training=identity.training,
        sessions=identity.sessions,
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


async def _stored(audit: Audit, principal: Principal, summary: Summary, found: Analysed) -> Package:
    """The files first, then entry, findings and record in one transaction. A crash in between
    leaves files that no entry names."""
    agency_id, now = principal.agency_id, summary.prepared_at
    files = []
    for name, (media_type, content) in (await asyncio.to_thread(rendered, summary)).items():
        key = f"audit/{agency_id}/{summary.package_id}/{name}"
        await audit.objects.put(key, content)
        digest = hashlib.sha256(content).hexdigest()
        files.append(File(name, media_type, key, len(content), digest))
    package = Package(
        summary.package_id, agency_id, summary.from_at, summary.to_at, now, principal.person_id,
        principal.name, tuple(files), summary.model_dump(mode="json", by_alias=True),
    )  # fmt: skip
    async with store.recording(audit.database, agency_id) as connection:
        await keeping.add_package(connection, package)
        await keeping.keep_findings(connection, agency_id, found.findings, now)
        record = record_of(
            principal, "audit.package.prepared", f"audit:{package.package_id}", now,
            findings=len(found.findings), missing=summary.missing,
            log_is_good=summary.log.is_good, files={file.name: file.sha256 for file in files},
            **{"from": summary.from_at.isoformat(), "to": summary.to_at.isoformat()},
        )  # fmt: skip
        await store.append(connection, record)
    return package


async def page(
    audit: Audit, principal: Principal, after: tuple[datetime, UUID] | None, limit: int,
    now: datetime,
) -> list[Package]:  # fmt: skip
    """Packages of the agency, newest first, at most `limit` + 1; the look is recorded."""
    agency_id = principal.agency_id
    async with store.recording(audit.database, agency_id) as connection:
        found = await keeping.packages(connection, agency_id, after, limit + 1)
        await store.append(connection, record_of(principal, "audit.packages.listed", "audit", now))
    return found


async def show(audit: Audit, principal: Principal, package_id: UUID, now: datetime) -> Package:
    """A package with its summary; the look is recorded. Raises `PackageNotFound`."""
    agency_id = principal.agency_id
    async with store.recording(audit.database, agency_id) as connection:
        package = await keeping.find_package(connection, agency_id, package_id)
        if package is None:
            raise PackageNotFound("Look at the list of packages.")
        await store.append(
            connection, record_of(principal, "audit.package.viewed", f"audit:{package_id}", now)
        )
    return package


async def download(
    audit: Audit, principal: Principal, package_id: UUID, name: str, now: datetime
) -> tuple[File, bytes]:
    """A file, after the record of its leaving is on disk. Raises `PackageNotFound`, an `Outage`."""
    agency_id = principal.agency_id
    async with audit.database.transaction(agency_id) as connection:
        package = await keeping.find_package(connection, agency_id, package_id)
    file = next((f for f in package.files if f.name == name), None) if package else None
    if file is None:
        raise PackageNotFound("Look at the list of packages; it names their files.")
    content = await audit.objects.get(file.object)
    async with store.recording(audit.database, agency_id) as connection:
        record = record_of(
            principal, "audit.package.downloaded", f"audit:{package_id}", now,
            file=name, sha256=file.sha256,
        )  # fmt: skip
        await store.append(connection, record)
    return file, content
