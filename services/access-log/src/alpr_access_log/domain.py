"""The rules of the door: what a search must say, what it may ask, and what is never stored."""

import base64
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any, Literal
from uuid import UUID

from alpr_access_log.refusals import (
    AccessExpired,
    CaseNumberMissing,
    CursorInvalid,
    LimitTooLarge,
    NotAttested,
    PlateMalformed,
    PlateMissing,
    PurposeMissing,
    PurposeUnknown,
    RepeatNeedsApproval,
    SuspicionCopied,
    SuspicionMissing,
    SuspicionTooShort,
    SweepTooWide,
    TopicsOutliveRetention,
    WildcardTooWide,
    WindowMalformed,
    WindowTooLong,
)
from alpr_common.errors import MalformedMessage
from alpr_common.messages.read import Read
from alpr_common.plates import MAX_LENGTH, match_key, normalize
from alpr_common.policy import Policy
from alpr_common.topics import (
    DEAD_LETTER_RETENTION_SECONDS,
    FRAMES,
    HITS,
    READS,
    Topic,
)

METERS_PER_DEGREE = 111_195.0
_DAY_SECONDS = 24 * 3600
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CURSOR_BYTES = 16 + 8 + 16
LARGEST = "~"  # sorts after every character that a plate may have
HOLDING_READS = (FRAMES, READS, HITS)
"""Topics whose messages are reads, carry reads, or are the pictures that reads come from."""


@dataclass(frozen=True)
class Reason:
    """Why somebody may look: complete, or it would not exist."""

    purpose: str
    case_number: str
    suspicion: str


@dataclass(frozen=True)
class PlateQuestion:
    """How a plate is looked for: `equal`, or `like` within a range of its start or of its end."""

    column: Literal["plate", "match_key"]
    equal: str | None
    like: str | None = None
    low: str = ""
    high: str = LARGEST
    ending: str = ""
    """The end of the pattern folded and read backwards, where that narrows more than its start."""


@dataclass(frozen=True)
class Box:
    """An area between two parallels and two meridians, in degrees."""

    south: float
    west: float
    north: float
    east: float

    @property
    def meters(self) -> tuple[float, float]:
        """How far it is from south to north and from west to east, in its middle."""
        middle = math.radians((self.south + self.north) / 2)
        return (
            (self.north - self.south) * METERS_PER_DEGREE,
            (self.east - self.west) * METERS_PER_DEGREE * math.cos(middle),
        )


@dataclass(frozen=True)
class Circle:
    """An area around a place. Small enough that the earth is flat in it."""

    latitude: float
    longitude: float
    radius_meters: int

    @property
    def meters_per_degree_east(self) -> float:
        return METERS_PER_DEGREE * max(math.cos(math.radians(self.latitude)), 1e-6)

    @property
    def box(self) -> Box:
        """The square around it."""
        up = self.radius_meters / METERS_PER_DEGREE
        right = self.radius_meters / self.meters_per_degree_east
        return Box(
            self.latitude - up, self.longitude - right, self.latitude + up, self.longitude + right
        )


Area = Box | Circle


