"""Reads the hot list and the patterns from their compacted topics, whole, and follows them.

Without a consumer group: every worker has the whole list, whichever reads it is given.
"""

import asyncio
import contextlib
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError
from prometheus_client import Gauge

from alpr_common.kafka import backoff_seconds
from alpr_common.topics import HOTLIST, HOTLIST_PATTERNS
from alpr_matcher.local_store import Mark, checksum
from alpr_matcher.table import HotListTable

log = structlog.get_logger()

KEYS = Gauge("alpr_matcher_hotlist_keys", "Match keys in this worker's table")
ENTRIES = Gauge("alpr_matcher_hotlist_entries", "Hot list entries in this worker's table")
PATTERNS = Gauge("alpr_matcher_hotlist_patterns", "Partial and wildcard entries in this worker")
BEHIND = Gauge("alpr_matcher_hotlist_lag_messages", "Hot list messages not yet taken")
UPDATED_AT = Gauge(
    "alpr_matcher_hotlist_updated_timestamp_seconds", "When the newest record taken was written"
)
CURRENT_AT = Gauge(
    "alpr_matcher_hotlist_current_timestamp_seconds", "When the table last held all of the topic"
)

_POLL_MS = 200
# A batch is taken in one go: large ones load faster, small ones do not hold up the reads.
_BATCH_LOADING, _BATCH_FOLLOWING = 5000, 500
_SWEEP_SECONDS = 5.0
_ANSWER_SECONDS = 10.0
_HEARD_SECONDS = 5.0
# Tombstones are removed from the topic after 24 h (`delete.retention.ms`). Whoever was away for
# longer may have missed one, and would go on looking for a plate that was taken off the list.
_AWAY_MOST_SECONDS = 12 * 3600.0


class AwayTooLong(Exception):
    """The list was out of reach for so long that it has to be read anew from the beginning."""


