"""Hot lists and their entries."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import Field

from alpr_client.models.base import Answer


class HotListEntry(Answer):
    entry_id: UUID
    plate: str
    category: str
    reason: str = ""
    jurisdiction: str | None = None
    priority: int | None = None
    source: str | None = None
    case_number: str | None = None
    vehicle: str | None = None
    caution: str | None = None
    effective_at: datetime | None = None
    expires_at: datetime | None = None
    agency_id: str = ""
    state: str = ""
    check: str = ""
    """How the second person's check stands: not_needed, waiting, overdue or done (131.6-7)."""
    added_by_name: str = ""


class UncheckedEntry(Answer):
    """An entry by hand that waits for a second person (131.6-7)."""

    entry_id: UUID
    plate: str = ""
    category: str = ""
    reason: str = ""
    added_at: datetime | None = None
    added_by_name: str = ""
    check_due_at: datetime | None = None
    overdue: bool = False


class EntryVersion(Answer):
    """One change of an entry: who, why, and the entry before (None: it was new) and after."""

    version: int
    person_name: str = ""
    why: str = ""
    before: dict[str, Any] | None = None
    after: dict[str, Any] = Field(default_factory=dict)


class Subscription(Answer):
    """What an agency said to a list that is offered to it: offered, accepted, declined, ended."""

    agency_id: str = ""
    state: str
    version: int = 0


class HotListOnFile(Answer):
    """A list of the agency, or one that is offered to it."""

    list_id: UUID | None = None
    source: str
    kind: str = ""
    name: str = ""
    agency_id: str = ""
    entries: int = 0
    refreshed_at: datetime | None = None
    freshness: str = ""
    subscriptions: tuple[Subscription, ...] = ()


class BadLine(Answer):
    line: int
    what: str


class DroppedRecords(Answer):
    """Records that no import takes, and why (policy file)."""

    category: str
    count: int
    why: str = ""


class ImportReport(Answer):
    """What an import did, or would do (`dry_run`). `rejected` names the first bad lines."""

    source: str
    mode: str = ""
    mapper: str = ""
    dry_run: bool = False
    lines_read: int = 0
    added: int = 0
    changed: int = 0
    removed: int = 0
    unchanged: int = 0
    rejected: tuple[BadLine, ...] = ()
    rejected_count: int = 0
    dropped: tuple[DroppedRecords, ...] = ()
    sample: dict[str, list[dict[str, Any]]] = Field(default_factory=dict)
    """Of a preview: some of the entries that would be added, changed and removed."""


class ImportRecord(Answer):
    """How an import stands; `report` at its end."""

    state: str
    lines_read: int = 0
    report: ImportReport | None = None
