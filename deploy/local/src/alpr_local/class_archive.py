"""Records the classes a broker loads, so that later starts map them instead of parsing jars."""

from __future__ import annotations

import logging
import tempfile
from dataclasses import replace
from pathlib import Path

from alpr_local.errors import LocalStackError
from alpr_local.install import Installation
from alpr_local.kafka import KafkaServer, run_apart


def make_class_archive(installation: Installation) -> None:
    """Run a broker once under load and keep its class list (AppCDS); starts shrink to a third.

    A failure costs only speed, so it is not an error: the archive is then simply absent.
    """
    with tempfile.TemporaryDirectory(dir=installation.kafka_jars.parent) as temporary:
        folder = Path(temporary)
        archive = folder / "classes.jsa"
        bare = replace(installation, class_archive=folder / "absent")
        server = KafkaServer(
            folder / "kafka", folder / "logs", bare, (f"-XX:ArchiveClassesAtExit={archive}",)
        )
        # It reports a group coordinator that is still being made as an error, though it retries.
        logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
        try:
            server.start(deadline_seconds=90)
            run_apart(_exercise(server.bootstrap_servers))
        except LocalStackError:
            return
        finally:
            logging.getLogger("aiokafka").setLevel(logging.NOTSET)
            server.stop()
        if archive.exists():
            archive.replace(installation.class_archive)


async def _exercise(bootstrap_servers: str) -> None:
    """Make a topic, write, read in a group: ordinary work, whose classes belong into it too."""
    from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
    from aiokafka.admin import AIOKafkaAdminClient, NewTopic

    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers)
    await admin.start()
    await admin.create_topics([NewTopic("warm-up", num_partitions=1, replication_factor=1)])
    await admin.close()
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap_servers, acks="all")
    await producer.start()
    await producer.send_and_wait("warm-up", b"a", key=b"k")
    await producer.stop()
    consumer = AIOKafkaConsumer(
        "warm-up", bootstrap_servers=bootstrap_servers, group_id="warm-up",
        auto_offset_reset="earliest",
    )  # fmt: skip
    await consumer.start()
    await consumer.getone()
    await consumer.commit()
    await consumer.stop()
