"""Topic name ↔ message type ↔ key ↔ how long it is kept, in one table.

Topics are created by this module's admin call with the right partitions and clean-up policy; the
brokers have auto-creation off, because a topic that a typo made keeps reads for ever.

Run `python -m alpr_common.topics` once before the services start; it is idempotent.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field

import structlog
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, TopicAlreadyExistsError

from alpr_common.messages.alert import AlertChanged
from alpr_common.messages.audit import AuditRecord
from alpr_common.messages.base import Message
from alpr_common.messages.frame import Frame
from alpr_common.messages.hit import Hit
from alpr_common.messages.hotlist import HotListPattern, HotListRecord
from alpr_common.messages.read import Read
from alpr_common.messages.session import TokensRefused
from alpr_common.settings import CommonSettings

_HOUR_SECONDS = 3600
_DAY_SECONDS = 24 * _HOUR_SECONDS
DEAD_LETTER_SUFFIX = ".dlq"
DEAD_LETTER_RETENTION_SECONDS = 14 * _DAY_SECONDS

log = structlog.get_logger()


@dataclass(frozen=True)
class Topic:
    """One row of the table. `retention_seconds` is how long a message is there at most; None means
    compacted."""

    name: str
    message: type[Message]
    key: str
    partitions: int
    retention_seconds: int | None
    config: dict[str, str] = field(default_factory=dict)

    @property
    def dead_letter_name(self) -> str:
        return self.name + DEAD_LETTER_SUFFIX


# Reads and hot list must have the same partition count and key, so that a join can be
# partition-local; the hits follow the reads.
_JOIN_PARTITIONS = 4

FRAMES = Topic(
    "alpr.frames.v1",
    Frame,
    "camera_id",
    4,
    _HOUR_SECONDS,
    # A frame is at most 4 MiB; headers and batch overhead come on top.
    {"max.message.bytes": str(5 * 1024 * 1024)},
)
READS = Topic("alpr.reads.v1", Read, "match_key", _JOIN_PARTITIONS, 7 * _DAY_SECONDS)
HOTLIST = Topic(
    "alpr.hotlist.v1",
    HotListRecord,
    "match_key",
    _JOIN_PARTITIONS,
    None,
    # A record holds all entries of its key: of "NONE", a state's list has thousands.
    {"max.message.bytes": str(5 * 1024 * 1024)},
)
HOTLIST_PATTERNS = Topic("alpr.hotlist-patterns.v1", HotListPattern, "entry_id", 1, None)
HITS = Topic("alpr.hits.v1", Hit, "match_key", _JOIN_PARTITIONS, 7 * _DAY_SECONDS)
ALERTS = Topic("alpr.alerts.v1", AlertChanged, "alert_id", 4, 7 * _DAY_SECONDS)
AUDIT = Topic("alpr.audit.v1", AuditRecord, "agency_id", 4, 30 * _DAY_SECONDS)
# No access token lives longer than 15 minutes, so what is older can refuse none.
SESSIONS = Topic("alpr.sessions.v1", TokensRefused, "subject_id", 1, _HOUR_SECONDS)

TOPICS: tuple[Topic, ...] = (
    FRAMES,
    READS,
    HOTLIST,
    HOTLIST_PATTERNS,
    HITS,
    ALERTS,
    AUDIT,
    SESSIONS,
)


def _kept_at_most(seconds: int) -> dict[str, str]:
    """Kafka deletes whole segments, by their newest message: with its default of seven days per
    segment, a quiet topic keeps a message for a week longer than `retention.ms` says."""
    segment_seconds = min(seconds // 8, _DAY_SECONDS)
    return {
        "cleanup.policy": "delete",
        "retention.ms": str((seconds - segment_seconds) * 1000),
        "segment.ms": str(segment_seconds * 1000),
    }


def _specifications(topics: Iterable[Topic], replication_factor: int) -> list[NewTopic]:
    new = []
    for topic in topics:
        if topic.retention_seconds is None:
            kept = {"cleanup.policy": "compact", "min.cleanable.dirty.ratio": "0.1"}
        else:
            kept = _kept_at_most(topic.retention_seconds)
        new.append(
            NewTopic(
                topic.name, topic.partitions, replication_factor, topic_configs=kept | topic.config
            )
        )
        dead = _kept_at_most(DEAD_LETTER_RETENTION_SECONDS)
        new.append(
            NewTopic(
                topic.dead_letter_name, 1, replication_factor, topic_configs=dead | topic.config
            )
        )
    return new


async def create_topics(bootstrap_servers: str, replication_factor: int = 1) -> list[str]:
    """Create what is missing of `TOPICS` and their dead-letter topics; returns the names made.

    What is there gets the table's configuration: a retention that was shortened holds for it too.
    Raises `KafkaError` when the broker refuses one for another reason than that it exists.
    """
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers)
    await admin.start()
    try:
        existing = set(await admin.list_topics())
        wanted = _specifications(TOPICS, replication_factor)
        missing = [t for t in wanted if t.name not in existing]
        if missing:
            response = await admin.create_topics(missing)
            for name, code, *message in response.topic_errors:
                if code not in (0, TopicAlreadyExistsError.errno):
                    raise KafkaError(f"topic {name} was not created: error {code} {message}")
        await _configure(admin, [t for t in wanted if t.name in existing])
        return [t.name for t in missing]
    finally:
        await admin.close()


async def _configure(admin: AIOKafkaAdminClient, topics: list[NewTopic]) -> None:
    resources = [
        ConfigResource(ConfigResourceType.TOPIC, topic.name, configs=topic.topic_configs)
        for topic in topics
    ]
    for response in await admin.alter_configs(resources):
        for code, message, _, name in response.resources:
            if code:
                raise KafkaError(f"topic {name} was not configured: error {code} {message}")


def main() -> None:
    settings = CommonSettings()
    made = asyncio.run(
        create_topics(settings.kafka_bootstrap_servers, settings.kafka_replication_factor)
    )
    log.info("topics.ready", created=made, total=2 * len(TOPICS))


if __name__ == "__main__":
    main()
