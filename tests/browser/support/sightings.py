"""Hits to put before a person: drawn pictures, reads and entries that agree.

Everything is drawn by the project itself (the demo's street scenes); no photograph is used.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from uuid import uuid4

import cv2
import numpy as np

from alpr_common.messages.frame import Frame
from alpr_common.messages.hit import DifferingPosition, Hit, HitKind, JurisdictionAgreement
from alpr_common.messages.hotlist import HotListEntry
from alpr_common.messages.read import Alternative, Box, Character, Read
from alpr_common.objects import picture_key
from alpr_common.plates import match_key
from alpr_common.policy import Policy
from alpr_local.demo.scenes import DAY, Light, empty_road
from alpr_local.demo.vehicle import VehicleLook, draw_vehicle

AGENCY = "IL0222900"


@dataclass(frozen=True)
class Sighting:
    """A listed vehicle in front of a camera, as a test describes it."""

    plate: str
    listed_as: str | None = None
    """The entry's plate, where a look-alike was read."""
    category: str = "stolen_vehicle"
    reason: str = "Taken from a driveway on Oak Brook Road"
    vehicle: str | None = "Sedan, dark grey"
    caution: str | None = None
    case_number: str | None = "26-018834"
    jurisdiction: str = "US-IL"
    read_jurisdiction: str = "US-IL"
    camera_id: str = "york-road-north"
    light: Light = DAY
    seed: int = 1
    seconds_ago: float = 4
    uncertain: dict[int, float] = field(default_factory=dict)
    """Position → the recognizer's probability there, where it was not sure."""


_SOME_BOX = Box(x1=600, y1=500, x2=700, y2=550)


@dataclass(frozen=True)
class Pictured:
    """A hit with the two pictures that its read names."""

    hit: Hit
    frame_jpeg: bytes
    plate_jpeg: bytes


def pictured(sighting: Sighting) -> Pictured:
    """Draw it, read it, and agree with its entry."""
    frame_jpeg, plate_jpeg, box = _draw(
        sighting.plate, sighting.jurisdiction, sighting.light, sighting.seed
    )
    return Pictured(hit_of(sighting, box), frame_jpeg, plate_jpeg)


def undrawn(sighting: Sighting) -> Pictured:
    """The same with pictures that are none, for tests that nobody looks at."""
    return Pictured(hit_of(sighting), b"no frame", b"no plate crop")


def hit_of(sighting: Sighting, box: Box = _SOME_BOX) -> Hit:
    """Read it and agree with its entry."""
    captured_at = datetime.now(UTC) - timedelta(seconds=sighting.seconds_ago)
    read = _read(sighting, captured_at, box)
    entry = _entry(sighting, captured_at, Policy())
    differing = tuple(
        DifferingPosition(
            position=i, read_character=r, entry_character=e,
            read_probability=read.characters[i].probability,
            entry_probability=round(0.94 - read.characters[i].probability, 2),
        )
        for i, (r, e) in enumerate(zip(read.plate, entry.plate, strict=True)) if r != e
    )  # fmt: skip
    known = sighting.read_jurisdiction == sighting.jurisdiction
    return Hit(
        hit_id=Hit.id_of(read.read_id, entry.entry_id), agency_id=AGENCY,
        kind=HitKind.LOOKALIKE if differing else HitKind.EXACT,
        jurisdiction=JurisdictionAgreement.SAME if known else JurisdictionAgreement.UNKNOWN,
        differing_positions=differing, read=read, entry=entry, matched_at=datetime.now(UTC),
    )  # fmt: skip


@lru_cache
def _draw(plate: str, jurisdiction: str, light: Light, seed: int) -> tuple[bytes, bytes, Box]:
    rng = np.random.default_rng(seed)
    road = cv2.imdecode(np.frombuffer(empty_road(light, seed), np.uint8), cv2.IMREAD_COLOR)
    picture = np.asarray(road, np.uint8)
    look = VehicleLook.random(plate, jurisdiction, rng)
    width, ground = 500.0, (640 + 90 * (1 if seed % 2 else -1), 672.0)
    draw_vehicle(picture, look, ground, width, lights_on=light is not DAY)
    if light.grey:
        picture = cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    # Where draw_vehicle mounts the plate: 0.3546 of the body's height above the ground.
    height = width * (1.02 if look.tall else 0.80)
    half = width * look.plate_share / 2
    half_high = half * look.plate.shape[0] / look.plate.shape[1]
    x, y = ground[0], ground[1] - 0.3546 * height
    box = Box(x1=x - half, y1=y - half_high, x2=x + half, y2=y + half_high)
    margin = 7
    crop = picture[
        int(box.y1) - margin : int(box.y2) + margin, int(box.x1) - margin : int(box.x2) + margin
    ]
    return _jpeg(picture), _jpeg(cv2.resize(crop, None, fx=3, fy=3)), box


def _jpeg(picture: np.ndarray) -> bytes:
    return cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 86])[1].tobytes()


def _read(sighting: Sighting, captured_at: datetime, box: Box) -> Read:
    frame_id = Frame.id_of(sighting.camera_id, captured_at)
    read_id = Read.id_of(sighting.camera_id, frame_id, 0)
    place = (AGENCY, sighting.camera_id, captured_at, frame_id)
    characters = tuple(
        _character(sighting, i, character) for i, character in enumerate(sighting.plate)
    )
    return Read(
        read_id=read_id, agency_id=AGENCY, camera_id=sighting.camera_id, plate=sighting.plate,
        match_key=match_key(sighting.plate), captured_at=captured_at,
        first_captured_at=captured_at - timedelta(seconds=1), last_captured_at=captured_at,
        latitude=41.8489, longitude=-87.9284, heading_degrees=4.0,
        confidence=float(np.prod([c.probability for c in characters])), characters=characters,
        jurisdiction=sighting.read_jurisdiction,
        jurisdiction_probability=0.97 if sighting.read_jurisdiction != "unknown" else 0.0,
        frame_id=frame_id, frame_count=6, frame_object=picture_key(*place),
        plate_object=picture_key(*place, suffix=f"-plate-{read_id}"), plate_box=box,
        emitted_at=datetime.now(UTC),
    )  # fmt: skip


def _character(sighting: Sighting, position: int, character: str) -> Character:
    probability = sighting.uncertain.get(position, 0.996)
    listed = (sighting.listed_as or sighting.plate)[position]
    other = listed if listed != character else {"8": "B", "0": "O"}.get(character, "X")
    rest = Alternative(character=other, probability=round(1 - probability, 3))
    return Character(character=character, probability=probability, alternatives=(rest,))


def _entry(sighting: Sighting, captured_at: datetime, policy: Policy) -> HotListEntry:
    plate = sighting.listed_as or sighting.plate
    return HotListEntry(
        entry_id=uuid4(), agency_id=AGENCY, serves_agency_ids=(AGENCY,), plate=plate,
        match_key=match_key(plate), jurisdiction=sighting.jurisdiction,
        category=sighting.category, priority=policy.categories[sighting.category].priority,
        source="leads", reason=sighting.reason, case_number=sighting.case_number,
        vehicle=sighting.vehicle, caution=sighting.caution,
        effective_at=captured_at - timedelta(days=2), expires_at=captured_at + timedelta(days=20),
    )  # fmt: skip
