"""Whether a plate seen now is the one that was seen before: place, motion and text together.

Everything here is whole numbers (pixels, pixels per second, milliseconds, 1/255 of confidence), so
that a state that went through the commit metadata decides exactly as the one in memory.
"""

from dataclasses import dataclass
from typing import NamedTuple

from alpr_common.plates import match_key

_CONFIDENT = 230  # of 255
_HALF = 128
_SIMILAR = 0.6
_DIFFERENT = 0.35
_NEXT_FRAME_SECONDS = 0.3
_STATIONARY_SIMILAR = 0.8
_STATIONARY_OVERLAP = 0.5
_LATE_OVERLAP = 0.3
_TELLING_LENGTH = 4
_LEAST_PART = 3
_PIECE_COVERED = 0.6
_PIECE_WIDTH = 0.7

Corners = tuple[float, float, float, float]
"""x1, y1, x2, y2."""


@dataclass(frozen=True)
class PassRules:
    """When a pass goes on, ends, and begins anew. Times in `captured_at`, not in arrival."""

    gap_seconds: float = 0.8
    """Not seen for this long: the pass has ended, its read is due."""
    rejoin_seconds: float = 3.0
    """A plate hidden for less than this (behind a pole, in glare) is still in the same pass."""
    reread_seconds: float = 300.0
    """A vehicle that stands in view is read again after this long, not before."""
    new_clock_seconds: float = 30.0
    """A jump in a camera's clock of more than this (delayed frames between live ones) says
    nothing about passes on the other side of the jump."""


class Place(NamedTuple):
    """Where a plate was last seen, how it moved, what it said."""

    x1: int
    y1: int
    x2: int
    y2: int
    speed_x: int
    speed_y: int
    moving: bool
    """Whether the speed is known (two frames or more)."""
    seen_ms: int
    text: str
    confidence: int
    """0..255."""

    @property
    def width(self) -> int:
        return max(1, self.x2 - self.x1)

    def at(self, ms: int) -> Corners:
        """The box that the motion leads to."""
        seconds = min(1.0, max(0.0, (ms - self.seen_ms) / 1000))
        dx, dy = self.speed_x * seconds, self.speed_y * seconds
        return self.x1 + dx, self.y1 + dy, self.x2 + dx, self.y2 + dy


def followed(before: Place, seen: Place) -> Place:
    """The place after `seen` was taken as the same plate: with a speed, unless it came late.

    The text is that of the surest single frame, or of one that shows more of it; not the voted
    one: votes end when a read goes out, and when that happens depends on the clock.
    """
    told = seen if _tells_more(seen, before) else before
    is_piece_now = is_within(before, seen) and len(seen.text) < len(before.text)
    was_piece = is_within(seen, before) and len(before.text) < len(seen.text)
    before = before._replace(text=told.text, confidence=told.confidence)
    elapsed = seen.seen_ms - before.seen_ms
    if elapsed <= 0:
        return before
    if is_piece_now:
        # Only a piece of the plate is to be seen: that says nothing about how the whole moves.
        x1, y1, x2, y2 = (max(0, min(65535, round(v))) for v in before.at(seen.seen_ms))
        return before._replace(x1=x1, y1=y1, x2=x2, y2=y2, seen_ms=seen.seen_ms)
    if was_piece:
        return before._replace(x1=seen.x1, y1=seen.y1, x2=seen.x2, y2=seen.y2, seen_ms=seen.seen_ms)
    dx = (seen.x1 + seen.x2 - before.x1 - before.x2) * 500 / elapsed
    dy = (seen.y1 + seen.y2 - before.y1 - before.y2) * 500 / elapsed
    if before.moving:
        # Half old, half new: boxes jitter by pixels from frame to frame.
        dx, dy = (dx + before.speed_x) / 2, (dy + before.speed_y) / 2
    return Place(
        seen.x1, seen.y1, seen.x2, seen.y2, _bounded(dx), _bounded(dy), True,
        seen.seen_ms, before.text, before.confidence,
    )  # fmt: skip


def _tells_more(seen: Place, before: Place) -> bool:
    if not seen.text or not before.text:
        return bool(seen.text)
    if _is_part(before.text, seen.text):
        return seen.confidence >= _HALF
    if _is_part(seen.text, before.text):
        return before.confidence < _HALF
    return seen.confidence >= before.confidence


def _bounded(speed: float) -> int:
    return max(-32000, min(32000, round(speed)))


