"""Legal holds and evidence packages (131.7-2)."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import Field

from alpr_client.models.base import Answer


class Somebody(Answer):
    person_id: str
    name: str = ""


class HeldRead(Answer):
    """A read that a hold names; `pictures` says how its pictures stand."""

    read_id: UUID
    captured_at: datetime | None = None
    pictures: str = ""


class Hold(Answer):
    """What suspends deletion of reads, until it is released."""

    hold_id: UUID
    agency_id: str = ""
    kind: str = ""
    reason: str = ""
    case_number: str = ""
    alert_id: UUID | None = None
    plate: str | None = None
    lookalike: bool = False
    from_at: datetime | None = Field(default=None, alias="from")
    to_at: datetime | None = Field(default=None, alias="to")
    placed_at: datetime
    placed_by: Somebody | None = None
    released_at: datetime | None = None
    released_by: Somebody | None = None
    release_reason: str | None = None
    named_count: int = 0
    held_count: int = 0
    reads: list[HeldRead] | None = None
    """None in lists: `holds.get` names them."""


class Receipt(Answer):
    """Who received a package on which portable medium."""

    receipt_id: UUID
    evidence_id: UUID
    received_by: str
    received_at: datetime
    medium: str
    serial: str
    note: str | None = None
    recorded_by: Somebody | None = None


class EvidencePackage(Answer):
    """A sealed export. `digest` is what its seal is over."""

    evidence_id: UUID
    agency_id: str = ""
    inventory_number: str
    case_number: str
    purpose: str = ""
    prepared_at: datetime
    prepared_by: Somebody | None = None
    digest: str = ""
    size_bytes: int = 0
    read_ids: tuple[UUID, ...] = ()
    alert_ids: tuple[UUID, ...] = ()
    contents: Any = None
    receipts: list[Receipt] | None = None
    """None in lists: `evidence.get` brings them."""
