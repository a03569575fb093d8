"""How long topics keep what lies on them, as the broker sees it."""

from __future__ import annotations

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from alpr_common.topics import FRAMES, READS, TOPICS, create_topics
from alpr_local.stack import Stack
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration

NAMES = ("retention.ms", "segment.ms", "max.message.bytes", "cleanup.policy")


async def configured(admin: AIOKafkaAdminClient, topic: str) -> dict[str, str]:
    (answer,) = await admin.describe_configs(
        [ConfigResource(ConfigResourceType.TOPIC, topic, dict.fromkeys(NAMES))]
    )
    ((_, _, _, _, entries),) = answer.resources
    return {entry[0]: entry[1] for entry in entries}


@pytest.mark.policy("131.7-1d")
async def test_a_topic_that_is_there_gets_the_retention_of_the_table(fresh_stack: Stack) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=fresh_stack.kafka_bootstrap_servers)
    await admin.start()
    try:
        before = await configured(admin, READS.name)
        longer = {"retention.ms": str(400 * 86_400_000)}
        reads = ConfigResource(ConfigResourceType.TOPIC, READS.name, longer)
        await admin.alter_configs([reads])

        async def is_changed() -> bool:
            return await configured(admin, READS.name) != before

        async def is_as_before() -> bool:
            return await configured(admin, READS.name) == before

        # The broker takes a change before it shows it.
        await eventually(is_changed, 60, what="the topic keeps reads for longer")
        assert await create_topics(fresh_stack.kafka_bootstrap_servers) == []
        await eventually(is_as_before, 60, what="the topic is as the table says")
        for topic in TOPICS:
            kept = await configured(admin, topic.name)
            if topic.retention_seconds is not None:
                longest = int(kept["retention.ms"]) + int(kept["segment.ms"])
                assert longest == topic.retention_seconds * 1000, topic.name
        size = FRAMES.config["max.message.bytes"]
        assert (await configured(admin, FRAMES.dead_letter_name))["max.message.bytes"] == size
    finally:
        await admin.close()