class HotListFollower:
    """Keeps a `HotListTable` at the end of both topics."""

    def __init__(
        self, bootstrap_servers: str, table: HotListTable, expired_kept: timedelta
    ) -> None:
        self._servers, self._table, self._expired_kept = bootstrap_servers, table, expired_kept
        self._consumer: AIOKafkaConsumer | None = None
        self._taken: dict[TopicPartition, int] = {}
        self._progress = asyncio.Event()
        self._complete = self._loaded = False
        self._current, self._swept = time.monotonic(), float("-inf")
        self._updated_at = 0.0

    @property
    def is_complete(self) -> bool:
        """Whether the table has once held everything that was on the topics."""
        return self._complete

    async def run(self) -> None:
        """Follow until cancelled; outages are waited out where they are met.

        Raises `StoreBroken` and `AwayTooLong`: a new start reads everything anew.
        """
        backoff = backoff_seconds()
        while True:
            consumer = AIOKafkaConsumer(
                HOTLIST.name,
                HOTLIST_PATTERNS.name,
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
                await _stopped(consumer)

    async def caught_up(self) -> None:
        """Return when the table holds everything that was on the topics at the time of the call."""
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
            log.info(
                "hotlist.complete",
                keys=len(self._table),
                entries=self._table.entry_count,
                patterns=len(self._table.patterns),
            )

    async def _ends(self) -> Mapping[TopicPartition, int] | None:
        """Where each partition ends now; None while the topics cannot be asked."""
        consumer = self._consumer
        partitions = consumer.assignment() if consumer is not None else None
        if consumer is None or not partitions or not _both(partitions):
            return None
        try:
            ends: Mapping[TopicPartition, int] = await consumer.end_offsets(partitions)
        except KafkaError as error:
            log.warning("hotlist.away", error=repr(error))
            return None
        return ends

    async def _follow(self, consumer: AIOKafkaConsumer) -> None:
        if not self._loaded:
            await self._resume(consumer)
        for tp in consumer.assignment() & self._taken.keys():
            # What was taken stays taken: an older record must not come over a newer one.
            consumer.seek(tp, self._taken[tp])
        self._consumer = consumer
        while True:
            most = _BATCH_FOLLOWING if self._complete else _BATCH_LOADING
            fetched = await consumer.getmany(timeout_ms=_POLL_MS, max_records=most)
            for tp, messages in fetched.items():
                if messages:
                    self._take(tp, messages)
            await self._note_positions(consumer)
            self._note_freshness(consumer)
            self._forget_expired()

    async def _resume(self, consumer: AIOKafkaConsumer) -> None:
        """Start from the copy of the list that this worker left behind, if it is good for that."""
        began = time.monotonic()
        marks = await asyncio.to_thread(self._table.load, time.time() - _AWAY_MOST_SECONDS)
        if marks and not await _is_same_topic(consumer, marks):
            log.info("hotlist.copy_discarded", why="the topic is another one")
            self._table.clear()
            marks = {}
            # Asking has moved it behind the records that it looked at: all are to be read.
            await consumer.seek_to_beginning(*consumer.assignment())
        self._taken = {TopicPartition(HOTLIST.name, p): m.next_offset for p, m in marks.items()}
        self._loaded = True
        seconds = round(time.monotonic() - began, 3)
        log.info("hotlist.resumed", keys=len(self._table), seconds=seconds)

    def _take(self, tp: TopicPartition, messages: Sequence[Any]) -> None:
        if tp.topic == HOTLIST_PATTERNS.name:
            for message in messages:
                self._table.put_pattern(message.key or b"", message.value)
        else:
            last = messages[-1]
            mark = Mark(
                last.offset + 1, last.offset, last.timestamp, checksum(last.key or b"", last.value)
            )
            self._table.take(((m.key or b"", m.value) for m in messages), {tp.partition: mark})
        # Partitions come in any order: the gauge is not taken back by what another one said before.
        self._updated_at = max(self._updated_at, messages[-1].timestamp / 1000)
        UPDATED_AT.set(self._updated_at)

    async def _note_positions(self, consumer: AIOKafkaConsumer) -> None:
        """Positions rather than the last offsets: compaction leaves gaps, also at the end."""
        for tp in consumer.assignment():
            # A position is known at once, but for a partition that could not be asked yet.
            with contextlib.suppress(TimeoutError):
                self._taken[tp] = await asyncio.wait_for(consumer.position(tp), timeout=0.5)
        self._progress.set()

    def _note_freshness(self, consumer: AIOKafkaConsumer) -> None:
        """Gauges; raises `AwayTooLong` when removals may have been missed."""
        KEYS.set(len(self._table))
        ENTRIES.set(self._table.entry_count)
        PATTERNS.set(len(self._table.patterns))
        now = time.monotonic()
        if now - self._current > _AWAY_MOST_SECONDS:
            self._table.clear()
            raise AwayTooLong("the hot list was out of reach for 12 hours")
        ends = {tp: consumer.highwater(tp) for tp in consumer.assignment()}
        heard_at = [consumer.last_poll_timestamp(tp) for tp in consumer.assignment()]
        if not ends or any(end is None for end in ends.values()):
            return
        behind = sum(max(0, end - self._taken.get(tp, 0)) for tp, end in ends.items())
        BEHIND.set(behind)
        # While the broker is away the ends are those that were last heard of.
        lately = all(at is not None and time.time() - at / 1000 < _HEARD_SECONDS for at in heard_at)
        if behind == 0 and lately and self._complete:
            self._current = now
            CURRENT_AT.set(time.time())

    def _forget_expired(self) -> None:
        """Now and then: let go what expired so long ago that no read can be from before.

        The copy's age is noted on the same occasion.
        """
        now = time.monotonic()
        if not self._complete or now - self._swept < _SWEEP_SECONDS:
            return
        until = datetime.now(UTC) - self._expired_kept
        if forgotten := self._table.forget_expired(until):
            log.info("hotlist.expired", keys=forgotten)
            return  # perhaps not all of them: go on at the next occasion, reads come in between
        if self._current > self._swept:
            self._table.note_complete(time.time())
        self._swept = now


async def _stopped(consumer: AIOKafkaConsumer) -> None:
    """Stop it, whatever that gives. aiokafka cancels a fetch of its own that is to be tried again,
    and passes that on, as if it were this task that somebody cancelled."""
    stopping = asyncio.ensure_future(consumer.stop())
    await asyncio.wait({stopping})
    if not stopping.cancelled() and (error := stopping.exception()) is not None:
        log.warning("hotlist.stopping", error=repr(error))


def _both(partitions: set[TopicPartition]) -> bool:
    """A topic of which no partition is known is one that could not be asked, not an empty one."""
    return {tp.topic for tp in partitions} == {HOTLIST.name, HOTLIST_PATTERNS.name}


async def _is_same_topic(consumer: AIOKafkaConsumer, marks: Mapping[int, Mark]) -> bool:
    """Whether the last record of each partition is still where it was taken, unchanged.

    A topic that was made anew, or lost its end, has other records at those offsets. One whose
    last record was compacted away since is treated as another one: that costs a full load.
    """
    wanted = {TopicPartition(HOTLIST.name, p): mark for p, mark in marks.items()}
    if not wanted.keys() <= consumer.assignment():
        return False
    ends = await consumer.end_offsets(list(wanted))
    if any(ends[tp] < mark.next_offset for tp, mark in wanted.items()):
        return False
    for tp, mark in wanted.items():
        consumer.seek(tp, mark.last_offset)
        try:
            found = await asyncio.wait_for(consumer.getone(tp), _ANSWER_SECONDS)
        except TimeoutError:
            return False
        seen = (found.offset, found.timestamp, checksum(found.key or b"", found.value))
        if seen != (mark.last_offset, mark.last_timestamp, mark.last_checksum):
            return False
    return True
