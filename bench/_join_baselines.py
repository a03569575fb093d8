"""What the join is compared with: `python -m bench._join_baselines idiomatic|plain SERVERS`.

Both load the whole list into a dictionary, say `ready`, and join reads until they are ended.
"""

import asyncio
import json
import sys
from datetime import UTC, datetime
from typing import Any

import faust
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from alpr_common.messages.hit import Hit
from alpr_common.messages.hotlist import HotListRecord
from alpr_common.messages.read import Read
from alpr_common.policy import Policy
from alpr_common.topics import HITS, HOTLIST, READS
from alpr_matcher.domain import match_read

Table = dict[bytes, bytes]


async def load(servers: str) -> Table:
    consumer = AIOKafkaConsumer(bootstrap_servers=servers, enable_auto_commit=False)
    await consumer.start()
    try:
        partitions = [TopicPartition(HOTLIST.name, n) for n in range(HOTLIST.partitions)]
        consumer.assign(partitions)
        await consumer.seek_to_beginning()
        ends = await consumer.end_offsets(partitions)
        table: Table = {}
        while any([await consumer.position(tp) < end for tp, end in ends.items()]):
            fetched = await consumer.getmany(timeout_ms=200, max_records=5000)
            table |= {m.key: m.value for messages in fetched.values() for m in messages}
        return table
    finally:
        await consumer.stop()


def hits_of(table: Table, read: Read) -> list[Hit]:
    value = table.get(read.match_key.encode())
    if value is None:
        return []
    entries = HotListRecord.from_bytes(value).entries
    return match_read(read, entries, Policy(), datetime.now(UTC))


async def plain(servers: str) -> None:
    """aiokafka and a dictionary: what the client library costs, and nothing that a worker needs."""
    table = await load(servers)
    consumer = AIOKafkaConsumer(
        READS.name,
        bootstrap_servers=servers,
        group_id="bench-plain",
        enable_auto_commit=False,
        auto_offset_reset="latest",
        session_timeout_ms=60_000,
        max_partition_fetch_bytes=4 * 1024 * 1024,
    )
    producer = AIOKafkaProducer(bootstrap_servers=servers, acks="all")
    await consumer.start()
    await producer.start()
    await consumer.seek_to_end()
    await consumer.commit()
    print("ready", flush=True)
    while True:
        fetched = await consumer.getmany(timeout_ms=1000, max_records=2000)
        sent = []
        for messages in fetched.values():
            for message in messages:
                if message.key in table:
                    hits = hits_of(table, Read.from_bytes(message.value))
                    sent += [
                        await producer.send(HITS.name, h.to_bytes(), message.key) for h in hits
                    ]
        await asyncio.gather(*sent)
        if fetched:
            await consumer.commit()


class FaustRead(faust.Record, serializer="json"):  # type: ignore[misc, call-arg]
    """A read as Faust's users write one: a record, every field of which is taken apart."""

    read_id: str
    agency_id: str
    camera_id: str
    plate: str
    match_key: str
    captured_at: str
    first_captured_at: str
    last_captured_at: str
    latitude: float
    longitude: float
    confidence: float
    frame_id: str
    frame_object: str
    plate_object: str
    plate_box: dict[str, float]
    emitted_at: str
    jurisdiction: str = "unknown"


def idiomatic(servers: str) -> None:
    """A Faust agent over records, one by one."""
    table = asyncio.run(load(servers))
    app = faust.App(
        "bench-idiomatic",
        broker=[f"kafka://{server}" for server in servers.split(",")],
        web_enabled=False,
        topic_allow_declare=False,
        topic_disable_leader=True,
        consumer_auto_offset_reset="latest",
        broker_session_timeout=60.0,
        broker_heartbeat_interval=10.0,
        stream_wait_empty=False,
    )
    reads = app.topic(READS.name, key_type=bytes, key_serializer="raw", value_type=FaustRead)
    hits = app.topic(HITS.name, value_serializer="raw", key_serializer="raw")

    async def join(stream: Any) -> None:
        async for read in stream:
            if read.match_key.encode() in table:
                whole = Read.model_validate_json(json.dumps(read.asdict()))
                for hit in hits_of(table, whole):
                    await hits.send(key=read.match_key.encode(), value=hit.to_bytes())

    app.agent(reads)(join)

    @app.task  # type: ignore[untyped-decorator, unused-ignore]
    async def say() -> None:
        while not app.consumer.assignment():  # noqa: ASYNC110 - Faust tells nobody
            await asyncio.sleep(0.2)
        print("ready", file=sys.__stdout__, flush=True)

    faust.Worker(app, loglevel="warning", redirect_stdouts=False).execute_from_commandline()


if __name__ == "__main__":
    if sys.argv[1] == "plain":
        asyncio.run(plain(sys.argv[2]))
    else:
        idiomatic(sys.argv[2])
