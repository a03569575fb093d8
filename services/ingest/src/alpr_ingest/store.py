"""The camera registry's SQL. Connections are inside the caller's transaction."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

import asyncpg

from alpr_common.postgres import Connection
from alpr_ingest.domain import Attestation, Camera, CameraKind, Place

_COLUMNS = """camera_id, agency_id, name, kind, latitude, longitude, heading_degrees,
    attestation::text AS attestation, privacy_masks::text AS privacy_masks, credential_sha256,
    registered_at, updated_at, retired_at,
    (SELECT taken_at FROM camera_last_frame f
     WHERE f.camera_id = camera.camera_id) AS last_frame_at"""
_INSERT = """
INSERT INTO camera (camera_id, agency_id, name, kind, latitude, longitude, heading_degrees,
    attestation, privacy_masks, credential_sha256, registered_at, updated_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8::jsonb, $9::jsonb, $10, $11, $11)
ON CONFLICT (camera_id) DO NOTHING RETURNING camera_id
"""
_GET = f"SELECT {_COLUMNS} FROM camera WHERE camera_id = $1"  # noqa: S608 - a constant
_GET_FOR_UPDATE = f"{_GET} FOR UPDATE"
_LIST = f"""SELECT {_COLUMNS} FROM camera WHERE camera_id > $1 ORDER BY camera_id
    LIMIT $2"""  # noqa: S608 - a constant
_UPDATE = """
UPDATE camera SET name = $2, latitude = $3, longitude = $4, heading_degrees = $5,
    attestation = $6::jsonb, privacy_masks = $7::jsonb, credential_sha256 = $8, updated_at = $9,
    retired_at = $10
WHERE camera_id = $1
"""
# Of several replicas the one that wrote last need not have taken the last frame.
_LAST_FRAMES = """
INSERT INTO camera_last_frame AS f (camera_id, agency_id, taken_at)
SELECT camera_id, $1, t.taken_at
FROM unnest($2::text[], $3::timestamptz[]) AS t(camera_id, taken_at) JOIN camera USING (camera_id)
ORDER BY camera_id
ON CONFLICT (camera_id) DO UPDATE SET taken_at = greatest(f.taken_at, excluded.taken_at)
"""
_AS_CAMERA = "SELECT set_config('alpr.camera_id', $1, true)"


async def insert_camera(connection: Connection, camera: Camera) -> bool:
    """False when the id is taken, in whichever agency."""
    try:
        # In a savepoint: a row of another agency that is in the way shows as a refusal.
        async with connection.transaction():
            row = await connection.fetchrow(
                _INSERT,
                camera.camera_id,
                camera.agency_id,
                camera.name,
                camera.kind.value,
                *_position(camera),
                _attestation_json(camera.attestation),
                json.dumps(camera.privacy_masks),
                camera.credential_sha256,
                camera.registered_at,
            )
    except asyncpg.InsufficientPrivilegeError:
        return False
    return row is not None


async def update_camera(connection: Connection, camera: Camera) -> None:
    await connection.execute(
        _UPDATE,
        camera.camera_id,
        camera.name,
        *_position(camera),
        _attestation_json(camera.attestation),
        json.dumps(camera.privacy_masks),
        camera.credential_sha256,
        camera.updated_at,
        camera.retired_at,
    )


async def get_camera(
    connection: Connection, camera_id: str, *, for_update: bool = False
) -> Camera | None:
    row = await connection.fetchrow(_GET_FOR_UPDATE if for_update else _GET, camera_id)
    return _camera(row) if row else None


async def get_camera_of_credential(connection: Connection, camera_id: str) -> Camera | None:
    """The camera that a credential names, whichever agency has it."""
    await connection.execute(_AS_CAMERA, camera_id)
    return await get_camera(connection, camera_id)


async def list_cameras(connection: Connection, after: str, limit: int) -> list[Camera]:
    """The agency's cameras by id, those after `after`."""
    return [_camera(row) for row in await connection.fetch(_LIST, after, limit)]


async def write_last_frames(
    connection: Connection, agency_id: str, taken: Mapping[str, datetime]
) -> None:
    """When each of the agency's cameras sent its last frame; an earlier time changes nothing."""
    await connection.execute(_LAST_FRAMES, agency_id, list(taken), list(taken.values()))


def _position(camera: Camera) -> tuple[float | None, float | None, float | None]:
    place = camera.place
    if place is None:
        return None, None, camera.heading_degrees
    return place.latitude, place.longitude, camera.heading_degrees


def _attestation_json(attestation: Attestation | None) -> str | None:
    if attestation is None:
        return None
    return json.dumps(
        {
            "site_description": attestation.site_description,
            "exposed_to_public_view": attestation.exposed_to_public_view,
            "attested_by": attestation.attested_by,
            "attested_at": attestation.attested_at.isoformat(),
        }
    )


def _camera(row: Any) -> Camera:
    attestation = None
    if row["attestation"] is not None:
        attestation = Attestation(**json.loads(row["attestation"]))
        attestation = replace(
            attestation, attested_at=datetime.fromisoformat(str(attestation.attested_at))
        )
    place = None
    if row["latitude"] is not None:
        place = Place(row["latitude"], row["longitude"])
    return Camera(
        camera_id=row["camera_id"],
        agency_id=row["agency_id"],
        name=row["name"],
        kind=CameraKind(row["kind"]),
        place=place,
        heading_degrees=row["heading_degrees"],
        attestation=attestation,
        privacy_masks=tuple(
            tuple((x, y) for x, y in polygon) for polygon in json.loads(row["privacy_masks"])
        ),
        credential_sha256=row["credential_sha256"],
        registered_at=row["registered_at"],
        updated_at=row["updated_at"],
        retired_at=row["retired_at"],
        last_frame_at=row["last_frame_at"],
    )
