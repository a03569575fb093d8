"""Made-up passes: frames whose bytes say what a perfect or a bad recognizer would see in them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import simplejpeg

from alpr_common.kafka import Decoded, Received
from alpr_common.messages.frame import Frame
from alpr_recognizer.domain import CHARSET, PictureUnreadable, PlateBox, Reading, Sighting
from alpr_recognizer.handlers import FrameMessage
from alpr_recognizer.recognition import Recognised, Stages

NOON = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
WIDTH, HEIGHT = 1280, 720
# Small, because the tests decode it often; boxes are cut to it.
_JPEG: bytes = simplejpeg.encode_jpeg(np.zeros((48, 64, 3), np.uint8), quality=30, colorspace="RGB")


def reading(text: str, confidence: float = 0.9, doubts: dict[int, str] | None = None) -> Reading:
    """A reading whose characters share the doubt; `doubts` says what else a position may be."""
    own = confidence ** (1 / max(1, len(text)))
    rows = np.full((len(text), len(CHARSET)), (1 - own) / (len(CHARSET) - 1))
    for position, character in enumerate(text):
        rows[position, CHARSET.index(character)] = own
        if doubts and position in doubts:
            rows[position] = 1e-4
            rows[position, CHARSET.index(character)] = own
            rows[position, CHARSET.index(doubts[position])] = 1 - own
    return Reading(text, confidence, rows, 0.99, {"us-il": 0.9, "us-in": 0.1})


def sighting(
    text: str, x: float, y: float = 400, confidence: float = 0.9, *, width: float = 100
) -> Sighting:
    return Sighting(PlateBox(x, y, x + width, y + 40, 0.9), reading(text, confidence))


@dataclass(frozen=True)
class Shown:
    """One frame to be: camera, seconds after noon, and what is in it (None: not a picture)."""

    camera_id: str
    at_seconds: float
    sightings: Sequence[Sighting] | None
    arrived_seconds: float | None = None
    """When it came to Kafka; None: when it was captured."""


def message(shown: Shown, offset: int, partition: int = 0) -> Decoded[FrameMessage]:
    """The frame as the consume loop hands it over."""
    captured_at = NOON + timedelta(seconds=shown.at_seconds)
    arrived = shown.at_seconds if shown.arrived_seconds is None else shown.arrived_seconds
    frame = Frame(
        frame_id=Frame.id_of(shown.camera_id, captured_at), agency_id="IL0222900",
        camera_id=shown.camera_id, captured_at=captured_at,
        received_at=captured_at, latitude=41.8, longitude=-87.9, width=WIDTH, height=HEIGHT,
    )  # fmt: skip
    told = None
    if shown.sightings is not None:
        told = [
            [s.box.x1, s.box.y1, s.box.x2, s.box.y2, s.reading.text, s.reading.confidence]
            for s in shown.sightings
        ]
    jpeg = _JPEG + json.dumps(told).encode()
    received = Received(
        "alpr.frames.v1", partition, offset, shown.camera_id.encode(), jpeg, {},
        round((NOON.timestamp() + arrived) * 1000),
    )  # fmt: skip
    return Decoded(FrameMessage(frame, jpeg), received)


class _Named:
    name = "made up 1"


class TellingRecognizer:
    """Sees what the frame's bytes say; the real one's place in unit tests."""

    detector = _Named()
    reader = _Named()

    def recognise(
        self, jpegs: Sequence[bytes], stages: Stages | None = None
    ) -> list[Recognised | PictureUnreadable]:
        del stages
        return [self._one(jpeg) for jpeg in jpegs]

    def _one(self, jpeg: bytes) -> Recognised | PictureUnreadable:
        told = json.loads(jpeg[len(_JPEG) :])
        if told is None:
            return PictureUnreadable("made to be unreadable")
        return Recognised(
            tuple(
                Sighting(PlateBox(x1, y1, x2, y2, 0.9), reading(text, confidence))
                for x1, y1, x2, y2, text, confidence in told
            ),
            WIDTH,
            HEIGHT,
        )


def drive_by(
    camera_id: str, text: str, from_seconds: float, frames: int = 6, *, every_seconds: float = 0.2,
    confidence: float = 0.8, y: float = 400, speed_px: float = 900,
) -> list[Shown]:  # fmt: skip
    """A vehicle crossing the picture from left to right."""
    return [
        Shown(
            camera_id,
            from_seconds + i * every_seconds,
            [sighting(text, 50 + speed_px * i * every_seconds, y, confidence)],
        )
        for i in range(frames)
    ]
