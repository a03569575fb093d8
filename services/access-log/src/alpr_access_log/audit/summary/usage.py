"""How the system was used, as the package says it: by person, purpose, day, hour and refusal."""

from datetime import date, datetime

from pydantic import Field

from alpr_access_log.audit.summary.said import Said


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
