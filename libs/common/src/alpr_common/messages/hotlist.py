"""Hot list entries as the matcher worker needs them: one record per match key."""

from typing import Literal
from uuid import UUID

from pydantic import Field

from alpr_common.messages.base import Instant, Message


class HotListEntry(Message):
    """One plate that an agency looks for, and why (131.3-hotlist, 131.6-7)."""

    entry_id: UUID
    version: int = Field(default=1, ge=1)
    agency_id: str = Field(description="the owner")
    serves_agency_ids: tuple[str, ...] = Field(
        description="the agencies whose reads it is matched against"
    )
    plate: str = Field(min_length=1, max_length=12, description="normalized text, or a pattern")
    match_key: str
    jurisdiction: str | None = Field(default=None, description="None: not stated on the list")
    category: str
    priority: int = Field(ge=1, le=5, description="1 is the most urgent")
    source: str = Field(description="manual, ncic, leads, sos, scofflaw, …")
    reason: str
    case_number: str | None = None
    vehicle: str | None = Field(default=None, description="make, model, colour, year in words")
    caution: str | None = None
    effective_at: Instant
    expires_at: Instant | None = None
    lookalike_positions: int | None = Field(
        default=None, ge=0, le=2, description="None: by plate length and category"
    )
    covert: bool = Field(default=False, description="alerts go to the owner alone")
    forbidden_hit_kinds: tuple[str, ...] = Field(
        default=(), description="kinds of hit that this entry must not make, e.g. lookalike"
    )
    vehicle_type: str | None = Field(default=None, description="car, motorcycle, truck, …")
    vehicle_make: str | None = None
    vehicle_model: str | None = None
    vehicle_colour: str | None = None
    vehicle_year: int | None = None
    list_id: UUID | None = Field(default=None, description="None: entered by hand")


class HotListRecord(Message):
    """All live entries with one match key. No entries is a tombstone (a null Kafka value)."""

    match_key: str
    entries: tuple[HotListEntry, ...]


class HotListPattern(Message):
    """A partial or wildcard entry (AMBER-type information), keyed by entry.

    `entry.plate` is the pattern: `?` is one character, `*` any number (`AB?12*`); its `match_key`
    is the pattern with look-alike characters folded. None on the topic takes it back.
    """

    entry: HotListEntry


EntryChange = Literal["added", "changed", "retracted"]
