"""What may be committed, and what a successor has to know: exactly once in effect.

Frames are kept back (their offset is not committed) until the read of their pass is out. Passes
whose read *is* out but that later frames may still continue travel in the commit's metadata, as
they were at the committed offset, so that a successor that replays from there makes the same
passes with the same ids and emits none twice.
"""

import base64
import binascii
import hashlib
import struct
import zlib
from dataclasses import dataclass
from uuid import UUID

from alpr_recognizer.association import Place

MOST_CHARACTERS = 4000
"""Kafka's default for `offset.metadata.max.bytes` is 4096."""

_VERSION = 1
_HEAD = struct.Struct(">BQH")
_CAMERA = struct.Struct(">8sB")
_PASS = struct.Struct(">BqIHHHHhhBB")
_IDENTITY = struct.Struct(">16sB")
_EMITTED = struct.Struct(">IB")
_IS_EMITTED, _IS_MOVING = 1, 2


@dataclass(frozen=True)
class PassSnapshot:
    """One pass as it was at the committed offset."""

    camera: bytes
    """`camera_digest` of its camera."""
    place: Place
    began_ms: int
    first_frame_id: UUID | None
    """Only while its read is not out: what the read's id will be made of."""
    position: int = 0

    @property
    def is_emitted(self) -> bool:
        return self.first_frame_id is None


@dataclass(frozen=True)
class Snapshot:
    """All that a successor needs beside the frames from the committed offset on."""

    offset: int = 0
    """The committed offset: passes are as they were before the frame there."""
    passes: tuple[PassSnapshot, ...] = ()
    """Newest first: what does not fit is cut from the end."""
    emitted: tuple[tuple[int, int], ...] = ()
    """(offset, position in that frame) of passes that began after the committed offset and whose
    reads are out already."""


def camera_digest(camera_id: str) -> bytes:
    """Eight bytes that stand for a camera's id."""
    return hashlib.blake2b(camera_id.encode(), digest_size=8).digest()


def encode(snapshot: Snapshot) -> str:
    """At most `MOST_CHARACTERS` of ASCII; the oldest passes are left out when all do not fit."""
    count = len(snapshot.passes)
    while True:
        text = _text(snapshot, count)
        if len(text) <= MOST_CHARACTERS or count == 0:
            return text if len(text) <= MOST_CHARACTERS else ""
        count = min(count - 1, int(count * MOST_CHARACTERS / len(text)) + 1)


def decode(text: str) -> Snapshot:
    """What `encode` wrote; an empty snapshot for "" and for what this version cannot read."""
    if not text:
        return Snapshot()
    try:
        data = zlib.decompress(base64.b85decode(text))
        return _snapshot(data)
    except (ValueError, binascii.Error, zlib.error, struct.error, IndexError):
        return Snapshot()


def _text(snapshot: Snapshot, count: int) -> str:
    by_camera: dict[bytes, list[PassSnapshot]] = {}
    for one in snapshot.passes[:count]:
        by_camera.setdefault(one.camera, []).append(one)
    emitted = snapshot.emitted[:65535]
    if not by_camera and not emitted:
        return ""
    parts = [_HEAD.pack(_VERSION, snapshot.offset, len(emitted))]
    parts += [_EMITTED.pack(offset - snapshot.offset, position) for offset, position in emitted]
    for camera, theirs in by_camera.items():
        for start in range(0, len(theirs), 255):
            some = theirs[start : start + 255]
            parts.append(_CAMERA.pack(camera, len(some)))
            parts += [_packed(one) for one in some]
    return base64.b85encode(zlib.compress(b"".join(parts), 9)).decode()


def _packed(one: PassSnapshot) -> bytes:
    place = one.place
    flags = (_IS_EMITTED if one.is_emitted else 0) | (_IS_MOVING if place.moving else 0)
    text = place.text.encode()
    lasted = max(0, min(0xFFFFFFFF, place.seen_ms - one.began_ms))
    fixed = _PASS.pack(
        flags, place.seen_ms, lasted, place.x1, place.y1, place.x2, place.y2,
        place.speed_x, place.speed_y, place.confidence, len(text),
    )  # fmt: skip
    identity = b""
    if one.first_frame_id is not None:
        identity = _IDENTITY.pack(one.first_frame_id.bytes, one.position)
    return fixed + text + identity


def _snapshot(data: bytes) -> Snapshot:
    version, committed, emitted_count = _HEAD.unpack_from(data)
    if version != _VERSION:
        return Snapshot()
    at = _HEAD.size
    emitted = []
    for _ in range(emitted_count):
        delta, position = _EMITTED.unpack_from(data, at)
        emitted.append((committed + delta, position))
        at += _EMITTED.size
    passes = []
    while at < len(data):
        camera, count = _CAMERA.unpack_from(data, at)
        at += _CAMERA.size
        for _ in range(count):
            one, at = _unpacked(camera, data, at)
            passes.append(one)
    return Snapshot(committed, tuple(passes), tuple(emitted))


def _unpacked(camera: bytes, data: bytes, at: int) -> tuple[PassSnapshot, int]:
    flags, seen_ms, lasted, x1, y1, x2, y2, speed_x, speed_y, confidence, length = (
        _PASS.unpack_from(data, at)
    )
    at += _PASS.size
    text = data[at : at + length].decode()
    at += length
    first_frame_id, position = None, 0
    if not flags & _IS_EMITTED:
        raw, position = _IDENTITY.unpack_from(data, at)
        first_frame_id = UUID(bytes=raw)
        at += _IDENTITY.size
    place = Place(
        x1, y1, x2, y2, speed_x, speed_y, bool(flags & _IS_MOVING), seen_ms, text, confidence
    )
    return PassSnapshot(camera, place, seen_ms - lasted, first_frame_id, position), at
