"""Looking at topics from outside: all messages of one, and whether a group has caught up."""

from __future__ import annotations

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from alpr_common.kafka import Received
from alpr_common.topics import Topic


async def everything(bootstrap_servers: str, topic: Topic | str) -> list[Received]:
    """All messages of a topic up to its present end, oldest first per partition."""
    name = topic if isinstance(topic, str) else topic.name
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap_servers, enable_auto_commit=False, auto_offset_reset="earliest"
    )
    await consumer.start()
    try:
        partitions = await _partitions(consumer, name)
        consumer.assign(partitions)
        ends = await consumer.end_offsets(partitions)
        found: list[Received] = []
        waiting = {tp for tp in partitions if ends[tp] > 0}
        while waiting:
            fetched = await consumer.getmany(timeout_ms=500)
            for messages in fetched.values():
                found += [
                    Received(
                        m.topic, m.partition, m.offset, m.key, m.value, dict(m.headers), m.timestamp
                    )
                    for m in messages
                ]
            for tp in list(waiting):
                if await consumer.position(tp) >= ends[tp]:
                    waiting.discard(tp)
        return sorted(found, key=lambda r: (r.partition, r.offset))
    finally:
        await consumer.stop()


async def caught_up(bootstrap_servers: str, group: str, topic: Topic) -> bool:
    """Whether the group has committed everything that is on the topic now."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap_servers, enable_auto_commit=False)
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers)
    await consumer.start()
    await admin.start()
    try:
        partitions = await _partitions(consumer, topic.name)
        ends = await consumer.end_offsets(partitions)
        committed = await admin.list_consumer_group_offsets(group)
        return all(
            ends[tp] == 0 or (tp in committed and committed[tp].offset >= ends[tp])
            for tp in partitions
        )
    finally:
        await admin.close()
        await consumer.stop()


async def _partitions(consumer: AIOKafkaConsumer, name: str) -> list[TopicPartition]:
    # Not `consumer.partitions_for_topic`: it knows of no topic that the consumer is not subscribed
    # to, and no partitions look like a topic that is empty and caught up with.
    cluster = await consumer._client.fetch_all_metadata()
    numbers = cluster.partitions_for_topic(name)
    assert numbers, f"there is no topic {name}"
    return [TopicPartition(name, n) for n in sorted(numbers)]
