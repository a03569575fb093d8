"""A read and an entry that agree, to be changed in the one thing that a test is about."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

from alpr_common.messages.hotlist import HotListEntry
from alpr_common.messages.read import Box, Read
from alpr_common.plates import match_key

NOW = datetime(2026, 5, 4, 10, tzinfo=UTC)
IDS = UUID("0d1c7a52-18ab-4f0f-8c35-3f3d1d7d3c11")


def a_read(plate: str = "ABC1234", **given: Any) -> Read:
    fields: dict[str, Any] = {
        "read_id": uuid5(IDS, f"read {plate}"),
        "agency_id": "A",
        "camera_id": "camera",
        "plate": plate,
        "match_key": match_key(plate),
        "captured_at": NOW,
        "first_captured_at": NOW,
        "last_captured_at": NOW,
        "latitude": 42,
        "longitude": -88,
        "confidence": 0.9,
        "frame_id": uuid5(IDS, "frame"),
        "frame_object": "frame",
        "plate_object": "plate",
        "plate_box": Box(x1=0, y1=0, x2=1, y2=1),
        "emitted_at": NOW,
    }
    return Read(**{**fields, **given})


def an_entry(plate: str = "ABC1234", **given: Any) -> HotListEntry:
    fields: dict[str, Any] = {
        "entry_id": uuid5(IDS, f"entry {plate}"),
        "agency_id": "A",
        "serves_agency_ids": ("A",),
        "plate": plate,
        "match_key": match_key(plate),
        "category": "stolen_vehicle",
        "priority": 2,
        "source": "manual",
        "reason": "Stolen",
        "effective_at": NOW - timedelta(days=1),
        "expires_at": NOW + timedelta(days=1),
    }
    return HotListEntry(**{**fields, **given})
