"""Frames in, reads out."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from opentelemetry.context import Context
from opentelemetry.trace import use_span

from alpr_common.kafka import Decoded
from alpr_common.messages.frame import Frame
from alpr_common.messages.read import UNKNOWN_JURISDICTION, Alternative, Box, Character, Read
from alpr_common.objects import picture_key
from alpr_common.plates import match_key
from alpr_common.telemetry import tracer
from alpr_common.topics import READS, Topic
from alpr_recognizer import metrics
from alpr_recognizer.domain import (
    CHARSET,
    PictureUnreadable,
    Reading,
    likeliest_jurisdiction,
)
from alpr_recognizer.passes import Due, Passes
from alpr_recognizer.pictures import crop_jpeg
from alpr_recognizer.recognition import Recognised, Recognizer, Stages
from alpr_recognizer.tracking import BestShot, SeenFrame

_tracer = tracer("alpr.recognizer")


@dataclass(frozen=True)
class FrameMessage:
    """A frame as it travels: metadata in the header, the JPEG as value."""

    frame: Frame
    jpeg: bytes


Publish = Callable[[Topic, str, bytes], Awaitable[None]]
Put = Callable[[str, bytes], Awaitable[None]]


@dataclass(frozen=True)
class Line:
    """What the handlers work with."""

    recognizer: Recognizer
    passes: Passes
    put_picture: Put
    """Stores a JPEG under a key; raises `Outage`."""
    publish: Publish
    """Sends a message in the current trace and waits until it is durable; raises `Outage`."""
    jurisdiction_threshold: float
    now: Callable[[], datetime]
    monotonic: Callable[[], float] = time.monotonic


async def recognise_frames(batch: Sequence[Decoded[FrameMessage]], line: Line) -> None:
    """Take a micro-batch in and send out what became due.

    Repeating it with the same batch (after an outage) repeats nothing that was done. Raises
    `PictureUnreadable` after the rest of the batch was taken in; handled one by one then, only the
    unreadable one raises again.
    """
    fresh = [one for one in batch if line.passes.of(one.received).is_new(one.received.offset)]
    if fresh:
        stages = Stages()
        started = time.time_ns()
        outcomes = await asyncio.to_thread(
            line.recognizer.recognise, [one.message.jpeg for one in fresh], stages
        )
        metrics.observe(stages)
        for one, outcome in zip(fresh, outcomes, strict=True):
            _take_in(one, outcome, started, line)
    await emit_due(line)
    for one in batch:
        refused = line.passes.of(one.received).refused.get(one.received.offset)
        if refused is not None:
            raise refused


def _take_in(
    one: Decoded[FrameMessage], outcome: Recognised | PictureUnreadable, started: int, line: Line
) -> None:
    received, frame = one.received, one.message.frame
    partition = line.passes.of(received)
    context = received.context
    span = _tracer.start_span("recognise frame", context, start_time=started)
    if isinstance(outcome, PictureUnreadable):
        span.set_attribute("alpr.refused", outcome.detail)
        partition.refuse(received.offset, outcome)
        metrics.FRAMES.labels("unreadable").inc()
    else:
        span.set_attribute("alpr.plates", len(outcome.sightings))
        seen = SeenFrame(
            frame, one.message.jpeg, received.offset, received.timestamp_ms, line.monotonic(),
            context,
        )  # fmt: skip
        is_first = partition.observe(seen, outcome.sightings)
        metrics.FRAMES.labels("recognised" if is_first else "repeated").inc()
    span.end()


async def emit_due(line: Line) -> None:
    """Send out the reads that are due: pictures first, then the read, then its pass is settled.

    Raises `Outage` with nothing lost: what was not acknowledged is due again.
    """
    due = line.passes.due()
    if due:
        outcomes = await asyncio.gather(*(_emit(one, line) for one in due), return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome
    metrics.OPEN_PASSES.set(line.passes.open_passes)


async def _emit(due: Due, line: Line) -> None:
    best = due.of.best
    assert best is not None, "a pass with an acceptable text has a frame that it was read in"
    started = time.perf_counter()
    context = best.seen.trace if isinstance(best.seen.trace, Context) else None
    span = _tracer.start_span("emit read", context)
    with use_span(span, end_on_exit=True):
        read = read_of(due, best, line)
        crop = await asyncio.to_thread(crop_jpeg, best.seen.jpeg, best.box)
        await asyncio.gather(
            line.put_picture(read.frame_object, best.seen.jpeg),
            line.put_picture(read.plate_object, crop),
        )
        stored = time.perf_counter()
        span.set_attribute("alpr.read_id", str(read.read_id))
        await line.publish(READS, read.match_key, read.to_bytes())
    metrics.STAGE_SECONDS.labels("store").observe(stored - started)
    metrics.STAGE_SECONDS.labels("publish").observe(time.perf_counter() - stored)
    metrics.PASS_FRAMES.observe(due.of.votes.count)
    metrics.READ_DELAY_SECONDS.observe(max(0.0, line.monotonic() - best.seen.taken_at))
    metrics.READS.inc()
    line.passes.emitted(due)


def read_of(due: Due, best: BestShot, line: Line) -> Read:
    """The message that a pass amounts to."""
    known, reading, frame = due.of, due.reading, best.seen.frame
    read_id = Read.id_of(frame.camera_id, known.first_frame_id, known.position)
    jurisdiction, probability = likeliest_jurisdiction(reading, line.jurisdiction_threshold)
    place = (frame.agency_id, frame.camera_id, frame.captured_at, frame.frame_id)
    return Read(
        read_id=read_id,
        agency_id=frame.agency_id,
        camera_id=frame.camera_id,
        plate=reading.text,
        match_key=match_key(reading.text),
        captured_at=frame.captured_at,
        first_captured_at=known.first_captured_at or frame.captured_at,
        last_captured_at=known.last_captured_at or frame.captured_at,
        latitude=frame.latitude,
        longitude=frame.longitude,
        heading_degrees=frame.heading_degrees,
        confidence=min(1.0, reading.confidence),
        characters=_characters(reading),
        jurisdiction=jurisdiction or UNKNOWN_JURISDICTION,
        jurisdiction_probability=probability,
        frame_id=frame.frame_id,
        frame_count=max(1, known.votes.count),
        frame_object=picture_key(*place),
        plate_object=picture_key(*place, suffix=f"-plate-{read_id}"),
        plate_box=Box(x1=best.box.x1, y1=best.box.y1, x2=best.box.x2, y2=best.box.y2),
        detector_model=line.recognizer.detector.name,
        reader_model=line.recognizer.reader.name,
        emitted_at=line.now(),
    )


def _characters(reading: Reading) -> tuple[Character, ...]:
    out = []
    for position, character in enumerate(reading.text):
        others = reading.alternatives(position)
        own = float(reading.probabilities[position][CHARSET.index(character)])
        out.append(
            Character(
                character=character,
                probability=min(1.0, own),
                alternatives=tuple(
                    Alternative(character=c, probability=min(1.0, p)) for c, p in others
                ),
            )
        )
    return tuple(out)
