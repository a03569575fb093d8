"""Keeps a service's `Revocations` up with `alpr.sessions.v1`."""

import asyncio
import contextlib
from datetime import UTC, datetime, timedelta
from typing import Any, Never

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError
from pydantic import ValidationError

from alpr_common.auth import Revocations
from alpr_common.kafka import backoff_seconds
from alpr_common.messages.session import TokensRefused
from alpr_common.topics import SESSIONS

log = structlog.get_logger()

_POLL_MS = 1000
# Longer than any access token lives.
_KEPT = timedelta(seconds=SESSIONS.retention_seconds or 3600)


async def follow(bootstrap_servers: str, revocations: Revocations) -> Never:
    """Read the topic from its beginning and on, for ever; outages are waited out.

    Every process reads all of it, so there is no consumer group and nothing is committed.
    """
    backoff = backoff_seconds()
    while True:
        consumer = AIOKafkaConsumer(
            bootstrap_servers=bootstrap_servers,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
        )
        try:
            await consumer.start()
            await _read(consumer, revocations)
        except KafkaError as error:
            log.warning("revocations.outage", error=repr(error))
        finally:
            with contextlib.suppress(KafkaError):
                await asyncio.shield(consumer.stop())
        await asyncio.sleep(next(backoff))


async def _read(consumer: AIOKafkaConsumer, revocations: Revocations) -> None:
    """Until Kafka fails in a way that only a new consumer mends."""
    partitions = [TopicPartition(SESSIONS.name, n) for n in range(SESSIONS.partitions)]
    # Offsets of a topic that is not there yet would be waited for in vain.
    if SESSIONS.name not in await consumer.topics():
        log.warning("revocations.topic_missing", topic=SESSIONS.name)
        return
    consumer.assign(partitions)
    ends = await consumer.end_offsets(partitions)
    await consumer.seek_to_beginning(*partitions)
    while True:
        if not revocations.is_loaded:
            positions = [await consumer.position(partition) for partition in partitions]
            revocations.is_loaded = all(
                position >= ends[partition]
                for position, partition in zip(positions, partitions, strict=True)
            )
        fetched = await consumer.getmany(timeout_ms=50 if not revocations.is_loaded else _POLL_MS)
        for messages in fetched.values():
            for message in messages:
                _take(message, revocations)
        revocations.forget(datetime.now(UTC) - _KEPT)


def _take(message: Any, revocations: Revocations) -> None:
    try:
        notice = TokensRefused.from_bytes(message.value or b"")
    except ValidationError as error:
        # Nothing to dead-letter: every service reads it, and one that stopped here would let in
        # what comes behind it.
        log.error("revocations.malformed", offset=message.offset, error=str(error)[:500])
        return
    revocations.take(notice)
