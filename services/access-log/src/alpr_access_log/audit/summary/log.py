"""What was recomputed of the access log, and the purges that it certifies."""

from datetime import datetime
from uuid import UUID

from pydantic import Field

from alpr_access_log.audit.summary.said import Said


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
