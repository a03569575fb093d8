"""Asking for the package of a period, and handing it out."""

from datetime import datetime
from uuid import UUID, uuid4

from alpr_access_log import store
from alpr_access_log.audit import analysis
from alpr_access_log.audit.handlers.auditing import Audit, record_of
from alpr_access_log.audit.refusals import (
    AnotherAuditRuns,
    PackageNotFound,
    PackageNotReady,
    PeriodImpossible,
)
from alpr_access_log.audit.store import keeping
from alpr_access_log.audit.store import preparing as claims
from alpr_access_log.audit.store.keeping import File, Package
from alpr_access_log.audit.store.preparing import Claim
from alpr_access_log.handlers import who
from alpr_common.auth import Principal


def checked_period(from_at: datetime, to_at: datetime, now: datetime) -> tuple[datetime, datetime]:
    """[from, to) without what lies ahead; raises `PeriodImpossible`."""
    to_at = min(to_at, now)
    if from_at >= to_at:
        raise PeriodImpossible("Say `from` and a later `to`; the period begins in the past.")
    if to_at - from_at > analysis.LONGEST:
        raise PeriodImpossible(f"Ask for at most {analysis.LONGEST.days} days at once.")
    return from_at, to_at


async def ask(
    audit: Audit, principal: Principal, from_at: datetime, to_at: datetime, now: datetime,
    hold_seconds: float,
) -> tuple[Package, Claim]:  # fmt: skip
    """Ask for the package of [from, to), on record before anything is read for it; and the claim
    under which this process has to prepare it within `hold_seconds`.

    Raises `PeriodImpossible`, `AnotherAuditRuns`, or an `Outage`.
    """
    from_at, to_at = checked_period(from_at, to_at, now)
    agency_id = principal.agency_id
    package = Package(uuid4(), agency_id, from_at, to_at, now, who(principal), step="identity")
    claim = Claim(package.package_id, agency_id, uuid4())
    async with store.recording(audit.database, agency_id) as connection:
        other = await claims.add(connection, package, claim, hold_seconds)
        if other is not None:
            raise AnotherAuditRuns(
                f"One is prepared at a time: wait until {other} is done.", package_id=str(other)
            )
        record = record_of(
            principal, "audit.package.requested", f"audit:{package.package_id}", now,
            **{"from": from_at.isoformat(), "to": to_at.isoformat()},
        )  # fmt: skip
        await store.append(connection, record)
    return package, claim


async def page(
    audit: Audit, principal: Principal, after: tuple[datetime, UUID] | None, limit: int,
    now: datetime,
) -> list[Package]:  # fmt: skip
    """Packages of the agency, those asked for last first, at most `limit` + 1; the look is
    recorded."""
    agency_id = principal.agency_id
    async with store.recording(audit.database, agency_id) as connection:
        found = await keeping.packages(connection, agency_id, after, limit + 1)
        await store.append(connection, record_of(principal, "audit.packages.listed", "audit", now))
    return found


async def show(audit: Audit, principal: Principal, package_id: UUID, now: datetime) -> Package:
    """A package with its summary; the look is recorded. Raises `PackageNotFound`.

    One that is being prepared says how far it is and nothing of what was read: who waits for it
    asks again and again, and that is no look at anything.
    """
    agency_id = principal.agency_id
    async with store.recording(audit.database, agency_id) as connection:
        package = await keeping.find_package(connection, agency_id, package_id)
        if package is None:
            raise PackageNotFound("Look at the list of packages.")
        if package.state == "preparing":
            return package
        await store.append(
            connection, record_of(principal, "audit.package.viewed", f"audit:{package_id}", now)
        )
    return package


async def download(
    audit: Audit, principal: Principal, package_id: UUID, name: str, now: datetime
) -> tuple[File, bytes]:
    """A file, after the record of its leaving is on disk.

    Raises `PackageNotFound`, `PackageNotReady`, or an `Outage`.
    """
    agency_id = principal.agency_id
    async with audit.database.transaction(agency_id) as connection:
        package = await keeping.find_package(connection, agency_id, package_id)
    if package is not None and package.state == "preparing":
        raise PackageNotReady("Its files are there as soon as it is done.")
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
