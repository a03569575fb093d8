"""Messages that can never be handled: put aside with the reason, and counted."""

from collections import deque

import structlog
from prometheus_client import Counter

from alpr_common.errors import DeadLetterCapReached
from alpr_common.kafka.publisher import Publisher
from alpr_common.kafka.received import Received
from alpr_common.topics import DEAD_LETTER_SUFFIX

log = structlog.get_logger()

DEAD_LETTERS = Counter("alpr_dead_letters_total", "Malformed messages", ["topic", "group"])


class DeadLetterCap:
    """More than `most` dead letters within `window_seconds` stop the consumer."""

    def __init__(self, most: int = 100, window_seconds: float = 60.0) -> None:
        self._most, self._window = most, window_seconds
        self._times: deque[float] = deque()

    def count(self, now: float) -> None:
        """Note one; raises `DeadLetterCapReached` above the cap."""
        self._times.append(now)
        while self._times and self._times[0] < now - self._window:
            self._times.popleft()
        if len(self._times) > self._most:
            raise DeadLetterCapReached(
                f"{len(self._times)} malformed messages within {self._window:g} s; the consumer "
                "stopped so that the topic is not drained. Look at the dead-letter topic, mend "
                "the cause, restart."
            )


async def publish_dead_letter(
    publisher: Publisher, received: Received, group: str, error: Exception
) -> None:
    """Put a message that can never be handled beside its topic, with the reason; raises `Outage`.

    Counted once it is there, so that a retry does not count it again.
    """
    headers = [
        *((k, v) for k, v in received.headers.items() if k != "traceparent"),
        ("alpr-dead-letter-reason", f"{type(error).__name__}: {error}"[:2000].encode()),
        ("alpr-dead-letter-group", group.encode()),
        (
            "alpr-dead-letter-source",
            f"{received.topic}/{received.partition}/{received.offset}".encode(),
        ),
    ]
    name = received.topic + DEAD_LETTER_SUFFIX
    await publisher.publish(name, received.key or b"", received.value, headers, received.context)
    DEAD_LETTERS.labels(received.topic, group).inc()
    log.warning(
        "message.dead_lettered",
        topic=received.topic,
        partition=received.partition,
        offset=received.offset,
        reason=str(error)[:500],
    )
