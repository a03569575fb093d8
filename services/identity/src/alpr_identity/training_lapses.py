"""When somebody's training did not hold any more, from the history of what was recorded (131.5-d).

A training holds through the last day that its latest record names (UTC days, as the gate counts
them); a record that takes it away, or names an earlier day, ends it at once. No input or output.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import groupby
from typing import Any, Literal
from uuid import UUID

from alpr_identity.domain import TrainingKind

Because = Literal["ran_out", "taken_away"]


@dataclass(frozen=True)
class Lapse:
    """From `lapsed_at` on a training that had held did not; `restored_at` None: still so."""

    person_id: UUID
    kind: TrainingKind
    lapsed_at: datetime
    restored_at: datetime | None
    because: Because
    valid_until: date | None
    """The last day that the training had held to."""
    certificate: str | None

    def touches(self, begin: datetime, end: datetime) -> bool:
        """Whether some moment of the period [begin, end) lies in it."""
        return self.lapsed_at < end and (self.restored_at is None or self.restored_at > begin)


def lapses(rows: Iterable[Mapping[str, Any]], until: datetime) -> list[Lapse]:
    """All lapses before `until`, in the order of `rows`: those of a person and kind stand
    together, as they were recorded."""
    found: list[Lapse] = []
    for _, history in groupby(rows, key=lambda row: (row["person_id"], row["kind"])):
        found += _of_one(list(history), until)
    return found


def _of_one(history: Sequence[Mapping[str, Any]], until: datetime) -> list[Lapse]:
    found: list[Lapse] = []
    # What held last, and the record it rested on; None before there was anything to lapse.
    held: Mapping[str, Any] | None = None
    lapsed: tuple[datetime, Because] | None = None
    for row, following in zip(history, [*history[1:], None], strict=True):
        begin = row["recorded_at"]
        end = min(following["recorded_at"], until) if following else until
        if begin >= end:
            continue  # mended in the moment in which it was recorded: it never held
        ends = _end_of(row["valid_until"])
        if ends is not None and ends > begin:
            if held is not None and lapsed is not None:
                found.append(_lapse(held, lapsed, begin))
            held, lapsed = row, None
            if ends < end:
                lapsed = (ends, "ran_out")
        elif held is not None and lapsed is None:
            lapsed = (begin, "taken_away")
    if held is not None and lapsed is not None:
        found.append(_lapse(held, lapsed, None))
    return found


def _lapse(
    held: Mapping[str, Any], lapsed: tuple[datetime, Because], restored_at: datetime | None
) -> Lapse:
    at, because = lapsed
    return Lapse(
        held["person_id"], held["kind"], at, restored_at, because, held["valid_until"],
        held["certificate"],
    )  # fmt: skip


def _end_of(valid_until: date | None) -> datetime | None:
    """The first moment at which it holds no more; None for what does not hold at all."""
    if valid_until is None:
        return None
    if valid_until == date.max:
        return datetime.max.replace(tzinfo=UTC)
    return datetime.combine(valid_until + timedelta(days=1), time(), UTC)


@dataclass(frozen=True)
class Standing:
    """What somebody was at a moment of the past."""

    role: str
    active: bool


def standing_at(
    role: str, active: bool, changes: Sequence[Mapping[str, Any]], at: datetime
) -> Standing:
    """What a person was at `at`, who is `role` and `active` now: their changes (account events,
    oldest first) are gone back through."""
    for change in reversed(changes):
        if change["occurred_at"] <= at:
            break
        if change["action"] == "person.disabled":
            active = True
        said = change["details"]
        if "role" in said:
            role = said["role"].split(" → ")[0]
        if "active" in said:
            active = said["active"].split(" → ")[0] == "True"
    return Standing(role, active)
