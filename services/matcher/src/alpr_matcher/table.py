"""The whole hot list in a worker's memory, read from the compacted topic and followed from then on.

Records are kept as the bytes that travelled: a read's key is looked up in a dictionary, and only a
key that is there is decoded.
"""

import asyncio
import contextlib
from collections.abc import Mapping

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError
from prometheus_client import Counter, Gauge
from pydantic import ValidationError

from alpr_common.kafka import backoff_seconds
from alpr_common.messages.hotlist import HotListEntry, HotListRecord
from alpr_common.topics import HOTLIST

log = structlog.get_logger()

KEYS = Gauge("alpr_matcher_hotlist_keys", "Match keys in this worker's table")
ENTRIES = Gauge("alpr_matcher_hotlist_entries", "Hot list entries in this worker's table")
UPDATED_AT = Gauge(
    "alpr_matcher_hotlist_updated_timestamp_seconds", "When the newest record taken was written"
)
MALFORMED = Counter("alpr_matcher_hotlist_malformed_total", "Hot list records that say nothing")

_POLL_MS = 200
_BATCH = 5000


class HotListTable:
    """Match key → the record of that key."""

    def __init__(self) -> None:
        self._records: dict[bytes, bytes] = {}
        self._entries = 0

    def __len__(self) -> int:
        return len(self._records)

    @property
    def entry_count(self) -> int:
        return self._entries

    def put(self, key: bytes, value: bytes | None) -> None:
        """Take a record; None removes the key. Raises `ValidationError` and keeps what it has."""
        taken = len(HotListRecord.from_bytes(value).entries) if value else 0
        before = self._records.get(key)
        if before is not None:
            self._entries -= len(HotListRecord.from_bytes(before).entries)
        if value and taken:
            self._records[key] = value
            self._entries += taken
        else:
            self._records.pop(key, None)

    def __contains__(self, key: object) -> bool:
        return key in self._records

    def entries(self, key: bytes) -> tuple[HotListEntry, ...]:
        """The entries with that match key."""
        value = self._records.get(key)
        return HotListRecord.from_bytes(value).entries if value is not None else ()


class HotListFollower:
    """Reads all partitions of the hot list from their beginning and keeps following them.

    Without a consumer group: every worker has the whole list, whichever reads it is given.
    """

    def __init__(self, bootstrap_servers: str, table: HotListTable) -> None:
        self._servers, self._table = bootstrap_servers, table
        self._consumer: AIOKafkaConsumer | None = None
        self._taken: dict[TopicPartition, int] = {}
        self._progress = asyncio.Event()
        self._complete = False

    @property
    def is_complete(self) -> bool:
        """Whether the table has once held everything that was on the topic."""
        return self._complete

    async def run(self) -> None:
        """Follow until cancelled; outages are waited out where they are met."""
        backoff = backoff_seconds()
        while True:
            consumer = AIOKafkaConsumer(
                HOTLIST.name,
                bootstrap_servers=self._servers,
                auto_offset_reset="earliest",
                enable_auto_commit=False,
                isolation_level="read_committed",
                max_partition_fetch_bytes=4 * 1024 * 1024,
            )
            try:
                await consumer.start()
                backoff = backoff_seconds()
                await self._follow(consumer)
            except (KafkaError, OSError) as error:
                log.warning("hotlist.away", error=repr(error))
                await asyncio.sleep(next(backoff))
            finally:
                self._consumer = None
                with contextlib.suppress(KafkaError):
                    await asyncio.shield(consumer.stop())

    async def caught_up(self) -> None:
        """Return when the table holds everything that was on the topic at the time of the call."""
        backoff = backoff_seconds()
        while True:
            ends = await self._ends()
            if ends is not None:
                break
            await asyncio.sleep(next(backoff))
        while any(self._taken.get(tp, 0) < end for tp, end in ends.items()):
            self._progress.clear()
            await self._progress.wait()
        if not self._complete:
            self._complete = True
            log.info("hotlist.complete", keys=len(self._table), entries=self._table.entry_count)

    async def _ends(self) -> Mapping[TopicPartition, int] | None:
        """Where each partition ends now; None while the topic cannot be asked."""
        consumer = self._consumer
        partitions = consumer.assignment() if consumer is not None else None
        if consumer is None or not partitions:
            return None
        try:
            ends: Mapping[TopicPartition, int] = await consumer.end_offsets(partitions)
        except KafkaError as error:
            log.warning("hotlist.away", error=repr(error))
            return None
        return ends

    async def _follow(self, consumer: AIOKafkaConsumer) -> None:
        for tp in consumer.assignment() & self._taken.keys():
            # What was taken stays taken: an older record must not come over a newer one.
            consumer.seek(tp, self._taken[tp])
        self._consumer = consumer
        while True:
            fetched = await consumer.getmany(timeout_ms=_POLL_MS, max_records=_BATCH)
            for messages in fetched.values():
                for message in messages:
                    self._take(message.key, message.value, message.offset)
                UPDATED_AT.set(messages[-1].timestamp / 1000)
            await self._note_positions(consumer)
            KEYS.set(len(self._table))
            ENTRIES.set(self._table.entry_count)

    def _take(self, key: bytes | None, value: bytes | None, offset: int) -> None:
        try:
            self._table.put(key or b"", value)
        except ValidationError as error:
            # The record before it stays in force: better an old entry than none.
            MALFORMED.inc()
            log.error("hotlist.malformed", key=repr(key), offset=offset, reason=str(error)[:500])

    async def _note_positions(self, consumer: AIOKafkaConsumer) -> None:
        """Positions rather than the last offsets: compaction leaves gaps, also at the end."""
        for tp in consumer.assignment():
            # A position is known at once, but for a partition that could not be asked yet.
            with contextlib.suppress(TimeoutError):
                self._taken[tp] = await asyncio.wait_for(consumer.position(tp), timeout=0.5)
        self._progress.set()
