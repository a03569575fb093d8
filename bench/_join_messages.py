"""What `bench.join` puts on the topics: list, reads and patterns, made fast enough not to count."""

import asyncio
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid5

from aiokafka import AIOKafkaProducer

from alpr_common.messages.hotlist import HotListEntry, HotListPattern, HotListRecord
from alpr_common.messages.read import Box, Read
from alpr_common.topics import READS

HIT_SHARE = 0.005
_IDS = UUID("b2e0e7a0-3a52-4f7e-9a58-000000000005")
_MARKER, _MARKER_ID = "3MARKER", UUID(int=0)
_CHARACTERS = "3479ACEFHJKMNPRTUVWXY"


def plate_of(number: int) -> str:
    text = ""
    for _ in range(7):
        number, place = divmod(number, len(_CHARACTERS))
        text += _CHARACTERS[place]
    return text


def records(first: int, end: int) -> Iterator[tuple[bytes, bytes]]:
    """Keys and records of listed plates; one message written as pydantic writes it, then copied."""
    entry = HotListEntry(
        entry_id=_MARKER_ID, agency_id="IL0222900", serves_agency_ids=("IL0222900",),
        plate=_MARKER, match_key=_MARKER, jurisdiction="US-IL", category="stolen_vehicle",
        priority=2, source="leads", reason="Stolen vehicle", case_number="26-0047110",
        vehicle="2018 Ford F150 blue", effective_at=datetime.now(UTC) - timedelta(days=1),
        expires_at=datetime.now(UTC) + timedelta(days=90),
    )  # fmt: skip
    model = HotListRecord(match_key=_MARKER, entries=(entry,)).to_bytes()
    for n in range(first, end):
        plate = plate_of(n).encode()
        value = model.replace(_MARKER.encode(), plate)
        yield plate, value.replace(str(_MARKER_ID).encode(), str(UUID(int=n + 1)).encode())


def reads(count: int, listed: int, series: str) -> Iterator[tuple[bytes, bytes]]:
    """Keys and reads, of which every two-hundredth is of a listed plate."""
    at = datetime.now(UTC)
    read = Read(
        read_id=_MARKER_ID, agency_id="IL0222900", camera_id="camera-1", plate=_MARKER,
        match_key=_MARKER, captured_at=at, first_captured_at=at, last_captured_at=at, latitude=42,
        longitude=-88, confidence=0.9, frame_id=_IDS, frame_object="f.jpg", plate_object="p.jpg",
        plate_box=Box(x1=0, y1=0, x2=1, y2=1), jurisdiction="US-IL", emitted_at=at,
    )  # fmt: skip
    model = read.to_bytes()
    every = round(1 / HIT_SHARE)
    for n in range(count):
        number = (n * 7919) % listed if n % every == 0 else 500_000_000 + n
        plate = plate_of(number).encode()
        value = model.replace(_MARKER.encode(), plate)
        read_id = uuid5(_IDS, f"{series} {n}")
        yield plate, value.replace(str(_MARKER_ID).encode(), str(read_id).encode())


async def publish(servers: str, topic: str, messages: Iterator[tuple[bytes, bytes]]) -> None:
    """As fast as it goes: whole batches, dealt out to the partitions in turn."""
    producer = AIOKafkaProducer(
        bootstrap_servers=servers, max_batch_size=256 * 1024, linger_ms=5, acks="all"
    )
    await producer.start()
    try:
        batch, waits, partition = producer.create_batch(), [], 0
        for key, value in messages:
            while batch.append(key=key, value=value, timestamp=int(time.time() * 1000)) is None:
                waits.append(await producer.send_batch(batch, topic, partition=partition))
                batch, partition = producer.create_batch(), (partition + 1) % READS.partitions
        waits.append(await producer.send_batch(batch, topic, partition=partition))
        await asyncio.gather(*waits)
    finally:
        await producer.stop()


def patterns(number: int) -> Iterator[tuple[bytes, bytes]]:
    """Keys and partial entries of three shapes: a beginning, an end, a middle.

    Each names a 0, which no plate has here: many are tried, and the hits stay as they were.
    """
    _, value = next(records(0, 1))
    (model,) = HotListRecord.from_bytes(value).entries
    for n in range(number):
        text = plate_of(n * 9241)
        plate = [f"{text[:3]}?0*", f"*{text[2:5]}0", f"{text[0]}?{text[2:4]}0??"][n % 3]
        entry = model.model_copy(update={"plate": plate, "entry_id": UUID(int=n)})
        yield str(n).encode(), HotListPattern(entry=entry).to_bytes()
