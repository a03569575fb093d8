"""One vehicle pass, one read: passes of one camera's frames.

Which pass a sighting belongs to is a function of the frames' order alone, never of the wall clock:
replayed after a crash, the same frames make the same passes with the same ids. Only *when* a read
is emitted depends on time.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from alpr_common.messages.frame import Frame
from alpr_recognizer.association import PassRules, Place, affinity, followed, is_piece, is_within
from alpr_recognizer.domain import NO_READING, PlateBox, Reading, ReadingLimits, Sighting
from alpr_recognizer.voting import Votes

_REMEMBERED_PASSES = 24


@dataclass(frozen=True)
class EmissionRules:
    """When a pass has been seen well enough for its read to go out before it ends."""

    confidence: float = 0.98
    alone_from_px: float = 100.0
    """One frame is enough only from this plate width on. Of a narrower plate, what glare or a post
    leaves to be seen is read as a whole one, and surely; another frame must say the same."""
    after_seconds: float = 2.5
    """Seen for this long, an acceptable text goes out although it may yet improve."""
    undecided_seconds: float = 10.0
    """Without an acceptable text for this long, voting begins anew: what holds the offset back
    must end."""


@dataclass(frozen=True, slots=True)
class SeenFrame:
    """A frame, its place in its partition, and what arrived with it."""

    frame: Frame
    jpeg: bytes
    offset: int
    arrived_ms: int
    """Kafka's timestamp."""
    taken_at: float
    """When it was taken in here, on the monotonic clock."""
    trace: object = None
    """Trace context, handed through to the read."""

    @property
    def captured_ms(self) -> int:
        return round(self.frame.captured_at.timestamp() * 1000)


@dataclass(frozen=True, slots=True)
class BestShot:
    """The frame of a pass whose plate was read best; its picture becomes the read's."""

    seen: SeenFrame
    box: PlateBox
    quality: float


@dataclass(slots=True)
class Pass:
    """One vehicle before one camera."""

    first_frame_id: UUID
    position: int
    first_offset: int
    began_ms: int
    place: Place
    last_arrived_ms: int
    last_taken_at: float = 0.0
    is_emitted: bool = False
    has_ended: bool = False
    hold_offset: int | None = None
    """The earliest frame that has voted and is not accounted for by a read."""
    votes: Votes = field(default_factory=Votes)
    votes_since_ms: int = 0
    first_captured_at: datetime | None = None
    last_captured_at: datetime | None = None
    best: BestShot | None = None
    history: "deque[tuple[int, Place]]" = field(default_factory=deque)
    """(offset, place after that frame), for snapshots; oldest first."""

    @property
    def is_open(self) -> bool:
        """Whether frames are held back for it."""
        return self.hold_offset is not None

    @property
    def consensus(self) -> Reading:
        return self.votes.consensus() if self.votes.count else NO_READING

    def place_before(self, offset: int) -> Place | None:
        """As it was before the frame at `offset`; None when it had not begun."""
        found = None
        for at, place in self.history:
            if at >= offset:
                break
            found = place
        return found

    def forget_before(self, offset: int) -> None:
        while len(self.history) > 1 and self.history[1][0] < offset:
            self.history.popleft()

    def settle(self, *, emitted: bool) -> None:
        """Its read is out, or there is none: its frames need not be kept back any more."""
        self.is_emitted = self.is_emitted or emitted
        self.hold_offset = None
        self.has_ended = False
        self.votes, self.best = Votes(), None
        self.first_captured_at = self.last_captured_at = None


