"""What ingest does, one function per use case."""

from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID, uuid4

from alpr_common import outbox
from alpr_common.auth import Principal
from alpr_common.errors import Conflict, NotFound
from alpr_common.messages.audit import AuditRecord
from alpr_common.messages.frame import HEADER, Frame
from alpr_common.policy import Policy
from alpr_common.postgres import Connection, Database
from alpr_common.telemetry import trace_headers
from alpr_common.topics import AUDIT
from alpr_ingest import store
from alpr_ingest.delivery import Delivery
from alpr_ingest.domain import (
    Attestation,
    Camera,
    CameraKind,
    Capture,
    Place,
    Polygon,
    check_times,
    new_credential,
    place_of,
)
from alpr_ingest.known_cameras import KnownCameras
from alpr_ingest.masks import refuse_masks_that_cross_themselves
from alpr_ingest.pictures import PictureThreads
from alpr_ingest.spool_files import OutgoingFrame


class CameraNotFound(NotFound):
    title = "There is no such camera, or it belongs to another agency"


class CameraIdTaken(Conflict):
    title = "A camera with this id is registered already"


class MasksChangedMeanwhile(Conflict):
    title = "Somebody else changed the masks meanwhile"
    clause = "131.6-3a"


@dataclass(frozen=True)
class Receipt:
    """A frame that will not be lost."""

    frame_id: UUID
    spooled: bool


def admit(camera: Camera, capture: Capture, now: datetime, policy: Policy) -> Place:
    """Whether the frame may come in, before its picture is read; where it was taken.

    Raises the `FrameRefused` that applies.
    """
    camera.check_may_send()
    check_times(capture, now, policy)
    return place_of(capture, camera)


async def accept_frame(
    camera: Camera,
    capture: Capture,
    place: Place,
    body: bytes,
    *,
    received_at: datetime,
    pictures: PictureThreads,
    delivery: Delivery,
) -> Receipt:
    """Check and mask the picture and deliver it. Raises `FrameRefused` or `Outage`."""
    picture = await pictures.prepare(body, camera.privacy_masks)
    heading = capture.heading_degrees
    frame = Frame(
        # From captured_at alone: a frame that is sent again has the same id.
        frame_id=Frame.id_of(camera.camera_id, capture.captured_at),
        agency_id=camera.agency_id,
        camera_id=camera.camera_id,
        captured_at=capture.captured_at,
        received_at=received_at,
        latitude=place.latitude,
        longitude=place.longitude,
        heading_degrees=camera.heading_degrees if heading is None else heading,
        sequence=capture.sequence,
        width=picture.size.width,
        height=picture.size.height,
    )
    headers = ((HEADER, frame.to_bytes()), *trace_headers())
    spooled = await delivery.deliver(OutgoingFrame(camera.camera_id, picture.jpeg, headers))
    return Receipt(frame.frame_id, spooled)


@dataclass(frozen=True)
class CameraDetails:
    """What a person says about a camera. None in a change: as it was.

    Raises `MaskCrossesItself`.
    """

    name: str | None = None
    place: Place | None = None
    heading_degrees: float | None = None
    attestation: Attestation | None = None
    privacy_masks: tuple[Polygon, ...] | None = None

    def __post_init__(self) -> None:
        refuse_masks_that_cross_themselves(self.privacy_masks or ())


async def register_camera(
    database: Database,
    principal: Principal,
    camera_id: str,
    kind: CameraKind,
    details: CameraDetails,
    now: datetime,
) -> tuple[Camera, str]:
    """The camera, in the caller's agency, and its credential. Raises `CameraIdTaken`."""
    credential, digest = new_credential(camera_id)
    camera = Camera(
        camera_id=camera_id,
        agency_id=principal.agency_id,
        name=details.name or camera_id,
        kind=kind,
        place=details.place,
        heading_degrees=details.heading_degrees,
        attestation=details.attestation,
        privacy_masks=details.privacy_masks or (),
        credential_sha256=digest,
        registered_at=now,
        updated_at=now,
        retired_at=None,
    )
    async with database.transaction(principal.agency_id) as connection:
        if not await store.insert_camera(connection, camera):
            raise CameraIdTaken(f"Choose another id than {camera_id}; ids are never used again.")
        await _record(connection, principal, camera, "camera.registered", now)
    return camera, credential


