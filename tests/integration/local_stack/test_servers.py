"""The servers start again, keep what they acknowledged, and leave nothing behind."""

from __future__ import annotations

import asyncio
import time

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient

from alpr_local.stack import Stack
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration

# On a machine that does much else. What a start takes is printed at the end of each test run.
START_LIMIT_SECONDS = 120


async def _publish(servers: str, topic: str, value: bytes) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=servers, acks="all")
    await producer.start()
    try:
        await producer.send_and_wait(topic, value)
    finally:
        await producer.stop()


async def _first_value(servers: str, topic: str) -> bytes:
    consumer = AIOKafkaConsumer(
        topic, bootstrap_servers=servers, auto_offset_reset="earliest", group_id=None
    )
    await consumer.start()
    try:
        record = await asyncio.wait_for(consumer.getone(), 60)
        return bytes(record.value)
    finally:
        await consumer.stop()


async def forgot(admin: AIOKafkaAdminClient, group: str) -> bool:
    return not await admin.list_consumer_group_offsets(group)


def test_a_stopped_stack_starts_again(local_stack: Stack) -> None:
    local_stack.kafka.stop()
    local_stack.postgres.stop()
    began = time.monotonic()
    local_stack.start()
    assert time.monotonic() - began < START_LIMIT_SECONDS


async def test_an_acknowledged_message_survives_a_killed_broker(local_stack: Stack) -> None:
    address = local_stack.kafka_bootstrap_servers
    await _publish(address, "alpr.audit.v1", b"acknowledged")
    await asyncio.to_thread(local_stack.kafka.kill)
    assert not local_stack.kafka.is_running()
    await asyncio.to_thread(local_stack.kafka.start)
    assert await _first_value(address, "alpr.audit.v1") == b"acknowledged"


async def test_an_acknowledged_row_survives_a_killed_server(local_stack: Stack) -> None:
    owner = await asyncpg.connect(local_stack.postgres_dsn("alpr_ingest_owner"))
    await owner.execute("CREATE TABLE kept (what text)")
    await owner.execute("INSERT INTO kept VALUES ('acknowledged')")
    await asyncio.to_thread(local_stack.postgres.kill)
    owner.terminate()
    await asyncio.to_thread(local_stack.postgres.start)
    again = await asyncpg.connect(local_stack.postgres_dsn("alpr_ingest"))
    try:
        assert await again.fetchval("SELECT what FROM kept") == "acknowledged"
    finally:
        await again.close()


async def test_a_cleared_stack_holds_no_message_offset_table_or_object(fresh_stack: Stack) -> None:
    address, topic = fresh_stack.kafka_bootstrap_servers, "alpr.audit.v1"
    await _publish(address, topic, b"of an earlier test")
    consumer = AIOKafkaConsumer(
        topic, bootstrap_servers=address, auto_offset_reset="earliest", group_id="alpr-earlier"
    )
    await consumer.start()
    await asyncio.wait_for(consumer.getone(), 60)
    await consumer.commit()
    await consumer.stop()
    owner = await asyncpg.connect(fresh_stack.postgres_dsn("alpr_ingest_owner"))
    await owner.execute("CREATE TABLE earlier ()")
    (fresh_stack.objects_folder / "earlier").touch()

    await asyncio.to_thread(fresh_stack.clear)
    await asyncio.to_thread(fresh_stack.create_topics)
    owner.terminate()

    admin = AIOKafkaAdminClient(bootstrap_servers=address)
    await admin.start()
    try:
        # The broker forgets them a moment after their topic is gone.
        await eventually(lambda: forgot(admin, "alpr-earlier"), what="no offset is kept")
    finally:
        await admin.close()
    await _publish(address, topic, b"of this test")
    assert await _first_value(address, topic) == b"of this test"
    owner = await asyncpg.connect(fresh_stack.postgres_dsn("alpr_ingest_owner"))
    try:
        assert await owner.fetchval("SELECT to_regclass('earlier')") is None
    finally:
        await owner.close()
    assert list(fresh_stack.objects_folder.iterdir()) == []
