"""Opening the pictures of reads that an access returned."""

from datetime import datetime
from typing import Literal
from uuid import UUID, uuid4

from alpr_access_log import domain, store
from alpr_access_log.domain import AccessRecord
from alpr_access_log.handlers.door import Door, append_apart, who
from alpr_access_log.refusals import AccessNotYours
from alpr_common.auth import Principal
from alpr_common.errors import NotFound

PictureKind = Literal["frame", "plate"]


async def view_picture(
    door: Door,
    principal: Principal,
    read_id: UUID,
    kind: PictureKind,
    access_id: UUID | None,
    now: datetime,
) -> bytes:
    """The JPEG of a read that this access returned to this person; recorded before it leaves.

    Raises `AccessNotYours`, `AccessExpired`, `ObjectNotFound`, or an `Outage`.
    """
    agency_id, person_id = principal.agency_id, principal.person_id
    if access_id is None:
        raise AccessNotYours("Say in `access_id` which search of yours returned this read.")
    async with door.database.transaction(agency_id) as connection:
        access = await store.find_access(connection, agency_id, person_id, access_id)
        shown_at = await store.returned_at(connection, agency_id, person_id, access_id, read_id)
        if access is None or shown_at is None:
            raise AccessNotYours("That search of yours did not return this read. Search for it.")
        policy = door.policy.of(agency_id)
        domain.refuse_expired(shown_at, policy.picture_view_seconds, now)
        read = await store.read_message(
            connection, agency_id, read_id, access.query, door.kept(agency_id, now)
        )
    if read is None:
        raise NotFound("The read is not stored any more.")
    # Taken first and shown last: between the two the record becomes durable.
    jpeg = await door.pictures.get(read.frame_object if kind == "frame" else read.plate_object)
    record = AccessRecord(
        record_id=uuid4(),
        access_id=access_id,
        who=who(principal),
        occurred_at=now,
        action="read.picture.viewed",
        subject=f"read:{read_id}",
        outcome="done",
        purpose=access.purpose,
        case_number=access.case_number,
        suspicion=access.suspicion,
        returned=(read_id,),
        details={"picture": kind},
    )
    await append_apart(door, record)
    return jpeg