@dataclass(frozen=True)
class Query:
    """What a search asks for. Times are aware; `to_at` is exclusive.

    No plate is a sweep: everything that passed an area or cameras.
    """

    plate: str | None
    lookalike: bool
    from_at: datetime
    to_at: datetime
    camera_ids: tuple[str, ...] = ()
    area: Area | None = None
    jurisdictions: tuple[str, ...] = ()
    hit: bool | None = None

    @property
    def subject(self) -> str:
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
        return said

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> "Query":
        return cls(
            record["plate"],
            record["lookalike"],
            datetime.fromisoformat(record["from"]),
            datetime.fromisoformat(record["to"]),
            tuple(record["camera_ids"]),
            _area_of(record["area"]) if "area" in record else None,
            tuple(record.get("jurisdictions", ())),
            record.get("hit"),
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
        pieces = re.split(r"[*?]", text)
        prefix, suffix = pieces[0], pieces[-1]
        like = text.replace("?", "_").replace("*", "%")
        # Whichever end names more is what the index is asked for.
        ending = match_key(suffix)[::-1] if len(suffix) > len(prefix) else ""
        return PlateQuestion(column, None, like, prefix, prefix + LARGEST, ending)


def _area_of(said: dict[str, str]) -> Area:
    if "radius_meters" in said:
        center = float(said["latitude"]), float(said["longitude"])
        return Circle(*center, int(said["radius_meters"]))
    return Box(*(float(said[name]) for name in ("south", "west", "north", "east")))


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


@dataclass(frozen=True)
class Who:
    """The caller as the record keeps them."""

    person_id: str
    person_name: str
    agency_id: str
    role: str
    session_id: str | None
    address: str | None


@dataclass(frozen=True)
class Refusal:
    code: str
    clause: str | None
    detail: str


@dataclass(frozen=True)
class AccessRecord:
    """Who, what, why, when, outcome. `returned` are ids of the reads that were shown."""

    record_id: UUID
    who: Who
    occurred_at: datetime
    action: str
    subject: str
    outcome: Literal["done", "refused", "failed"]
    service: str = "access-log"
    access_id: UUID | None = None
    purpose: str | None = None
    case_number: str | None = None
    suspicion: str | None = None
    query: dict[str, Any] | None = None
    returned: tuple[UUID, ...] = ()
    refusal: Refusal | None = None
    details: dict[str, str] = field(default_factory=dict)


def checked_reason(
    purpose: str | None,
    case_number: str | None,
    suspicion: str | None,
    attested: bool | None,
    policy: Policy,
) -> Reason:
    """The complete reason; raises a `SearchRefused` that cites what is missing."""
    purpose, case_number = (purpose or "").strip(), (case_number or "").strip()
    words = " ".join((suspicion or "").split())
    if not purpose:
        raise PurposeMissing(f"Say what for: one of {', '.join(policy.purposes)}.")
    if purpose not in policy.purposes:
        raise PurposeUnknown(
            f"The system is used for law enforcement purposes only; say one of "
            f"{', '.join(policy.purposes)}."
        )
    if not case_number:
        raise CaseNumberMissing("Name the case or incident that the search belongs to.")
    if not words:
        raise SuspicionMissing("Say in words what makes you suspect, and what the data has to do.")
    if len(words) < policy.suspicion_min_characters:
        raise SuspicionTooShort(
            f"Say it in at least {policy.suspicion_min_characters} characters; you wrote "
            f"{len(words)}."
        )
    if attested is not True:
        raise NotAttested(
            "Attest that the search neither harasses nor intimidates (131.6-3b), is not personal "
            "(131.6-3c), does not rest on a protected characteristic (131.6-3d) and does not "
            "infringe First Amendment rights (131.6-3e)."
        )
    return Reason(purpose, case_number, words)


def refuse_copied_suspicion(suspicion: str, previous: str | None) -> None:
    """Raise when the words are those of the person's previous search, however punctuated."""
    if previous is not None and _words(suspicion) == _words(previous):
        raise SuspicionCopied(
            "Each search rests on its own suspicion. Say what you look for now and why, also when "
            "it belongs to the same case."
        )


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.casefold())


def has_wildcard(text: str) -> bool:
    return "*" in text or "?" in text


def plate_pattern(text: str) -> str:
    """Normalized plate text that keeps `*` (any characters) and `?` (one character).

    Raises `PlateMalformed`.
    """
    pieces = re.split(r"([*?])", text)
    pattern = re.sub(r"\*+", "*", "".join(p if p in "*?" else normalize(p) for p in pieces))
    if not pattern:
        raise PlateMalformed("A plate is written with letters A-Z, digits, and `*` or `?`.")
    if len(pattern.replace("*", "")) > MAX_LENGTH:
        raise PlateMalformed(f"A plate has at most {MAX_LENGTH} characters.")
    return pattern


def checked_query(
    plate: str | None,
    lookalike: bool,
    from_at: datetime | None,
    to_at: datetime | None,
    camera_ids: Sequence[str],
    policy: Policy,
    area: Area | None = None,
    jurisdictions: Sequence[str] = (),
    hit: bool | None = None,
) -> Query:
    """The query if it may be asked; raises a `SearchRefused`. One without a plate is a sweep: that
    it was approved is for the caller to see to."""
    pattern = None
    if (plate or "").strip():
        pattern = _checked_pattern(plate or "", policy)
    elif area is None and not camera_ids:
        raise PlateMissing(
            "Name a plate. Everything that passed an area or cameras is a sweep, which names them "
            "and needs a supervisor's approval."
        )
    if from_at is None or to_at is None or from_at >= to_at:
        raise WindowMalformed("Say `from` and a later `to`.")
    if to_at - from_at > timedelta(days=policy.search_window_max_days):
        raise WindowTooLong(f"Ask for at most {policy.search_window_max_days} days at once.")
    query = Query(
        pattern, lookalike, from_at, to_at, tuple(sorted(set(camera_ids))), area,
        tuple(sorted(set(jurisdictions))), hit,
    )  # fmt: skip
    if pattern is None:
        _refuse_wide_sweep(query, policy)
    return query


def _checked_pattern(plate: str, policy: Policy) -> str:
    pattern = plate_pattern(plate)
    named = len(re.sub(r"[*?]", "", pattern))
    if has_wildcard(pattern) and named < policy.search_wildcard_min_characters:
        raise WildcardTooWide(
            f"Name at least {policy.search_wildcard_min_characters} characters beside the "
            "wildcards; fewer is a sweep and not a search for a plate."
        )
    return pattern


