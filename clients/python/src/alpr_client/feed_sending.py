"""Sends one camera's shots in order: waits out outages, counts refusals, drops nothing."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from alpr_client.cameras import Frames
from alpr_client.errors import RefusedError, UnavailableError
from alpr_client.feed_sources import Shot, Source

# Refusals that every later frame of the camera would get as well.
_FINAL = frozenset({"wrong-credential", "camera-retired", "camera-unattested"})
# Live pictures kept while the system is away; then the oldest go.
_LIVE_BUFFER = 256
_MOST_PAUSE_SECONDS = 10.0


class GaveUp(Exception):
    """The system stayed away for longer than the patience."""


@dataclass
class Tally:
    """What became of the shots."""

    accepted: int = 0
    spooled: int = 0
    dropped: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    reasons: dict[str, str] = field(default_factory=dict)
    """By reason: what the first refusal said."""

    def refuse(self, error: RefusedError, name: str) -> None:
        clause = f" ({error.clause})" if error.clause else ""
        reason = f"{error.title}{clause}"
        self.refused[reason] += 1
        self.reasons.setdefault(reason, f"{name}: {error.detail}")


@dataclass(frozen=True)
class Sender:
    """A camera: its credential and where it is."""

    camera_id: str
    credential: str
    latitude: float | None = None
    longitude: float | None = None
    heading: float | None = None


@dataclass(frozen=True)
class Pace:
    """When shots count as taken. `start_at` None: now, or so that the last one is taken now."""

    start_at: datetime | None = None
    realtime: bool = False
    loop: bool = False
    patience_seconds: float = 300.0


async def feed_camera(
    frames: Frames,
    sender: Sender,
    source: Source,
    pace: Pace,
    tally: Tally,
    progressed: Callable[[], None],
) -> None:
    """Send what the source has. Raises `GaveUp`, or `NothingToFeed` from the source."""
    sequence = 0
    async for shot, captured_at in _timed(source, pace, tally):
        try:
            receipt = await _send_until_taken(frames, sender, shot, captured_at, sequence, pace)
            tally.accepted += 1
            tally.spooled += receipt
        except RefusedError as error:
            tally.refuse(error, shot.name)
            if error.code in _FINAL:
                return
        finally:
            progressed()
        sequence += 1


async def _send_until_taken(
    frames: Frames, sender: Sender, shot: Shot, captured_at: datetime, sequence: int, pace: Pace
) -> bool:
    """Whether it was spooled. The same shot again and again: a later one must not overtake it."""
    pause, deadline = 0.2, time.monotonic() + pace.patience_seconds
    while True:
        try:
            receipt = await frames.send(
                sender.credential,
                shot.jpeg,
                captured_at=captured_at,
                latitude=sender.latitude,
                longitude=sender.longitude,
                heading=sender.heading,
                sequence=sequence,
            )
            return receipt.spooled
        except UnavailableError as error:
            wait = error.retry_after_seconds or pause * (0.5 + random.random())  # noqa: S311
            if time.monotonic() + wait > deadline:
                raise GaveUp(str(error)) from error
            await asyncio.sleep(wait)
            pause = min(2 * pause, _MOST_PAUSE_SECONDS)


async def _timed(source: Source, pace: Pace, tally: Tally) -> AsyncIterator[tuple[Shot, datetime]]:
    """Shots with their times, none before its time has come."""
    if source.duration_seconds is None:
        async for shot in _live(source, tally):
            yield shot, datetime.now(UTC)
        return
    began = datetime.now(UTC)
    start = pace.start_at
    if start is None:
        backwards = 0.0 if pace.realtime or pace.loop else source.duration_seconds
        start = began - timedelta(seconds=backwards)
    passed = 0.0
    while True:
        async for shot in _in_thread(source):
            offset = timedelta(seconds=passed + shot.offset_seconds)
            captured_at = shot.captured_at or start + offset
            due = max(captured_at, began + offset) if pace.realtime else captured_at
            await asyncio.sleep(max(0.0, (due - datetime.now(UTC)).total_seconds()))
            yield shot, captured_at
        if not pace.loop:
            return
        passed += source.duration_seconds


async def _in_thread(source: Source) -> AsyncIterator[Shot]:
    """One shot at a time; files and decoding do not hold up other cameras."""
    shots = source.shots()
    while (shot := await asyncio.to_thread(next, shots, None)) is not None:
        yield shot


async def _live(source: Source, tally: Tally) -> AsyncIterator[Shot]:
    """A stream does not wait: it is read on while shots are sent, into a bounded buffer."""
    waiting: asyncio.Queue[Shot | None] = asyncio.Queue()

    async def read() -> None:
        try:
            async for shot in _in_thread(source):
                if waiting.qsize() >= _LIVE_BUFFER:
                    waiting.get_nowait()
                    tally.dropped += 1
                waiting.put_nowait(shot)
        finally:
            waiting.put_nowait(None)

    reading = asyncio.create_task(read())
    try:
        while (shot := await waiting.get()) is not None:
            yield shot
        await reading
    finally:
        reading.cancel()
