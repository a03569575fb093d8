"""Findings with the rules that made them, and the lists that the agency gave for them."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import Field

from alpr_access_log.audit.summary.said import Said


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
