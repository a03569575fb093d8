"""The consume loop: what is malformed is put aside, what is away is waited for, and offsets are
committed after the handler returned."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Generic, Protocol

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError
from aiokafka.structs import OffsetAndMetadata
from prometheus_client import Counter, Gauge
from pydantic import ValidationError

from alpr_common.errors import DeadLetterCapReached, MalformedMessage, Outage
from alpr_common.kafka.dead_letters import DeadLetterCap, publish_dead_letter
from alpr_common.kafka.publisher import Publisher
from alpr_common.kafka.received import MAX_REQUEST_BYTES, Decoded, Received, T, received_from
from alpr_common.kafka.waiting import backoff_seconds
from alpr_common.topics import Topic

log = structlog.get_logger()

CONSUMED = Counter("alpr_messages_consumed_total", "Messages handled", ["topic", "group"])
RETRIES = Counter("alpr_consume_retries_total", "Batches tried again", ["topic", "group"])
LAG = Gauge("alpr_consumer_lag_messages", "Messages behind", ["topic", "partition", "group"])


class Checkpoints(Protocol):
    """For consumers whose state spans messages: they say themselves what may be committed."""

    def assigned(self, metadata: Mapping[TopicPartition, str]) -> None:
        """Partitions came, with the metadata text of their last commit ("" when none)."""

    def revoked(self, partitions: set[TopicPartition]) -> None:
        """Partitions went; forget their state."""

    def dead_lettered(self, partition: TopicPartition, offset: int) -> None:
        """A message is done with that the handler may never have seen. Earlier ones of its batch
        may still be unhandled; all are handled when `offsets` is asked."""

    def offsets(self) -> Mapping[TopicPartition, tuple[int, str]]:
        """Next offset to read and metadata text (at most 4 kB) per partition, to commit now."""


class ConsumeLoop(Generic[T]):
    """Consumes one topic in batches.

    `decode` turns a message into what it says, raising `MalformedMessage`, `ValidationError`,
    `KeyError` or `ValueError` for one that can never be handled. `handle` takes a batch and
    returns when its effects are durable; what it raises means: `Outage` or `OSError` retry the
    batch, anything else handle the messages one by one and dead-letter the one that fails.
    `idle` is called at least every `poll_seconds`, also without messages.
    """

    def __init__(
        self,
        *,
        bootstrap_servers: str,
        group_id: str,
        topic: Topic,
        decode: Callable[[Received], T],
        handle: Callable[[Sequence[Decoded[T]]], Awaitable[None]],
        publisher: Publisher,
        idle: Callable[[], Awaitable[None]] | None = None,
        checkpoints: Checkpoints | None = None,
        batch_size: int = 100,
        poll_seconds: float = 0.25,
        cap: DeadLetterCap | None = None,
    ) -> None:
        self._servers, self._group, self._topic = bootstrap_servers, group_id, topic
        self._decode, self._handle, self._idle = decode, handle, idle
        self._publisher, self._checkpoints = publisher, checkpoints
        self._batch_size, self._poll_seconds = batch_size, poll_seconds
        self._cap = cap or DeadLetterCap()
        # Held while a batch is handled and committed; a rebalance waits for it, so that a
        # partition is never given away with a half-handled batch.
        self._busy = asyncio.Lock()
        self._consumer: AIOKafkaConsumer | None = None
        self._assigned = asyncio.Event()
        self._committed: dict[TopicPartition, OffsetAndMetadata] = {}

    @property
    def is_ready(self) -> bool:
        """Whether the group has given this consumer its partitions (perhaps none)."""
        return self._assigned.is_set()

    def highwater(self, partition: TopicPartition) -> int | None:
        """The offset after the newest message of an assigned partition, as last heard."""
        consumer = self._consumer
        if consumer is None or partition not in consumer.assignment():
            return None
        offset: int | None = consumer.highwater(partition)
        return offset

    async def run(self) -> None:
        """Consume until cancelled; raises `DeadLetterCapReached`."""
        consumer = await self._started_consumer()
        try:
            while True:
                fetched = await consumer.getmany(
                    timeout_ms=int(self._poll_seconds * 1000), max_records=self._batch_size
                )
                async with self._busy:
                    batch = [received_from(m) for ms in fetched.values() for m in ms]
                    if batch:
                        await self._handle_batch(batch)
                    if self._idle is not None:
                        await self._retrying(self._idle)
                    await self._commit(fetched)
        finally:
            self._assigned.clear()
            with contextlib.suppress(KafkaError):
                await asyncio.shield(consumer.stop())

    async def _started_consumer(self) -> AIOKafkaConsumer:
        backoff = backoff_seconds()
        while True:
            consumer = AIOKafkaConsumer(
                bootstrap_servers=self._servers,
                group_id=self._group,
                enable_auto_commit=False,
                auto_offset_reset="earliest",
                isolation_level="read_committed",
                max_partition_fetch_bytes=8 * MAX_REQUEST_BYTES,
                session_timeout_ms=10_000,
                rebalance_timeout_ms=30_000,
                heartbeat_interval_ms=2_000,
            )
            # Known before it starts: the first assignment already asks it for metadata.
            self._consumer = consumer
            consumer.subscribe([self._topic.name], listener=_Rebalances(self))
            try:
                await consumer.start()
                return consumer
            except KafkaError as error:
                await consumer.stop()
                log.warning("kafka.away", topic=self._topic.name, error=repr(error))
                await asyncio.sleep(next(backoff))

    async def _handle_batch(self, batch: Sequence[Received]) -> None:
        decoded = []
        for received in batch:
            try:
                decoded.append(Decoded(self._decode(received), received))
            except (MalformedMessage, ValidationError, KeyError, ValueError) as error:
                await self._dead_letter(received, error)
        try:
            if decoded:
                await self._retrying(lambda: self._handle(decoded))
        except DeadLetterCapReached:
            raise
        except Exception as error:  # noqa: BLE001 - one of them is poison: find it, spare the rest
            log.warning("batch.poisoned", topic=self._topic.name, error=repr(error))
            for one in decoded:
                await self._handle_one(one)
        CONSUMED.labels(self._topic.name, self._group).inc(len(batch))

    async def _handle_one(self, one: Decoded[T]) -> None:
        try:
            await self._retrying(lambda: self._handle([one]))
        except DeadLetterCapReached:
            raise
        except MalformedMessage as error:
            await self._dead_letter(one.received, error)
        except Exception as error:
            log.exception("message.poisoned", topic=self._topic.name, offset=one.received.offset)
            await self._dead_letter(one.received, error)

    async def _retrying(self, action: Callable[[], Awaitable[None]]) -> None:
        backoff = backoff_seconds()
        while True:
            try:
                await action()
                return
            except (Outage, OSError) as error:
                RETRIES.labels(self._topic.name, self._group).inc()
                log.warning("outage.retrying", topic=self._topic.name, error=str(error))
                await asyncio.sleep(next(backoff))

    async def _dead_letter(self, received: Received, error: Exception) -> None:
        self._cap.count(time.monotonic())
        await self._retrying(
            lambda: publish_dead_letter(self._publisher, received, self._group, error)
        )
        if self._checkpoints is not None:
            partition = TopicPartition(received.topic, received.partition)
            self._checkpoints.dead_lettered(partition, received.offset)

    async def _commit(self, fetched: Mapping[TopicPartition, Sequence[Any]]) -> None:
        assert self._consumer is not None
        if self._checkpoints is not None:
            offsets = {
                tp: OffsetAndMetadata(offset, metadata)
                for tp, (offset, metadata) in self._checkpoints.offsets().items()
            }
        else:
            offsets = {
                tp: OffsetAndMetadata(ms[-1].offset + 1, "") for tp, ms in fetched.items() if ms
            }
        self._note_lag(fetched)
        changed = {tp: at for tp, at in offsets.items() if self._committed.get(tp) != at}
        if not changed:
            return
        try:
            await self._consumer.commit(changed)
            self._committed |= changed
        except (CommitFailedError, IllegalStateError):
            # The partition has a new owner, who handles the batch again; ids make that harmless.
            log.info("commit.lost_partition", topic=self._topic.name)
        except KafkaError as error:
            log.warning("commit.failed", topic=self._topic.name, error=repr(error))

    def _note_lag(self, fetched: Mapping[TopicPartition, Sequence[Any]]) -> None:
        assert self._consumer is not None
        for tp, messages in fetched.items():
            highwater = self._consumer.highwater(tp)
            if messages and highwater is not None:
                lag = highwater - messages[-1].offset - 1
                LAG.labels(tp.topic, str(tp.partition), self._group).set(lag)


class _Rebalances(ConsumerRebalanceListener):  # type: ignore[misc]
    """Waits for the batch in hand before partitions go; tells `Checkpoints` who came and went."""

    def __init__(self, loop: ConsumeLoop[Any]) -> None:
        self._loop = loop

    async def on_partitions_revoked(self, revoked: list[TopicPartition]) -> None:
        async with self._loop._busy:
            self._loop._committed.clear()
            if revoked and self._loop._checkpoints is not None:
                self._loop._checkpoints.revoked(set(revoked))

    async def on_partitions_assigned(self, assigned: list[TopicPartition]) -> None:
        loop = self._loop
        # Messages can be fetched before the metadata has come: they wait until it is known.
        async with loop._busy:
            if loop._checkpoints is not None:
                loop._checkpoints.assigned(await self._metadata(assigned))
        loop._assigned.set()

    async def _metadata(self, assigned: list[TopicPartition]) -> dict[TopicPartition, str]:
        consumer = self._loop._consumer
        if not assigned or consumer is None:
            return {}
        backoff = backoff_seconds()
        while True:
            try:
                # Asked for `assigned` as a list: the coordinator iterates it more than once.
                committed = await consumer._coordinator.fetch_committed_offsets(list(assigned))
            except KafkaError as error:
                # Going on without it would forget what the last owner knew.
                log.warning("metadata.retrying", topic=self._loop._topic.name, error=repr(error))
                await asyncio.sleep(next(backoff))
            else:
                found = {tp: at.metadata or "" for tp, at in committed.items()}
                return {tp: found.get(tp, "") for tp in assigned}
