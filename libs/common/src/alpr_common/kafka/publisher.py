"""A producer that returns only when all in-sync replicas have the message."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Iterable
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.partitioner import DefaultPartitioner
from opentelemetry.context import Context

from alpr_common.errors import Outage
from alpr_common.kafka.received import MAX_REQUEST_BYTES
from alpr_common.telemetry import KafkaHeaders, trace_headers
from alpr_common.topics import Topic

# Where aiokafka itself puts a key: its other messages are there, and their order is kept there.
_PARTITION_OF = DefaultPartitioner()


class Publisher:
    """A producer that returns only when all in-sync replicas have the message.

    `batch_bytes`: how much goes to a partition in one go, far below what the topics take at once.
    """

    def __init__(
        self, bootstrap_servers: str, *, linger_ms: int = 0, batch_bytes: int = 16 * 1024
    ) -> None:
        self._servers = bootstrap_servers
        self._linger_ms, self._batch_bytes = linger_ms, batch_bytes
        self._producer: AIOKafkaProducer | None = None
        self._starting = asyncio.Lock()

    async def start(self) -> None:
        """Connect, once however many ask; raises `Outage` when no broker answers."""
        async with self._starting:
            if not self._is_alive:
                await self.stop()
                await self._start()

    @property
    def _is_alive(self) -> bool:
        """Whether there is a producer that still sends. A fatal answer of the broker (it lost the
        producer's sequence, say) ends aiokafka's sender for good; only a new one helps then."""
        return self._producer is not None and not self._producer._sender.sender_task.done()

    async def _start(self) -> None:
        producer = AIOKafkaProducer(
            bootstrap_servers=self._servers,
            acks="all",
            enable_idempotence=True,
            linger_ms=self._linger_ms,
            max_batch_size=self._batch_bytes,
            max_request_size=MAX_REQUEST_BYTES,
            request_timeout_ms=10_000,
        )
        try:
            await producer.start()
        except KafkaError as error:
            await producer.stop()
            raise Outage(f"Kafka did not answer: {error}") from error
        self._producer = producer

    async def stop(self) -> None:
        if self._producer is not None:
            await self._producer.stop()
            self._producer = None

    async def publish(
        self,
        topic: Topic | str,
        key: str | bytes,
        value: bytes | None,
        headers: KafkaHeaders | None = None,
        context: Context | None = None,
    ) -> None:
        """Send one message and wait for its acknowledgement; raises `Outage`.

        Trace context (the current one, or `context`) is added to the headers.
        """
        await (await self.enqueue(topic, key, value, headers, context))

    async def enqueue(
        self,
        topic: Topic | str,
        key: str | bytes,
        value: bytes | None,
        headers: KafkaHeaders | None = None,
        context: Context | None = None,
    ) -> Awaitable[None]:
        """Hand one message over; await what it returns for the acknowledgement.

        For batches: enqueue all, then await all. Order per key is kept.
        """
        raw_key = key.encode() if isinstance(key, str) else key
        name = topic if isinstance(topic, str) else topic.name
        return await self.enqueue_raw(
            name, raw_key, value, [*(headers or []), *trace_headers(context)]
        )

    async def enqueue_raw(
        self, topic: str, key: bytes, value: bytes | None, headers: KafkaHeaders
    ) -> Awaitable[None]:
        """As `enqueue`, with exactly these headers (for messages that carry their trace)."""
        if not self._is_alive:
            await self.start()
        assert self._producer is not None
        try:
            future = await self._producer.send(topic, value, key=key, headers=headers)
        except (TimeoutError, KafkaError) as error:
            raise Outage(f"Kafka did not take a message for {topic}: {error!r}") from error
        return _acknowledged(future, topic)

    async def publish_many(
        self, topic: str, messages: Iterable[tuple[bytes, bytes | None, KafkaHeaders]]
    ) -> None:
        """Send keys, values and headers, exactly these, and wait for all acknowledgements.

        For thousands: they are handed over as whole batches, which costs a quarter of handing over
        one by one. Order per key is kept. Raises `Outage`, with none of them left on its way.
        """
        if not self._is_alive:
            await self.start()
        assert self._producer is not None
        on_their_way: list[Awaitable[Any]] = []
        try:
            async for partition, batch in _batches(self._producer, topic, messages):
                batch.close()  # what others send meanwhile comes behind it
                on_their_way.append(
                    await self._producer.send_batch(batch, topic, partition=partition)
                )
        except (TimeoutError, KafkaError) as error:
            raise Outage(f"Kafka did not take messages for {topic}: {error!r}") from error
        finally:
            outcomes = await asyncio.gather(*on_their_way, return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, (TimeoutError, KafkaError)):
                raise Outage(f"Kafka did not acknowledge messages for {topic}: {outcome!r}")
            if isinstance(outcome, BaseException):
                raise outcome


async def _batches(
    producer: AIOKafkaProducer,
    topic: str,
    messages: Iterable[tuple[bytes, bytes | None, KafkaHeaders]],
) -> AsyncIterator[tuple[int, Any]]:
    """Partition and batch of all messages: each batch when it is full, the rest at the end."""
    partitions = sorted(await producer.partitions_for(topic))
    filling: dict[int, Any] = {}
    for key, value, headers in messages:
        partition = _PARTITION_OF(key, partitions, partitions)
        batch = filling.get(partition)
        if batch is None:
            batch = filling[partition] = producer.create_batch()
        if batch.append(timestamp=None, key=key, value=value, headers=headers) is None:
            yield partition, batch
            batch = filling[partition] = producer.create_batch()
            batch.append(timestamp=None, key=key, value=value, headers=headers)  # takes any first
    for partition, batch in filling.items():
        yield partition, batch


async def _acknowledged(future: Awaitable[Any], name: str) -> None:
    try:
        await future
    except (TimeoutError, KafkaError) as error:
        raise Outage(f"Kafka did not acknowledge a message for {name}: {error!r}") from error


async def all_acknowledged(handed_over: Iterable[Awaitable[Awaitable[None]]]) -> None:
    """Hand messages over one after the other (what `enqueue` and `enqueue_raw` return unawaited)
    and wait for all acknowledgements.

    Raises the first `Outage`, with none of them left on its way: when they are sent again, no old
    one arrives behind a newer one.
    """
    acknowledged: list[Awaitable[None]] = []
    try:
        for message in handed_over:
            acknowledged.append(await message)  # noqa: PERF401 - kept when a later one fails
    finally:
        outcomes = await asyncio.gather(*acknowledged, return_exceptions=True)
    for outcome in outcomes:
        if outcome is not None:
            raise outcome
