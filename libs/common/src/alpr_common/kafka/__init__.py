"""The edge to Kafka: a publisher that waits for acknowledgement, and the consume loop.

The loop's promises: a malformed message goes to its dead-letter topic with the reason and the
rest goes on; an outage is retried with back-off and never dead-lettered; too many dead letters
stop the consumer instead of draining the topic; offsets are committed after the handler returned.
"""

from alpr_common.kafka.consume import CONSUMED, LAG, RETRIES, Checkpoints, ConsumeLoop
from alpr_common.kafka.dead_letters import DEAD_LETTERS, DeadLetterCap, publish_dead_letter
from alpr_common.kafka.publisher import Publisher, all_acknowledged
from alpr_common.kafka.received import Decoded, Received, received_from
from alpr_common.kafka.waiting import backoff_seconds

__all__ = [
    "CONSUMED",
    "DEAD_LETTERS",
    "LAG",
    "RETRIES",
    "Checkpoints",
    "ConsumeLoop",
    "DeadLetterCap",
    "Decoded",
    "Publisher",
    "Received",
    "all_acknowledged",
    "backoff_seconds",
    "publish_dead_letter",
    "received_from",
]
