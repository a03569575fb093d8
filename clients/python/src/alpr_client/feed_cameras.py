"""Which cameras a feed sends as, and their credentials: given, from a file, or registered now."""

import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from alpr_client.cameras import Cameras
from alpr_client.errors import RefusedError
from alpr_client.feed_sending import Sender
from alpr_client.feed_sources import NothingToFeed

_LONGEST_ID = 64


@dataclass(frozen=True)
class Place:
    """Where the cameras stand; None: not said (a fixed camera's place is registered)."""

    latitude: float | None = None
    longitude: float | None = None
    heading: float | None = None


@dataclass(frozen=True)
class Credentials:
    """Where a camera's credential comes from."""

    given: str | None = None
    file: Path | None = None
    register: bool = False
    renew: bool = False
    site: str | None = None
    """The words of the attestation with which cameras are registered (131.6-3a)."""


def camera_ids(prefix: str, names: Sequence[str]) -> list[str]:
    """One id per name, each different, of the characters that an id may have."""
    ids: list[str] = []
    for name in names:
        plain = re.sub(r"[^A-Za-z0-9._-]+", "-", f"{prefix}-{name}").strip("-._")
        camera_id, number = plain[:_LONGEST_ID], 2
        while camera_id in ids:
            end = f"-{number}"
            camera_id, number = plain[: _LONGEST_ID - len(end)] + end, number + 1
        ids.append(camera_id)
    return ids


async def senders(
    cameras: Cameras, ids: Sequence[str], place: Place, credentials: Credentials
) -> list[Sender]:
    """A sender for each id.

    Raises `NothingToFeed` when a credential is missing, `RefusedError` or `UnavailableError` from
    the registration.
    """
    known = _read(credentials.file)
    if credentials.given and len(ids) == 1:
        known[ids[0]] = credentials.given
    for camera_id in ids:
        if camera_id in known:
            continue
        if not credentials.register:
            raise NothingToFeed(
                f"there is no credential for camera {camera_id}: give --credential (or set "
                "ALPR_CAMERA_CREDENTIAL), --credentials-file, or --register"
            )
        known[camera_id] = await _registered(cameras, camera_id, place, credentials)
        _write(credentials.file, known)
    return [Sender(i, known[i], place.latitude, place.longitude, place.heading) for i in ids]


async def _registered(
    cameras: Cameras, camera_id: str, place: Place, credentials: Credentials
) -> str:
    heading = None if place.heading is None else place.heading % 360
    try:
        camera = await cameras.register(
            camera_id,
            name=camera_id,
            latitude=place.latitude,
            longitude=place.longitude,
            heading_degrees=heading,
            site_description=credentials.site,
        )
    except RefusedError as error:
        if error.status != HTTPStatus.CONFLICT:
            raise
        if not credentials.renew:
            raise NothingToFeed(
                f"camera {camera_id} is registered already: give its credential, or --renew to "
                "replace it (whatever sends with the old one is then refused)"
            ) from error
        camera = await cameras.renew_credential(camera_id)
    return camera.credential


def _read(file: Path | None) -> dict[str, str]:
    if file is None or not file.exists():
        return {}
    try:
        found = json.loads(file.read_text("utf-8"))
        return {str(camera_id): str(credential) for camera_id, credential in found.items()}
    except (OSError, ValueError, AttributeError) as error:
        raise NothingToFeed(f"{file} holds no credentials: {error}") from error


def _write(file: Path | None, known: dict[str, str]) -> None:
    if file is None:
        return
    fresh = file.with_name(file.name + ".new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as out:
        json.dump(known, out, indent=1)
    fresh.replace(file)
