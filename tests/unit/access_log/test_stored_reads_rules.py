"""Which reads are stored, and for how long topics may keep them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from alpr_access_log import domain
from alpr_access_log.refusals import TopicsOutliveRetention
from alpr_common.errors import MalformedMessage
from alpr_common.messages.read import Box, Read
from alpr_common.policy import Policy
from alpr_common.topics import HOTLIST, READS

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)


def read(**changed: Any) -> Read:
    said: dict[str, Any] = {
        "read_id": uuid4(),
        "agency_id": "IL0222900",
        "camera_id": "cam-1",
        "plate": "BOI5",
        "match_key": "8015",
        "captured_at": NOON,
        "first_captured_at": NOON,
        "last_captured_at": NOON,
        "latitude": 41.8,
        "longitude": -87.9,
        "confidence": 0.9,
        "frame_id": uuid4(),
        "frame_object": "f.jpg",
        "plate_object": "p.jpg",
        "plate_box": Box(x1=0, y1=0, x2=1, y2=1),
        "emitted_at": NOON,
    }
    return Read(**(said | changed))


def test_a_sound_read_may_be_stored() -> None:
    domain.refuse_malformed_read(read(), Policy(), NOON)


@pytest.mark.parametrize(
    "changed",
    [
        {"plate": "boi5"},
        {"plate": "BO I5"},
        {"match_key": "BOI5"},
        {"captured_at": NOON + timedelta(minutes=6)},
    ],
)
def test_a_read_that_no_search_would_rightly_find_is_malformed(changed: dict[str, Any]) -> None:
    with pytest.raises(MalformedMessage):
        domain.refuse_malformed_read(read(**changed), Policy(), NOON)


@pytest.mark.policy("131.7-1d")
def test_a_read_beyond_its_retention_is_not_stored_any_more() -> None:
    policy = Policy(reads_retention_days=30)
    assert domain.is_past_retention(read(captured_at=NOON - timedelta(days=31)), policy, NOON)
    assert not domain.is_past_retention(read(captured_at=NOON - timedelta(days=29)), policy, NOON)


def test_days_are_those_of_utc() -> None:
    evening = datetime.fromisoformat("2026-05-03T20:00:00-05:00")
    assert [d.isoformat() for d in domain.days_of([read(captured_at=evening)])] == ["2026-05-04"]


@pytest.mark.policy("131.7-1d")
def test_topics_as_they_are_do_not_outlive_the_default_retention() -> None:
    domain.refuse_topics_that_outlive_retention([Policy()])


@pytest.mark.policy("131.7-1d")
def test_start_up_refuses_when_a_topic_outlives_the_shortest_retention() -> None:
    longer = replace(READS, retention_seconds=31 * 24 * 3600)
    with pytest.raises(TopicsOutliveRetention, match=r"alpr\.reads\.v1"):
        domain.refuse_topics_that_outlive_retention([Policy()], [longer])


@pytest.mark.policy("131.7-1d")
def test_a_dead_letter_topic_counts_as_well() -> None:
    policies = [Policy(), Policy(reads_retention_days=10)]
    with pytest.raises(TopicsOutliveRetention, match=r"\.dlq"):
        domain.refuse_topics_that_outlive_retention(policies)


@pytest.mark.policy("131.7-1d")
@pytest.mark.parametrize(
    ("delay_hours", "retention_days", "starts"), [(72, 20, True), (72, 19, False), (24, 16, True)]
)
def test_how_late_a_read_may_come_counts_as_well_since_retention_begins_with_its_capture(
    delay_hours: int, retention_days: int, starts: bool
) -> None:
    # Dead letters are kept for 14 days, and a frame may be sent late and then wait for as long.
    late = Policy(delivery_delay_max_seconds=delay_hours * 3600)
    policies = [late, Policy(delivery_delay_max_seconds=0, reads_retention_days=retention_days)]
    if starts:
        domain.refuse_topics_that_outlive_retention(policies)
    else:
        with pytest.raises(TopicsOutliveRetention, match=r"20 days after .* 6 days late"):
            domain.refuse_topics_that_outlive_retention(policies)


@pytest.mark.policy("131.7-1d")
def test_how_far_back_stored_reads_become_hits_counts_as_well() -> None:
    domain.refuse_topics_that_outlive_retention([Policy(retro_match_hours=16 * 24)])
    with pytest.raises(TopicsOutliveRetention, match=r"new entries for 17"):
        domain.refuse_topics_that_outlive_retention([Policy(retro_match_hours=17 * 24)])


@pytest.mark.policy("131.7-1d")
def test_a_topic_that_keeps_for_ever_never_holds_reads() -> None:
    with pytest.raises(TopicsOutliveRetention, match="for ever"):
        domain.refuse_topics_that_outlive_retention([Policy()], [HOTLIST])