def affinity(rules: PassRules, known: Place, began_ms: int, seen: Place) -> float | None:
    """How well `seen` continues the pass at `known`; None when it does not."""
    elapsed = (seen.seen_ms - known.seen_ms) / 1000
    if seen.seen_ms - began_ms >= rules.reread_seconds * 1000:
        return None
    likeness = similarity(known.text, seen.text)
    overlap = _overlap(known.at(seen.seen_ms), seen)
    if elapsed < 0:
        since_began = (seen.seen_ms - began_ms) / 1000
        if since_began < -rules.gap_seconds:
            return None
        return likeness + overlap if likeness >= _SIMILAR or overlap >= _LATE_OVERLAP else None
    if elapsed > rules.rejoin_seconds:
        still = likeness >= _STATIONARY_SIMILAR and overlap >= _STATIONARY_OVERLAP
        return likeness + overlap if still and elapsed < rules.reread_seconds else None
    return _moving_affinity(rules, known, seen, elapsed, likeness, overlap)


def _moving_affinity(
    rules: PassRules, known: Place, seen: Place, elapsed: float, likeness: float, overlap: float
) -> float | None:
    same_key = len(seen.text) >= _TELLING_LENGTH and match_key(seen.text) == match_key(known.text)
    if same_key:
        return 2.0 + overlap
    if is_piece(rules, seen, known) or is_piece(rules, known, seen):
        return 1.0 + overlap
    both = min(known.confidence, seen.confidence)
    away = _distance(known.at(seen.seen_ms), seen)
    if both >= _CONFIDENT:
        # Two certain texts that differ are two vehicles, unless the box hardly moved, or they are
        # nearly one text in a place where there is no room for two in the next frame.
        still = max(overlap, _overlap(_corners(known), seen))
        near = still >= _STATIONARY_OVERLAP and elapsed <= 0.5
        next_to = away <= known.width and elapsed <= _NEXT_FRAME_SECONDS
        near = near or (next_to and likeness >= _STATIONARY_SIMILAR)
        return likeness + overlap if near and likeness >= _SIMILAR else None
    reach = known.width * ((0.7 + 8 * elapsed) if known.moving else (1 + 20 * elapsed))
    if likeness >= _SIMILAR:
        return 1.0 + likeness + overlap if away <= reach else None
    if both >= _HALF and likeness < _DIFFERENT and elapsed > _NEXT_FRAME_SECONDS:
        # Each more likely right than not, and nothing alike: one has driven off, one come up.
        return None
    # The texts say little: only the place can tell, and only for a moment.
    close = overlap >= _LATE_OVERLAP or away <= known.width * (0.5 + 2 * elapsed)
    return overlap + 0.1 if close and elapsed <= rules.gap_seconds else None


def is_piece(rules: PassRules, piece: Place, whole: Place) -> bool:
    """Whether `piece` is `whole` cut short, by glare or a post: its text a part of the other's,
    nearly all of its box within the other's, seen a moment apart. Read surely as such pieces are,
    they are no vehicles of their own."""
    if whole.confidence < _HALF or not _is_part(piece.text, whole.text):
        return False
    return abs(piece.seen_ms - whole.seen_ms) <= rules.gap_seconds * 1000 and _lies_in(piece, whole)


def _is_part(text: str, whole: str) -> bool:
    return _LEAST_PART <= len(text) < len(whole) and match_key(text) in match_key(whole)


def is_within(known: Place, seen: Place) -> bool:
    """Whether the box seen is narrower than the known plate and where that is now: there is no
    room for another plate."""
    return seen.width < _PIECE_WIDTH * known.width and _lies_in(seen, known)


def _lies_in(piece: Place, whole: Place) -> bool:
    # How a piece moves is not known: what hides the rest moves, too.
    shared = _shared(whole.at(max(piece.seen_ms, whole.seen_ms)), _corners(piece))
    return shared >= _PIECE_COVERED * piece.width * (piece.y2 - piece.y1)


def _corners(place: Place) -> Corners:
    return place.x1, place.y1, place.x2, place.y2


def _overlap(a: Corners, b: Place) -> float:
    shared = _shared(a, _corners(b))
    areas = (a[2] - a[0]) * (a[3] - a[1]) + (b.x2 - b.x1) * (b.y2 - b.y1)
    return float(shared / max(1e-9, areas - shared))


def _shared(a: Corners, b: Corners) -> float:
    wide = min(a[2], b[2]) - max(a[0], b[0])
    high = min(a[3], b[3]) - max(a[1], b[1])
    return wide * high if wide > 0 and high > 0 else 0.0


def _distance(a: Corners, b: Place) -> float:
    dx = (a[0] + a[2] - b.x1 - b.x2) / 2
    dy = (a[1] + a[3] - b.y1 - b.y2) / 2
    return float((dx * dx + dy * dy) ** 0.5)


def similarity(a: str, b: str) -> float:
    """1 for equal texts, 0 for nothing in common or an empty one; look-alikes count as half."""
    if not a or not b:
        return 0.0
    row = [float(j) for j in range(len(b) + 1)]
    for i, x in enumerate(a, start=1):
        corner, row[0] = row[0], float(i)
        for j, y in enumerate(b, start=1):
            change = 0.0 if x == y else 0.5 if match_key(x) == match_key(y) else 1.0
            corner, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, corner + change)
    return 1.0 - row[-1] / max(len(a), len(b))
