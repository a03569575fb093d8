"""The package as a whole, and as lists show it."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import ConfigDict, Field

from alpr_access_log.audit.summary.log import LogChecked, Purge
from alpr_access_log.audit.summary.misuse import Misuse
from alpr_access_log.audit.summary.said import Said
from alpr_access_log.audit.summary.usage import Usage

PLATES_NOTE = (
    "Plates in findings are those that people asked for, as the access log has them. They may be "
    "seen by administrators, auditors and supervisors of this agency, who may read the log itself; "
    "the package holds no read, no picture and no place."
)
HINTS_NOTE = (
    "A finding is a hint to a human and no conclusion. It says what the records show and from "
    "which limit of the policy file on it is pointed out; most findings have a good explanation."
)


class FromIdentity(Said):
    """What identity says, as it says it; or why it is not here."""

    answered: bool
    why_not: str | None = None
    data: dict[str, Any] | None = None


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
    notes: list[str] = Field(default=[HINTS_NOTE, PLATES_NOTE])


class FileShown(Said):
    name: str
    media_type: str
    size_bytes: int
    sha256: str


class PackageShown(Said):
    """A package in a list: being prepared, ready, or failed."""

    model_config = ConfigDict(frozen=True, populate_by_name=True)

    package_id: UUID
    from_at: datetime = Field(alias="from")
    to_at: datetime = Field(alias="to")
    state: Literal["preparing", "ready", "failed"]
    step: str | None = Field(description="what is being done, while it is prepared")
    progress: float = Field(description="how far it is, 0 to 1")
    failure: str | None = Field(description="why it could not be prepared")
    asked_at: datetime
    prepared_at: datetime | None = Field(description="null until it is ready")
    prepared_by: str = Field(description="who asked for it")
    files: list[FileShown]


class PackageWhole(PackageShown):
    summary: Summary | None = Field(description="null until it is ready")
