"""The rules of legal holds (131.5-c): what one must say, and who may end it. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any, Literal
from uuid import UUID

from alpr_access_log.domain import has_wildcard, plate_pattern
from alpr_access_log.log.tree import Edge
from alpr_common.errors import AlprError, Conflict
from alpr_common.messages.alert import AlertState
from alpr_common.policy import Policy
from alpr_translog.merkle import leaf_hash

HOLDING_STATES = frozenset({AlertState.ACCEPTED, AlertState.ACTIONABLE, AlertState.ENFORCED})
"""States of an alert that somebody acted on."""


class HoldRefused(AlprError):
    status = HTTPStatus.UNPROCESSABLE_ENTITY


class HoldReasonMissing(HoldRefused):
    title = "A hold needs a reason and a case number"
    clause = "131.5-c"


class HoldSubjectMissing(HoldRefused):
    title = "A hold names what it keeps"
    clause = "131.5-c"


class HoldNamesNothing(HoldRefused):
    status = HTTPStatus.NOT_FOUND
    title = "Nothing that is stored is named"


class SecondPersonNeeded(AlprError):
    status = HTTPStatus.FORBIDDEN
    title = "A hold is released by a second person"
    clause = "policy file"


class HoldReleased(Conflict):
    title = "The hold was released already"


@dataclass(frozen=True)
class PlateRange:
    """All reads of a plate in a time range (`to_at` exclusive), those that come later too."""

    plate: str
    lookalike: bool
    from_at: datetime
    to_at: datetime


@dataclass(frozen=True)
class Wanted:
    """What somebody asks to be held, and why: complete, or it would not exist."""

    reason: str
    case_number: str
    read_ids: tuple[UUID, ...] = ()
    alert_id: UUID | None = None
    plate_range: PlateRange | None = None


@dataclass(frozen=True)
class Hold:
    """A hold as it stands. The system places some; `placed_by_id` is then who acted."""

    hold_id: UUID
    agency_id: str
    kind: Literal["manual", "alert"]
    reason: str
    case_number: str | None
    placed_at: datetime
    placed_by_id: str
    placed_by_name: str
    alert_id: UUID | None = None
    plate_range: PlateRange | None = None
    released_at: datetime | None = None
    released_by_id: str | None = None
    released_by_name: str | None = None
    release_reason: str | None = None
    named_count: int = 0
    held_count: int = 0
    """Of the reads that it names, those that are kept; the others have not arrived or were gone."""

    def to_json(self) -> dict[str, Any]:
        seen = self.plate_range
        return {
            "hold_id": self.hold_id,
            "agency_id": self.agency_id,
            "kind": self.kind,
            "reason": self.reason,
            "case_number": self.case_number,
            "alert_id": self.alert_id,
            "plate": seen and seen.plate,
            "lookalike": bool(seen and seen.lookalike),
            "from": seen and seen.from_at,
            "to": seen and seen.to_at,
            "placed_at": self.placed_at,
            "placed_by": {"person_id": self.placed_by_id, "name": self.placed_by_name},
            "released_at": self.released_at,
            "released_by": self.released_by_id
            and {"person_id": self.released_by_id, "name": self.released_by_name},
            "release_reason": self.release_reason,
            "named_count": self.named_count,
            "held_count": self.held_count,
        }


def checked_wanted(
    reason: str | None,
    case_number: str | None,
    read_ids: Sequence[UUID],
    alert_id: UUID | None,
    plate: str | None,
    lookalike: bool,
    from_at: datetime | None,
    to_at: datetime | None,
    policy: Policy,
) -> Wanted:
    """The complete wish; raises a `HoldRefused` that says what is missing."""
    words, case = " ".join((reason or "").split()), (case_number or "").strip()
    if not words or not case:
        raise HoldReasonMissing("Say in `reason` why it must be kept, and name the `case_number`.")
    ways = [bool(read_ids), alert_id is not None, bool((plate or "").strip())]
    if sum(ways) != 1:
        raise HoldSubjectMissing("Name either `read_ids`, an `alert_id`, or `plate`, `from`, `to`.")
    plate_range = None
    if plate and plate.strip():
        plate_range = _plate_range(plate, lookalike, from_at, to_at, policy)
    return Wanted(words, case, tuple(dict.fromkeys(read_ids)), alert_id, plate_range)


def _plate_range(
    plate: str, lookalike: bool, from_at: datetime | None, to_at: datetime | None, policy: Policy
) -> PlateRange:
    pattern = plate_pattern(plate)
    if has_wildcard(pattern):
        raise HoldSubjectMissing("A hold names one plate; `*` and `?` would keep strangers' reads.")
    if from_at is None or to_at is None or from_at >= to_at:
        raise HoldSubjectMissing("Say `from` and a later `to`.")
    longest = max(policy.search_window_max_days, policy.reads_retention_days)
    if to_at - from_at > timedelta(days=longest):
        raise HoldSubjectMissing(f"A hold covers at most {longest} days; place another one.")
    return PlateRange(pattern, lookalike, from_at, to_at)


def checked_release(hold: Hold, person_id: str, reason: str | None) -> str:
    """The reason in words; raises `HoldReleased`, `SecondPersonNeeded`, `HoldReasonMissing`."""
    if hold.released_at is not None:
        raise HoldReleased(f"{hold.released_by_name} released it at {hold.released_at}.")
    if hold.placed_by_id == person_id:
        raise SecondPersonNeeded(
            f"{hold.placed_by_name} placed it, or acted on its alert: somebody else has to agree "
            "that it is not needed any more."
        )
    words = " ".join((reason or "").split())
    if not words:
        raise HoldReasonMissing("Say in `reason` why it need not be kept any more.")
    return words


def ids_root(read_ids: Iterable[UUID]) -> str:
    """Root of the Merkle tree (RFC 9162) over read ids in rising order, in hex: whoever has the ids
    can show later that these, and no others, were meant."""
    edge = Edge(0, {})
    for read_id in sorted(read_ids, key=lambda one: one.bytes):
        edge.append(leaf_hash(read_id.bytes))
    return edge.root().hex()
