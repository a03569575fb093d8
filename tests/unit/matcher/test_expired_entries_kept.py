"""Expired entries stay for as long as a read from before may still come, or come again."""

from datetime import timedelta

from alpr_common.lateness import on_kafka_after_at_most
from alpr_common.policy import Policy
from alpr_common.topics import READS
from alpr_matcher.expiry import expired_kept


def test_a_read_that_came_as_late_as_it_may_and_is_replayed_meets_the_entries_of_its_time() -> None:
    policy = Policy(delivery_delay_max_seconds=48 * 3600)
    assert on_kafka_after_at_most(policy) == timedelta(hours=96)
    assert READS.retention_seconds is not None
    kept = expired_kept(policy, None)
    assert kept >= timedelta(hours=96) + timedelta(seconds=READS.retention_seconds)


def test_an_operator_may_say_how_long() -> None:
    assert expired_kept(Policy(), 60) == timedelta(minutes=1)
