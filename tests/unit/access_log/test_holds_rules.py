"""What one must say to place a hold, and who may end it (131.5-c)."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from alpr_access_log.holds import domain as holds_domain
from alpr_access_log.holds.domain import (
    Hold,
    HoldReasonMissing,
    HoldReleased,
    HoldSubjectMissing,
    SecondPersonNeeded,
    Wanted,
)
from alpr_access_log.holds.handlers import is_picture_of
from alpr_common.policy import Policy

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
HOLD = Hold(uuid4(), "IL0", "manual", "burglary", "26-1", NOON, "kim", "Kim")


def wanted(**changed: Any) -> Wanted:
    said: dict[str, Any] = {
        "reason": "Evidence of the burglary", "case_number": "26-1", "read_ids": [],
        "alert_id": None, "plate": None, "lookalike": False, "from_at": None, "to_at": None,
        "policy": Policy(),
    }  # fmt: skip
    return holds_domain.checked_wanted(**said | changed)


@pytest.mark.policy("131.5-c")
@pytest.mark.parametrize("changed", [{"reason": None}, {"reason": " "}, {"case_number": ""}])
def test_a_hold_without_reason_or_case_is_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(HoldReasonMissing):
        wanted(read_ids=[uuid4()], **changed)


def test_a_hold_names_exactly_one_kind_of_thing() -> None:
    read_id = uuid4()
    assert wanted(read_ids=[read_id, read_id]).read_ids == (read_id,)
    assert wanted(alert_id=read_id).alert_id == read_id
    for changed in ({}, {"read_ids": [read_id], "alert_id": read_id}, {"plate": "AB1"}):
        with pytest.raises(HoldSubjectMissing):
            wanted(**changed)


def test_a_hold_of_a_plate_is_for_one_plate_and_a_bounded_time() -> None:
    window = {"from_at": NOON, "to_at": NOON + timedelta(days=3)}
    named = wanted(plate="ab-12 345", **window).plate_range
    assert named is not None
    assert named.plate == "AB12345"
    for changed in (
        {"plate": "AB*", **window},
        {"plate": "AB1", "from_at": NOON, "to_at": NOON},
        {"plate": "AB1", "from_at": NOON, "to_at": NOON + timedelta(days=400)},
    ):
        with pytest.raises(HoldSubjectMissing):
            wanted(**changed)


@pytest.mark.policy("131.5-c")
def test_a_hold_is_ended_once_by_somebody_else_who_says_why() -> None:
    assert holds_domain.checked_release(HOLD, "lee", " closed ") == "closed"
    with pytest.raises(SecondPersonNeeded):
        holds_domain.checked_release(HOLD, "kim", "closed")
    with pytest.raises(HoldReasonMissing):
        holds_domain.checked_release(HOLD, "lee", "")
    released = replace(HOLD, released_at=NOON, released_by_name="Lee")
    with pytest.raises(HoldReleased):
        holds_domain.checked_release(released, "lee", "closed")


def test_only_an_agencys_own_pictures_are_held_or_packed() -> None:
    assert is_picture_of("IL0", "IL0/2026/05/04/cam/f.jpg")
    assert not is_picture_of("IL0", "IL01/2026/05/04/cam/f.jpg")
    assert not is_picture_of("IL0", "IL0/../IL1/f.jpg")
