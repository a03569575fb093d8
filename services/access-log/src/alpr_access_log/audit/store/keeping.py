"""Packages, findings with their reviews, and which days were looked through."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal
from uuid import UUID

from alpr_access_log.domain import Who
from alpr_common.postgres import Connection

PackageState = Literal["preparing", "ready", "failed"]

_TRY_ALONE = "SELECT pg_try_advisory_xact_lock(hashtextextended('access_log.audit:' || $1, 0))"
_PACKAGE = """
SELECT package_id, agency_id, from_at, to_at, state, asked_at, prepared_at, prepared_by_id,
    prepared_by_name, prepared_by_role, prepared_by_session_id, prepared_by_address, step, progress,
    failure, files::text AS files{summary}
FROM audit_package WHERE agency_id = $1
"""
_ONE_PACKAGE = _PACKAGE.format(summary=", summary::text AS summary") + " AND package_id = $2"
_PACKAGES = (
    _PACKAGE.format(summary="")
    + """
  AND ($2::timestamptz IS NULL OR (asked_at, package_id) < ($2, $3::uuid))
ORDER BY asked_at DESC, package_id DESC LIMIT $4
"""
)
# A run that had seen less of the month (or a shorter piece of it) takes nothing back.
_KEEP_FINDING = """
INSERT INTO audit_finding AS f (finding_id, agency_id, rule, person_id, last_at, found_at,
    record_count, finding)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8::jsonb)
ON CONFLICT (finding_id) DO UPDATE SET last_at = EXCLUDED.last_at, found_at = EXCLUDED.found_at,
    record_count = EXCLUDED.record_count, finding = EXCLUDED.finding
WHERE f.record_count < EXCLUDED.record_count
RETURNING (xmax = 0) AS is_new
"""
_FINDINGS = """
SELECT f.finding_sequence, f.finding_id, f.rule, f.last_at, f.found_at, f.record_count,
    f.finding::text AS finding
FROM audit_finding f
WHERE f.agency_id = $1
  AND ($2::bigint IS NULL OR f.finding_sequence < $2)
  AND ($3::text IS NULL OR f.rule = $3)
  AND ($4::text IS NULL OR f.finding -> 'people' ? $4)
  AND ($5::boolean IS NULL OR $5 = EXISTS (
      SELECT FROM audit_review r WHERE r.finding_id = f.finding_id))
  AND ($6::timestamptz IS NULL OR f.last_at >= $6)
  AND ($7::timestamptz IS NULL OR f.last_at < $7)
ORDER BY f.finding_sequence DESC LIMIT $8
"""
_ONE_FINDING = """
SELECT finding_id, rule, found_at, finding::text AS finding FROM audit_finding
WHERE agency_id = $1 AND finding_id = $2
"""
_ADD_REVIEW = """
INSERT INTO audit_review (review_id, finding_id, agency_id, outcome, note, reviewed_at,
    reviewed_by_id, reviewed_by_name)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
"""
_REVIEWS = """
SELECT review_id, finding_id, outcome, note, reviewed_at, reviewed_by_id, reviewed_by_name
FROM audit_review WHERE agency_id = $1 AND finding_id = ANY ($2::uuid[])
ORDER BY reviewed_at, review_id
"""
_TAKE_DAY = """
INSERT INTO audit_day (agency_id, day, analysed_at) VALUES ($1, $2, $3)
ON CONFLICT (agency_id, day) DO NOTHING RETURNING day
"""


@dataclass(frozen=True)
class File:
    """A file of a package in the object store."""

    name: str
    media_type: str
    object: str
    size_bytes: int
    sha256: str

    def to_json(self) -> dict[str, Any]:
        return dict(vars(self))


@dataclass(frozen=True)
class Package:
    """A package: being prepared, ready or failed. `summary` is None in lists, too."""

    package_id: UUID
    agency_id: str
    from_at: datetime
    to_at: datetime
    asked_at: datetime
    prepared_by: Who
    """Who asked for it."""
    state: PackageState = "preparing"
    step: str | None = None
    """What is being done while it is prepared."""
    progress: float = 0.0
    """How far it is, 0 to 1."""
    failure: str | None = None
    prepared_at: datetime | None = None
    files: tuple[File, ...] = ()
    summary: dict[str, Any] | None = None


@dataclass(frozen=True)
class FindingFilter:
    """Which findings are listed; None does not narrow."""

    rule: str | None = None
    person_id: str | None = None
    reviewed: bool | None = None
    from_at: datetime | None = None
    to_at: datetime | None = None


async def try_alone(connection: Connection, agency_id: str) -> bool:
    """Whether this transaction is the only one that looks through the agency's records."""
    return bool(await connection.fetchval(_TRY_ALONE, agency_id))


