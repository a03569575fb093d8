"""Topics of their own for tests of the consume loop, and what to do with them."""

from dataclasses import dataclass, field
from uuid import uuid4

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from alpr_common.errors import MalformedMessage
from alpr_common.kafka import ConsumeLoop, Decoded, Publisher, Received
from alpr_common.messages.frame import Frame
from alpr_common.topics import Topic


async def make_topic(bootstrap_servers: str, partitions: int = 1) -> Topic:
    """A fresh topic and its dead-letter topic. The name makes the stack's clean-up find it."""
    topic = Topic(f"alpr.test-{uuid4().hex[:8]}.v1", Frame, "key", partitions, 3600)
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers)
    await admin.start()
    try:
        await admin.create_topics(
            [NewTopic(topic.name, partitions, 1), NewTopic(topic.dead_letter_name, 1, 1)]
        )
    finally:
        await admin.close()
    return topic


def decode_text(received: Received) -> str:
    text = (received.value or b"").decode()
    if text.startswith("malformed"):
        raise MalformedMessage(f"made to be {text}")
    return text


@dataclass
class Handled:
    """What a loop's handler has been given, in order."""

    texts: list[str] = field(default_factory=list)

    async def __call__(self, batch: list[Decoded[str]]) -> None:
        self.texts += [one.message for one in batch]


def loop_over(
    topic: Topic, publisher: Publisher, servers: str, handle: object, **options: object
) -> ConsumeLoop[str]:
    arguments: dict[str, object] = {"group_id": f"test-{topic.name}", "poll_seconds": 0.05}
    return ConsumeLoop(
        bootstrap_servers=servers, topic=topic, decode=decode_text, handle=handle,  # type: ignore[arg-type]
        publisher=publisher, **(arguments | options),  # type: ignore[arg-type]
    )  # fmt: skip


@dataclass
class Notebook:
    """A `Checkpoints` that commits what it is told to, and notes what it hears."""

    to_commit: dict[TopicPartition, tuple[int, str]] = field(default_factory=dict)
    heard: list[tuple[str, dict[TopicPartition, str]]] = field(default_factory=list)
    dead: list[tuple[TopicPartition, int]] = field(default_factory=list)

    def assigned(self, metadata: dict[TopicPartition, str]) -> None:
        self.heard.append(("assigned", dict(metadata)))

    def revoked(self, partitions: set[TopicPartition]) -> None:
        self.heard.append(("revoked", dict.fromkeys(partitions, "")))

    def dead_lettered(self, partition: TopicPartition, offset: int) -> None:
        self.dead.append((partition, offset))

    def offsets(self) -> dict[TopicPartition, tuple[int, str]]:
        return dict(self.to_commit)
