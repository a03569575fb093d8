"""What an audit package says, as data: the page, the sheet, the tables and the API show this."""

from datetime import date, datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

PLATES_NOTE = (
    "Plates in findings are those that people asked for, as the access log has them. They may be "
    "seen by administrators, auditors and supervisors of this agency, who may read the log itself; "
    "the package holds no read, no picture and no place."
)
HINTS_NOTE = (
    "A finding is a hint to a human and no conclusion. It says what the records show and from "
    "which limit of the policy file on it is pointed out; most findings have a good explanation."
)


class Said(BaseModel):
    model_config = ConfigDict(frozen=True)


class Actions(Said):
    """Everything of one kind that was done."""

    service: str
    action: str
    done: int
    refused: int
    failed: int
    people: int


class PersonUsage(Said):
    person_id: str
    name: str = Field(description="as the log knew it last; empty when it was forgotten")
    role: str
    searches: int
    refused: int
    reads_shown: int
    pictures: int
    alert_pictures: int
    evidence: int
    last_search_at: datetime | None


class PurposeUsage(Said):
    purpose: str | None
    label: str
    searches: int
    people: int


class DayUsage(Said):
    day: date
    searches: int
    refused: int


class HourUsage(Said):
    weekday: int = Field(description="1 Monday to 7 Sunday")
    hour: int
    searches: int


class RefusalUsage(Said):
    code: str
    clause: str | None
    count: int
    people: int


class ServiceUsage(Said):
    person_id: str = Field(description="the service account")
    accesses: int
    reads_shown: int


class DeciderUsage(Said):
    person_id: str | None
    name: str | None
    approved: int
    denied: int


class Approvals(Said):
    asked: int
    approved: int
    denied: int
    used: int
    undecided: int
    deciders: list[DeciderUsage]


class Totals(Said):
    searches: int
    refused: int
    failed: int
    people: int = Field(description="who searched or tried to")
    pages: int = Field(description="further pages of a search")
    sweeps: int
    pictures: int
    alert_pictures: int
    evidence_sealed: int
    evidence_downloaded: int
    holds_placed: int
    holds_released: int
    retro_accesses: int


class Usage(Said):
    time_zone: str
    totals: Totals
    people: list[PersonUsage]
    purposes: list[PurposeUsage]
    days: list[DayUsage]
    hours: list[HourUsage]
    refusals: list[RefusalUsage]
    approvals: Approvals
    retro: list[ServiceUsage]
    actions: list[Actions]


class FromIdentity(Said):
    """What identity says, as it says it; or why it is not here."""

    answered: bool
    why_not: str | None = None
    data: dict[str, Any] | None = None


class LogCheckpoint(Said):
    size: int
    root: str = Field(description="hex")
    signed_at: datetime


class WitnessGap(Said):
    """Checkpoints were signed and no copy of one lay with the witness for so long."""

    from_at: datetime
    to_at: datetime
    minutes: int
    is_open: bool = Field(description="it had not ended when the package was prepared")


class LogChecked(Said):
    """What was recomputed of the access log."""

    origin: str
    key: str = Field(description="the verifier key; compare it with the one handed out on paper")
    is_good: bool | None = Field(description="None: there is nothing to check")
    faults: list[str]
    first: LogCheckpoint | None
    last: LogCheckpoint | None
    before: LogCheckpoint | None = Field(description="the last one before the period")
    entries: int = Field(description="entries that the last checkpoint covers, all recomputed")
    entries_in_period: int
    checkpoints: int = Field(description="signed in the period")
    checkpoints_checked: int
    witness: str = Field(description="where copies are kept")
    witness_why_not: str | None
    witness_copies: int = Field(description="copies of the period's checkpoints that were found")
    witness_copies_checked: int
    gaps: list[WitnessGap]
    gap_after_seconds: int


class Purge(Said):
    """A purge, and the certificate of it in the log."""

    certificate_id: UUID
    purged_at: datetime
    subject: str
    from_at: datetime | None
    to_at: datetime | None
    count: int
    kept: int
    ids_root: str | None


class ReviewShown(Said):
    review_id: UUID
    outcome: Literal["explained", "referred"]
    note: str
    reviewed_at: datetime
    reviewed_by: str


class PersonNamed(Said):
    person_id: str
    name: str
    role: str


class RecordShown(Said):
    """An access record that a finding rests on; `GET /v1/searches` has all of it."""

    record_id: UUID
    occurred_at: datetime
    person_id: str
    action: str
    outcome: str
    plate: str | None = None
    case_number: str | None = None
    purpose: str | None = None
    address: str | None = None
    session_id: str | None = None
    refusal_code: str | None = None


class FindingShown(Said):
    finding_id: UUID
    rule: str
    title: str
    clause: str
    strength: Literal["direct", "weaker"] = Field(
        description="weaker: it rests on a comparison with habits"
    )
    people: list[PersonNamed]
    why: str
    words: str | None = Field(
        default=None, description="somebody's own words, in packages alone: they are not stored"
    )
    limits: dict[str, str] = Field(description="limits of the policy file that it rests on")
    first_at: datetime
    last_at: datetime
    record_count: int
    records: list[RecordShown] = Field(description="the first fifty")
    reviews: list[ReviewShown] = Field(default_factory=list)


class RuleShown(Said):
    name: str
    title: str
    looks_for: str
    clause: str
    limits: dict[str, str]
    why_not: str | None = Field(description="why it was not applied; null when it was")
    findings: int


class GivenList(Said):
    kind: Literal["shifts", "cases", "plates"]
    entries: int
    from_at: datetime | None
    to_at: datetime = Field(description="until when it is complete")
    given_at: datetime
    given_by: str
    of_another_key: int = Field(
        default=0, description="plates that were hashed with another key and cannot be compared"
    )


class Misuse(Said):
    rules: list[RuleShown]
    findings: list[FindingShown]
    lists: list[GivenList]


class Summary(Said):
    """The whole package."""

    model_config = ConfigDict(frozen=True, populate_by_name=True)

    package_id: UUID
    agency_id: str
    from_at: datetime = Field(alias="from")
    to_at: datetime = Field(alias="to")
    prepared_at: datetime
    prepared_by: str
    policy_version: str
    is_complete: bool = Field(description="whether everything that belongs to it could be asked")
    missing: list[str] = Field(description="what is not in it, and why")
    usage: Usage
    password_security: FromIdentity
    training: FromIdentity
    sessions: FromIdentity
    log: LogChecked
    purges: list[Purge]
    misuse: Misuse
    notes: list[str] = [HINTS_NOTE, PLATES_NOTE]


class FileShown(Said):
    name: str
    media_type: str
    size_bytes: int
    sha256: str


class PackageShown(Said):
    """A prepared package in a list."""

    model_config = ConfigDict(frozen=True, populate_by_name=True)

    package_id: UUID
    from_at: datetime = Field(alias="from")
    to_at: datetime = Field(alias="to")
    prepared_at: datetime
    prepared_by: str
    files: list[FileShown]


class PackageWhole(PackageShown):
    summary: Summary