async def list_cameras(
    database: Database, principal: Principal, after: str, limit: int
) -> list[Camera]:
    async with database.transaction(principal.agency_id) as connection:
        return await store.list_cameras(connection, after, limit)


async def get_camera(database: Database, principal: Principal, camera_id: str) -> Camera:
    """Raises `CameraNotFound`."""
    async with database.transaction(principal.agency_id) as connection:
        return await _found(connection, camera_id)


async def change_camera(
    database: Database,
    known: KnownCameras,
    principal: Principal,
    camera_id: str,
    details: CameraDetails,
    now: datetime,
    *,
    expected_masks: tuple[Polygon, ...] | None = None,
    clears_heading: bool = False,
) -> Camera:
    """Change what `details` gives, or take the heading away. Raises `CameraNotFound`.

    Masks are replaced as a whole: `expected_masks` are those that somebody saw before. Raises
    `MasksChangedMeanwhile` when the camera has others by now.
    """
    given = {name: value for name, value in vars(details).items() if value is not None}
    if clears_heading:
        given["heading_degrees"] = None
    async with database.transaction(principal.agency_id) as connection:
        before = await _found(connection, camera_id, for_update=True)
        refuse_other_masks(before, expected_masks)
        camera = replace(before, **given, updated_at=now)
        await store.update_camera(connection, camera)
        await _record(
            connection, principal, camera, "camera.changed", now, changed=", ".join(sorted(given))
        )
    known.forget(camera_id)
    return camera


def refuse_other_masks(camera: Camera, expected: tuple[Polygon, ...] | None) -> None:
    """Raise `MasksChangedMeanwhile` where the masks are not those expected; None: any are."""
    if expected is not None and camera.privacy_masks != expected:
        count = len(camera.privacy_masks)
        raise MasksChangedMeanwhile(
            f"It has {count} mask{'' if count == 1 else 's'} now; nothing was changed. Look at "
            "them before you put others in their place."
        )


async def renew_credential(
    database: Database, known: KnownCameras, principal: Principal, camera_id: str, now: datetime
) -> tuple[Camera, str]:
    """A new credential; the old one ends within seconds. Raises `CameraNotFound`."""
    credential, digest = new_credential(camera_id)
    async with database.transaction(principal.agency_id) as connection:
        before = await _found(connection, camera_id, for_update=True)
        camera = replace(before, credential_sha256=digest, updated_at=now)
        await store.update_camera(connection, camera)
        await _record(connection, principal, camera, "camera.credential.renewed", now)
    known.forget(camera_id)
    return camera, credential


async def retire_camera(
    database: Database, known: KnownCameras, principal: Principal, camera_id: str, now: datetime
) -> Camera:
    """Take no more frames of it, for good. Doing it twice changes nothing."""
    async with database.transaction(principal.agency_id) as connection:
        camera = await _found(connection, camera_id, for_update=True)
        if camera.retired_at is None:
            camera = replace(camera, retired_at=now, updated_at=now)
            await store.update_camera(connection, camera)
            await _record(connection, principal, camera, "camera.retired", now)
    known.forget(camera_id)
    return camera


async def _found(connection: Connection, camera_id: str, *, for_update: bool = False) -> Camera:
    camera = await store.get_camera(connection, camera_id, for_update=for_update)
    if camera is None:
        raise CameraNotFound(f"Your agency has no camera {camera_id}.")
    return camera


async def _record(
    connection: Connection,
    principal: Principal,
    camera: Camera,
    action: str,
    now: datetime,
    **details: str,
) -> None:
    """Who did it, told to the log in the same transaction (131.6-3a rests on a person's word)."""
    record = AuditRecord(
        audit_id=uuid4(),
        agency_id=principal.agency_id,
        occurred_at=now,
        service="ingest",
        person_id=principal.person_id,
        person_name=principal.name,
        role=principal.role.value,
        session_id=principal.session_id,
        address=principal.address,
        action=action,
        subject=f"camera:{camera.camera_id}",
        outcome="done",
        details={
            "attested": "yes" if camera.is_attested else "no",
            "masks": str(len(camera.privacy_masks)),
            **details,
        },
    )
    await outbox.put(connection, AUDIT, principal.agency_id, record.to_bytes())
