"""Cameras and what a frame must say about itself (131.3-read, 131.6-3a, 131.7-1c). No I/O."""

import hashlib
import hmac
import math
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from alpr_common.policy import Policy
from alpr_common.topics import FRAMES
from alpr_ingest.refusals import (
    CameraRetired,
    CameraUnattested,
    CapturedAfterSent,
    ClockSkewed,
    DeliveredTooLate,
    FrameDetailMalformed,
    FramesOutgrowTopic,
    FrameWithoutPlace,
    FrameWithoutTime,
    WrongCredential,
)

_BESIDE_THE_PICTURE_BYTES = 64 * 1024
CAMERA_ID = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
"""Part of Kafka keys, file names and object keys, so nothing that means something there."""

Polygon = tuple[tuple[float, float], ...]
"""Corners as fractions (0 to 1) of the picture's width and height, from its top left."""


class CameraKind(StrEnum):
    FIXED = "fixed"
    MOBILE = "mobile"


@dataclass(frozen=True)
class Attestation:
    """Somebody's statement that the camera sees what is exposed to public view (131.6-3a)."""

    site_description: str
    exposed_to_public_view: bool
    attested_by: str
    attested_at: datetime


@dataclass(frozen=True)
class Place:
    latitude: float
    longitude: float


@dataclass(frozen=True)
class Camera:
    """One row of the registry. `credential_sha256` is all that is kept of the credential."""

    camera_id: str
    agency_id: str
    name: str
    kind: CameraKind
    place: Place | None
    heading_degrees: float | None
    attestation: Attestation | None
    privacy_masks: tuple[Polygon, ...]
    credential_sha256: bytes
    registered_at: datetime
    updated_at: datetime
    retired_at: datetime | None
    last_frame_at: datetime | None = None
    """When its last frame was taken in, to some seconds; None: never."""

    @property
    def is_attested(self) -> bool:
        return self.attestation is not None and self.attestation.exposed_to_public_view

    def check_may_send(self) -> None:
        """Raises `CameraRetired` or `CameraUnattested`."""
        if self.retired_at is not None:
            raise CameraRetired(
                f"Camera {self.camera_id} was retired at {self.retired_at.isoformat()}. Register "
                "a new camera if one stands there again."
            )
        if not self.is_attested:
            raise CameraUnattested(
                f"Nobody has attested that camera {self.camera_id} sees only what is exposed to "
                "public view. A supervisor or administrator records the attestation first."
            )


def new_credential(camera_id: str) -> tuple[str, bytes]:
    """A camera's credential (shown once) and the SHA-256 that is stored of it."""
    secret = secrets.token_urlsafe(32)
    return f"{camera_id}.{secret}", _digest(secret)


def camera_id_of(credential: str) -> str:
    """The camera that a credential claims to be of; raises `WrongCredential`."""
    camera_id, _, secret = credential.rpartition(".")
    if not secret or not re.fullmatch(CAMERA_ID, camera_id):
        raise wrong_credential()
    return camera_id


def credential_fits(credential: str, camera: Camera) -> bool:
    """Whether the secret is the camera's, compared in constant time."""
    secret = credential.rpartition(".")[2]
    return hmac.compare_digest(_digest(secret), camera.credential_sha256)


def wrong_credential() -> WrongCredential:
    return WrongCredential(
        "Send the header `Authorization: Camera <credential>` with the credential that was shown "
        "when the camera was registered or its credential last changed."
    )


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


@dataclass(frozen=True)
class Capture:
    """What came with a picture, understood but not yet judged."""

    captured_at: datetime
    sent_at: datetime
    place: Place | None
    heading_degrees: float | None
    sequence: int | None


DETAILS = ("captured_at", "sent_at", "latitude", "longitude", "heading", "sequence")
_MAX_SEQUENCE = 2**63 - 1


def parse_capture(details: Mapping[str, str]) -> Capture:
    """From the texts under the names in `DETAILS`.

    Raises `FrameWithoutTime`, `FrameWithoutPlace` (one coordinate without the other) or
    `FrameDetailMalformed`.
    """
    return Capture(
        captured_at=_time(details, "captured_at"),
        sent_at=_time(details, "sent_at"),
        place=_place(details),
        heading_degrees=_heading(details),
        sequence=_sequence(details),
    )