async def find_package(connection: Connection, agency_id: str, package_id: UUID) -> Package | None:
    row = await connection.fetchrow(_ONE_PACKAGE, agency_id, package_id)
    return _package(row) if row else None


async def packages(
    connection: Connection, agency_id: str, after: tuple[datetime, UUID] | None, most: int
) -> list[Package]:
    """Those asked for last first, without their summaries."""
    place = after or (None, None)
    rows = await connection.fetch(_PACKAGES, agency_id, *place, most)
    return [_package(row) for row in rows]


def _package(row: Any) -> Package:
    said = dict(row)
    person_id, name, role, session_id, address = (
        said.pop(f"prepared_by_{part}") for part in ("id", "name", "role", "session_id", "address")
    )
    said["prepared_by"] = Who(person_id, name, said["agency_id"], role or "", session_id, address)
    said["files"] = tuple(File(**file) for file in json.loads(said["files"] or "[]"))
    if said.get("summary") is not None:
        said["summary"] = json.loads(said["summary"])
    return Package(**said)


async def keep_findings(
    connection: Connection, agency_id: str, findings: Sequence[dict[str, Any]], now: datetime
) -> list[UUID]:
    """Store findings that are new or rest on more records now; ids of the new ones."""
    new = []
    for finding in findings:
        is_new = await connection.fetchval(
            _KEEP_FINDING, UUID(finding["finding_id"]), agency_id, finding["rule"],
            finding["people"][0], datetime.fromisoformat(finding["last_at"]), now,
            finding["record_count"], json.dumps(finding),
        )  # fmt: skip
        if is_new:
            new.append(UUID(finding["finding_id"]))
    return new


async def findings(
    connection: Connection, agency_id: str, wanted: FindingFilter, before: int | None, most: int
) -> list[tuple[int, dict[str, Any]]]:
    """Findings with their place in the order, newest first."""
    rows = await connection.fetch(
        _FINDINGS, agency_id, before, wanted.rule, wanted.person_id, wanted.reviewed,
        wanted.from_at, wanted.to_at, most,
    )  # fmt: skip
    return [(row["finding_sequence"], _finding(row)) for row in rows]


async def find_finding(
    connection: Connection, agency_id: str, finding_id: UUID
) -> dict[str, Any] | None:
    row = await connection.fetchrow(_ONE_FINDING, agency_id, finding_id)
    return _finding(row) if row else None


def _finding(row: Any) -> dict[str, Any]:
    said: dict[str, Any] = json.loads(row["finding"])
    return said | {"found_at": row["found_at"].isoformat()}


@dataclass(frozen=True)
class Review:
    """What somebody said to a finding."""

    review_id: UUID
    finding_id: UUID
    outcome: str
    note: str
    reviewed_at: datetime
    reviewed_by_id: str
    reviewed_by_name: str


async def add_review(connection: Connection, agency_id: str, review: Review) -> None:
    await connection.execute(
        _ADD_REVIEW, review.review_id, review.finding_id, agency_id, review.outcome, review.note,
        review.reviewed_at, review.reviewed_by_id, review.reviewed_by_name,
    )  # fmt: skip


async def reviews(
    connection: Connection, agency_id: str, finding_ids: Sequence[UUID]
) -> dict[UUID, list[Review]]:
    """Reviews by finding, oldest first."""
    found: dict[UUID, list[Review]] = {}
    for row in await connection.fetch(_REVIEWS, agency_id, list(finding_ids)):
        review = Review(**dict(row))
        found.setdefault(review.finding_id, []).append(review)
    return found


async def take_day(connection: Connection, agency_id: str, day: date, now: datetime) -> bool:
    """Whether nobody had looked through that day before; now this transaction has."""
    return await connection.fetchval(_TAKE_DAY, agency_id, day, now) is not None
