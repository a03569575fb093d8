"""The table of topics says what DESIGN and the policy ask of them."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest

from alpr_common.messages.base import Message
from alpr_common.messages.hotlist import HotListEntry
from alpr_common.messages.read import Read
from alpr_common.policy import Policy
from alpr_common.topics import (
    DEAD_LETTER_RETENTION_SECONDS,
    FRAMES,
    HITS,
    HOTLIST,
    HOTLIST_PATTERNS,
    READS,
    TOPICS,
    Topic,
    _specifications,
)

every_topic = pytest.mark.parametrize("topic", TOPICS, ids=lambda t: t.name)
DAY_SECONDS = 86_400


@every_topic
def test_a_topic_has_a_versioned_name_and_a_dead_letter_topic(topic: Topic) -> None:
    assert re.fullmatch(r"alpr\.[a-z-]+\.v[0-9]+", topic.name)
    assert topic.dead_letter_name == f"{topic.name}.dlq"


@every_topic
def test_the_key_is_a_field_of_the_message(topic: Topic) -> None:
    # A hit goes by its read's key, a pattern by its entry's.
    elsewhere: dict[str, type[Message]] = {HITS.name: Read, HOTLIST_PATTERNS.name: HotListEntry}
    carrier = elsewhere.get(topic.name, topic.message)
    assert topic.key in carrier.model_fields


def test_names_are_unique() -> None:
    names = [name for t in TOPICS for name in (t.name, t.dead_letter_name)]
    assert all(a != b for a, b in pairwise(sorted(names)))


def test_reads_and_hot_list_can_be_joined_partition_by_partition() -> None:
    assert READS.partitions == HOTLIST.partitions == HITS.partitions
    assert READS.key == HOTLIST.key == "match_key"


@pytest.mark.policy("131.7-1d")
def test_reads_lie_on_no_topic_for_longer_than_they_may_be_stored() -> None:
    most = Policy().reads_retention_days * DAY_SECONDS
    holding_reads = [t for t in TOPICS if t in (FRAMES, READS, HITS)]
    assert all(t.retention_seconds is not None for t in holding_reads)
    assert all((t.retention_seconds or 0) <= most for t in holding_reads)
    assert most >= DEAD_LETTER_RETENTION_SECONDS


def test_frames_are_kept_for_an_hour_and_may_be_as_large_as_the_policy_allows() -> None:
    assert FRAMES.retention_seconds == 3600
    assert int(FRAMES.config["max.message.bytes"]) > Policy().frame_max_bytes


def test_only_the_hot_list_and_its_patterns_are_compacted() -> None:
    assert [t for t in TOPICS if t.retention_seconds is None] == [HOTLIST, HOTLIST_PATTERNS]


def test_topics_are_made_with_their_clean_up_policy_and_their_dead_letters() -> None:
    made = {new.name: new for new in _specifications(TOPICS, 3)}
    assert len(made) == 2 * len(TOPICS)
    for topic in TOPICS:
        new, dead = made[topic.name], made[topic.dead_letter_name]
        compacted = topic.retention_seconds is None
        assert new.topic_configs["cleanup.policy"] == ("compact" if compacted else "delete")
        if topic.retention_seconds is not None:
            # A segment goes when its newest message is old: its oldest one is older by segment.ms.
            longest = sum(int(new.topic_configs[name]) for name in ("retention.ms", "segment.ms"))
            assert longest == topic.retention_seconds * 1000
            assert int(new.topic_configs["retention.ms"]) >= 0.85 * longest
        assert (new.num_partitions, new.replication_factor) == (topic.partitions, 3)
        assert dead.topic_configs["cleanup.policy"] == "delete"
        longest = sum(int(dead.topic_configs[name]) for name in ("retention.ms", "segment.ms"))
        assert longest == DEAD_LETTER_RETENTION_SECONDS * 1000
        # A frame that cannot be handled fits its dead-letter topic too.
        size = topic.config.get("max.message.bytes")
        assert dead.topic_configs.get("max.message.bytes") == size
