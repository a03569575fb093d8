"""What may be stored as a read, and for how long (131.7-1d)."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta

from alpr_access_log.refusals import (
    TopicsOutliveRetention,
)
from alpr_common.errors import MalformedMessage
from alpr_common.lateness import on_kafka_after_at_most
from alpr_common.messages.read import Read
from alpr_common.plates import match_key, normalize
from alpr_common.policy import Policy
from alpr_common.topics import (
    ALERTS,
    DEAD_LETTER_RETENTION_SECONDS,
    FRAMES,
    HITS,
    READS,
    Topic,
)

_DAY = timedelta(days=1)
HOLDING_READS = (FRAMES, READS, HITS, ALERTS)
"""Topics whose messages are reads, carry reads, or are the pictures that reads come from."""


def refuse_malformed_read(read: Read, policy: Policy, now: datetime) -> None:
    """Raise `MalformedMessage` for a read that could be stored but never rightly found."""
    if normalize(read.plate) != read.plate:
        raise MalformedMessage("the plate is not normalized")
    if match_key(read.plate) != read.match_key:
        raise MalformedMessage("the match key is not the plate's")
    if read.captured_at > now + timedelta(seconds=policy.clock_skew_max_seconds):
        raise MalformedMessage("the read was captured in the future")


def is_past_retention(read: Read, policy: Policy, now: datetime) -> bool:
    """Whether the read is so old that it must not be stored any more (131.7-1d)."""
    return read.captured_at < now - timedelta(days=policy.reads_retention_days)


def days_of(reads: Iterable[Read]) -> list[date]:
    """The UTC days of capture, in order."""
    return sorted({read.captured_at.astimezone(UTC).date() for read in reads})


def refuse_topics_that_outlive_retention(
    policies: Iterable[Policy], topics: Iterable[Topic] = HOLDING_READS
) -> None:
    """Raise `TopicsOutliveRetention` when a topic or its dead-letter topic would keep reads longer
    than the shortest retention of any agency: what is deleted here must not live on there.

    Retention counts from a read's capture, a topic's from when something is written to it. So what
    the policy allows to come late counts in full; a consumer that stands still does not, since no
    policy allows it: its lag is a metric, and its operators are told.
    """
    policies = tuple(policies)
    shortest = timedelta(days=min(policy.reads_retention_days for policy in policies))
    late = max(on_kafka_after_at_most(policy) for policy in policies)
    looked_back = timedelta(hours=max(policy.retro_match_hours for policy in policies))
    for topic in topics:
        if topic.retention_seconds is None:
            raise TopicsOutliveRetention(f"{topic.name} keeps reads for ever.")
        seconds = max(topic.retention_seconds, DEAD_LETTER_RETENTION_SECONDS)
        # The hits that a new entry makes of stored reads are written that late, too.
        longest = max(late, looked_back) + timedelta(seconds=seconds)
        if longest > shortest:
            raise TopicsOutliveRetention(
                f"{topic.name} (with {topic.dead_letter_name}) keeps reads until "
                f"{longest / _DAY:g} days after their capture (they may come {late / _DAY:g} days "
                f"late, and be compared with new entries for {looked_back / _DAY:g}), the "
                f"shortest retention is {shortest / _DAY:g} days. Shorten the topic's retention or "
                "the policy's delivery_delay_max_seconds and retro_match_hours, or lengthen its "
                "reads_retention_days."
            )