def _refuse_wide_sweep(query: Query, policy: Policy) -> None:
    """Raise `SweepTooWide`: also a supervisor approves nothing without bounds."""
    if query.to_at - query.from_at > timedelta(seconds=policy.sweep_window_max_seconds):
        raise SweepTooWide(f"Sweep at most {policy.sweep_window_max_seconds // 60} minutes.")
    most = policy.sweep_radius_max_meters
    if isinstance(query.area, Circle) and query.area.radius_meters > most:
        raise SweepTooWide(f"Sweep a circle of at most {most} m.")
    if isinstance(query.area, Box) and max(query.area.meters) > 2 * most:
        raise SweepTooWide(f"Sweep a box of at most {2 * most} m on each side.")
    if query.area is None and len(query.camera_ids) > policy.sweep_cameras_max:
        raise SweepTooWide(f"Sweep at most {policy.sweep_cameras_max} cameras, or an area.")


def asks_for_the_same(one: str, other: str) -> bool:
    """Whether two plate texts or patterns may mean one plate: look-alikes, and a pattern that takes
    in the other, do not make it another search."""
    one, other = match_key(one), match_key(other)
    if one == other:
        return True
    if has_wildcard(one) and has_wildcard(other):
        return False
    return fnmatchcase(one, other) or fnmatchcase(other, one)


def refuse_repetition(query: Query, previous: Iterable[str | None], policy: Policy) -> None:
    """Raise `RepeatNeedsApproval` when the person's searches of a day ask for the plate as often
    as they may without anybody's approval."""
    asked = query.plate
    if asked is None:
        return
    same = sum(plate is not None and asks_for_the_same(asked, plate) for plate in previous)
    if same >= policy.plate_searches_per_day_max:
        raise RepeatNeedsApproval(
            f"You searched for this plate {same} times within 24 hours. Ask a supervisor "
            "(POST /v1/search-approvals) and search with the approval.",
            approvals="/v1/search-approvals",
        )


def checked_limit(limit: int, policy: Policy) -> int:
    """Rows per page; raises `LimitTooLarge`."""
    if not 1 <= limit <= policy.search_max_rows:
        raise LimitTooLarge(f"A page holds 1 to {policy.search_max_rows} reads.")
    return limit


def refuse_expired(returned_at: datetime, lifetime_seconds: int, now: datetime) -> None:
    """Raise `AccessExpired` when what an access returned is older than the policy allows."""
    if now - returned_at > timedelta(seconds=lifetime_seconds):
        raise AccessExpired(
            f"What an access returned may be used for {lifetime_seconds // 60} minutes. "
            "Search again, with the reason that holds now."
        )


def refuse_malformed_read(read: Read, policy: Policy, now: datetime) -> None:
    """Raise `MalformedMessage` for a read that could be stored but never rightly found."""
    if normalize(read.plate) != read.plate:
        raise MalformedMessage("the plate is not normalized")
    if match_key(read.plate) != read.match_key:
        raise MalformedMessage("the match key is not the plate's")
    if read.captured_at > now + timedelta(seconds=policy.clock_skew_max_seconds):
        raise MalformedMessage("the read was captured in the future")


def is_past_retention(read: Read, policy: Policy, now: datetime) -> bool:
    """Whether the read is so old that it must not be stored any more (131.7-1d)."""
    return read.captured_at < now - timedelta(days=policy.reads_retention_days)


def days_of(reads: Iterable[Read]) -> list[date]:
    """The UTC days of capture, in order."""
    return sorted({read.captured_at.astimezone(UTC).date() for read in reads})


def refuse_topics_that_outlive_retention(
    policies: Iterable[Policy], topics: Iterable[Topic] = HOLDING_READS
) -> None:
    """Raise `TopicsOutliveRetention` when a topic or its dead-letter topic would keep reads longer
    than the shortest retention of any agency: what is deleted here must not live on there."""
    shortest = min(policy.reads_retention_days for policy in policies)
    for topic in topics:
        kept = topic.retention_seconds
        longest = None if kept is None else max(kept, DEAD_LETTER_RETENTION_SECONDS)
        if longest is None or longest > shortest * _DAY_SECONDS:
            shown = "for ever" if longest is None else f"{longest / _DAY_SECONDS:g} days"
            raise TopicsOutliveRetention(
                f"{topic.name} (with {topic.dead_letter_name}) keeps reads {shown}, the shortest "
                f"retention is {shortest} days. Shorten the topic's retention or lengthen the "
                "policy's reads_retention_days."
            )
