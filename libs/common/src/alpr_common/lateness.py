"""How late a frame, and what is read in it, may reach Kafka (131.7-1c).

The policy bounds how late a camera may send. A frame that was taken in time may then wait in
ingest's spool for as long again, while Kafka is away. Everything that counts from `captured_at` but
depends on when something was written to a topic rests on the sum: how long reads are on topics, and
how long the hot list remembers entries that expired.
"""

from datetime import timedelta

from alpr_common.policy import Policy


def spooled_at_most(policy: Policy) -> timedelta:
    """How long a frame that was taken in may wait for Kafka."""
    return timedelta(seconds=policy.delivery_delay_max_seconds)


def on_kafka_after_at_most(policy: Policy) -> timedelta:
    """How long after its capture a frame may reach Kafka. One that is older never does."""
    sent_late = timedelta(seconds=policy.delivery_delay_max_seconds)
    return sent_late + spooled_at_most(policy)
