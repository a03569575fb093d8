"""A hit: a read that agrees with a hot list entry. Made by a machine, unverified."""

from enum import StrEnum
from uuid import UUID

from pydantic import Field

from alpr_common.messages.base import Instant, Message, deterministic_id
from alpr_common.messages.hotlist import HotListEntry
from alpr_common.messages.read import Read


class HitKind(StrEnum):
    EXACT = "exact"
    LOOKALIKE = "lookalike"
    PATTERN = "pattern"
    """The entry is partial or has wildcards; the read fits it."""


class JurisdictionAgreement(StrEnum):
    """The read's state against the entry's. It is never fuzzy."""

    SAME = "same"
    DIFFERENT = "different"
    UNKNOWN = "unknown"


class DifferingPosition(Message):
    """Where a look-alike hit's texts differ, and what the recognizer thought there."""

    position: int = Field(ge=0)
    read_character: str
    entry_character: str
    read_probability: float | None = None
    entry_probability: float | None = None


class Hit(Message):
    """Carries the read and the entry as they were, so that what was shown can be shown again."""

    hit_id: UUID
    agency_id: str = Field(description="the read's agency: the alert goes there")
    kind: HitKind
    jurisdiction: JurisdictionAgreement
    differing_positions: tuple[DifferingPosition, ...] = ()
    read: Read
    entry: HotListEntry
    matched_at: Instant
    retrospective: bool = Field(
        default=False, description="a stored read met a later entry: never shown as if it were live"
    )
    vehicle_contradiction: str | None = Field(
        default=None, description="in words: the entry says motorcycle, the picture says car"
    )

    @staticmethod
    def id_of(read_id: UUID, entry_id: UUID) -> UUID:
        return deterministic_id("hit", read_id, entry_id)
