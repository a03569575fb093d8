"""Hits, alerts and people as the tests of alerts need them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from alpr_alerts import domain
from alpr_alerts.domain import Actor, Alert
from alpr_alerts.windows import alert_id_of
from alpr_common.auth import Principal
from alpr_common.messages.base import deterministic_id
from alpr_common.messages.hit import DifferingPosition, Hit, HitKind, JurisdictionAgreement
from alpr_common.messages.hotlist import HotListEntry
from alpr_common.messages.read import Box, Read
from alpr_common.plates import differing_positions, match_key
from alpr_common.policy import Role

AGENCY = "IL0222900"
OTHER_AGENCY = "IL0223000"
NOON = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
OFFICER = Actor("p-lopez", "Officer Lopez", "officer", "s-1")
DISPATCHER = Actor("p-weber", "Dispatcher Weber", "dispatcher", "s-2")


def read(
    seconds: float = 0,
    *,
    plate: str = "ABC123",
    camera_id: str = "cam-1",
    agency_id: str = AGENCY,
    jurisdiction: str = "IL",
    began_at: datetime = NOON,
) -> Read:
    """A read `seconds` after `began_at`; the same arguments give the same read."""
    captured_at = began_at + timedelta(seconds=seconds)
    read_id = deterministic_id("read", agency_id, camera_id, plate, captured_at)
    prefix = f"{agency_id}/{captured_at:%Y/%m/%d}/{camera_id}/{read_id}"
    return Read(
        read_id=read_id,
        agency_id=agency_id,
        camera_id=camera_id,
        plate=plate,
        match_key=match_key(plate),
        captured_at=captured_at,
        first_captured_at=captured_at,
        last_captured_at=captured_at,
        latitude=41.84,
        longitude=-87.95,
        confidence=0.97,
        jurisdiction=jurisdiction,
        frame_id=deterministic_id("frame", camera_id, captured_at),
        frame_object=f"{prefix}.jpg",
        plate_object=f"{prefix}-plate.jpg",
        plate_box=Box(x1=10, y1=10, x2=110, y2=40),
        emitted_at=captured_at,
    )


def entry(
    *,
    plate: str = "ABC123",
    entry_id: UUID | None = None,
    agency_id: str = AGENCY,
    category: str = "stolen_vehicle",
    jurisdiction: str | None = "IL",
    **fields: Any,
) -> HotListEntry:
    return HotListEntry(
        entry_id=entry_id or deterministic_id("entry", agency_id, plate, category),
        agency_id=agency_id,
        serves_agency_ids=(agency_id,),
        plate=plate,
        match_key=match_key(plate),
        jurisdiction=jurisdiction,
        category=category,
        priority=2,
        source="manual",
        reason="taken from a driveway",
        effective_at=NOON - timedelta(days=1),
        **fields,
    )


def hit(
    seconds: float = 0,
    *,
    plate: str = "ABC123",
    entry_plate: str | None = None,
    agreement: JurisdictionAgreement = JurisdictionAgreement.SAME,
    entry_jurisdiction: str | None = "IL",
    agency_id: str = AGENCY,
    category: str = "stolen_vehicle",
    **of_read: Any,
) -> Hit:
    """A hit `seconds` after noon (or `began_at`); look-alike when the plates differ."""
    seen = read(seconds, plate=plate, agency_id=agency_id, **of_read)
    listed = entry(
        plate=entry_plate or plate,
        agency_id=agency_id,
        category=category,
        jurisdiction=entry_jurisdiction,
    )
    differing = tuple(
        DifferingPosition(position=i, read_character=plate[i], entry_character=listed.plate[i])
        for i in differing_positions(plate, listed.plate)
    )
    return Hit(
        hit_id=Hit.id_of(seen.read_id, listed.entry_id),
        agency_id=agency_id,
        kind=HitKind.LOOKALIKE if differing else HitKind.EXACT,
        jurisdiction=agreement,
        differing_positions=differing,
        read=seen,
        entry=listed,
        matched_at=seen.captured_at + timedelta(seconds=1),
    )


def retrospective(live: Hit) -> Hit:
    """The same hit, as the comparison of a new entry with stored reads finds it."""
    return live.model_copy(update={"retrospective": True})


def new_alert(made_of: Hit | None = None, now: datetime = NOON) -> Alert:
    made_of = made_of or hit()
    return domain.raised(alert_id_of(made_of), made_of, now)


def principal(
    role: Role = Role.OFFICER,
    *,
    agency_id: str = AGENCY,
    name: str = "Officer Lopez",
    trained_until: date | None = None,
    expires_at: datetime | None = None,
) -> Principal:
    until = trained_until or (datetime.now(UTC) + timedelta(days=90)).date()
    return Principal(
        person_id=f"p-{name.split()[-1].lower()}",
        name=name,
        agency_id=agency_id,
        role=role,
        session_id=str(uuid4()),
        leads_training_until=until,
        alpr_training_until=until,
        expires_at=expires_at,
    )
