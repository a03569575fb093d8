"""Drawn vehicles as frames on Kafka, without ingest in between."""

import functools
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from alpr_common.kafka import Publisher
from alpr_common.messages.frame import HEADER, Frame
from alpr_common.messages.read import Read
from alpr_common.topics import FRAMES, READS
from alpr_local.demo.scenes import DAY, DUSK, HEIGHT, NIGHT, OVERCAST, WIDTH, Light, Pass
from alpr_local.demo.scenes import render_pass as draw
from tests.support.topics import everything

AGENCY = "IL0222900"
_EVERY_SECONDS = 0.2
_VEHICLES: tuple[tuple[str, str, Light, int], ...] = (
    ("BG73914", "US-IL", DAY, 1),
    ("DW18271", "US-IL", OVERCAST, 2),
    ("KLN482", "US-CA", DUSK, 3),
    ("FM68915", "US-IL", NIGHT, 4),
)


@dataclass(frozen=True)
class Shot:
    """One frame to be sent."""

    camera: str
    captured_at: datetime
    jpeg: bytes


@functools.cache
def drawn(number: int, frames: int) -> tuple[bytes, ...]:
    """The frames of one of the four vehicles; drawing takes a second."""
    plate, jurisdiction, light, seed = _VEHICLES[number]
    return tuple(draw(Pass(plate, jurisdiction, light, seed, frames)))


PLATES = tuple(plate for plate, *_ in _VEHICLES)


def traffic(cameras: int, rounds: int = 1, frames: int = 5) -> list[Shot]:
    """Camera n sees vehicle n, then n + 1, ... with pauses between, all ordered by time."""
    # Whole seconds: what one run calls its first frame, the next must call the same.
    began = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=10)
    shots = [
        Shot(
            f"cam-{camera}",
            began + timedelta(seconds=camera * 0.05 + turn * 6 + i * _EVERY_SECONDS),
            jpeg,
        )
        for camera in range(cameras)
        for turn in range(rounds)
        for i, jpeg in enumerate(drawn((camera + turn) % len(_VEHICLES), frames))
    ]
    return sorted(shots, key=lambda s: s.captured_at)


async def send(publisher: Publisher, shot: Shot, prefix: str = "", **headers: bytes) -> Frame:
    """Publish one frame as ingest does; `prefix` goes before the camera's name."""
    camera_id = prefix + shot.camera
    frame = Frame(
        frame_id=Frame.id_of(camera_id, shot.captured_at), agency_id=AGENCY, camera_id=camera_id,
        captured_at=shot.captured_at, received_at=datetime.now(UTC), latitude=41.84,
        longitude=-87.95, width=WIDTH, height=HEIGHT,
    )  # fmt: skip
    await publisher.publish(
        FRAMES, camera_id, shot.jpeg, [(HEADER, frame.to_bytes()), *headers.items()]
    )
    return frame


async def reads(servers: str, prefix: str = "") -> list[Read]:
    """All reads of cameras with that prefix, as often as they are on the topic."""
    found = [Read.from_bytes(r.value or b"") for r in await everything(servers, READS)]
    return [r for r in found if r.camera_id.startswith(prefix)]


def told(found: Iterable[Read], prefix: str) -> dict[str, tuple[str, datetime]]:
    """Per read id what it says, with the prefix off the camera; fails when an id says two."""
    out: dict[str, tuple[str, datetime]] = {}
    for read in found:
        says = (read.camera_id.removeprefix(prefix) + " " + read.plate, read.first_captured_at)
        assert out.setdefault(str(read.read_id), says) == says
    return out