def _time(details: Mapping[str, str], name: str) -> datetime:
    text = details.get(name, "").strip()
    if not text:
        raise FrameWithoutTime(f"{name} is missing. Give it like 2026-05-04T10:00:00.250Z.")
    try:
        time = datetime.fromisoformat(text)
        if time.tzinfo is None:
            raise FrameWithoutTime(
                f"{name} ({text[:40]}) has no offset from UTC, like Z or +02:00."
            )
        return time.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise FrameDetailMalformed(
            f"{name} ({text[:40]!r}) is no time. Give it like 2026-05-04T10:00:00.250Z (in a "
            "query, + is written %2B)."
        ) from error


def _place(details: Mapping[str, str]) -> Place | None:
    latitude = _number(details, "latitude", -90, 90)
    longitude = _number(details, "longitude", -180, 180)
    if latitude is None and longitude is None:
        return None
    if latitude is None or longitude is None:
        raise FrameWithoutPlace("A place has latitude and longitude; one of them is missing.")
    return Place(latitude, longitude)


def _heading(details: Mapping[str, str]) -> float | None:
    heading = _number(details, "heading", 0, 360)
    return None if heading is None else heading % 360


def _number(details: Mapping[str, str], name: str, least: float, most: float) -> float | None:
    text = details.get(name, "").strip()
    if not text:
        return None
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not least <= number <= most:  # false for what is not a number, too
        raise FrameDetailMalformed(
            f"{name} ({text[:40]!r}) is not a number from {least:g} to {most:g}."
        )
    return number


def _sequence(details: Mapping[str, str]) -> int | None:
    text = details.get("sequence", "").strip()
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 20 and int(text) <= _MAX_SEQUENCE):
        raise FrameDetailMalformed(f"sequence ({text[:40]!r}) is not a count from 0 upwards.")
    return int(text)


def check_times(capture: Capture, now: datetime, policy: Policy) -> None:
    """Raises `ClockSkewed`, `CapturedAfterSent` or `DeliveredTooLate`; limits are inclusive."""
    skew = timedelta(seconds=policy.clock_skew_max_seconds)
    if abs(capture.sent_at - now) > skew:
        raise ClockSkewed(
            f"sent_at is {capture.sent_at.isoformat()}, our clock says {now.isoformat()}; they may "
            f"differ by {policy.clock_skew_max_seconds} s. Set the camera's clock (NTP).",
            limit_seconds=policy.clock_skew_max_seconds,
        )
    if capture.captured_at > capture.sent_at:
        raise CapturedAfterSent(
            f"captured_at ({capture.captured_at.isoformat()}) is later than sent_at "
            f"({capture.sent_at.isoformat()})."
        )
    delay = timedelta(seconds=policy.delivery_delay_max_seconds)
    if capture.sent_at - capture.captured_at > delay:
        raise DeliveredTooLate(
            f"captured_at ({capture.captured_at.isoformat()}) is more than "
            f"{policy.delivery_delay_max_seconds / 3600:g} h before sent_at.",
            limit_seconds=policy.delivery_delay_max_seconds,
        )


def refuse_frames_that_outgrow_their_topic(policy: Policy) -> None:
    """Raise `FramesOutgrowTopic` when the topic would not take the largest frame that the policy
    allows: it would wait in the spool, and every frame of its camera behind it."""
    most = int(FRAMES.config["max.message.bytes"]) - _BESIDE_THE_PICTURE_BYTES
    if policy.frame_max_bytes > most:
        raise FramesOutgrowTopic(
            f"The policy's frame_max_bytes is {policy.frame_max_bytes}; {FRAMES.name} takes "
            f"pictures of {most} bytes at most. Lower the one or raise the other."
        )


def place_of(capture: Capture, camera: Camera) -> Place:
    """Where the frame was taken: as sent, or where a fixed camera stands.

    Raises `FrameWithoutPlace`.
    """
    if capture.place is not None:
        return capture.place
    if camera.kind is CameraKind.FIXED and camera.place is not None:
        return camera.place
    raise FrameWithoutPlace(
        f"Camera {camera.camera_id} is {camera.kind}: it sends latitude and longitude with each "
        "frame."
    )