class CameraPasses:
    """The passes before one camera, newest last."""

    def __init__(self, rules: PassRules, limits: ReadingLimits, emission: EmissionRules) -> None:
        self._rules, self._limits, self._emission = rules, limits, emission
        self._gap_ms = rules.gap_seconds * 1000
        self.passes: list[Pass] = []

    @property
    def has_open(self) -> bool:
        return any(p.is_open for p in self.passes)

    def observe(
        self, seen: SeenFrame, sightings: Sequence[Sighting], already_emitted: set[tuple[int, int]]
    ) -> None:
        """Take one frame in. `already_emitted`: (offset, position) of passes whose reads went out
        before a restart."""
        now_ms = seen.captured_ms
        ordered = sorted(sightings, key=lambda s: (s.box.x1, s.box.y1))
        places = [_place(s, now_ms) for s in ordered]
        taken: dict[int, Pass] = {}
        for _, index, candidate in self._candidates(places):
            if index not in taken and all(candidate is not p for p in taken.values()):
                taken[index] = candidate
        occupied = [p.place for p in taken.values() if now_ms - p.place.seen_ms <= self._gap_ms]
        for position, (sighting, place) in enumerate(zip(ordered, places, strict=True)):
            known = taken.get(position)
            if known is None and any(is_within(p, place) for p in occupied):
                # What a post leaves to both its sides is not two plates.
                continue
            if known is None:
                known = Pass(
                    seen.frame.frame_id, position, seen.offset, now_ms, place, seen.arrived_ms
                )
                known.is_emitted = (seen.offset, position) in already_emitted
                self.passes.append(known)
            self._add(known, seen, sighting, place)
        self._absorb(places, taken)
        self._end_unseen(now_ms)
        self._forget()

    def _absorb(self, places: Sequence[Place], taken: dict[int, Pass]) -> None:
        """Pieces that were held for plates of their own are none once the whole is seen there."""
        whole = [places[index] for index in taken]
        for other in self.passes:
            is_continued = any(other is known for known in taken.values())
            if not other.is_open or is_continued:
                continue
            if any(is_piece(self._rules, other.place, place) for place in whole):
                other.settle(emitted=True)

    def _candidates(self, places: list[Place]) -> list[tuple[float, int, Pass]]:
        found = []
        for index, place in enumerate(places):
            for known in self.passes:
                score = affinity(self._rules, known.place, known.began_ms, place)
                if score is not None:
                    found.append((score, index, known))
        return sorted(found, key=lambda c: (-c[0], c[1]))

    def _add(self, known: Pass, seen: SeenFrame, sighting: Sighting, place: Place) -> None:
        known.has_ended = False
        known.last_arrived_ms = max(known.last_arrived_ms, seen.arrived_ms)
        known.last_taken_at = max(known.last_taken_at, seen.taken_at)
        if not known.is_emitted:
            self._vote(known, seen, sighting)
        if known.history:
            known.place = followed(known.place, place)
        known.history.append((seen.offset, known.place))

    def _vote(self, known: Pass, seen: SeenFrame, sighting: Sighting) -> None:
        age = seen.captured_ms - known.votes_since_ms
        undecided = known.is_open and age > self._emission.undecided_seconds * 1000
        if undecided and not self._limits.accept(known.consensus):
            known.settle(emitted=False)
        if not known.is_open:
            known.hold_offset = seen.offset
            known.votes_since_ms = seen.captured_ms
        captured_at = seen.frame.captured_at
        known.first_captured_at = min(known.first_captured_at or captured_at, captured_at)
        known.last_captured_at = max(known.last_captured_at or captured_at, captured_at)
        known.votes.add(sighting.reading)
        # A text read surely from many pixels shows the vehicle best, too.
        quality = (0.05 + sighting.reading.confidence) * min(1.0, sighting.box.width / 160) ** 0.5
        if known.best is None or quality > known.best.quality:
            known.best = BestShot(seen, sighting.box, quality)

    def _end_unseen(self, now_ms: int) -> None:
        for known in self.passes:
            unseen = (now_ms - known.place.seen_ms) / 1000
            if self._rules.gap_seconds < unseen <= self._rules.new_clock_seconds:
                known.has_ended = True

    def _forget(self) -> None:
        """Drop the oldest settled passes beyond a number."""
        settled = [p for p in self.passes if not p.is_open]
        for known in settled[: max(0, len(self.passes) - _REMEMBERED_PASSES)]:
            self.passes.remove(known)

    def end_quiet(self, arrived_ms: int, taken_at: float) -> None:
        """End open passes whose last frame arrived (Kafka's clock), or was taken in (monotonic
        clock), before those times."""
        for known in self.passes:
            if known.last_arrived_ms < arrived_ms or known.last_taken_at < taken_at:
                known.has_ended = True

    def due(self) -> list[tuple[Pass, Reading]]:
        """Passes whose read has to go out now; those that ended without a plate are settled."""
        out = []
        for known in self.passes:
            if not known.is_open:
                continue
            voted = known.consensus
            acceptable = self._limits.accept(voted)
            seen_ms = known.place.seen_ms - known.votes_since_ms
            long_seen = seen_ms >= self._emission.after_seconds * 1000
            if acceptable and (known.has_ended or long_seen or self._is_sure(known, voted)):
                out.append((known, voted))
            elif known.has_ended:
                known.settle(emitted=False)
        return out

    def _is_sure(self, known: Pass, voted: Reading) -> bool:
        """Whether waiting for more frames is not worth the time."""
        if voted.confidence < self._emission.confidence:
            return False
        wide = known.best is not None and known.best.box.width >= self._emission.alone_from_px
        return wide or known.votes.agreeing > 1


def _place(sighting: Sighting, ms: int) -> Place:
    box, reading = sighting.box, sighting.reading
    x1, y1, x2, y2 = (max(0, min(65535, round(v))) for v in (box.x1, box.y1, box.x2, box.y2))
    return Place(
        x1, y1, x2, y2, 0, 0, False, ms, reading.text[:12], round(reading.confidence * 255)
    )
