"""What a search asks for, how its record keeps that, and where a page of it ended. Pure."""

import base64
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from alpr_access_log.domain.places import Area, area_of
from alpr_access_log.refusals import (
    CursorInvalid,
)
from alpr_common.plates import match_key

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CURSOR_BYTES = 16 + 8 + 16
LARGEST = "~"  # sorts after every character that a plate may have


@dataclass(frozen=True)
class PlateQuestion:
    """How a plate is looked for: `equal`, `like` within the range of its start, or `like` among the
    plates that have all `pairs`."""

    column: Literal["plate", "match_key"]
    equal: str | None
    like: str | None = None
    low: str = ""
    high: str = LARGEST
    pairs: tuple[str, ...] | None = None
    """Characters of the match key that follow each other in every plate of the pattern; `^` stands
    before the first and `$` behind the last. None where the start of the pattern says all."""


@dataclass(frozen=True)
class Convoy:
    """Together: at one camera at most `within_seconds` apart, and so at `cameras` or more."""

    within_seconds: int
    cameras: int


@dataclass(frozen=True)
class Query:
    """What a search asks for. Times are aware; `to_at` is exclusive.

    No plate is a sweep: everything that passed an area or cameras. With `convoy` it asks which
    plates were seen together with this one.
    """

    plate: str | None
    lookalike: bool
    from_at: datetime
    to_at: datetime
    camera_ids: tuple[str, ...] = ()
    area: Area | None = None
    jurisdictions: tuple[str, ...] = ()
    hit: bool | None = None
    convoy: Convoy | None = None

    @property
    def subject(self) -> str:
        if self.convoy is not None:
            return f"convoy:{self.plate}"
        return f"plate:{self.plate}" if self.plate is not None else "sweep"

    def to_record(self) -> dict[str, Any]:
        """As it stands in the access record; `from_record` takes it back."""
        return {
            "plate": self.plate,
            "lookalike": self.lookalike,
            "from": self.from_at.isoformat(),
            "to": self.to_at.isoformat(),
            "camera_ids": list(self.camera_ids),
        } | self._narrowing()

    def _narrowing(self) -> dict[str, Any]:
        """What is rarely asked, left out when it is not. Numbers as text: the log has no floats."""
        said: dict[str, Any] = {}
        if self.area is not None:
            said["area"] = {name: repr(value) for name, value in vars(self.area).items()}
        if self.jurisdictions:
            said["jurisdictions"] = list(self.jurisdictions)
        if self.hit is not None:
            said["hit"] = self.hit
        if self.convoy is not None:
            said["convoy"] = dict(vars(self.convoy))
        return said

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> "Query":
        return cls(
            record["plate"],
            record["lookalike"],
            datetime.fromisoformat(record["from"]),
            datetime.fromisoformat(record["to"]),
            tuple(record["camera_ids"]),
            area_of(record["area"]) if "area" in record else None,
            tuple(record.get("jurisdictions", ())),
            record.get("hit"),
            Convoy(**record["convoy"]) if "convoy" in record else None,
        )

    @property
    def plate_question(self) -> PlateQuestion | None:
        """None for a sweep."""
        if self.plate is None:
            return None
        column: Literal["plate", "match_key"] = "match_key" if self.lookalike else "plate"
        text = match_key(self.plate) if self.lookalike else self.plate
        if not has_wildcard(text):
            return PlateQuestion(column, text)
        prefix = re.split(r"[*?]", text)[0]
        like = text.replace("?", "_").replace("*", "%")
        pairs = None if text == f"{prefix}*" else pairs_of(match_key(text))
        return PlateQuestion(column, None, like, prefix, prefix + LARGEST, pairs)


def pairs_of(pattern: str) -> tuple[str, ...]:
    """The pairs of neighbours that a pattern of match keys names, its ends marked with ^ and $."""
    pieces = re.split(r"[*?]", f"^{pattern}$")
    return tuple(sorted({p[n : n + 2] for p in pieces for n in range(len(p) - 1)}))


@dataclass(frozen=True)
class Position:
    """Where a page of an access ended. A cursor is its text; it is bound to the access."""

    access_id: UUID
    captured_at: datetime
    read_id: UUID

    @property
    def cursor(self) -> str:
        microseconds = (self.captured_at - _EPOCH) // timedelta(microseconds=1)
        packed = self.access_id.bytes + microseconds.to_bytes(8, signed=True) + self.read_id.bytes
        return base64.urlsafe_b64encode(packed).decode().rstrip("=")

    @classmethod
    def of(cls, cursor: str) -> "Position":
        """Raises `CursorInvalid`."""
        try:
            packed = base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True)
            if len(packed) != _CURSOR_BYTES:
                raise ValueError("wrong length")
            microseconds = int.from_bytes(packed[16:24], signed=True)
            captured_at = _EPOCH + timedelta(microseconds=microseconds)
        except (ValueError, OverflowError) as error:
            raise CursorInvalid("Send `next_cursor` of the page before, unchanged.") from error
        return cls(UUID(bytes=packed[:16]), captured_at, UUID(bytes=packed[24:]))


def has_wildcard(text: str) -> bool:
    return "*" in text or "?" in text
