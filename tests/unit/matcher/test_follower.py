"""When the table counts as current, and when it can no longer be trusted."""

import time
from datetime import timedelta
from typing import Any

import pytest
from aiokafka import ConsumerRecord, TopicPartition

from alpr_common.messages.hotlist import HotListRecord
from alpr_common.topics import HOTLIST, HOTLIST_PATTERNS
from alpr_matcher import follower as module
from alpr_matcher.follower import CURRENT_AT, UPDATED_AT, AwayTooLong, HotListFollower
from alpr_matcher.local_store import Mark
from alpr_matcher.table import HotListTable
from tests.unit.matcher.samples import an_entry

LIST, PATTERNS = TopicPartition(HOTLIST.name, 0), TopicPartition(HOTLIST_PATTERNS.name, 0)


class Consumer:
    """What a consumer knows of both topics' ends, and when the broker last told it."""

    def __init__(self, heard_seconds_ago: float = 0.0) -> None:
        self._heard_at = time.time() - heard_seconds_ago

    def assignment(self) -> set[TopicPartition]:
        return {LIST, PATTERNS}

    def highwater(self, partition: TopicPartition) -> int:
        return 5 if partition == LIST else 0

    def last_poll_timestamp(self, partition: TopicPartition) -> int:
        return int(self._heard_at * 1000)

    async def end_offsets(self, partitions: Any) -> dict[TopicPartition, int]:
        return {tp: self.highwater(tp) for tp in partitions}


@pytest.fixture
def follower() -> HotListFollower:
    made = HotListFollower("nowhere:1", HotListTable(), timedelta(days=1))
    made._complete, made._taken = True, {LIST: 5, PATTERNS: 0}
    CURRENT_AT.set(0)
    return made


def current_at() -> float:
    return float(CURRENT_AT._value.get())


def test_a_table_at_the_end_of_both_topics_is_current(follower: HotListFollower) -> None:
    follower._note_freshness(Consumer())
    assert time.time() - current_at() < 5


@pytest.mark.parametrize("case", ["behind", "broker silent", "still loading"])
def test_a_table_that_may_lack_something_is_not_current(
    follower: HotListFollower, case: str
) -> None:
    if case == "behind":
        follower._taken[LIST] = 4
    if case == "still loading":
        follower._complete = False
    follower._note_freshness(Consumer(heard_seconds_ago=60 if case == "broker silent" else 0))
    assert current_at() == 0


def test_a_list_out_of_reach_for_so_long_that_removals_are_lost_is_thrown_away(
    follower: HotListFollower,
) -> None:
    entry = an_entry()
    record = HotListRecord(match_key=entry.match_key, entries=(entry,))
    follower._table.put(entry.match_key.encode(), record.to_bytes())
    follower._current -= module._AWAY_MOST_SECONDS + 1
    with pytest.raises(AwayTooLong):
        follower._note_freshness(Consumer(heard_seconds_ago=13 * 3600))
    assert len(follower._table) == 0


def test_the_newest_record_taken_stays_the_newest_whatever_other_partitions_bring(
    follower: HotListFollower,
) -> None:
    def taken(partition: int, timestamp_ms: int) -> ConsumerRecord:
        topic = HOTLIST_PATTERNS.name
        return ConsumerRecord(
            topic, partition, 0, timestamp_ms, 0, b"key", None, None, 3, 0, ()
        )  # fmt: skip

    for partition, at in ((0, 2_000), (1, 1_000)):
        follower._take(TopicPartition(HOTLIST_PATTERNS.name, partition), [taken(partition, at)])
    assert UPDATED_AT._value.get() == 2.0


async def test_a_topic_that_is_another_one_is_read_from_its_beginning(
    follower: HotListFollower, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not from behind the record that was looked at to know it by: those before it are listed."""

    class Asked(Consumer):
        position = 0

        def seek(self, partition: TopicPartition, offset: int) -> None:
            assert partition == LIST
            self.position = offset

        async def getone(self, partition: TopicPartition) -> Any:
            found = ConsumerRecord(
                partition.topic, 0, self.position, 0, 0, b"other", b"{}", None, 5, 2, ()
            )  # fmt: skip
            self.position += 1
            return found

        async def seek_to_beginning(self, *partitions: TopicPartition) -> None:
            assert set(partitions) == {LIST, PATTERNS}
            self.position = 0

    marks = {0: Mark(next_offset=4, last_offset=3, last_timestamp=1, last_checksum=1)}
    monkeypatch.setattr(HotListTable, "load", lambda *_: marks)
    consumer = Asked()
    await follower._resume(consumer)
    assert (consumer.position, follower._taken) == (0, {})


async def test_a_topic_of_which_no_partition_is_known_is_not_an_empty_one(
    follower: HotListFollower,
) -> None:
    class OneTopic(Consumer):
        def assignment(self) -> set[TopicPartition]:
            return {LIST}

    follower._consumer = OneTopic()
    assert await follower._ends() is None
    follower._consumer = Consumer()
    assert await follower._ends() == {LIST: 5, PATTERNS: 0}
