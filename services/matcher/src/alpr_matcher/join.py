"""The join: a batch of raw reads against the table, hits out, malformed reads set aside."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import structlog
from prometheus_client import Counter, Histogram

from alpr_common.errors import MalformedMessage, Outage
from alpr_common.kafka import (
    RETRIES,
    DeadLetterCap,
    Publisher,
    Received,
    all_acknowledged,
    backoff_seconds,
    publish_dead_letter,
    received_from,
)
from alpr_common.messages.hit import Hit
from alpr_common.messages.read import Read
from alpr_common.plates import match_key
from alpr_common.policy import Policy
from alpr_common.topics import HITS, READS
from alpr_matcher.domain import match_read
from alpr_matcher.local_store import StoreBroken
from alpr_matcher.table import HotListTable

log = structlog.get_logger()

JOINED = Counter("alpr_matcher_reads_total", "Reads joined with the hot list")
LISTED = Counter("alpr_matcher_listed_reads_total", "Reads whose key is listed or fits a pattern")
HITS_MADE = Counter("alpr_matcher_hits_total", "Hits published", ["kind", "category"])
_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1, 2.5, 5, 10, 60, 600, 3600)
SINCE_EMITTED = Histogram(
    "alpr_matcher_emitted_to_hit_seconds", "From the read's emission to its hit", buckets=_BUCKETS
)
SINCE_READ = Histogram(
    "alpr_matcher_read_to_hit_seconds",
    "From the read on Kafka to its hit on Kafka",
    buckets=_BUCKETS,
)
SINCE_CAPTURED = Histogram(
    "alpr_matcher_captured_to_hit_seconds", "From the picture to the hit", buckets=_BUCKETS
)


class Join:
    """Joins batches of reads. Not to be called by two tasks at once."""

    def __init__(
        self,
        table: HotListTable,
        publisher: Publisher,
        policy: Policy,
        group: str,
        cap: DeadLetterCap,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._table, self._publisher, self._policy = table, publisher, policy
        self._group, self._cap, self._clock = group, cap, clock

    async def handle(self, batch: Sequence[Any]) -> None:
        """Return when every hit of the batch is acknowledged and every malformed read set aside.

        `batch` holds Kafka's records as aiokafka gives them; nearly all are asked for their key,
        and whether their value looks like a read with that key, and nothing else. Outages are
        retried for ever; what is published twice then has the same ids. Raises
        `DeadLetterCapReached`, and `StoreBroken`: then nothing may be committed.
        """
        hits: list[tuple[Hit, Received]] = []
        concerns = self._table.concerns
        for record in batch:
            listed = concerns(record.key)
            if not listed and _looks_whole(record.key, record.value):
                continue
            received = received_from(record)
            try:
                read = _read(received)
                if listed:
                    hits += [(hit, received) for hit in self._hits(received, read)]
            except StoreBroken:
                raise  # our fault, not the read's
            except Exception as error:  # noqa: BLE001 - one read must not stop the others
                await self._set_aside(received, error)
        if hits:
            await self._retrying(lambda: self._publish(hits))
            self._note(hits)
        JOINED.inc(len(batch))

    def _hits(self, received: Received, read: Read) -> list[Hit]:
        LISTED.inc()
        entries = self._table.entries(received.key or b"")
        return match_read(read, entries, self._policy, self._clock())

    async def _publish(self, hits: Sequence[tuple[Hit, Received]]) -> None:
        await all_acknowledged(
            self._publisher.enqueue(
                HITS, received.key or b"", hit.to_bytes(), context=received.context
            )
            for hit, received in hits
        )

    async def _set_aside(self, received: Received, error: Exception) -> None:
        self._cap.count(time.monotonic())
        await self._retrying(
            lambda: publish_dead_letter(self._publisher, received, self._group, error)
        )

    async def _retrying(self, action: Callable[[], Awaitable[None]]) -> None:
        backoff = backoff_seconds()
        while True:
            try:
                return await action()
            except (Outage, OSError) as error:
                RETRIES.labels(READS.name, self._group).inc()
                log.warning("outage.retrying", topic=READS.name, error=str(error))
                await asyncio.sleep(next(backoff))

    def _note(self, hits: Sequence[tuple[Hit, Received]]) -> None:
        now = self._clock()
        for hit, received in hits:
            SINCE_READ.observe(max(0.0, now.timestamp() - received.timestamp_ms / 1000))
            HITS_MADE.labels(hit.kind, hit.entry.category).inc()
            SINCE_EMITTED.observe(max(0.0, (now - hit.read.emitted_at).total_seconds()))
            SINCE_CAPTURED.observe(max(0.0, (now - hit.read.captured_at).total_seconds()))
            log.info(
                "hit",
                hit_id=str(hit.hit_id),
                read_id=str(hit.read.read_id),
                entry_id=str(hit.entry.entry_id),
                kind=hit.kind,
                category=hit.entry.category,
            )


def _looks_whole(key: bytes, value: bytes | None) -> bool:
    """Whether an unlisted read may be passed by undecoded: a cheap look, at every read.

    It finds what is empty, cut off, no JSON object or of another key than its message, which might
    be a listed one. What it does not find, a wrong field, access-log sets aside when it stores the
    read: it decodes every one.
    """
    return value is not None and value[-1:] == b"}" and b'"match_key":"' + key + b'"' in value


def _read(received: Received) -> Read:
    """The read in a message; raises `MalformedMessage` or `pydantic.ValidationError`."""
    if not received.key or received.value is None:
        raise MalformedMessage("A read needs its match key as the message's key, and a value.")
    read = Read.from_bytes(received.value)
    if not read.match_key.encode() == received.key == match_key(read.plate).encode():
        raise MalformedMessage(
            f"The match keys disagree: message {received.key!r}, read {read.match_key!r}, "
            f"plate {read.plate!r}."
        )
    return read
